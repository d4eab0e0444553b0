"""Reads recorded verdicts, and says whether they still stand. Imports no plugin, no numpy: `assay list` uses it."""

from __future__ import annotations

import importlib.metadata
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.catalog import Plugin
from assay.digest import combined
from assay.errors import AssayError
from assay.sources import changed, source_of

FILE = "verdict.json"
SCHEMA = 1
"""Version of the form; a newer one is refused."""
OUTCOMES = ("holds", "fails", "inconclusive", "untested")


@dataclass(frozen=True)
class Recorded:
    """A paper's verdict.json: its content, where it was found, and the source statements that changed since."""

    content: Mapping[str, Any]
    where: str
    changed: tuple[str, ...]

    @property
    def stale(self) -> bool:
        """Whether something that the verdicts rest on is no longer what was tested."""
        return bool(self.changed)

    @property
    def outcomes(self) -> dict[str, str]:
        """The verdicts by claim id."""
        return outcomes(self.content)

    def summary(self) -> str:
        """Return `2 holds, 1 fails (stale)`."""
        counts = Counter(self.outcomes.values())
        text = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome])
        return f"{text or 'no claims'}{' (stale)' if self.stale else ''}"


def read(plugin: Plugin) -> Recorded | None:
    """Return what was recorded for a paper, None if it never was.

    The file in the plugin's source folder counts first, then the copy that its wheel carries. Raises AssayError when the
    file is damaged or of a newer schema.
    """
    content, where = _find(plugin)
    if not content:
        return None
    try:
        found = json.loads(content)
    except json.JSONDecodeError as error:
        raise AssayError(
            f"{where} is no JSON ({error}): record it anew, assay verify {plugin.paper} --record"
        ) from None
    if not found:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("schema"), int):
        raise AssayError(f"{where} has no schema number: record it anew, assay verify {plugin.paper} --record")
    if found["schema"] > SCHEMA:
        raise AssayError(f"{where} has schema {found['schema']}, this assay knows up to {SCHEMA}: upgrade assay")
    differing = changed(found["sources"])
    if digest(found["sources"], found["claims"]) != found["digest"]:
        differing.append(f"{FILE} itself")
    return Recorded(found, where, tuple(differing))


def _find(plugin: Plugin) -> tuple[str, str]:
    place = folder(plugin)
    if place and (place / FILE).is_file():
        return (place / FILE).read_text(encoding="utf-8"), str(place / FILE)
    inside = importlib.metadata.distribution(plugin.name).read_text(f"extra_metadata/{FILE}")
    return inside or "", f"{FILE} in the wheel of {plugin.name}"


def folder(plugin: Plugin) -> Path | None:
    """Return the plugin's source folder, which holds its module (or package) and its pyproject.toml; None without one."""
    path = source_of(plugin.module)
    if path is None:
        return None
    place = path.parent.parent if path.name == "__init__.py" else path.parent
    return place if (place / "pyproject.toml").is_file() else None


def digest(sources: Mapping[str, str], claims: Iterable[Mapping[str, Any]]) -> str:
    """Return the digest of what verdicts rest on: the source statements, and what each claim checks and found."""
    found = {f"claim {c['id']}": json.dumps([c["check"], c["verdict"], c["per_seed"]], sort_keys=True) for c in claims}
    return combined({**sources, **found})


def outcomes(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the verdict by claim id of a verification as data."""
    return {claim["id"]: claim["verdict"] for claim in content.get("claims", ())}
