"""Arguments and manners that several commands share."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError

if TYPE_CHECKING:
    from assay.progress import Progress


def stored(parser: argparse.ArgumentParser) -> None:
    """Add `--store`."""
    text = "where the records are (default .assay/records.db, or $ASSAY_STORE)"
    parser.add_argument("--store", metavar="PATH|URL", help=text)


def scaled(parser: argparse.ArgumentParser) -> None:
    """Add `--scale`."""
    parser.add_argument("--scale", default="small", metavar="SCALE", help="smoke, small (default) or full")


def running(parser: argparse.ArgumentParser) -> None:
    """Add what every command that runs cells takes."""
    scaled(parser)
    parser.add_argument("--backend", default="cpu", metavar="ID", help="where to run (default cpu)")
    parser.add_argument("--force", action="store_true", help="run cells again that are in the store")
    stored(parser)


@contextlib.contextmanager
def progress(args: argparse.Namespace) -> Iterator[Progress]:
    """Give a progress line; when the user stops the run, say what is kept and how to go on."""
    from assay.progress import Progress

    line = Progress(quiet=args.json)
    try:
        yield line
    except KeyboardInterrupt:
        done = f"{line.done} of {line.total} cells are stored; " if line.total else ""
        print(f"\nassay: stopped. {done}the same command goes on from there", file=sys.stderr)
        raise


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
