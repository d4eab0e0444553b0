"""Runs jobs whose cells are not finished, and stores each record as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay import notebook
from assay.catalog import Catalog
from assay.cell import Job
from assay.executors import inline
from assay.spec import Record
from assay.store import Store

Progress = Callable[[int, int, "Record | None"], None]
"""Called as `progress(done, total, record)`: without a record when it is known what is to run, then after each cell."""


@dataclass(frozen=True)
class Run:
    """What a run left in the store: the digests of its cells in order, how many were resumed, and those that failed."""

    digests: tuple[str, ...]
    resumed: int
    failed: tuple[Record, ...]
    store: str

    @property
    def records(self) -> list[Record]:
        """The records of all cells that were asked for, read from the store, in order."""
        with Store(self.store) as store:
            found = store.get(self.digests)
        return [found[digest] for digest in self.digests if digest in found]

    def __len__(self) -> int:
        return len(self.digests)

    def __repr__(self) -> str:
        """Return what became of each entrant as a table of text."""
        return notebook.run(self).text()

    def _repr_html_(self) -> str:
        return notebook.run(self).html()


def execute(
    jobs: Sequence[Job], catalog: Catalog, store: Store, *, force: bool = False, progress: Progress | None = None
) -> Run:
    """Run the jobs whose cells are not finished in the store, and store each record as soon as it is there."""
    unique = {job.digest: job for job in jobs}
    done = set() if force else store.finished(unique)
    todo = [job for digest, job in unique.items() if digest not in done]
    for task in {job.task.id: job.task for job in todo}.values():
        store.describe(task.id, [catalog.metric(task, name) for name in task.metrics])
    if progress:
        progress(0, len(todo), None)
    failed = []
    for count, record in enumerate(inline.run(todo, catalog.manager), start=1):
        store.put(record)
        if not record.ok:
            failed.append(record)
        if progress:
            progress(count, len(todo), record)
    return Run(tuple(unique), len(done), tuple(failed), store.address)
