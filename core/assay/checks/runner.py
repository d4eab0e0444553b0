"""Applies the checks to plugins, counts waivers, and keeps what the costly ones found while nothing changes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from assay.checks.kit import Check, NotApplicable, Result
from assay.checks.subject import Subject, folder_of
from assay.errors import AssayError, unknown


class Report(NamedTuple):
    """What was found in one plugin."""

    plugin: str
    results: tuple[Result, ...]

    def count(self, state: str) -> int:
        """Return how many checks ended in a state."""
        return sum(result.state == state for result in self.results)

    @property
    def ok(self) -> bool:
        """Whether nothing was found that is not waived."""
        return not self.count("found")


def checks(*, smoke: bool = True) -> tuple[Check, ...]:
    """Return all checks, or those that run no entrant."""
    from assay.checks import agreement, claimed, documents, packaging, registered, requirements, source

    rooms = (packaging, requirements, source, agreement, registered, claimed, documents)
    still = tuple(check for room in rooms for check in room.CHECKS)
    if not smoke:
        return still
    from assay.checks import data, imports, manners, probes
    from assay.checks import smoke as running

    return (*still, *running.CHECKS, *data.CHECKS, *manners.CHECKS, *probes.CHECKS, *imports.CHECKS)


def check_by_id(name: str) -> Check:
    """Return a check; an unknown one is an error with the nearest ids."""
    for check in checks():
        if check.id == name:
            return check
    raise unknown("check", name, [check.id for check in checks()])


def examine(subject: Subject, selected: Iterable[Check], *, cache: Path | None = None) -> Report:
    """Apply checks to a plugin. What those that run entrants found is read from `cache` while no source changed."""
    waivers = _waivers(subject)
    selected = list(selected)
    kept = _Kept(cache, subject) if cache and any(c.stage == "smoke" for c in selected) else None
    results = []
    for check in selected:
        result = kept.get(check) if kept and check.stage == "smoke" else None
        if result is None:
            result = apply(check, subject)
            if kept and check.stage == "smoke":
                kept.put(result)
        if result.state == "found" and check.id in waivers:
            result = result._replace(state="waived", note=waivers[check.id])
        results.append(result)
    if kept:
        kept.write()
    unneeded = [r.check for r in results if r.check in waivers and r.state == "passed"]
    results += [Result("waivers", "found", (f"{name} passes: remove its waiver",)) for name in unneeded]
    return Report(subject.name, tuple(results))


def apply(check: Check, subject: Subject) -> Result:
    """Apply one check. A mistake that an examination trips over is a finding too."""
    try:
        found = tuple(check.examine(subject))
    except NotApplicable as reason:
        return Result(check.id, "not applicable", note=str(reason))
    except AssayError as error:
        return Result(check.id, "found", (str(error),))
    except SyntaxError as error:
        return Result(check.id, "found", (f"{error.filename}:{error.lineno} {error.msg}",))
    return Result(check.id, "found" if found else "passed", found)


def _waivers(subject: Subject) -> dict[str, str]:
    """Return the waivers of `[tool.assay.waivers]`, each with its reason."""
    if subject.folder is None:
        return {}
    found = subject.pyproject.get("tool", {}).get("assay", {}).get("waivers", {})
    for name, reason in found.items():
        check_by_id(name)
        if not isinstance(reason, str) or len(reason.split()) < 3:
            raise AssayError(f"{subject.root / 'pyproject.toml'}: the waiver of {name!r} needs a reason in words")
    return dict(found)


class _Kept:
    """Results of the costly checks of one plugin, kept in a file that is named by all sources they depend on."""

    def __init__(self, folder: Path, subject: Subject) -> None:
        self._path = folder / f"{subject.plugin.name}.json"
        self._digest = fingerprint(subject)
        self._results: dict[str, Result] = {}
        with contextlib.suppress(OSError, ValueError, KeyError):
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if content["digest"] == self._digest:
                self._results = {r[0]: Result(r[0], r[1], tuple(r[2]), r[3]) for r in content["results"]}

    def get(self, check: Check) -> Result | None:
        return self._results.get(check.id)

    def put(self, result: Result) -> None:
        self._results[result.check] = result

    def write(self) -> None:
        text = json.dumps({"digest": self._digest, "results": list(self._results.values())})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(f".{os.getpid()}")
        part.write_text(text, encoding="utf-8")
        part.replace(self._path)


def fingerprint(subject: Subject) -> str:
    """Return a digest of the sources that a plugin's smoke runs depend on: its own, its suite's and the core's."""
    family = subject.plugin.family
    suites = [p for p in subject.catalog.plugins if p.family == family and not p.paper and p != subject.plugin]
    texts = [hashlib.sha256(text.encode()).hexdigest() for text in subject.sources.values()] if subject.folder else []
    for plugin in suites:
        folder = folder_of(plugin)
        top = plugin.module.partition(".")[0]
        texts += [_tree(folder / top)] if folder else [plugin.version]
    core = Path(__file__).parents[1]
    rooms = ("cell.py", "context.py", "plan.py", "spec.py", "catalog.py", "checks")
    texts += [_tree(core / room) for room in rooms]
    return hashlib.sha256("".join((subject.plugin.version, *texts)).encode()).hexdigest()


_trees: dict[Path, str] = {}


def _tree(path: Path) -> str:
    """Return a digest of a Python file or of all below a folder."""
    if path not in _trees:
        files: Iterator[Path] | list[Path] = [path] if path.is_file() else path.rglob("*.py")
        _trees[path] = hashlib.sha256(
            b"".join(hashlib.sha256(f.read_bytes()).digest() for f in sorted(files))
        ).hexdigest()
    return _trees[path]
