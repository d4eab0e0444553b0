"""Commits that make a paper worse are found in a repository of tiny plugins, and those that do not raise no alarm.

The shorter version of benchmarks/planting.py: the same planting and scoring, entrants that cost milliseconds.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("asv")
pytest.importorskip("virtualenv")

ROOT = Path(__file__).parents[1]
SUITE = """
import random

from assay import Dataset, Metric, Suite, Task, hookimpl


def data(seed, scale, source):
    draw = random.Random(seed)
    return [draw.random() for _ in range(100)]


def run(entrant, data, ctx):
    built = entrant.build()
    with ctx.timer("fit"):
        built.fit(data)
    with ctx.timer("predict"):
        got = built.forward(data)
    return {"error": [abs(g - 2 * x) for g, x in zip(got, data)]}


@hookimpl
def assay_suites():
    return [Suite("ruler", "Rulers", "Who doubles best?")]


@hookimpl
def assay_tasks():
    return [Task("ruler/double", schema="numbers", run=run, metrics=("error",), dataset="hundred",
                 contract="build() gives fit(x) and forward(x)", budgets={"smoke": {}})]


@hookimpl
def assay_datasets():
    return [Dataset("hundred", "numbers", data)]


@hookimpl
def assay_metrics():
    return [Metric("error", lambda o: sum(o["error"]) / len(o["error"]), ("error",), "down", "")]
"""
PAPER = """
from assay import Model, Paper, hookimpl


def work():
    return sum(i * i for i in range(400_000))


class Doubler:
    def fit(self, x):
        work()

    def forward(self, x):
        work()
        return [2.1 * v for v in x]


@hookimpl
def assay_models():
    return [Model("NAME", "ruler/double", Doubler)]


@hookimpl
def assay_papers():
    return [Paper("NAME", title="NAME", year=2000, family="ruler", claims=[])]
"""
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "assay-NAME"
version = "1"
description = "NAME"
keywords = [KEYWORDS]
[project.entry-points.assay]
NAME = "assay_NAME"
[tool.hatch.build.targets.wheel]
only-include = ["assay_NAME.py"]
"""
FORWARD = "    def forward(self, x):\n        work()\n"


def planting():
    """The script benchmarks/planting.py as a module."""
    spec = importlib.util.spec_from_file_location("planting", ROOT / "benchmarks" / "planting.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["planting"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def repository(tmp_path):
    """A repository of a suite and three papers, with what a tracked repository has (docs/tracking.md)."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in ("asv.conf.json", "benchmarks/track/__init__.py", "benchmarks/track/arenas.py", "tools/wheels.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for name in ("ruler", "quick", "lean", "right"):
        own = ("dataset:ruler/double/hundred",)
        place = folder if name == "ruler" else folder / "plugins" / "ruler" / name
        place.mkdir(parents=True, exist_ok=True)
        keywords = [
            "api:1",
            "family:ruler",
            "task:ruler/double",
            *(own if name == "ruler" else (f"paper:{name}", f"model:ruler/double/{name}")),
        ]
        project = PROJECT.replace("NAME", name).replace("KEYWORDS", ", ".join(f'"{word}"' for word in keywords))
        (place / "pyproject.toml").write_text(project)
        (place / f"assay_{name}.py").write_text(SUITE if name == "ruler" else PAPER.replace("NAME", name))
    (folder / ".gitignore").write_text(".asv/\n")
    script = planting()
    script.git(folder, "init", "-q")
    script.git(folder, "add", "-A")
    script.git(folder, "commit", "-qm", "begin")
    return folder


@pytest.fixture
def assay(repository, tmp_path):
    """Runs assay in the repository, with its plugins installed."""
    wheels, installed = tmp_path / "wheels", tmp_path / "installed"
    subprocess.run([sys.executable, ROOT / "tools/wheels.py", "build", repository, wheels], check=True)
    for wheel in wheels.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(installed)
    environment = {**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}

    def run(*arguments: str, status: int = 0) -> str:
        command = [sys.executable, "-m", "assay.cli", *arguments]
        done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_what_was_planted_is_found_and_nothing_else(repository, assay):
    script = planting()
    paths = {name: f"plugins/ruler/{name}/assay_{name}.py" for name in ("quick", "lean", "right")}
    plants = [
        script.Plant("comment", paths["quick"], "class Doubler:", "# slow\nclass Doubler:"),
        script.Plant("slow", paths["quick"], FORWARD, FORWARD + "        work()\n", "quick", "time_predict"),
        script.Plant(
            "memory",
            paths["lean"],
            "    def fit(self, x):\n",
            "    def fit(self, x):\n        self.waste = b'x' * 100_000_000\n",
            "lean",
            "peakmem_fit",
        ),
        script.Plant("noise", paths["lean"], "range(400_000)", "range(380_000 + hash(str(id(object()))) % 40_000)"),
        script.Plant("sign", paths["right"], "2.1 * v", "-2.1 * v", "right", "error"),
    ]
    planted = script.plant(repository, plants)
    assay("track", "run", "HEAD~4..HEAD", "HEAD~5", "--rounds", "3")
    found = json.loads(assay("track", "regressions", "--json"))
    lines, wrong = script.score([row for row in found if row["alarm"]], planted)
    assert not wrong, "\n".join(lines)
    assay("track", "compare", "HEAD~5", "HEAD", "--strict", status=1)
    assay("track", "compare", "HEAD~1", "HEAD~2", "--strict")
    kept = subprocess.run([sys.executable, "-m", "asv", "show", "HEAD"], cwd=repository, capture_output=True, text=True)
    assert "RulerDouble.track_error" in kept.stdout  # plain asv reads it
