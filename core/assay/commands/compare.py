"""`assay compare TASK`."""

from __future__ import annotations

import argparse
import json

from assay.commands import common

HELP = "print the leaderboard of a task, from the store"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("task")
    parser.add_argument("--metric", help="metric or cost (default: the task's main metric)")
    parser.add_argument("--dataset", help="only this data set")
    common.scaled(parser)
    common.stored(parser)


def run(args: argparse.Namespace) -> int:
    """Print leaderboards."""
    from dataclasses import asdict  # costs as much as all else that `--help` imports

    from assay import api, render

    boards = api.compare(args.task, metric=args.metric, dataset=args.dataset, scale=args.scale, store=args.store)
    if args.json:
        print(json.dumps([asdict(board) for board in boards], indent=1))
    else:
        print("\n\n".join(map(render.leaderboard, boards)))
    return 0
