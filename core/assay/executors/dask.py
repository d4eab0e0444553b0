"""Runs jobs on a dask cluster: one of this machine, one at an address, or that of a `distributed.Client`.

Cells travel in chunks, and every dask worker runs them in a pool of its own, so that limits and crashes are as on one
machine. Records travel back: only this side touches the store. What a lost host was at is run elsewhere, twice at most.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from assay.cell import Job
from assay.errors import AssayError, RunError
from assay.executors import Crew, Executor, Work, cpus
from assay.executors.shipping import Order, Workshop, order, pack
from assay.spec import Record

CHUNK_SECONDS = 0.5
"""Work that is sent at a time: enough to outweigh a task's cost in dask, little enough to see progress."""
CHUNK = 500
CONNECT_SECONDS = 10.0
"""How long a scheduler may take to answer."""
RETRIES = 2
"""How often the cells of a lost worker are run again elsewhere."""


@contextmanager
def crew(work: Work) -> Iterator[Crew]:
    """Give a function that runs jobs on the cluster that the executor names."""
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise AssayError(f"--executor dask needs {error.name}: pip install 'assay[dask]'") from error
    packed = pack(work.samples, work.catalog, by_value=True)
    with contextlib.ExitStack() as stack:
        given = work.executor.address
        client = given if isinstance(given, distributed.Client) else stack.enter_context(_client(work.executor))
        cluster = Cluster(client, packed, work)
        try:
            yield cluster.run
        finally:
            with contextlib.suppress(OSError, RuntimeError):  # of workers that are gone nothing is left to end
                client.run(release, cluster.name)


@contextmanager
def _client(executor: Executor) -> Iterator[Any]:
    """Give a client of the address, or of a cluster of this machine that ends with it."""
    import dask
    import distributed

    if executor.address is not None:
        try:
            client = distributed.Client(executor.address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise AssayError(f"no dask scheduler answers at {executor.address}: {error}") from error
        with client:
            yield client
        return
    quiet = {"distributed.scheduler.allowed-failures": RETRIES}
    with (
        dask.config.set(quiet),
        distributed.LocalCluster(
            n_workers=executor.workers or cpus(),
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=50,
            resources=dict(executor.resources) or None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


class Cluster:
    """Keeps every thread of a cluster supplied with chunks."""

    def __init__(self, client: Any, packed: bytes, work: Work) -> None:
        self._client = client
        self._packed = packed
        self._work = work
        self._limits = {
            "timeout": work.executor.timeout,
            "memory": work.executor.memory,
            "isolate": work.executor.isolate,
        }
        self.name = os.urandom(8).hex()
        self._alone: deque[Job] = deque()
        """Jobs of a chunk whose worker was lost: each goes again by itself, so that only the one at fault fails."""
        self._seconds = 0.0
        self._count = 0
        self._size = 1

    def run(self, jobs: Iterator[Job]) -> Iterator[Record]:
        """Yield a record for each job that is pulled."""
        from distributed import as_completed

        chunks: dict[Any, list[Job]] = {}
        ended = as_completed()
        self._supply(jobs, chunks, ended)
        while chunks:
            future = next(ended)
            chunk = chunks.pop(future)
            if future.status == "finished":
                yield from self._received(chunk, future.result())
            else:
                yield from self._lost(chunk, future)
            future.release()
            self._supply(jobs, chunks, ended)

    def _supply(self, jobs: Iterator[Job], chunks: dict[Any, list[Job]], ended: Any) -> None:
        """Send chunks until every thread has one at hand and one waiting."""
        most = 2 * max(1, sum(self._client.nthreads().values()))
        while len(chunks) < most:
            chunk = [self._alone.popleft()] if self._alone else list(islice(jobs, self._size))
            if not chunk:
                return
            orders = [order(job) for job in chunk]
            future = self._client.submit(
                run_chunk,
                self.name,
                self._packed,
                self._limits,
                orders,
                pure=False,
                resources=dict(self._work.executor.resources) or None,
                key=f"assay-{os.urandom(8).hex()}",
            )
            chunks[future] = chunk
            ended.add(future)
            for job in chunk:
                self._work.started(job.cell)

    def _received(self, chunk: list[Job], records: list[Record]) -> Iterator[Record]:
        self._seconds += sum(record.seconds for record in records)
        self._count += len(records)
        fitting = int(CHUNK_SECONDS * self._count / max(self._seconds, 1e-6))
        self._size = max(1, min(CHUNK, 2 * self._size, fitting))
        digests = {job.digest for job in chunk}
        yield from (record for record in records if record.digest in digests)

    def _lost(self, chunk: list[Job], future: Any) -> Iterator[Record]:
        """Send the jobs of a lost chunk again one by one; one that was alone has failed."""
        error = future.exception() if future.status == "error" else None
        lost = error is None or type(error).__name__ == "KilledWorker"
        if lost and len(chunk) > 1:
            self._alone.extend(chunk)
            return
        reason = (
            "crash: its dask worker was lost, again on every retry" if lost else f"error: on the dask worker: {error!r}"
        )
        for job in chunk:
            yield order(job).failed(reason)


_pools: dict[tuple[int, str], Any] = {}
"""On a dask worker: the pools of its threads, by thread and run."""
POOLS = 2
"""Runs whose pools a thread keeps: one whose head was killed leaves its own behind until others come."""


def run_chunk(run: str, packed: bytes, limits: dict[str, Any], orders: list[Order]) -> list[Record]:
    """Run orders on a dask worker and return their records. Every thread of the worker has a pool of one process."""
    if not hasattr(os, "fork"):
        with _workshop(packed) as workshop:
            return [workshop.run(wanted) for wanted in orders]
    from assay.executors.pool import Pool

    thread = threading.get_ident()
    if (thread, run) not in _pools:
        for key in [key for key in _pools if key[0] == thread][: 1 - POOLS]:
            _pools.pop(key).close()
        _pools[thread, run] = Pool(packed, Executor("pool", workers=1, **limits), lambda _: None)
    try:
        return list(_pools[thread, run].run(iter(orders)))
    except RunError:
        _pools.pop((thread, run)).close()
        raise


def release(run: str) -> None:
    """End a run's pools on a dask worker."""
    for key in [key for key in _pools if key[1] == run]:
        _pools.pop(key).close()


@functools.lru_cache(maxsize=1)
def _workshop(packed: bytes) -> Workshop:
    return Workshop(packed)
