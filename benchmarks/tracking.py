"""Measure what tracking costs: a commit with all papers at smoke, and assay's suite beside hand-written asv benchmarks.

    python benchmarks/tracking.py cost                      # one round of one commit, some minutes
    python benchmarks/tracking.py overhead [--repeats N] [--turns N]

`cost` has `assay track run` measure one round of all papers, after a run of one paper that makes the environment. The
figure for 50 papers is that of the checkout's papers in proportion; the suites' baselines and the core are in it.

`overhead` has asv run the same calls, as often, from assay's suite and from a file of `time_` benchmarks written by hand, in
turns. Every figure is processor time of all processes, so a busy machine does not lengthen it. assay's suite keeps six
quantities of a cell and warms each arena up by one more call; the other keeps one duration of each call.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from planting import REPOSITORY, assay, git

PAPERS = 50
FOLLOWED = {
    "SetsSumEmbedding": ("polynomial-width-lp", "polynomial-width-le"),
    "SetsRelativePose": ("pi3",),
}
"""Class of assay's suite: all entrants there of the papers polynomial-width (NumPy) and pi3 (torch)."""
HAND = """
import assay_sets
from assay import context, spec  # as modules: asv would take classes for benchmarks
from assay_pi3 import assay_models as poses
from assay_polynomial_width import assay_models as embeddings
from assay_sets import relative_pose, sum_embedding
from assay_sets.multisets import random_multisets
from assay_sets.scenes import synthetic_scenes

MODELS = {model.id: model for model in (*embeddings(), *poses())}
TASKS = {task.id: (task, load) for task, load in (
    (sum_embedding.TASK, random_multisets), (relative_pose.TASK, synthetic_scenes))}
METRICS = assay_sets.assay_metrics()


class Calls:
    params = [*MODELS]
    number, repeat, rounds = 1, REPEATS, 1

    def setup(self, name):
        model = MODELS[name]
        self.task, load = TASKS[model.task]
        self.data = load(0, "smoke")
        self.entrant = spec.Entrant(name, model, model.params)
        cell = spec.Cell(self.task.id, "sets/" + self.task.dataset, name, (), 0, "smoke")
        self.ctx = context.Context(cell, self.task.budgets["smoke"])
        context.PinnedThreads().__enter__()

    def time_call(self, name):
        return self.task.run(self.entrant, self.data, self.ctx)


class Judged(Calls):
    def time_call(self, name):
        outcome = super().time_call(name)
        views = [outcome, *({**outcome, **fields} for _, fields in outcome.get("conditions", ()))]
        for metric in (m for m in METRICS if m.id in self.task.metrics):
            for view in views:
                if all(need in view for need in metric.needs):
                    metric.compute(view)
"""


class Used(NamedTuple):
    """Seconds of the clock and of the processor."""

    wall: float
    cpu: float


def used(work: Callable[[], object]) -> Used:
    """Return what the processes that `work` starts and waits for use."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    work()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Used(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def cost(folder: Path) -> None:
    """Print the cost of one round of all papers."""
    papers = {word for file in folder.glob("plugins/*/*/pyproject.toml") for word in _papers(file)}
    first = used(lambda: assay(folder, "track", "run", "HEAD", "--rounds", "1", "--papers", "polynomial-width"))
    print(f"environment, build and one paper: {first.wall:.0f} s, {first.cpu:.0f} s of processor")
    git(folder, "commit", "-q", "--allow-empty", "-m", "next")
    all_ = used(lambda: assay(folder, "track", "run", "HEAD", "--rounds", "1"))
    scaled = Used(*(seconds * PAPERS / len(papers) for seconds in all_))
    print(
        f"one round of {len(papers)} papers, their suites and the core: {all_.wall:.0f} s, {all_.cpu:.0f} s of processor"
    )
    print(f"in proportion, {PAPERS} papers: {scaled.wall:.0f} s, {scaled.cpu:.0f} s of processor")


def _papers(file: Path) -> list[str]:
    """Return the papers that a plugin's keywords name."""
    return [line.strip(' ",').removeprefix("paper:") for line in file.read_text().splitlines() if '"paper:' in line]


def overhead(folder: Path, repeats: int, turns: int) -> None:
    """Print the processor time of assay's suite and of the hand-written one."""
    config = json.loads((folder / "asv.conf.json").read_text())
    config |= {"benchmark_dir": "benchmarks/hand", "results_dir": ".asv/hand"}
    (folder / "hand.json").write_text(json.dumps(config))
    (folder / "benchmarks/hand").mkdir()
    (folder / "benchmarks/hand/__init__.py").touch()
    (folder / "benchmarks/hand/calls.py").write_text(HAND.replace("REPEATS", str(repeats)))
    chosen = [rf"\.{arena}\.track_\w+\('({'|'.join(names)})', " for arena, names in FOLLOWED.items()]
    followed = [word for pattern in chosen for word in ("--bench", pattern)]
    environment = {
        "ASSAY_TRACK_PAPERS": "polynomial-width,pi3",
        "ASSAY_TRACK_SEEDS": ",".join(map(str, range(repeats))),
    }
    runs = {
        "assay": lambda: _asv(folder, "asv.conf.json", environment, *followed),
        "by hand, with the metrics": lambda: _asv(folder, "hand.json", environment, "--bench", "Judged"),
        "by hand, fit and prediction alone": lambda: _asv(folder, "hand.json", environment, "--bench", "Calls"),
    }
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(turns):
        for name, run in runs.items():
            found[name].append(used(run).cpu)
    for name, seconds in found.items():
        ratios = [a / b for a, b in zip(found["assay"], seconds, strict=True)]
        line = f"{name}: {statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
        print(f"{line}; assay/this {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def _asv(folder: Path, config: str, environment: dict[str, str], *options: str) -> None:
    """Have plain asv run a suite once with this Python; raise when a benchmark fails."""
    command = [sys.executable, "-m", "asv", "run", "--config", config, "-E", f"existing:{sys.executable}", "--dry-run"]
    command += ["--launch-method", "forkserver", "--show-stderr", *options]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode or "fail" in done.stdout:
        raise SystemExit(f"{config}: {done.stdout}{done.stderr}")


def main() -> None:
    """Measure in a copy of the repository."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["cost", "overhead"])
    parser.add_argument("--repeats", type=int, default=3, help="calls of each entrant (default 3)")
    parser.add_argument("--turns", type=int, default=5, help="runs of each suite (default 5)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "copy")
        git(REPOSITORY, "clone", "-q", str(REPOSITORY), str(folder))
        if args.what == "cost":
            cost(folder)
        else:
            subprocess.run(
                [sys.executable, "-m", "asv", "machine", "--yes"], cwd=folder, check=True, capture_output=True
            )
            overhead(folder, args.repeats, args.turns)


if __name__ == "__main__":
    main()
