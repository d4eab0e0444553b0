"""The command line: parses, runs a command's module, turns errors into lines and exit statuses."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

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


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print JSON")
    shared.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = argparse.ArgumentParser(
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
