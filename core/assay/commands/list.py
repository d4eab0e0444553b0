"""`assay list`."""

from __future__ import annotations

import argparse
import json

HELP = "list the installed papers and tasks; imports none of them"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--family", help="only this family")


def run(args: argparse.Namespace) -> int:
    """List what is installed."""
    from assay import catalog, render

    plugins = [p for p in catalog.installed() if args.family in (None, p.family)]
    if args.json:
        keys = ("name", "version", "title", "family", "paper")
        print(json.dumps([{**{k: getattr(p, k) for k in keys}, "keywords": p.keywords} for p in plugins], indent=1))
        return 0
    papers = [p for p in plugins if p.paper]
    rows = [[p.paper, p.family, str(len(p.having("claim"))), p.title[:60]] for p in papers]
    if rows:
        print(render.table(["paper", "family", "claims", "title"], rows, right=(2,)))
    tasks = sorted({task for p in plugins if not p.paper for task in p.having("task")})
    if tasks:
        print("\ntasks: " + ", ".join(tasks))
    if not plugins:
        print("no plugin is installed: pip install assay-deep-sets, for one")
    return 0
