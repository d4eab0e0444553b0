"""Measures how long a page takes to write, and how heavy it is: `python benchmarks/report.py [RECORDS] [PAPERS]`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import report_data as made
from assay.report import Sources, gather, write
from assay.store import Store


def main(records: int = 10_000, papers: int = 366) -> None:
    """Fill a store, write its page three times, and print the best times."""
    with tempfile.TemporaryDirectory() as folder:
        address = str(Path(folder) / "records.db")
        with Store(address) as store:
            for record in made.records(records):
                store.put(record)
            for task in {record.cell.task for record in made.records(records)}:
                store.describe(task, made.metrics())
        verdicts = made.write_verdicts(Path(folder) / "verdicts", papers)
        wall, cpu = [], []
        for _ in range(3):
            start, used = time.perf_counter(), time.process_time()
            page = write(Path(folder) / "page.html", gather(Sources(address, (verdicts,), plugins=())))
            wall.append(time.perf_counter() - start)
            cpu.append(time.process_time() - used)
        size = page.stat().st_size
    limit = 1.5e6 + 100 * records
    print(f"{records} records, {papers} papers: written in {min(wall):.2f} s ({min(cpu):.2f} s of CPU), ", end="")
    print(f"{size / 1e6:.2f} MB (at most {limit / 1e6:.2f})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
