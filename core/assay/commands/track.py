"""`assay track run|compare|regressions|publish`."""

from __future__ import annotations

import argparse
import json

from assay.commands import common

HELP = "follow speed, memory and errors over commits, with airspeed velocity"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    run = actions.add_parser("run", help="run the benchmarks at commits that have no results yet")
    run.add_argument("revisions", nargs="?", default="HEAD", metavar="RANGE", help="HEAD, v1.0..main, HEAD~5..HEAD")
    run.add_argument("--papers", metavar="ID,...", help="only the entrants of these papers")
    run.add_argument("--minutes", type=float, default=60, help="start no further commit after so long (default 60)")
    run.add_argument("--rounds", type=int, default=3, help="interleaved rounds, of which medians are kept (default 3)")
    compare = actions.add_parser("compare", help="what is worse at one commit than at another")
    compare.add_argument("before")
    compare.add_argument("after")
    found = actions.add_parser("regressions", help="steps for the worse in the history")
    found.add_argument("--bisect", action="store_true", help="let asv search the commits between for each step")
    for sub in (compare, found):
        sub.add_argument("--strict", action="store_true", help="exit with 1 when something is worse")
    actions.add_parser("publish", help="write asv's pages, to be read without a network")


def run(args: argparse.Namespace) -> int:
    """Do what is asked for."""
    from dataclasses import asdict

    from assay import publishing, track

    if args.action == "run":
        done = track.run(args.revisions, papers=common.split(args.papers), minutes=args.minutes, rounds=args.rounds)
        print(f"{len(done)} commits run; next: assay track regressions, assay track publish")
        return 0
    if args.action == "publish":
        print(f"written: {publishing.publish()}")
        return 0
    changes = track.compare(args.before, args.after) if args.action == "compare" else track.regressions()
    if args.json:
        print(json.dumps([asdict(change) for change in changes], indent=1))
    else:
        print("\n".join(map(str, changes)) or "nothing is worse beyond chance")
    if getattr(args, "bisect", False):
        track.bisect(changes)
    return 1 if changes and args.strict else 0
