"""`assay uninstall PAPER ...`."""

from __future__ import annotations

import argparse

HELP = "remove papers; their suite and their records stay"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("papers", nargs="+", metavar="PAPER")
    parser.add_argument("--dry-run", action="store_true", help="only show the command")


def run(args: argparse.Namespace) -> int:
    """Remove papers."""
    from assay import installing

    line = installing.removal(args.papers)
    if args.dry_run:
        print(" ".join(line))
        return 0
    installing.run(line)
    print(f"removed {', '.join(args.papers)}")
    return 0
