"""`assay power PAPER`."""

from __future__ import annotations

import argparse
import json

from assay.commands import common
from assay.errors import AssayError

HELP = "say what the seeds run could show, and how many a claim needs; runs nothing"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("paper")
    parser.add_argument("--power", type=float, default=0.8, metavar="P", help="probability to show it (default 0.8)")
    common.scaled(parser)
    parser.add_argument("--backend", default="cpu", metavar="ID", help="where it was run (default cpu)")
    common.stored(parser)


def run(args: argparse.Namespace) -> int:
    """Print the power of a paper's tests."""
    from dataclasses import asdict

    from assay import render
    from assay.power import powers
    from assay.recording import plain
    from assay.verifying import stored

    if not 0 < args.power < 1:
        raise AssayError(f"--power {args.power:g}: give a probability between 0 and 1")
    rows = powers(stored(args.paper, scale=args.scale, backend=args.backend, store=args.store), args.power)
    if args.json:
        print(json.dumps([plain(asdict(row)) for row in rows], indent=1))
    else:
        print(render.power(rows, args.power))
    return 0
