"""`assay show PAPER`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.catalog import Catalog, Plugin

HELP = "show a paper: its entrants, its claims and their recorded verdicts"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("paper")


def run(args: argparse.Namespace) -> int:
    """Show a paper, as far as can be told with what is installed."""
    from assay import catalog, doctor, recorded, render

    found = catalog.Catalog()
    plugin = found.plugin(args.paper)
    record = recorded.read(plugin)
    reason = doctor.missing(plugin)
    shown: dict[str, Any] = {
        "name": plugin.name,
        "version": plugin.version,
        "family": plugin.family,
        "title": plugin.title,
    }
    shown |= {"tasks": plugin.having("task"), "claims": plugin.having("claim")} if reason else _code(found, plugin)
    if args.json:
        stale = record and {"content": record.content, "stale": record.stale, "changed": record.changed}
        print(json.dumps({**shown, "needs": reason, "recorded": stale}, indent=1))
        return 0
    print(f"{plugin.title}\n{plugin.name} {plugin.version}, family {plugin.family}")
    if reason:
        print(f"tasks: {', '.join(shown['tasks'])}\nclaims: {', '.join(shown['claims'])}\n(to run it: {reason})")
    else:
        print(render.paper(shown))
    print("\n" + render.recorded(record, plugin.paper, colour=render.coloured(sys.stdout)))
    return 0


def _code(found: Catalog, plugin: Plugin) -> dict[str, Any]:
    """Return what only the plugin's code tells: this imports it."""
    found.load(tasks=plugin.having("task"))
    paper = found.paper(plugin.paper)
    own = [m for key, m in found.models.items() if found.origins.get(("model", key)) == plugin.name]
    return {
        "title": paper.title,
        "year": paper.year,
        "arxiv": paper.arxiv,
        "entrants": [{"id": m.id, "task": m.task, "ablates": m.ablates} for m in own],
        "claims": [
            {
                "id": claim.id,
                "says": claim.says,
                "check": str(claim.check),
                "refuted_by": claim.check.refuted_by(),
                "published": claim.published,
            }
            for claim in paper.claims
        ],
    }
