"""What a cell costs beside its own work: assay inline, in the pool, isolated and on dask, beside benchopt, asv and dask.

    python benchmarks/peers/executors_overhead.py [--cells 2000] [--peers 120] [--rounds 3] [--alone]

Cells, solvers and benchmarks do nothing. The cost of one is the difference between a long and a short run, so that
start-up does not count; all take turns, round by round, and the median is shown. Needs `benchopt` and `asv` for theirs.
`--alone` gives what is measured the real-time scheduler (Linux, root), so that other programs wait meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
PLUGIN = """
from assay import Dataset, Metric, Model, Task, hookimpl
import time

def load(seed, scale, source):
    return seed

def run(entrant, data, ctx):
    if entrant.params["seconds"]:
        time.sleep(entrant.params["seconds"])
    return {"value": float(data % 97)}

def value(outcome):
    return outcome["value"]

class Nothing:
    pass

@hookimpl
def assay_datasets():
    return [Dataset("nothing", "nothing", load)]

@hookimpl
def assay_metrics():
    return [Metric("value", value, ("value",), "up", "")]

@hookimpl
def assay_tasks():
    budgets = {"small": {}}
    return [Task("idle/task", schema="nothing", run=run, metrics=("value",), dataset="nothing", contract="", budgets=budgets)]

@hookimpl
def assay_models():
    return [Model("idle", "idle/task", Nothing, params={"seconds": 0}, knobs={"seconds": (0, 0.01, 1)})]
"""
BENCHOPT = {
    "objective.py": """
from benchopt import BaseObjective
class Objective(BaseObjective):
    name = "idle"
    min_benchopt_version = "1.5"
    def set_data(self, x): self.x = x
    def evaluate_result(self, value): return dict(value=value)
    def get_one_result(self): return dict(value=0.0)
    def get_objective(self): return dict(x=self.x)
""",
    "datasets/nothing.py": """
from benchopt import BaseDataset
class Dataset(BaseDataset):
    name = "nothing"
    def get_data(self): return dict(x=0.0)
""",
    "solvers/idle.py": """
from benchopt import BaseSolver
class Solver(BaseSolver):
    name = "idle"
    sampling_strategy = "run_once"
    parameters = {"i": list(range(COUNT))}
    def set_objective(self, x): self.x = x
    def run(self, _): self.value = self.x
    def get_result(self): return dict(value=self.value)
""",
}


class Seconds(NamedTuple):
    """What a run took: on the clock, and of all processors (which a busy machine changes less)."""

    wall: float
    cpu: float


def install(folder: Path) -> None:
    """Write the plugin that does nothing into a folder for the path."""
    info = folder / "assay_idle-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: assay-idle\nVersion: 1\nSummary: x\nKeywords: family:idle,task:idle/task\n"
    )
    (info / "entry_points.txt").write_text("[assay]\nidle = assay_idle\n")
    (folder / "assay_idle.py").write_text(PLUGIN)


def assay_run(folder: Path, cells: int, how: list[str]) -> Seconds:
    """Return the seconds of a run of fresh cells."""
    store = folder / "store.db"
    for path in folder.glob("store.db*"):
        path.unlink()
    command = [
        sys.executable,
        "-m",
        "assay.cli",
        "run",
        "idle/task",
        "--seeds",
        f"0:{cells}",
        "--store",
        str(store),
        *how,
    ]
    return timed(command, folder, PYTHONPATH=str(folder))


def benchopt_run(folder: Path, cells: int, jobs: int, *, keep: bool = False) -> Seconds:
    """Return the seconds of a benchopt run of solvers that do nothing."""
    if not keep:
        shutil.rmtree(folder / "bench", ignore_errors=True)
        for name, text in BENCHOPT.items():
            path = folder / "bench" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("COUNT", str(cells)))
    command = [sys.executable, "-m", "benchopt", "run", "bench", "-n", "1", "-r", "1", "--no-plot", "--no-html"]
    return timed([*command, *(["-j", str(jobs)] if jobs > 1 else [])], folder)


def asv_run(folder: Path, cells: int) -> Seconds:
    """Return the seconds of an asv run, each benchmark in a process from its forkserver."""
    shutil.rmtree(folder / "asv", ignore_errors=True)
    (folder / "asv" / "benchmarks").mkdir(parents=True)
    project = folder / "asv"
    (project / "asv.conf.json").write_text(
        '{"version": 1, "project": "idle", "project_url": "x", "repo": ".", "environment_type": "virtualenv"}'
    )
    (project / "benchmarks" / "__init__.py").write_text("")
    (project / "benchmarks" / "idle.py").write_text(
        "".join(f"def track_{i}():\n    return 1\n\n" for i in range(cells))
    )
    machine = ["--machine", "m", "--os", "o", "--arch", "a", "--cpu", "c", "--num_cpu", "2", "--ram", "1"]
    for command in (
        ["git", "init", "-q"],
        ["git", "add", "."],
        ["git", "-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "x"],
    ):
        subprocess.run(command, cwd=project, check=True)
    subprocess.run([sys.executable, "-m", "asv", "machine", *machine], cwd=project, capture_output=True, check=False)
    command = [
        sys.executable,
        "-m",
        "asv",
        "run",
        "--python=same",
        "--launch-method=forkserver",
        "--machine=m",
        "--dry-run",
    ]
    return timed(command, project)


DASK = """
import sys
import distributed

def nothing(i):
    return i

if __name__ == "__main__":
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.gather(client.map(nothing, range(int(sys.argv[1])), pure=False))
"""


def dask_run(folder: Path, cells: int) -> Seconds:
    """Return the seconds of as many tasks of dask, without assay."""
    (folder / "dask_alone.py").write_text(DASK)
    return timed([sys.executable, "dask_alone.py", str(cells)], folder)


ALONE = "PEERS_ALONE"
"""Environment variable, set to measure under the real-time scheduler."""


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let what is started in this block go before all other programs, if that is asked for."""
    if not os.environ.get(ALONE):
        yield
        return
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        time.sleep(1)  # those that waited have their turn


def timed(command: list[str], folder: Path, **environment: str) -> Seconds:
    """Run a command and return its seconds; the processes that it waited for count too."""
    with alone():
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return Seconds(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--peers", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="under the real-time scheduler")
    args = parser.parse_args()
    if args.alone:
        os.environ[ALONE] = "1"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install(folder)
        few, isolated = max(20, args.peers // 6), max(100, args.cells // 5)
        ways = {
            "assay inline": (lambda n: assay_run(folder, n, []), 100, args.cells),
            "assay pool": (lambda n: assay_run(folder, n, ["--workers", "2"]), 100, args.cells),
            "assay isolated": (lambda n: assay_run(folder, n, ["--workers", "2", "--isolate"]), 20, isolated),
            "assay dask": (
                lambda n: assay_run(folder, n, ["--executor", "dask", "--workers", "2"]),
                200,
                2 * args.cells,
            ),
            "dask itself": (lambda n: dask_run(folder, n), 200, args.cells),
            "benchopt": (lambda n: benchopt_run(folder, n, 1), few, args.peers),
            "benchopt -j2": (lambda n: benchopt_run(folder, n, 2), few, args.peers),
            "asv forkserver": (lambda n: asv_run(folder, n), few, args.peers),
        }
        found: dict[str, list[Seconds]] = {way: [] for way in ways}
        starts: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(args.rounds):
            for way, (measure, short, long) in ways.items():
                base, whole = measure(short), measure(long)
                cell = Seconds(*((w - b) / (long - short) * 1e3 for b, w in zip(base, whole, strict=True)))
                found[way].append(cell)
                starts[way].append(base.wall - short * cell.wall / 1e3)
        print(f"{'':16} {'wall ms a cell':>15} {'spread':>16} {'cpu ms a cell':>14} {'start, s':>9}")
        for way, values in found.items():
            walls, cpu = [v.wall for v in values], statistics.median(v.cpu for v in values)
            spread = f"{min(walls):.2f} to {max(walls):.2f}"
            start = statistics.median(starts[way])
            print(f"{way:16} {statistics.median(walls):15.3f} {spread:>16} {cpu:14.3f} {start:9.2f}")


if __name__ == "__main__":
    main()
