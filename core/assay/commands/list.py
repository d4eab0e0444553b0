"""`assay list`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError

if TYPE_CHECKING:
    from assay.catalog import Plugin

HELP = "list the installed papers and tasks; imports none of them"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--family", help="only this family")
    parser.add_argument("--verdicts", action="store_true", help="the recorded verdicts, and whether they are stale")
    parser.add_argument("--available", action="store_true", help="all known papers, installed or not, with verdicts")


def run(args: argparse.Namespace) -> int:
    """List what is installed."""
    from assay import catalog, render

    if args.available:
        return _available(args)
    plugins = [p for p in catalog.installed() if args.family in (None, p.family)]
    if args.verdicts:
        return _verdicts(plugins, args.json)
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


def _verdicts(plugins: Sequence[Plugin], as_json: bool) -> int:
    """Print what was recorded for each paper."""
    from assay import recorded, render

    rows: list[list[str]] = []
    data: list[dict[str, Any]] = []
    for plugin in (p for p in plugins if p.paper):
        try:
            found = recorded.read(plugin)
        except AssayError as error:
            rows.append([plugin.paper, plugin.family, f"unreadable: {error}"])
            data.append({"paper": plugin.paper, "family": plugin.family, "error": str(error)})
            continue
        rows.append([plugin.paper, plugin.family, found.summary() if found else "never recorded"])
        entry: dict[str, Any] = {"paper": plugin.paper, "family": plugin.family, "recorded": found is not None}
        if found:
            entry |= {"scale": found.content["scale"], "stale": found.stale, "changed": found.changed}
            entry["verdicts"] = found.outcomes
        data.append(entry)
    print(json.dumps(data, indent=1) if as_json else render.table(["paper", "family", "verdicts"], rows))
    return 0


def _available(args: argparse.Namespace) -> int:
    """List all papers of the index that ships with the core, and the installed ones that it does not know."""
    from assay import catalog, index, render
    from assay.recorded import OUTCOMES

    here = {p.paper: p for p in catalog.installed() if p.paper}
    known = {entry["paper"]: entry for entry in index.known()}
    known |= {name: _entry(plugin) for name, plugin in here.items() if name not in known}
    entries = [{**e, "installed": e["paper"] in here} for e in known.values() if args.family in (None, e["family"])]
    if args.json:
        print(json.dumps(entries, indent=1))
        return 0
    rows = []
    for entry in entries:
        found = list(entry["claims"].values())
        verdicts = ", ".join(f"{found.count(o)} {o}" for o in OUTCOMES if found.count(o))
        rows.append(
            [entry["paper"], entry["family"], "yes" if entry["installed"] else "", verdicts, entry["title"][:60]]
        )
    print(render.table(["paper", "family", "installed", "verdicts", "title"], rows))
    print(f"\n{len(rows)} papers, {sum(e['installed'] for e in entries)} installed; assay install PAPER adds one")
    return 0


def _entry(plugin: Plugin) -> dict[str, Any]:
    """Return what the index would say of an installed paper."""
    from assay import index, recorded

    try:
        found = recorded.read(plugin)
    except AssayError:
        found = None  # `assay list --verdicts` says what is wrong with it
    return {**index.told(plugin, found.outcomes if found else {}), "name": plugin.name}
