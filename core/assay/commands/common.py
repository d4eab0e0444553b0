"""Arguments and manners that several commands share."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError

if TYPE_CHECKING:
    from assay.executors import Executor
    from assay.progress import Progress


BACKEND = "where to run: cpu (default), cpu-bf16, compile, cuda, ... (docs/backends.md)"


def stored(parser: argparse.ArgumentParser) -> None:
    """Add `--store`."""
    text = "where the records are (default .assay/records.db, or $ASSAY_STORE)"
    parser.add_argument("--store", metavar="PATH|URL", help=text)


def scaled(parser: argparse.ArgumentParser) -> None:
    """Add `--scale`."""
    parser.add_argument("--scale", default="small", metavar="SCALE", help="smoke, small (default) or full")


def running(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add what every command that runs cells takes; `several` says that it takes more than one backend."""
    scaled(parser)
    parser.add_argument("--backend", default="cpu", metavar="ID,..." if several else "ID", help=BACKEND)
    parser.add_argument("--force", action="store_true", help="run cells again that are in the store")
    stored(parser)
    how = parser.add_argument_group("how to run (docs/running.md)")
    text = "default: inline, pool when a limit or workers are given, dask for an address"
    how.add_argument("--executor", default="", metavar="inline|pool|dask", help=text)
    how.add_argument("--workers", type=int, metavar="N", help="processes at a time (default: the CPUs)")
    how.add_argument("--timeout", type=float, metavar="SECONDS", help="wall-clock limit of a cell")
    how.add_argument("--memory", metavar="SIZE", help="limit of a cell's resident memory: 2GiB")
    how.add_argument("--isolate", action="store_true", help="a fresh process for every cell")
    how.add_argument("--address", metavar="HOST:PORT", help="a dask scheduler to run on")
    how.add_argument("--resources", metavar="NAME=N,...", help="dask resources that a cell takes: GPU=1")


def executor(args: argparse.Namespace) -> Executor:
    """Return the executor that the arguments ask for."""
    from assay.executors import Executor

    resources = {}
    for name, number in pairs(split(args.resources), "--resources").items():
        try:
            resources[name] = float(number)
        except ValueError:
            raise AssayError(f"--resources {name}={number!r}: give a number, as in GPU=1") from None
    return Executor(
        args.executor, args.workers, args.timeout, args.memory, args.isolate, args.address or None, resources
    )


@contextlib.contextmanager
def progress(args: argparse.Namespace) -> Iterator[Progress]:
    """Give a progress line; when the user stops the run, say what is kept and how to go on."""
    from assay.progress import Progress

    line = Progress(style="json" if args.json else "")
    try:
        yield line
    except KeyboardInterrupt:
        last = line.last
        done = f"{last.done} of {last.total} cells are stored; " if last and last.total else ""
        print(f"\nassay: stopped. {done}the same command goes on from there", file=sys.stderr)
        raise


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """Print in this block what was found: a reader that has gone (`| head`) ends the block, not the command's status."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def split(text: str | None) -> list[str]:
    """Return the parts of a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else []


def pairs(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    """Return the pairs of texts NAME=VALUE."""
    found = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise AssayError(f"{option} {text!r}: give NAME=VALUE")
        found[name] = value
    return found


def values(text: str) -> list[Any]:
    """Return the values of `--set width=32,64` or `--set widths=[8,8],[16]`: JSON where they are, text where not."""
    with contextlib.suppress(json.JSONDecodeError):
        return list(json.loads(f"[{text}]"))
    found = []
    for part in text.split(","):
        try:
            found.append(json.loads(part))
        except json.JSONDecodeError:
            found.append(part)
    return found
