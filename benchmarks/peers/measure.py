"""Measure assay beside its peers on this machine: the same questions, asked in turn, medians compared.

    python benchmarks/peers/measure.py [--repeats N] [--cpu] [--alone] [ROW ...]

Every figure is the wall time of a whole process, or with `--cpu` the processor time of it and its children, which a busy
machine stretches far less. `--alone` gives what is measured the real-time scheduler (Linux, root), so that other
programs wait meanwhile. The cost of one cell is the difference between a run of many cells and one of few, divided by
the difference in cells, so that starting up counts for neither tool. A peer that is not
installed leaves its place empty.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from executors_overhead import ALONE, alone

HERE = Path(__file__).resolve().parent
LISTED = 400
RESUMED = 10_000
CLOCK = "PEERS_CPU"
"""Environment variable, set for processor time."""


@dataclass(frozen=True)
class Row:
    """A question: how assay is timed, how each peer is, and the goal in the same unit."""

    what: str
    unit: str
    assay: Callable[[Path], float]
    peers: dict[str, Callable[[Path], float]]
    goal: str


def of_children() -> float:
    """Return the processor seconds of all child processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def timed(*command: str, folder: Path, **environment: str) -> float:
    """Return the seconds of a process that must end well, by the clock that CLOCK names."""
    known = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    clock = of_children if os.environ.get(CLOCK) else time.perf_counter
    with alone():
        start = clock()
        done = subprocess.run(
            command, cwd=folder, env=known, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        seconds = clock() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return seconds


def assay(folder: Path, *arguments: str) -> float:
    """Return the milliseconds of an `assay` command that sees the plugins in the folder."""
    return 1e3 * timed(sys.executable, "-m", "assay.cli", *arguments, folder=folder, PYTHONPATH=str(folder / "site"))


def module(name: str, *arguments: str) -> Callable[[Path], float]:
    """Return a timer of `python -m NAME ARGUMENTS` in milliseconds."""
    return lambda folder: 1e3 * timed(sys.executable, "-m", name, *arguments, folder=folder)


def install(folder: Path, name: str, keywords: str) -> None:
    """Put the metadata of a distribution into the folder."""
    info = folder / "site" / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    header = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nSummary: About {name}\nKeywords: {keywords}\n"
    (info / "METADATA").write_text(header + "\n" + "A longer text about it.\n" * 100)
    (info / "entry_points.txt").write_text(f"[assay]\n{name} = {name.replace('-', '_')}\n")


def list_400(folder: Path) -> float:
    """List 400 generated distributions, none of which could be imported."""
    if not (folder / "site").exists():
        for i in range(LISTED):
            install(folder, f"assay-dummy-{i}", f"family:dummy,task:dummy/task,paper:dummy-{i},claim:a,claim:b")
    return assay(folder, "list")


def info_400(folder: Path) -> float:
    """Have benchopt tell of a benchmark with 400 solvers."""
    if not (folder / "nothing").exists():
        shutil.copytree(HERE / "nothing", folder / "nothing")
        source = (HERE / "nothing/solvers/nothing.py").read_text()
        for i in range(LISTED - 1):
            text = source.replace('name = "nothing"', f'name = "nothing-{i}"')
            (folder / f"nothing/solvers/nothing_{i}.py").write_text(text)
    return module("benchopt", "info", "nothing")(folder)


def assay_run(folder: Path, cells: int, store: str) -> float:
    """Run cells of the task that does nothing, one after another, each with its durable row."""
    if not (folder / "site").exists():
        install(folder, "assay-nothing", "family:nothing,task:nothing/task")
        shutil.copy(HERE / "assay_nothing.py", folder / "site")
    return assay(folder, "run", "nothing/task", "--seeds", str(cells), "--store", store)


def benchopt_run(folder: Path, cells: int, *, clean: bool) -> float:
    """Run cells of the benchmark that does nothing, from an empty cache if asked."""
    if not (folder / "nothing").exists():
        shutil.copytree(HERE / "nothing", folder / "nothing")
    if clean:
        shutil.rmtree(folder / "nothing/__cache__", ignore_errors=True)
    options = ["run", "nothing", "-l", "--no-plot", "-j", "1"]
    return 1e3 * timed(sys.executable, "-m", "benchopt", *options, folder=folder, CELLS=str(cells))


def assay_cell(folder: Path) -> float:
    """Return the milliseconds of one more cell."""
    names = itertools.count(len(list(folder.glob("*.db"))))
    few, many = 100, 2100
    first = assay_run(folder, few, f"{next(names)}.db")
    return (assay_run(folder, many, f"{next(names)}.db") - first) / (many - few)


def benchopt_cell(folder: Path) -> float:
    """Return the milliseconds of one more cell."""
    few, many = 10, 110
    return (benchopt_run(folder, many, clean=True) - benchopt_run(folder, few, clean=True)) / (many - few)


def assay_resumed(folder: Path) -> float:
    """Return the milliseconds of one more finished cell, of 10,000."""
    if not (folder / "all.db").exists():
        assay_run(folder, RESUMED, "all.db")
    few = 100
    return (assay_run(folder, RESUMED, "all.db") - assay_run(folder, few, "all.db")) / (RESUMED - few)


def benchopt_resumed(folder: Path) -> float:
    """Return the milliseconds of one more finished cell, of 310."""
    few, many = 10, 310
    if not (folder / "nothing").exists():
        benchopt_run(folder, many, clean=True)
    return (benchopt_run(folder, many, clean=False) - benchopt_run(folder, few, clean=False)) / (many - few)


ROWS = {
    "help": Row(
        "--help",
        "ms",
        lambda folder: assay(folder, "--help"),
        {
            "asv": module("asv", "--help"),
            "lm_eval": module("lm_eval", "--help"),
            "benchopt": module("benchopt", "--help"),
        },
        "<= 0.35x asv",
    ),
    "list": Row(
        f"list {LISTED} installed",
        "ms",
        list_400,
        {"benchopt": info_400, "lm_eval": module("lm_eval", "ls", "tasks")},
        "<= 80",
    ),
    "cell": Row("a cell inline, durable row", "ms", assay_cell, {"benchopt": benchopt_cell}, "<= 0.5"),
    "resume": Row("a finished cell resumed", "ms", assay_resumed, {"benchopt": benchopt_resumed}, "<= 0.02"),
}


def measured(row: Row, repeats: int) -> dict[str, list[float]]:
    """Return the figures of assay and of the peers that are installed, taken in turn."""
    subjects = {"assay": row.assay} | {p: t for p, t in row.peers.items() if importlib.util.find_spec(p)}
    figures: dict[str, list[float]] = {name: [] for name in subjects}
    with tempfile.TemporaryDirectory() as top:
        folders = {name: Path(top, name) for name in subjects}
        for folder in folders.values():
            folder.mkdir()
        for turn in range(repeats + 1):  # the first warms up
            for name, timer in subjects.items():
                figure = timer(folders[name])
                if turn:
                    figures[name].append(figure)
    return figures


def lines(row: Row, figures: dict[str, list[float]]) -> Iterator[str]:
    """Yield a line for assay and one for each peer, with the ratio of medians."""
    medians = {name: statistics.median(values) for name, values in figures.items()}
    for name, middle in medians.items():
        spread = f"{min(figures[name]):.4g} - {max(figures[name]):.4g}"
        ratio = "" if name == "assay" else f"{medians['assay'] / middle:.4f}"
        goal = row.goal if name == "assay" else ""
        yield f"{row.what:<28} {name:<9} {middle:>10.4g} {row.unit}  {spread:<18} {ratio:>8}  {goal}"
    yield from (f"{row.what:<28} {name:<9} not installed" for name in row.peers if name not in figures)


def main() -> None:
    """Measure the rows that were asked for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--cpu", action="store_true", help="processor time instead of wall time")
    parser.add_argument("--alone", action="store_true", help="under the real-time scheduler")
    arguments = parser.parse_args()
    if arguments.alone:
        os.environ[ALONE] = "1"
    if arguments.cpu:
        os.environ[CLOCK] = "1"
    if unknown := set(arguments.rows) - set(ROWS):
        parser.error(f"unknown row {', '.join(unknown)}: choose from {', '.join(ROWS)}")
    print(f"{'what':<28} {'tool':<9} {'median':>10}     {'range':<18} {'assay/peer':>8}  goal")
    for name in arguments.rows or ROWS:
        row = ROWS[name]
        print(*lines(row, measured(row, arguments.repeats)), sep="\n", flush=True)


if __name__ == "__main__":
    main()
