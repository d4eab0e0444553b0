"""`assay docs PAPER`."""

from __future__ import annotations

import argparse

from assay.errors import AssayError, unknown

HELP = "print the README of a paper or suite"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("paper", metavar="PAPER|FAMILY")


def run(args: argparse.Namespace) -> int:
    """Print a README: that of the source folder where it is here, else that of the distribution's metadata."""
    import importlib.metadata

    from assay import catalog
    from assay.checks.subject import folder_of

    plugins = catalog.installed()
    names = {p.name: p.name for p in plugins} | {p.family: p.name for p in plugins if p.having("task") and not p.paper}
    names |= {p.paper: p.name for p in plugins if p.paper}
    if args.paper not in names:
        raise unknown("paper or family", args.paper, names)
    distribution = importlib.metadata.distribution(names[args.paper])
    folder = folder_of(next(p for p in plugins if p.name == names[args.paper]))
    if folder and (folder / "README.md").is_file():
        text = (folder / "README.md").read_text(encoding="utf-8")
    else:
        text = (distribution.read_text("METADATA") or "").partition("\n\n")[2]
    if not text.strip():
        raise AssayError(
            f"{names[args.paper]} was installed without a README: pip install --upgrade {names[args.paper]}"
        )
    print(text.rstrip())
    return 0
