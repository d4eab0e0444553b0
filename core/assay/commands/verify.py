"""`assay verify PAPER ...`."""

from __future__ import annotations

import argparse
import sys

from assay.commands import common
from assay.errors import AssayError

HELP = "put a paper's claims to the test"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("papers", nargs="+", metavar="PAPER")
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="seeds for every claim (default: each claim's own number)"
    )
    parser.add_argument(
        "--until-conclusive", type=int, metavar="N", help="add seeds in looks, N at most, until decided"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a claim does not hold")
    parser.add_argument("--record", action="store_true", help="write verdict.json into the plugin's source folder")
    parser.add_argument("--record-to", metavar="DIR", help="write verdict.json into this folder (one paper)")
    common.running(parser)


def run(args: argparse.Namespace) -> int:
    """Verify papers and print the verdicts."""
    from assay import api, catalog, recording, render

    if args.record_to and len(args.papers) > 1:
        raise AssayError(f"--record-to {args.record_to}: one folder holds the verdict.json of one paper")
    status = 0
    for paper in args.papers:
        with common.progress(args) as progress:
            found = api.verify(
                paper,
                seeds=args.seeds,
                until_conclusive=args.until_conclusive,
                scale=args.scale,
                backend=args.backend,
                store=args.store,
                force=args.force,
                executor=common.executor(args),
                progress=progress,
            )
        if args.record or args.record_to:
            path = recording.write(found, catalog.Catalog().plugin(paper), args.record_to)
            print(f"recorded in {path}", file=sys.stderr)
        with common.printing():
            if args.json:
                print(recording.text(found), end="")
            else:
                print(render.verification(found, colour=render.coloured(sys.stdout)) + "\n")
        if any(v.failures for v in found.verdicts) or (
            args.strict and any(v.outcome != "holds" for v in found.verdicts)
        ):
            status = 1
    return status
