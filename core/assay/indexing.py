"""Writes the index of all plugins that ships with the core: `python -m assay.indexing plugins`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from assay.checks.subject import plugin_of, read_toml
from assay.index import FILE, told
from assay.recorded import outcomes


def build(folder: Path) -> list[dict[str, Any]]:
    """Return the entries for the distributions whose folders lie below a folder. Imports none of them."""
    return sorted(
        (entry(path.parent) for path in folder.glob("*/*/pyproject.toml")),
        key=lambda e: (e.get("family", ""), e.get("paper", ""), e["name"]),
    )


def entry(folder: Path) -> dict[str, Any]:
    """Return the entry for a plugin's folder."""
    project = read_toml(folder / "pyproject.toml")["project"]
    plugin, verdict = plugin_of(folder), folder / "verdict.json"
    found: dict[str, Any] = {}
    if plugin.paper:
        recorded = outcomes(json.loads(verdict.read_text(encoding="utf-8"))) if verdict.is_file() else {}
        found = told(plugin, recorded)
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    extras = project.get("optional-dependencies", {})
    return {
        **found,
        "name": plugin.name,
        "requires": sorted(requirement(text) for text in project.get("dependencies", ())),
        "bytes": int(float(f"{size:.0e}")),  # so that few edits change it
        **({"extras": extras} if extras else {}),
    }


def requirement(text: str) -> str:
    """Return the name of a requirement, normalised: `Scikit_Learn>=1.3` is `scikit-learn`."""
    return canonicalize_name(Requirement(text).name)


def dumps(entries: list[dict[str, Any]]) -> str:
    """Return entries as JSON, one a line, so that two changes to two papers do not meet."""
    return "[\n" + ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries) + "\n]\n"


if __name__ == "__main__":
    Path(__file__).with_name(FILE).write_text(dumps(build(Path(sys.argv[1]))), encoding="utf-8")
