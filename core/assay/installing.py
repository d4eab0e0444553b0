"""Installs and removes plugins by pip or uv, whichever is there: from a checkout, a folder of wheels, or an index."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay import catalog, index
from assay.errors import AssayError, unknown

HEAVY = {"torch": "about 200 MB for the CPU build", "scikit-learn": "about 30 MB", "pandas": "about 40 MB"}


@dataclass(frozen=True)
class Step:
    """What an installation will do: `targets` are what the installer is given, `bytes` is known for local sources."""

    names: tuple[str, ...]
    targets: tuple[str, ...]
    present: tuple[str, ...]
    heavy: tuple[str, ...]
    bytes: int | None


def chosen(papers: Iterable[str], family: str | None, task: str | None) -> list[dict[str, Any]]:
    """Return the known papers that ids, a family or a task mean; at least one."""
    known = index.known()
    by_id = {entry["paper"]: entry for entry in known}
    for paper in papers:
        if paper not in by_id:
            raise unknown("paper", paper, by_id)
    if family and family not in {e["family"] for e in known}:
        raise unknown("family", family, {e["family"] for e in known})
    if task and task not in {t for e in known for t in e["tasks"]}:
        raise unknown("task", task, {t for e in known for t in e["tasks"]})
    wanted = [e for e in known if e["paper"] in papers or e["family"] == family or task in e["tasks"]]
    if not wanted:
        raise AssayError("say what to install: paper ids, --family or --task (assay list --available)")
    return wanted


def plan(entries: Iterable[Mapping[str, Any]], source: Path | None) -> Step:
    """Return what is to be done to install papers. `source` is a checkout or a folder of wheels; an index when None."""
    here = {plugin.name for plugin in catalog.installed()}
    names = [e["name"] for e in entries if e["name"] not in here]
    present = tuple(e["name"] for e in entries if e["name"] in here)
    if source is None:
        return Step(tuple(names), tuple(names), present, _heavy({"torch"}) if names else (), None)
    folders, wheels = _local(source)
    targets: dict[str, Path] = {}
    needed: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        place = folders.get(name) or wheels.get(name)
        if place is None:
            raise unknown("distribution", name, [*folders, *wheels], hint=f"(in {source})")
        targets[name] = place
        for requirement in _requires(place):
            needed.add(requirement)
            if requirement.startswith("assay-") and requirement not in targets and requirement not in here:
                todo.append(requirement)
    size = sum(_size(place) for place in targets.values())
    return Step(tuple(targets), tuple(map(str, targets.values())), present, _heavy(needed), size)


def command(step: Step, source: Path | None) -> list[str]:
    """Return the installer's command line."""
    options = ["--find-links", str(source)] if source and any(t.endswith(".whl") for t in step.targets) else []
    return [*installer(), "install", *options, *step.targets]


def installer() -> list[str]:
    """Return how to call uv or pip for this interpreter."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if uv := shutil.which("uv"):
        return [uv, "pip"]
    raise AssayError("neither pip nor uv is here: python -m ensurepip, or install uv")


def run(command_line: list[str]) -> None:
    """Run the installer; its failure is an error with its last lines."""
    if command_line[0].endswith("uv"):
        command_line = [*command_line[:3], "--python", sys.executable, *command_line[3:]]
    done = subprocess.run(command_line, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise AssayError(f"{' '.join(command_line[:4])} failed: {'; '.join(lines[-3:]) or 'no message'}")


def removal(papers: Iterable[str]) -> list[str]:
    """Return the command that removes installed papers; their suite stays, as others may need it."""
    by_paper = {plugin.paper: plugin.name for plugin in catalog.installed() if plugin.paper}
    names = []
    for paper in papers:
        if paper not in by_paper:
            raise unknown("installed paper", paper, by_paper)
        names.append(by_paper[paper])
    tool = installer()
    return [*tool, "uninstall", *([] if tool[0].endswith("uv") else ["--yes"]), *names]


def _local(source: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the plugin folders and the wheels of a place, by distribution."""
    if not source.is_dir():
        raise AssayError(f"{source} is no folder: give a checkout of assay, or a folder of wheels")
    from assay.checks.subject import plugin_of

    folders = {}
    for pattern in ("pyproject.toml", "*/pyproject.toml", "plugins/*/*/pyproject.toml"):
        for path in source.glob(pattern):
            folders[plugin_of(path.parent).name] = path.parent
    wheels = {path.name.split("-")[0].replace("_", "-"): path for path in sorted(source.glob("*.whl"))}
    if not folders and not wheels:
        raise AssayError(f"{source} holds neither plugin folders nor wheels")
    return folders, wheels


def _requires(place: Path) -> set[str]:
    """Return the names of what a plugin folder or wheel requires."""
    if place.is_dir():
        from assay.checks.subject import read_toml

        texts = read_toml(place / "pyproject.toml").get("project", {}).get("dependencies", [])
    else:
        import zipfile

        with zipfile.ZipFile(place) as archive:
            name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            header = archive.read(name).decode().partition("\n\n")[0]
        texts = [
            line[15:] for line in header.splitlines() if line.startswith("Requires-Dist: ") and "extra ==" not in line
        ]
    return {m[0].lower() for text in texts if (m := re.match(r"[A-Za-z0-9._-]+", text))}


def _size(place: Path) -> int:
    files = (
        [place] if place.is_file() else [p for p in place.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    )
    return sum(path.stat().st_size for path in files)


def _heavy(names: Iterable[str]) -> tuple[str, ...]:
    """Return what is large among requirements that are not here yet."""
    absent = []
    for name in sorted(set(names) & set(HEAVY)):
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            absent.append(f"{name} ({HEAVY[name]})")
    return tuple(absent)
