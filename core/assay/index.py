"""All papers that assay knows, installed or not: a file that ships with the core, which `assay.indexing` writes.

A paper is known once it has a plugin: what cannot be installed is no choice.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError, unknown

if TYPE_CHECKING:
    from assay.catalog import Plugin

FILE = "index.json"


@functools.cache
def distributions() -> dict[str, dict[str, Any]]:
    """Return what a plugin's distribution needs, by its name: name, requires (names), bytes (about), extras if any."""
    text = (importlib.resources.files("assay") / FILE).read_text(encoding="utf-8")
    return {entry["name"]: entry for entry in json.loads(text)}


def known() -> list[dict[str, Any]]:
    """Return an entry for each known paper: beside the above paper, title, family, tasks, claims (verdict by id)."""
    return [entry for entry in distributions().values() if entry.get("paper")]


def told(plugin: Plugin, verdicts: Mapping[str, str]) -> dict[str, Any]:
    """Return what the index tells of a paper, from its plugin's metadata and the verdicts by claim id, as far as there are."""
    return {
        "paper": plugin.paper,
        "title": plugin.title,
        "family": plugin.family,
        "tasks": list(plugin.having("task")),
        "claims": {claim: verdicts.get(claim, "untested") for claim in plugin.having("claim")},
    }


def absent(kind: str, name: str, installed: Iterable[str]) -> AssayError:
    """Return the error for a task or paper that is not installed: how to get one that assay knows, else the nearest ids.

    `kind` is how the error names what was asked for.
    """
    papers = {entry["paper"] for entry in known()} if "paper" in kind else set()
    tasks = {task for entry in known() for task in entry["tasks"]} if "task" in kind else set()
    if name in papers | tasks:
        shown = f"paper {name!r}" if name in papers else f"task {name!r}"
        return AssayError(f"{shown} is not installed: assay install {name if name in papers else f'--task {name}'}")
    return unknown(kind, name, {*installed, *papers, *tasks})
