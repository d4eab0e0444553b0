"""`assay completion SHELL`."""

from __future__ import annotations

import argparse

HELP = 'print a completion script: eval "$(assay completion bash)"'


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    from assay.completing import SCRIPTS

    print(SCRIPTS[args.shell], end="")
    return 0
