"""Installs and removes plugins by pip or uv, whichever is there: from a checkout, a folder of wheels, or an index."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay import catalog, index, indexing
from assay.errors import AssayError, unknown

HEAVY = {
    "torch": "200 MB for the CPU build, gigabytes with CUDA: to choose, install it first",
    "scikit-learn": "about 30 MB",
    "pandas": "about 40 MB",
}


@dataclass(frozen=True)
class Step:
    """What an installation will do.

    `targets` are what the installer is given, `bytes` the size of the plugins (rounded for an index), `heavy` the large ones
    of the libraries that come along, `extras` what else can be asked for, by `distribution[extra]`.
    """

    names: tuple[str, ...]
    targets: tuple[str, ...]
    present: tuple[str, ...]
    heavy: tuple[str, ...]
    bytes: int
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


Entries = Mapping[str, Mapping[str, Any]]
"""What a source offers: entries as in `assay.index`, with the installer's `target`, by name of the distribution."""


def offered(source: Path | None) -> Entries:
    """Return what a checkout of assay or a folder of wheels offers; what the core's own index names when None."""
    if source is None:
        return {name: {**entry, "target": name} for name, entry in index.distributions().items()}
    from assay.checks.subject import plugin_of

    if not source.is_dir():
        raise AssayError(f"{source} is no folder: give a checkout of assay, or a folder of wheels")
    wheels = (_wheel(path) for path in sorted(source.glob("*.whl")))
    patterns = ("*/pyproject.toml", "plugins/*/*/pyproject.toml")
    folders = [path.parent for pattern in patterns for path in source.glob(pattern)]
    if (source / "pyproject.toml").is_file() and plugin_of(source).module:
        folders.append(source)  # one plugin; a checkout of assay has the core there
    found = [*wheels, *({**indexing.entry(folder), "target": str(folder)} for folder in folders)]
    if not found:
        raise AssayError(f"{source} holds neither plugin folders nor wheels")
    return {entry["name"]: entry for entry in found}


def chosen(papers: Iterable[str], family: str | None, task: str | None, offers: Entries) -> list[Mapping[str, Any]]:
    """Return the papers that ids, a family or a task mean, of those known and those offered; at least one."""
    own = [entry for entry in offers.values() if entry.get("paper")]
    known = {entry["paper"]: entry for entry in [*index.known(), *own]}
    wanted = set(papers)
    for paper in wanted - set(known):
        raise unknown("paper", paper, known)
    if family and family not in {e["family"] for e in known.values()}:
        raise unknown("family", family, {e["family"] for e in known.values()})
    if task and task not in {t for e in known.values() for t in e["tasks"]}:
        raise unknown("task", task, {t for e in known.values() for t in e["tasks"]})
    found = [e for e in known.values() if e["paper"] in wanted or e["family"] == family or task in e["tasks"]]
    if not found:
        raise AssayError("say what to install: paper ids, --family or --task (assay list --available)")
    return found


def plan(entries: Iterable[Mapping[str, Any]], offers: Entries, source: Path | None) -> Step:
    """Return what is to be done to install papers, with the suites and data that they need."""
    here = {plugin.name for plugin in catalog.installed()}
    names = [e["name"] for e in entries]
    found: dict[str, Mapping[str, Any]] = {}
    todo = [name for name in names if name not in here]
    while todo:
        name = todo.pop(0)
        if name not in offers:
            raise unknown("distribution", name, offers, hint=f"(in {source})" if source else "")
        found[name] = offers[name]
        needed = (r for r in offers[name]["requires"] if r.startswith("assay-") and r not in {*found, *todo})
        todo += [r for r in needed if not _version(r)]
    return Step(
        tuple(found),
        tuple(entry["target"] for entry in found.values()),
        tuple(name for name in names if name in here),
        _heavy({r for entry in found.values() for r in entry["requires"]}),
        sum(entry["bytes"] for entry in found.values()),
        {f"{name}[{extra}]": tuple(r) for name, e in found.items() for extra, r in e.get("extras", {}).items()},
    )


def command(step: Step, source: Path | None) -> list[str]:
    """Return the installer's command line."""
    options = ["--find-links", str(source)] if source and any(t.endswith(".whl") for t in step.targets) else []
    return [*installer("install"), *options, *step.targets]


def installer(action: str) -> list[str]:
    """Return the beginning of a command line by which pip or uv acts on this interpreter's environment."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", action, *(["--yes"] if action == "uninstall" else [])]
    if uv := shutil.which("uv"):
        return [uv, "pip", action, "--python", sys.executable]
    raise AssayError("neither pip nor uv is here: python -m ensurepip, or install uv")


def run(command_line: list[str]) -> None:
    """Run the installer; its failure is an error with its last lines."""
    done = subprocess.run(command_line, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise AssayError(f"{' '.join(command_line[:4])} failed: {'; '.join(lines[-3:]) or 'no message'}")


def removal(papers: Iterable[str]) -> list[str]:
    """Return the command that removes installed papers; their suite stays, as others may need it."""
    by_paper = {plugin.paper: plugin.name for plugin in catalog.installed() if plugin.paper}
    names = []
    for paper in papers:
        if paper not in by_paper:
            raise unknown("installed paper", paper, by_paper)
        names.append(by_paper[paper])
    return [*installer("uninstall"), *names]


def _wheel(path: Path) -> dict[str, Any]:
    """Return the entry for a wheel, from its metadata."""
    from email.parser import HeaderParser

    with zipfile.ZipFile(path) as archive:
        (info,) = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        header = HeaderParser().parsestr(archive.read(f"{info}/METADATA").decode())
    words = [word.strip().partition(":") for word in header.get("Keywords", "").split(",")]
    values = {kind: [value for k, _, value in words if k == kind] for kind in ("paper", "family", "task", "claim")}
    requires = header.get_all("Requires-Dist", [])
    extras = {
        extra: [r.partition(";")[0].strip() for r in requires if f"extra == '{extra}'" in r.replace('"', "'")]
        for extra in header.get_all("Provides-Extra", [])
    }
    return {
        "name": header["Name"],
        "paper": next(iter(values["paper"]), ""),
        "family": next(iter(values["family"]), ""),
        "tasks": values["task"],
        "claims": dict.fromkeys(values["claim"], "untested"),
        "requires": sorted(indexing.requirement(r) for r in requires if "extra ==" not in r),
        "bytes": path.stat().st_size,
        "target": str(path),
        **({"extras": extras} if extras else {}),
    }


def _heavy(names: Iterable[str]) -> tuple[str, ...]:
    """Return what is large among requirements that are not here yet."""
    return tuple(f"{name} ({HEAVY[name]})" for name in sorted(set(names) & set(HEAVY)) if not _version(name))


def _version(name: str) -> str | None:
    """Return the installed version of a distribution."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
