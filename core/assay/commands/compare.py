"""`assay compare TASK`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from assay.commands import common
from assay.errors import AssayError

HELP = "print the leaderboard of a task, from the store"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("task")
    parser.add_argument("--metric", help="metric or cost (default: the task's main metric)")
    parser.add_argument("--dataset", help="only this data set")
    parser.add_argument(
        "--pareto", nargs="?", const="fit_seconds", metavar="COST", help="mark the front of quality against a cost"
    )
    parser.add_argument("--by", choices=["backend"], help="each entrant on its backends, by differences and ratios")
    parser.add_argument("--iqm", action="store_true", help="interquartile means over seeds and data sets")
    parser.add_argument("--profile", action="store_true", help="performance profiles over data sets")
    parser.add_argument(
        "--examples", action="store_true", help="the best entrant against each other, example by example"
    )
    common.scaled(parser)
    common.stored(parser)


def run(args: argparse.Namespace) -> int:
    """Print leaderboards, and what was asked for over all of them."""
    from dataclasses import asdict  # costs as much as all else that `--help` imports

    from assay import across, api, leaderboard, render
    from assay import boards as boards_text
    from assay.recording import plain

    asked = {"metric": args.metric, "dataset": args.dataset, "scale": args.scale, "store": args.store}
    if args.by:
        if args.pareto or args.iqm or args.profile or args.examples:
            raise AssayError("--by backend is a table of its own: leave out --pareto, --iqm, --profile and --examples")
        found = api.backends(args.task, **asked)
        text = "\n\n".join(map(boards_text.backends, found))
        print(json.dumps(plain([asdict(one) for one in found]), indent=1) if args.json else text)
        return 0
    boards = api.compare(args.task, **asked)
    differences = api.differences(args.task, **asked) if args.examples else {}
    if args.pareto:
        boards = leaderboard.Leaderboards(leaderboard.with_front(board, args.pareto) for board in boards)
    centres = across.centres(boards) if args.iqm else None
    profile = across.profile(boards) if args.profile else None
    if args.json:
        data: dict[str, Any] = {"boards": [asdict(board) for board in boards]}
        data |= {"iqm": asdict(centres)} if centres else {}
        data |= {"profile": asdict(profile)} if profile else {}
        data |= {"examples": {d: [asdict(x) for x in found] for d, found in differences.items()}} if differences else {}
        print(json.dumps(plain(data), indent=1))
        return 0
    parts = [render.leaderboard(board) for board in boards]
    parts += [boards_text.centres(centres)] if centres else []
    parts += [boards_text.profile(profile)] if profile else []
    parts += [boards_text.differences(dataset, found) for dataset, found in differences.items()]
    print("\n\n".join(parts))
    return 0
