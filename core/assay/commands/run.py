"""`assay run TASK|PAPER ...`."""

from __future__ import annotations

import argparse
import json

from assay.commands import common

HELP = "run an arena or a paper's entrants; finished cells are resumed"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("what", nargs="+", metavar="TASK|PAPER", help="sets/point-clouds, 'sets/*', deep-sets")
    parser.add_argument("--entrants", metavar="ID,...", help="only these entrants (globs)")
    parser.add_argument("--model", action="append", metavar="FILE.py:CLASS", help="enter a class of your own")
    parser.add_argument("--datasets", metavar="ID,...", help="only these data sets")
    parser.add_argument("--data", action="append", metavar="NAME=PATH", help="your own data: npz, parquet or csv")
    parser.add_argument("--seeds", default="5", help="a count (5), a list (0,3,7) or a range (1000:1005)")
    parser.add_argument("--set", action="append", metavar="NAME=V,...", help="values of a parameter to try")
    parser.add_argument("--keep-examples", action="store_true", help="keep scores of single examples, for compare")
    common.running(parser, several=True)


def run(args: argparse.Namespace) -> int:
    """Run a selection and print what became of it."""
    from assay import api

    with common.progress(args) as progress:
        done = api.run(
            args.what,
            entrants=common.split(args.entrants),
            models=args.model or (),
            datasets=common.split(args.datasets),
            data=common.pairs(args.data, "--data"),
            seeds=args.seeds,
            scale=args.scale,
            backend=common.split(args.backend),
            params={name: common.values(text) for name, text in common.pairs(args.set, "--set").items()},
            store=args.store,
            force=args.force,
            executor=common.executor(args),
            keep_examples=args.keep_examples,
            progress=progress,
        )
    with common.printing():
        if args.json:
            for record in done.records:
                print(json.dumps(api.flat(record)))
        else:
            ran = len(done) - done.resumed
            print(
                f"{len(done)} cells: {ran} run, {done.resumed} resumed, {len(done.failed)} failed. Records: {done.store}"
            )
            for record in done.failed[:5]:
                print(f"  {record.cell}: {record.reason}")
            print("next: " + "; ".join(f"assay compare {task} --scale {args.scale}" for task in done.tasks))
    return 1 if done.failed else 0
