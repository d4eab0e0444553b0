"""Measures the page: how long it takes to write, how heavy it is, how soon it is painted and filtered in Chromium.

`python benchmarks/report.py [RECORDS] [PAPERS]`. The browser's part needs Chromium, node and
`npm install --prefix tests/browser`; without them it is left out, with a line that says so.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import report_data as made
from assay.report import Sources, gather, write
from assay.store import Store

ROOT = Path(__file__).parents[1]
TIMES = 5


def main(records: int = 10_000, papers: int = 366) -> None:
    """Fill a store, write its page and open it, each several times, and print the best times beside the goals."""
    with tempfile.TemporaryDirectory() as folder:
        address = str(Path(folder) / "records.db")
        with Store(address) as store:
            for record in made.records(records):
                store.put(record)
            for task in {record.cell.task for record in made.records(records)}:
                store.describe(task, made.metrics())
        verdicts = made.write_verdicts(Path(folder) / "verdicts", papers)
        wall, cpu = [], []
        for _ in range(TIMES):
            start, used = time.perf_counter(), time.process_time()
            page = write(Path(folder) / "page.html", gather(Sources(address, (verdicts,), plugins=())))
            wall.append(time.perf_counter() - start)
            cpu.append(time.process_time() - used)
        limit = 1.5e6 + 100 * records
        print(f"{records} records, {papers} papers, best of {TIMES}:")
        print(f"  written in {min(wall):.2f} s, {min(cpu):.2f} s of CPU (at most 1)")
        print(f"  {page.stat().st_size / 1e6:.3f} MB (at most {limit / 1e6:.3f})")
        _in_browser(page)


def _in_browser(page: Path) -> None:
    if not (shutil.which("node") and (ROOT / "tests/browser/node_modules").is_dir()):
        print("  not opened in a browser: node, or npm install --prefix tests/browser, is missing")
        return
    command = ["node", str(ROOT / "benchmarks/report_browser.mjs"), str(page)]
    runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(TIMES)]
    paint, drawn = min(r["paint"] for r in runs), min(r["drawn"] for r in runs)
    keys = [min(times) for times in zip(*(r["filter"] for r in runs), strict=True)]
    print(f"  first paint {paint:.0f} ms, overview drawn {drawn:.0f} ms (at most 1000)")
    print(f"  filtered by each key in {', '.join(f'{k:.0f}' for k in keys)} ms (at most 100)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
