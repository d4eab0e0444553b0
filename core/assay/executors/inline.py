"""Runs jobs one after another in this process: the least overhead, no protection from a crash."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from assay.cell import Job, Runner
from assay.executors import Crew, Work
from assay.spec import Record


@contextmanager
def crew(work: Work) -> Iterator[Crew]:
    """Give a function that yields a record for each job."""
    with Runner(work.catalog.manager) as runner:

        def run(jobs: Iterator[Job]) -> Iterator[Record]:
            for job in jobs:
                work.started(job.cell)
                yield runner.run(job)

        yield run
