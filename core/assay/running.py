"""Runs jobs whose cells are not finished, and stores each record as soon as it is there."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from assay import notebook
from assay.catalog import Catalog
from assay.cell import Job, notify
from assay.executors import Executor, Work, crew
from assay.feed import Backlog, Feed
from assay.leases import Leases
from assay.progress import Estimate, Event
from assay.spec import Cell, Record
from assay.store import Store

Progress = Callable[[Event], None]
LOOK_SECONDS = 0.25
"""How often a run looks whether cells are done that another run is at."""


@dataclass(frozen=True)
class Run:
    """What a run left in the store.

    `jobs` are its cells in order, `resumed` is how many were there already, `failed` those that failed now.
    """

    jobs: Sequence[Job]
    resumed: int
    failed: tuple[Record, ...]
    store: str
    tasks: tuple[str, ...]

    @property
    def digests(self) -> tuple[str, ...]:
        """The content addresses of its cells, in order."""
        return tuple(job.digest for job in self.jobs)

    @property
    def records(self) -> list[Record]:
        """The records of all cells that were asked for, read from the store, in order."""
        digests = self.digests
        with Store(self.store) as store:
            found = store.get(digests)
        return [found[digest] for digest in digests if digest in found]

    def __len__(self) -> int:
        return len(self.jobs)

    def __repr__(self) -> str:
        """Return what became of each entrant as a table of text."""
        return notebook.run(self).text()

    def _repr_html_(self) -> str:
        return notebook.run(self).html()


def execute(
    jobs: Sequence[Job],
    catalog: Catalog,
    store: Store,
    *,
    executor: Executor | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Run the jobs whose cells are not finished in the store, and store each record as soon as it is there.

    No two jobs have the same digest.

    Ctrl-C once starts nothing new and raises KeyboardInterrupt when the cells under way are stored; twice, at once.
    Raises RunError when the store or the executor breaks; what was stored is safe.
    """
    backlog = Backlog(jobs, store, force=force)
    for task in {job.task.id: job.task for job in backlog.samples.values()}.values():
        store.describe(task.id, [catalog.metric(task, name) for name in task.metrics])
    chosen = executor or Executor()
    count = Count(catalog, progress, backlog.count, chosen.processes)
    if progress:
        cells = [job.cell for job in backlog.samples.values()]
        count.estimate = Estimate(store.durations(cells) if cells else {}, backlog.kinds, chosen.processes)
    count.tell("planned")
    if backlog.count:
        with interruptible() as stop, Leases(store) as leases:
            feed = Feed(backlog, store, leases, chosen.processes, stop)
            with crew(Work(chosen, tuple(backlog.samples.values()), catalog, count.started)) as run:
                while backlog.count and not stop.is_set():
                    for record in run(feed.jobs()):
                        store.put(record)
                        feed.ended(record)
                        count.ended(record)
                    _await_others(feed, count)
        if backlog.count:
            raise KeyboardInterrupt
    return Run(jobs, len(jobs) - count.ran, tuple(count.failed), store.address, tuple(backlog.tasks))


def _await_others(feed: Feed, count: Count) -> None:
    """Wait a little when all that is left is being run by other runs, and take note of what they finished."""
    feed.settle()
    while feed.elsewhere:
        count.ended_elsewhere(feed.elsewhere.pop())
    if feed.backlog.count and not feed.stop.is_set():
        count.tell("waiting")
        feed.stop.wait(LOOK_SECONDS)


class Count:
    """Counts what happens to cells, and tells plugins and the progress of it."""

    def __init__(self, catalog: Catalog, progress: Progress | None, total: int, processes: int) -> None:
        self._catalog = catalog
        self._progress = progress
        self._total = total
        self.estimate = Estimate({}, {}, processes)
        self.done = self.ran = self._running = 0
        self.failed: list[Record] = []

    def started(self, cell: Cell) -> None:
        """Take note of a cell that begins."""
        self._running += 1
        notify(self._catalog.hook.assay_cell_started, cell=cell)
        self.tell("started", cell)

    def ended(self, record: Record) -> None:
        """Take note of a cell that ended here."""
        self.ran += 1
        self._running = max(0, self._running - 1)
        notify(self._catalog.hook.assay_cell_finished, cell=record.cell, record=record)
        self.ended_elsewhere(record)

    def ended_elsewhere(self, record: Record) -> None:
        """Take note of a cell that ended, here or in another run."""
        self.done += 1
        if not record.ok:
            self.failed.append(record)
        if self._progress:
            self.estimate.ended(record)
        self.tell("finished", record.cell, record)

    def tell(self, what: Any, cell: Cell | None = None, record: Record | None = None) -> None:
        """Tell the progress of an event."""
        if self._progress:
            left = self.estimate.left()
            event = Event(what, self.done, self._total, len(self.failed), self._running, left, cell, record)
            self._progress(event)


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C sets; a second Ctrl-C raises KeyboardInterrupt. Only the main thread gets signals."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def interrupt(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        with contextlib.suppress(OSError):
            os.write(2, b"\nassay: stopping when the cells under way have ended; Ctrl-C again stops at once\n")

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
