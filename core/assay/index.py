"""All papers that assay knows, installed or not: a file that ships with the core, generated from their plugins.

`python -m assay.index plugins` writes it anew.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import sys
from pathlib import Path
from typing import Any

FILE = "index.json"


@functools.cache
def known() -> list[dict[str, Any]]:
    """Return an entry for each known paper: paper, name (distribution), title, family, tasks, claims (verdict by id)."""
    text = (importlib.resources.files("assay") / FILE).read_text(encoding="utf-8")
    return list(json.loads(text))


def build(folder: Path) -> list[dict[str, Any]]:
    """Return the entries for the papers whose plugin folders lie below a folder. Imports none of them."""
    from assay.checks.subject import plugin_of
    from assay.recorded import outcomes

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
