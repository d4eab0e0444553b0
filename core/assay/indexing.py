"""Writes the index of all papers that ships with the core: `python -m assay.indexing plugins`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from assay.checks.subject import plugin_of
from assay.index import FILE
from assay.recorded import outcomes


def build(folder: Path) -> list[dict[str, Any]]:
    """Return the entries for the papers whose plugin folders lie below a folder. Imports none of them."""
    entries = []
    for path in folder.glob("*/*/pyproject.toml"):
        plugin = plugin_of(path.parent)
        if plugin.paper:
            verdict = path.with_name("verdict.json")
            recorded = outcomes(json.loads(verdict.read_text(encoding="utf-8"))) if verdict.is_file() else {}
            entries.append(
                {
                    "paper": plugin.paper,
                    "name": plugin.name,
                    "title": plugin.title,
                    "family": plugin.family,
                    "tasks": list(plugin.having("task")),
                    "claims": {claim: recorded.get(claim, "untested") for claim in plugin.having("claim")},
                }
            )
    return sorted(entries, key=lambda entry: (entry["family"], entry["paper"]))


def dumps(entries: list[dict[str, Any]]) -> str:
    """Return entries as JSON, one a line, so that two changes to two papers do not meet."""
    return "[\n" + ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries) + "\n]\n"


if __name__ == "__main__":
    Path(__file__).with_name(FILE).write_text(dumps(build(Path(sys.argv[1]))), encoding="utf-8")
