"""`assay check [PAPER|FOLDER ...]`."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.commands import common
from assay.errors import AssayError

if TYPE_CHECKING:
    from assay.checks.subject import Subject

HELP = "check plugins for conformity"
CACHE = Path(".assay/checks")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("what", nargs="*", metavar="PAPER|FOLDER", help="(default: every installed plugin)")
    parser.add_argument("--static", action="store_true", help="run no entrant: seconds for hundreds of plugins")
    parser.add_argument("--only", metavar="ID,...", help="only these checks")
    parser.add_argument("--fix", action="store_true", help="write keywords and README anew from the code first")
    parser.add_argument("--again", action="store_true", help="run entrants again though no source changed")
    parser.add_argument("--backend", metavar="ID", help="compare entrants at smoke on a backend with the CPU, instead")
    parser.add_argument("--explain", metavar="ID", help="say what a check is for, and what to do")
    parser.add_argument("--checks", action="store_true", help="list all checks")
    common.stored(parser)


def run(args: argparse.Namespace) -> int:
    """Check plugins and print what was found."""
    from assay.checks import runner

    if args.explain or args.checks:
        found = [runner.check_by_id(args.explain)] if args.explain else list(runner.checks())
        for check in found:
            does = (check.examine.__doc__ or "").splitlines()[0]
            print(f"{check.id} ({check.stage})\n  {does}\n  why: {check.reason}\n  fix: {check.fix}")
        return 0
    from assay.checks.subject import subjects

    chosen = subjects(args.what)
    if args.backend:
        return _compared(args, chosen)
    if args.fix:
        from assay import fixing

        for subject in chosen:
            for line in fixing.fix(subject, store=args.store):
                print(f"{subject.name}: {line}")
        chosen = subjects(args.what)
    selected = [runner.check_by_id(name) for name in common.split(args.only)] or runner.checks(smoke=not args.static)
    reports = []
    for subject in chosen:
        reports.append(runner.examine(subject, selected, cache=None if args.again else CACHE))
        if not args.json:
            _print(reports[-1], runner)
    if args.json:
        print(
            json.dumps([{"plugin": r.plugin, "results": [x._asdict() for x in r.results]} for r in reports], indent=1)
        )
    elif len(reports) > 1:
        print(f"{len(reports)} plugins, {sum(r.ok for r in reports)} conform")
    return 0 if all(report.ok for report in reports) else 1


def _compared(args: argparse.Namespace, chosen: Sequence[Subject]) -> int:
    """Compare entrants on a backend with the CPU, and print a row for each."""
    from assay.checks import equivalence
    from assay.store import Store

    if args.only or args.fix or args.static:
        raise AssayError("--backend compares entrants and applies no check: leave out --only, --fix and --static")
    if not chosen:
        raise AssayError("no plugin is installed: there is nothing to compare")
    backend = chosen[0].catalog.load().backend(args.backend)
    found = []
    with Store(args.store) as store:
        for subject in chosen:
            for row in equivalence.rows(subject, backend, store):
                found.append(row)
                if not args.json:
                    print(equivalence.text(row, backend), flush=True)
    if args.json:
        print(json.dumps([row._asdict() for row in found], indent=1))
    else:
        counts = Counter(row.state for row in found)
        print(f"{len(found)} entrants on {backend.id}: {', '.join(f'{n} {state}' for state, n in counts.items())}")
    return 1 if any(row.state in ("differs", "fails") for row in found) else 0


def _print(report: object, runner: object) -> None:
    from assay.checks.runner import Report, check_by_id

    assert isinstance(report, Report)
    counts = [f"{report.count(s)} {s}" for s in ("passed", "found", "waived", "not applicable") if report.count(s)]
    print(f"{report.plugin}: {', '.join(counts)}")
    for result in report.results:
        if result.state == "found":
            for finding in result.findings:
                print(f"  {result.check}: {finding}")
            if result.check != "waivers":
                print(f"    fix: {check_by_id(result.check).fix}")
        elif result.state == "waived":
            print(f"  {result.check}: waived, {result.note}")
