"""The command line: parses, runs a command's module, turns errors into lines and exit statuses."""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import assay
from assay.errors import AssayError

COMMANDS = (
    "list",
    "show",
    "run",
    "verify",
    "power",
    "compare",
    "report",
    "export",
    "track",
    "check",
    "new",
    "install",
    "uninstall",
    "docs",
    "completion",
    "doctor",
)

EPILOG = """\
examples:
  assay list                                   what is installed
  assay run sets/point-clouds --seeds 5        run an arena
  assay compare sets/point-clouds              its leaderboard, from the store
  assay verify deep-sets                       put a paper's claims to the test
  assay run sets/point-clouds --model my_net.py:MyNet     enter a model of your own
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0 good, 1 something failed, 2 usage, 130 stopped."""
    _open_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:2] == ["complete", "--"]:
        from assay.completing import candidates

        print("\n".join(candidates(words[2:], _parser())))
        return 0
    args = _parser().parse_args(words)
    try:
        return int(importlib.import_module(f"assay.commands.{args.command}").run(args))
    except AssayError as error:
        if args.debug:
            raise
        print(f"assay: {error}", file=sys.stderr)
        return error.status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _open_streams() -> None:
    """Let a standard stream that was closed (`assay ... >&-`) lead nowhere, so that no other file takes its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, open(number, "r" if number == 0 else "w"))  # noqa: SIM115


class _Parser(argparse.ArgumentParser):
    """A parser that names the command or option that a mistyped one is nearest to, each command for itself."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; raise on what is left over here, where the options are known, and not in the parser above."""
        found, extra = super().parse_known_args(args, namespace)
        if extra:
            self.error(f"unrecognized arguments: {' '.join(extra)}")
        return found, extra

    def error(self, message: str) -> NoReturn:
        """Print the usage and what was wrong, and exit with 2."""
        wrong = re.search(r"(?:invalid choice: '|unrecognized arguments: )([^' ]+)", message)
        known = [word for action in self._actions for word in (*(action.choices or ()), *action.option_strings)]
        near = difflib.get_close_matches(wrong[1], map(str, known), n=1) if wrong else []
        super().error(message + (f"; did you mean {near[0]!r}?" if near else ""))


def _parser() -> argparse.ArgumentParser:
    shared = _Parser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print JSON")
    shared.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = _Parser(
        prog="assay", description=assay.__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"assay {assay.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"assay.commands.{name}")
        module.arguments(commands.add_parser(name, help=module.HELP, description=module.HELP, parents=[shared]))
    return parser


if __name__ == "__main__":
    sys.exit(main())
