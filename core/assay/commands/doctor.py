"""`assay doctor`."""

from __future__ import annotations

import argparse
import json

from assay.commands import common

HELP = "look for what is wrong: versions, plugins, backends, store"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--roofline", action="store_true", help="measure each backend's peak FLOP/s and bytes/s, once")
    common.stored(parser)


def run(args: argparse.Namespace) -> int:
    """Print what was found, and what to do."""
    from assay import doctor

    rows = doctor.rooflines() if args.roofline else doctor.examine(args.store)
    if args.json:
        print(json.dumps([row._asdict() for row in rows], indent=1))
    else:
        for row in rows:
            print(f"{'ok   ' if row.ok else 'wrong'} {row.what}: {row.found}" + (f"\n      {row.do}" if row.do else ""))
    return 0 if all(row.ok for row in rows) else 1
