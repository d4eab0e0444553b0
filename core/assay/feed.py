"""What of a plan is left to run, handed out as executors ask for it and shared with other runs by leases."""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from assay import examples
from assay.cell import Job
from assay.leases import Leases
from assay.progress import Kind, kind
from assay.spec import Record, Task
from assay.store import CHUNK, Store

LEASED_SECONDS = 2.0
"""Work that a run leases ahead for each of its processes: little, so that others find something to do."""


class Backlog:
    """The jobs that are not finished in the store, in nine bytes a job: a long plan takes hardly more room than a short one.

    `kinds` counts them by what makes cells alike, `samples` holds one job of each; `tasks` are those of the whole plan.
    """

    def __init__(self, jobs: Sequence[Job], store: Store, *, force: bool) -> None:
        self._jobs = jobs
        self._left = bytearray(len(jobs))
        self._seen = array("d", bytes(8 * len(jobs)))
        """When the cell of each job had ended by the record that was there, 0 for none."""
        self._places: dict[str, int] = {}
        self.kinds: Counter[Kind] = Counter()
        self.samples: dict[Kind, Job] = {}
        self.tasks: dict[str, Task] = {}
        for start in range(0, len(jobs), CHUNK):
            chunk = {job.digest: job for job in jobs[start : start + CHUNK]}
            ends = store.ends(chunk)
            done = set() if force else {digest for digest, (_, ok) in ends.items() if ok}
            done -= examples.lacking((digest, chunk[digest].examples) for digest in done)
            for place, (digest, job) in enumerate(chunk.items(), start):
                self.tasks.setdefault(job.task.id, job.task)
                if digest not in done:
                    self._seen[place] = ends[digest][0] if digest in ends else 0.0
                    self._left[place] = 1
                    self.kinds[kind(job.cell)] += 1
                    self.samples.setdefault(kind(job.cell), job)
        self.count = self.kinds.total()

    def chunk(self, at: int, size: int) -> tuple[dict[str, Job], int]:
        """Return up to `size` jobs that are left from a place on, by digest, and the place after them."""
        found: dict[str, Job] = {}
        while len(found) < size and (place := self._left.find(1, at)) >= 0:
            job, at = self._jobs[place], place + 1
            found[job.digest] = job
            self._places[job.digest] = place
        return found, at

    def holds(self, digest: str) -> bool:
        """Whether a job that `chunk` gave is still left."""
        return digest in self._places

    def is_news(self, digest: str, moment: float) -> bool:
        """Whether a record that ended at a moment was not there yet when the store was looked at.

        Moments are told apart, never ordered: clocks of hosts differ, and a record is written after its cell has ended.
        """
        return digest in self._places and moment != self._seen[self._places[digest]]

    def ended(self, digest: str) -> None:
        """Drop a job."""
        place = self._places.pop(digest, None)
        if place is not None:
            self._left[place] = 0
            self.count -= 1


@dataclass
class Feed:
    """The jobs of a backlog, leased a chunk at a time as an executor asks for them."""

    backlog: Backlog
    store: Store
    leases: Leases
    processes: int
    stop: threading.Event
    elsewhere: list[Record] = field(default_factory=list)
    """Records of cells that other runs have ended, to be taken note of."""
    _seconds: float = 0.0
    _count: int = 0

    def jobs(self) -> Iterator[Job]:
        """Yield jobs that no other run is at, until there are none or the run is to stop."""
        at, size = 0, self.processes
        while not self.stop.is_set():
            chunk, at = self.backlog.chunk(at, size)
            if not chunk:
                return
            mine = self.leases.take(chunk)
            self._settle(mine)
            for digest, job in chunk.items():
                if self.stop.is_set():
                    return
                if digest in mine and self.backlog.holds(digest):
                    yield job
            size = min(2 * size, self._ahead())

    def settle(self) -> None:
        """Drop all cells that other runs have ended since the store was looked at."""
        chunk, at = self.backlog.chunk(0, CHUNK)
        while chunk:
            self._settle(chunk)
            chunk, at = self.backlog.chunk(at, CHUNK)

    def _settle(self, digests: Iterable[str]) -> None:
        ends = self.store.ends(digests)
        news = [digest for digest, (moment, _) in ends.items() if self.backlog.is_news(digest, moment)]
        found = list(self.store.get(news).values())
        for record in found:
            self.backlog.ended(record.digest)
        self.leases.release(record.digest for record in found)
        self.elsewhere += found

    def ended(self, record: Record) -> None:
        """Drop a cell that has ended here."""
        self.backlog.ended(record.digest)
        self._seconds += record.seconds
        self._count += 1

    def _ahead(self) -> int:
        """Return how many cells make `LEASED_SECONDS` of work for every process."""
        if not self._count:
            return self.processes
        return max(1, min(CHUNK, int(self.processes * LEASED_SECONDS / max(self._seconds / self._count, 1e-6))))
