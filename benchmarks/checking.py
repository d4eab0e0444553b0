"""Measure what `assay check` costs: the static checks of the installed papers, and all checks of hundreds of papers.

    python benchmarks/checking.py static            # processor time a plugin; what all share is shown apart
    python benchmarks/checking.py many [--papers 366]    # the first run, which runs entrants, takes some seconds a paper

`many` generates papers from the family that the conformance kit is tested with, and checks them twice: while no source
changes, the second run reads from the cache what the entrants did.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from assay.checks import runner
from assay.checks.requirements import distributions
from assay.checks.subject import subjects

FAMILY = Path(__file__).parents[1] / "tests" / "kit_plugins"


def static() -> None:
    """Print the processor time of the static checks: what is paid once, and what a plugin adds."""
    start = time.process_time()
    checks, found = runner.checks(smoke=False), subjects([])
    for subject in found:
        if subject.problem:
            raise SystemExit(f"{subject.name}: {subject.problem}")
    distributions()
    shared = time.process_time() - start
    costs: dict[bool, list[float]] = {True: [], False: []}
    for subject in found:
        start = time.process_time()
        runner.examine(subject, checks)
        costs[bool(subject.plugin.paper)].append(1e3 * (time.process_time() - start))
    print(f"once: {shared:.2f} s, of which most is the import of torch, the suites and the papers")
    for is_paper, values in costs.items():
        print(
            f"{len(values)} {'papers' if is_paper else 'suites and tools'}: mean {statistics.mean(values):.1f} ms, "
            f"median {statistics.median(values):.1f} ms, largest {max(values):.1f} ms"
        )


def many(papers: int) -> None:
    """Print the seconds of two runs of all checks over generated papers, and of the static ones alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(FAMILY / "suite", folder / "suite")
        for i in range(papers):
            copy(folder / f"paper{i}", f"weights{i}")
        everything = [sys.executable, "-m", "assay.cli", "check", "suite", *(f"paper{i}" for i in range(papers))]
        for what, command in (
            ("first", [*everything, "--fix"]),
            ("again", everything),
            ("static", [*everything, "--static"]),
        ):
            start = time.perf_counter()
            done = subprocess.run(command, cwd=folder, text=True, capture_output=True)
            seconds = time.perf_counter() - start
            print(f"{what}: {seconds:.1f} s, {1e3 * seconds / papers:.0f} ms a paper; {done.stdout.splitlines()[-1]}")


def copy(folder: Path, paper: str) -> None:
    """Copy the kit's paper under another name."""
    for source in (FAMILY / "paper").iterdir():
        if source.is_file():
            folder.mkdir(exist_ok=True)
            text = source.read_text(encoding="utf-8").replace("weights", paper).replace("size", f"{paper}_size")
            (folder / source.name.replace("weights", paper)).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["static", "many"])
    parser.add_argument("--papers", type=int, default=366, help="how many to generate (default 366)")
    args = parser.parse_args()
    static() if args.what == "static" else many(args.papers)
