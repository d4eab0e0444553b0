"""`assay verify PAPER ...`."""

from __future__ import annotations

import argparse
import json
import sys

from assay.commands import common

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
    common.running(parser)


def run(args: argparse.Namespace) -> int:
    """Verify papers and print the verdicts."""
    from assay import api, recording, render

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
        if args.json:
            print(json.dumps(recording.as_dict(found), indent=1))
        else:
            print(render.verification(found, colour=render.coloured(sys.stdout)) + "\n")
        if any(v.failures for v in found.verdicts) or (
            args.strict and any(v.outcome != "holds" for v in found.verdicts)
        ):
            status = 1
    return status
