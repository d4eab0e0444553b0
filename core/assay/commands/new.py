"""`assay new [PAPER]`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import AssayError

if TYPE_CHECKING:
    from assay.scaffold import Wanted

HELP = "begin a plugin: a paper, family, data set, metric or backend"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("paper", nargs="?", help="id of the new paper, as in deep-sets (asked for when missing)")
    parser.add_argument("--family", metavar="ID", help="its family; without a paper, the new family")
    for kind in ("dataset", "metric", "backend"):
        parser.add_argument(f"--{kind}", metavar="ID", help=f"begin a {kind} in place of a paper")
    parser.add_argument("--title", default="", help="title of the paper")
    parser.add_argument("--authors", default="Authors", help="as they are cited: 'Zaheer et al.'")
    parser.add_argument("--year", type=int, default=0)
    parser.add_argument("--arxiv", default="", metavar="ID", help="as in 1703.06114")
    parser.add_argument("--task", default="", metavar="ID", help="the arena it enters (default: the family's first)")
    parser.add_argument("--into", type=Path, default=Path(), metavar="FOLDER", help="where to make its folder")


def run(args: argparse.Namespace) -> int:
    """Write the folder and say how to go on."""
    from assay import scaffold

    wanted = _wanted(args)
    files = scaffold.write(wanted, args.into)
    if args.json:
        print(json.dumps([str(path) for path in files]))
        return 0
    folder = args.into / wanted.name
    print("\n".join(map(str, files)))
    print(f"next: pip install --no-deps -e {folder}; write what says 'not implemented yet'; assay check {folder} --fix")
    return 0


def _wanted(args: argparse.Namespace) -> Wanted:
    """Return what the arguments ask for, or what the user answers where there are none."""
    from assay.scaffold import Wanted

    about = {name: getattr(args, name) for name in ("title", "authors", "year", "arxiv", "task")}
    parts = [(kind, name) for kind in ("dataset", "metric", "backend") if (name := getattr(args, kind))]
    if len(parts) + bool(args.paper) > 1:
        raise AssayError("one plugin at a time: a paper, --dataset, --metric or --backend")
    if parts:
        return Wanted(*parts[0], family=args.family or "", **about)
    if args.paper:
        return Wanted("paper", args.paper, family=args.family or "", **about)
    if args.family:
        return Wanted("family", args.family, **about)
    return _asked()


def _asked() -> Wanted:
    """Ask at the terminal."""
    from assay.scaffold import KINDS, Wanted

    if not sys.stdin.isatty():
        raise AssayError("say what to begin: assay new PAPER --family F, or assay new --family F")
    kind = _ask(f"what ({', '.join(KINDS)})", "paper")
    name = _ask("its id, as in deep-sets")
    family = "" if kind in ("family", "backend") else _ask("its family")
    title = _ask("its title", name)
    if kind != "paper":
        return Wanted(kind, name, family, title)
    authors, year = _ask("its authors, as in Zaheer et al."), _ask("its year")
    if not year.isdigit():
        raise AssayError(f"year {year!r} is no number")
    return Wanted(kind, name, family, title, authors, int(year), _ask("its arXiv id (none: enter)", ""))


def _ask(question: str, default: str | None = None) -> str:
    answer = input(f"{question}{f' [{default}]' if default else ''}: ").strip()
    if not answer and default is None:
        raise AssayError(f"no answer to: {question}")
    return answer or default or ""
