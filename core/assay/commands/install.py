"""`assay install PAPER ...`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

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

    from assay import installing, render

    step = installing.plan(installing.chosen(args.papers, args.family, args.task), args.source)
    line = installing.command(step, args.source)
    if args.json:
        print(json.dumps({**asdict(step), "command": line}, indent=1))
    else:
        for name in step.present:
            print(f"{name} is installed already")
        for name in step.names:
            print(f"{name} will be installed")
        if step.bytes is not None and step.names:
            print(f"{render.amount(step.bytes, 'B')} of plugins")
        for large in step.heavy:
            print(f"beside them: {large}")
        print(
            "extras of assay itself: assay[pandas] for data frames, csv and parquet; assay[authors] for check and new"
        )
    if args.dry_run or not step.names:
        return 0
    if not args.yes and not args.json and input("go on? [Y/n] ").strip().lower() not in ("", "y", "yes"):
        return 0
    installing.run(line)
    print(f"next: assay show {args.papers[0] if args.papers else step.names[0].removeprefix('assay-')}")
    return 0
