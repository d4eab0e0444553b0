"""`assay track run|compare|regressions|publish`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from assay.commands import common
from assay.errors import AssayError

if TYPE_CHECKING:
    from assay.tracking.judging import Change

HELP = "follow speed, memory and errors over commits, with airspeed velocity"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    run = actions.add_parser("run", help="measure commits that have no results yet")
    text = "v1.0..main, HEAD~5..HEAD, or names of commits (default HEAD)"
    run.add_argument("revisions", nargs="*", default=["HEAD"], metavar="RANGE", help=text)
    run.add_argument("--papers", metavar="ID,...", help="only the entrants of these papers, not the core")
    run.add_argument("--minutes", type=float, default=60, help="begin nothing that ends later (default 60)")
    run.add_argument("--rounds", type=int, default=3, help="times to measure each commit, interleaved (default 3)")
    compare = actions.add_parser("compare", help="what is worse at one commit than at another")
    compare.add_argument("before")
    compare.add_argument("after")
    found = actions.add_parser("regressions", help="steps for the worse in the history of HEAD")
    found.add_argument("--bisect", action="store_true", help="have asv search the commits between those measured")
    for sub in (run, found):
        text = "in the environment that asv.conf.json describes, not with the libraries of this Python"
        sub.add_argument("--isolated", action="store_true", help=text)
    for sub in (run, compare, found):
        sub.add_argument(
            "--machine", default="", metavar="NAME", help="results under this name (default: this machine's)"
        )
    for sub in (compare, found):
        sub.add_argument("--papers", metavar="ID,...", help="only these papers")
        sub.add_argument("--strict", action="store_true", help="exit with 1 when something is worse")
    pages = actions.add_parser("publish", help="write asv's pages, to be read without a network")
    for sub in (run, compare, found, pages):
        for name, text in (("--json", "print JSON"), ("--debug", "show the traceback of an error")):
            sub.add_argument(name, action="store_true", default=argparse.SUPPRESS, help=text)


def run(args: argparse.Namespace) -> int:
    """Do what is asked for."""
    from assay.tracking import checkout

    checkout.needs_asv()
    if args.action == "run":
        return measure(args)
    if args.action == "publish":
        from assay.tracking import publishing

        page = publishing.publish()
        print(json.dumps({"page": str(page)}) if args.json else f"written: {page}")
        return 0
    return judge(args)


def measure(args: argparse.Namespace) -> int:
    """Measure commits."""
    from assay.tracking import running

    if args.rounds < 1 or args.minutes <= 0:
        raise AssayError("--rounds takes 1 or more, --minutes more than 0")
    done, left = running.run(
        args.revisions,
        papers=common.split(args.papers),
        minutes=args.minutes,
        wanted=args.rounds,
        isolated=args.isolated,
        machine=args.machine,
    )
    if args.json:
        print(json.dumps({"rounds": done, "left": left}))
    elif left:
        print(f"{done} rounds run, {left} left when {args.minutes:g} minutes were over: the same command goes on")
    else:
        print(f"{done} rounds run; next: assay track regressions, assay track publish")
    return 0


def judge(args: argparse.Namespace) -> int:
    """Tell what is worse."""
    from assay.tracking import checkout, judging, results, showing

    tracks, known = results.tracks(args.machine)
    papers = common.split(args.papers)
    tracks = [track for track in tracks if not papers or track.paper in papers]
    history = checkout.history()
    if args.action == "compare":
        before, after = (checkout.commits([name])[0] for name in (args.before, args.after))
        for name, commit in ((args.before, before), (args.after, after)):
            if commit not in known:
                raise AssayError(f"{name} ({commit[:10]}) has no results: assay track run {name}")
        changes = judging.compared(tracks, before, after, list(dict.fromkeys([*history, before, after])))
    else:
        if not known:
            raise AssayError("no commit has results yet: assay track run HEAD~9..HEAD")
        changes = judging.regressions(tracks, history)
    bisected = _bisect(changes, args.isolated) if getattr(args, "bisect", False) else {}
    if args.json:
        print(json.dumps([{**row, "bisected": bisected.get(row["commit"])} for row in showing.data(changes)], indent=1))
    else:
        subjects = {change.commit: checkout.subject(change.commit) for change in changes}
        print(showing.text(changes, subjects))
        for commit, found in bisected.items():
            print(f"asv find: what {commit[:10]} shows begins with {found[:10]} {checkout.subject(found)}")
    return 1 if args.strict and any(change.sure for change in changes) else 0


def _bisect(changes: list[Change], isolated: bool) -> dict[str, str]:
    """Return by commit with results that is worse the one in which it begins, searched with its surest change."""
    from assay.tracking import running

    found: dict[str, str] = {}
    for change in sorted(changes, key=lambda c: c.doubt):
        if change.sure and change.commit not in found:
            print(f"assay: asv searches {change.previous[:10]}..{change.commit[:10]}", file=sys.stderr, flush=True)
            found[change.commit] = running.bisect(change, isolated=isolated)
    return found
