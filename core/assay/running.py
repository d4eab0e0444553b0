"""Runs jobs whose cells are not finished, and stores each record as soon as it is there."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay import examples, notebook
from assay.catalog import Catalog
from assay.cell import Job, notify
from assay.executors import Executor, Work, crew
from assay.leases import Leases
from assay.progress import Estimate, Event, kind
from assay.spec import Cell, Record
from assay.store import CHUNK, Store

Progress = Callable[[Event], None]
LEASED_SECONDS = 2.0
"""Work that a run leases ahead for each of its processes: little, so that others find something to do."""
LOOK_SECONDS = 0.25
"""How often a run looks whether cells are done that another run is at."""


@dataclass(frozen=True)
class Run:
    """What a run left in the store.

    `digests` are those of its cells in order, `resumed` is how many were there already, `failed` those that failed now.
    """

    digests: tuple[str, ...]
    resumed: int
    failed: tuple[Record, ...]
    store: str
    tasks: tuple[str, ...]

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
    jobs: Sequence[Job],
    catalog: Catalog,
    store: Store,
    *,
    executor: Executor | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Run the jobs whose cells are not finished in the store, and store each record as soon as it is there.

    Ctrl-C once starts nothing new and raises KeyboardInterrupt when the cells under way are stored; twice, at once.
    Raises RunError when the store or the executor breaks; what was stored is safe.
    """
    begin = time.time()
    unique = {job.digest: job for job in jobs}
    done = set() if force else store.finished(unique) - examples.lacking((job.digest, job.examples) for job in jobs)
    todo = {digest: job for digest, job in unique.items() if digest not in done}
    for task in {job.task.id: job.task for job in todo.values()}.values():
        store.describe(task.id, [catalog.metric(task, name) for name in task.metrics])
    chosen = executor or Executor()
    count = Count(catalog, progress, len(todo), chosen.processes)
    if progress:
        cells = [job.cell for job in todo.values()]
        count.estimate = Estimate(store.durations(cells) if cells else {}, Counter(map(kind, cells)), chosen.processes)
    count.tell("planned")
    if todo:
        with interruptible() as stop, Leases(store) as leases:
            feed = Feed(todo, store, leases, begin, chosen.processes, stop)
            with crew(Work(chosen, tuple(todo.values()), catalog, count.started)) as run:
                while feed.todo and not stop.is_set():
                    for record in run(feed.jobs()):
                        store.put(record)
                        feed.ended(record)
                        count.ended(record)
                    _await_others(feed, count)
        if feed.todo:
            raise KeyboardInterrupt
    tasks = dict.fromkeys(job.task.id for job in jobs)
    return Run(tuple(unique), len(unique) - count.ran, tuple(count.failed), store.address, tuple(tasks))


def _await_others(feed: Feed, count: Count) -> None:
    """Wait a little when all that is left is being run by other runs, and take note of what they finished."""
    feed.elsewhere += feed.settle(feed.todo)
    while feed.elsewhere:
        count.ended_elsewhere(feed.elsewhere.pop())
    if feed.todo and not feed.stop.is_set():
        count.tell("waiting")
        feed.stop.wait(LOOK_SECONDS)


@dataclass
class Feed:
    """The jobs that are left, leased a chunk at a time as an executor asks for them."""

    todo: dict[str, Job]
    store: Store
    leases: Leases
    begin: float
    processes: int
    stop: threading.Event
    seconds: float = 0.0
    count: int = 0
    elsewhere: list[Record] = field(default_factory=list)

    def jobs(self) -> Iterator[Job]:
        """Yield jobs that no other run is at, until there are none or the run is to stop."""
        pending, at = list(self.todo), 0
        size = self.processes
        while at < len(pending) and not self.stop.is_set():
            chunk = [digest for digest in pending[at : at + size] if digest in self.todo]
            at += size
            mine = self.leases.take(chunk)
            self.elsewhere += self.settle(mine)
            for digest in chunk:
                if self.stop.is_set():
                    return
                if digest in mine and digest in self.todo:
                    yield self.todo[digest]
            size = min(2 * size, self._ahead())

    def settle(self, digests: Any) -> list[Record]:
        """Drop cells that other runs have ended since this one began; return their records."""
        found = list(self.store.get(self.store.since(digests, self.begin)).values())
        for record in found:
            self.todo.pop(record.digest, None)
        self.leases.release(record.digest for record in found)
        return found

    def ended(self, record: Record) -> None:
        """Drop a cell that has ended here."""
        self.todo.pop(record.digest, None)
        self.seconds += record.seconds
        self.count += 1

    def _ahead(self) -> int:
        """Return how many cells make `LEASED_SECONDS` of work for every process."""
        if not self.count:
            return self.processes
        return max(1, min(CHUNK, int(self.processes * LEASED_SECONDS / max(self.seconds / self.count, 1e-6))))


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
        os.write(2, b"\nassay: stopping when the cells under way have ended; Ctrl-C again stops at once\n")

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
