"""The core's own speed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def _assay(*arguments: str, path: str = "") -> None:
    environment = {**os.environ, "PYTHONPATH": path}
    subprocess.run([sys.executable, "-m", "assay.cli", *arguments], check=True, stdout=subprocess.DEVNULL, env=environment)


class Commands:
    """Whole processes of the command line."""

    version = "1"
    timeout = 120

    def setup(self):
        self.folder = tempfile.mkdtemp()
        for i in range(400):
            info = Path(self.folder, f"assay_dummy_{i}-1.0.dist-info")
            info.mkdir()
            keywords = f"family:dummy,task:dummy/task,paper:dummy-{i},claim:a"
            header = f"Metadata-Version: 2.1\nName: assay-dummy-{i}\nVersion: 1.0\nSummary: Dummy {i}\nKeywords: {keywords}\n"
            info.joinpath("METADATA").write_text(header + "\n")
            info.joinpath("entry_points.txt").write_text(f"[assay]\ndummy = assay_dummy_{i}\n")

    def time_help(self):
        _assay("--help")

    def time_list_400(self):
        _assay("list", path=self.folder)


class Cells:
    """What a run adds to the work itself: 200 cells that do nothing, each with its durable row."""

    version = "1"
    cells = 200

    def setup(self):
        from assay.catalog import Catalog
        from assay.spec import Dataset, Metric, Model, Task

        self.catalog = Catalog([])
        run = lambda entrant, data, ctx: {"x": 0.5}  # noqa: E731
        budgets = {"smoke": {}}
        self.catalog.tasks["d/t"] = Task("d/t", "s", run, ("m",), "d", "", budgets)
        self.catalog.datasets["d/d"] = Dataset("d", "s", lambda seed, scale, source: None)
        self.catalog.metrics["d/m"] = Metric("m", lambda o: o["x"], ("x",), "up", "")
        self.catalog.models["d/t", "m"] = Model("m", "d/t", dict)
        self.folder = tempfile.mkdtemp()

    def _run(self, store, seeds):
        from assay.plan import Planner, Selection
        from assay.running import execute
        from assay.store import Store

        jobs = Planner(self.catalog).jobs(Selection(("d/t",), seeds=seeds, scale="smoke"))
        with Store(Path(self.folder, store)) as opened:
            return execute(jobs, self.catalog, opened)

    def time_cell_overhead(self):
        self._run(f"{os.urandom(4).hex()}.db", tuple(range(self.cells)))

    def time_resume(self):
        self._run("resumed.db", tuple(range(self.cells)))
