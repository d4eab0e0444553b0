"""`assay install PAPER ...`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import AssayError

if TYPE_CHECKING:
    from assay.installing import Step

HELP = "install papers with what they need; shows what will be done first"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("papers", nargs="*", metavar="PAPER")
    parser.add_argument("--family", metavar="ID", help="every paper of a family")
    parser.add_argument("--task", metavar="ID", help="every paper that enters a task")
    place = "a checkout of assay or a folder of wheels (default: the package index)"
    parser.add_argument("--from", dest="source", type=Path, metavar="FOLDER", help=place)
    parser.add_argument("--dry-run", action="store_true", help="only show what would be installed")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(args: argparse.Namespace) -> int:
    """Install what is missing."""
    from dataclasses import asdict

    from assay import installing

    offers = installing.offered(args.source)
    step = installing.plan(installing.chosen(args.papers, args.family, args.task, offers), offers, args.source)
    line = installing.command(step, args.source) if step.names else []
    if args.json:
        print(json.dumps({**asdict(step), "command": line}, indent=1))
    else:
        _show(step, exact=args.source is not None)
    if args.dry_run or not step.names:
        if line and not args.json:
            print(f"would run: {' '.join(line)}")
        return 0
    if not args.yes and not args.json and not _agreed():
        return 0
    installing.run(line)
    if not args.json:
        print(f"next: assay show {args.papers[0] if args.papers else step.names[0].removeprefix('assay-')}")
    return 0


def _show(step: Step, *, exact: bool) -> None:
    """Say what is there, what comes, how large it is, and what else could be asked for."""
    from assay import render

    for name in step.present:
        print(f"{name} is installed already")
    for name in step.names:
        print(f"{name} will be installed")
    if not step.names:
        return
    print(
        f"{'' if exact else 'about '}{render.amount(step.bytes, 'B')} of plugins, and what they require that is not here"
    )
    for large in step.heavy:
        print(f"large among that: {large}")
    for extra, requires in step.extras.items():
        print(f"not included, pip install '{extra}' adds it: {', '.join(requires)}")


def _agreed() -> bool:
    """Ask whether to go on."""
    if not sys.stdin.isatty():
        raise AssayError("nobody is here to ask whether to go on: assay install --yes")
    return input("go on? [Y/n] ").strip().lower() in ("", "y", "yes")
