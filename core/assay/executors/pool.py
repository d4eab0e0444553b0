"""Runs jobs in isolated processes, each cell with a limit on time and memory; what dies takes nothing else with it."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from assay.errors import RunError
from assay.executors import Crew, Executor, Work, show_size
from assay.executors.forkserver import FORKED, STACK_SIGNAL, ForkServer
from assay.executors.process import Worker, crash, resident
from assay.executors.shipping import Order, order, pack
from assay.executors.worker import STARTED
from assay.spec import Cell, Record

BATCH_SECONDS = 0.05
"""Work that a worker is given at a time: enough that short cells do not wait for the next, and little to redo."""
BATCH = 200
STACK_SECONDS = 1.0
"""What a cell that is out of time is left at most to begin to write down its stack."""
WRITING_SECONDS = 0.1
"""What it is left to go on writing."""
POLL_SECONDS = 0.02
"""How often memory is looked at."""


@contextmanager
def crew(work: Work) -> Iterator[Crew]:
    """Give a function that runs jobs in processes of a fork server of its own."""
    pool = Pool(pack(work.samples, work.catalog), work.executor, work.started)
    try:
        yield lambda jobs: pool.run(map(order, jobs))
    finally:
        pool.close()


class Pool:
    """A fork server and its workers. `run` may be called again and again, `close` once."""

    def __init__(self, packed: bytes, executor: Executor, started: Callable[[Cell], None]) -> None:
        self._executor = executor
        self._started = started
        self._server = ForkServer(packed)
        self._workers: list[Worker] = []
        self._again: deque[Order] = deque()
        self._pace: float | None = None
        self._false_starts = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server.socket, selectors.EVENT_READ)

    def run(self, orders: Iterator[Order]) -> Iterator[Record]:
        """Yield a record for each order that is pulled."""
        self._orders = orders
        self._feed()
        while any(worker.orders for worker in self._workers) or self._again:
            ready: dict[Worker | None, None] = {}
            for key, _ in self._selector.select(self._patience()):
                ready[key.data] = None
                if key.data and not key.data.read(key.fileobj):
                    self._selector.unregister(key.fileobj)
                if key.data and key.data.doom and key.fileobj == key.data.stack:
                    key.data.kill_at = min(key.data.kill_at, time.monotonic() + WRITING_SECONDS)
            for worker in filter(None, ready):
                yield from self._collect(worker)
            if None in ready:
                for pid, status in self._server.answers():
                    yield from self._heed(pid, status)
            self._watch()
            self._feed()

    def close(self) -> None:
        """End all processes."""
        self._server.close()
        for worker in self._workers:
            worker.close()
        self._selector.close()

    def _feed(self) -> None:
        """Give every idle worker a batch, and fork as many workers as there is work for."""
        executor, busy = self._executor, sum(bool(worker.orders) for worker in self._workers)
        for worker in self._workers:
            if worker.orders or worker.doom or busy >= executor.processes or (executor.isolate and not worker.fresh):
                continue
            batch = [wanted for _ in range(self._depth()) if (wanted := self._next())]
            if batch:
                worker.give(batch, last=executor.isolate)
                busy += 1
        most = executor.processes * (2 if executor.isolate else 1)  # the next to be isolated is forked ahead
        while sum(self._lasts(worker) for worker in self._workers) < most and self._wanted():
            self._fork()

    def _lasts(self, worker: Worker) -> bool:
        """Whether a worker is not on its way out."""
        return not worker.doom and (worker.fresh or bool(worker.orders) or not self._executor.isolate)

    def _wanted(self) -> bool:
        """Whether there is an order for one more worker; it waits in `_again`."""
        idle = sum(worker.fresh for worker in self._workers)
        while len(self._again) <= idle and (wanted := next(self._orders, None)):
            self._again.append(wanted)
        return len(self._again) > idle

    def _next(self) -> Order | None:
        return self._again.popleft() if self._again else next(self._orders, None)

    def _depth(self) -> int:
        if self._executor.isolate or self._pace is None:
            return 1
        return max(1, min(BATCH, int(BATCH_SECONDS / max(self._pace, 1e-6))))

    def _fork(self) -> None:
        mine, theirs = socket.socketpair()
        output, printing = os.pipe()
        stack, tracing = os.pipe()
        self._server.fork(theirs.fileno(), printing, tracing)
        theirs.close()
        os.close(printing)
        os.close(tracing)
        worker = Worker(mine, output, stack)
        mine.setblocking(False)
        for end in (mine, output, stack):
            os.set_blocking(end if isinstance(end, int) else end.fileno(), False)
            self._selector.register(end, selectors.EVENT_READ, worker)
        self._workers.append(worker)

    def _collect(self, worker: Worker) -> Iterator[Record]:
        for message in worker.frames():
            now = time.monotonic()
            if message == STARTED:
                worker.since, self._false_starts = now, 0
                self._started(worker.orders[0].cell)
                continue
            record, spoiled = message
            worker.orders.popleft()
            self._pace = record.seconds if self._pace is None else 0.8 * self._pace + 0.2 * record.seconds
            worker.doom = worker.doom or ("spoiled" if spoiled else "")
            if spoiled or self._executor.isolate:
                self._forget(worker)
            worker.since = now if worker.orders and not worker.doom else None
            if worker.since is not None:
                self._started(worker.orders[0].cell)
            yield record

    def _heed(self, pid: int, status: int) -> Iterator[Record]:
        """Take note of a worker that was forked or has ended. The cell it was at has failed, the others go again."""
        if status == FORKED:
            next(worker for worker in self._workers if not worker.pid).pid = pid
            return
        worker = next(worker for worker in self._workers if worker.pid == pid)
        for end in worker.ends():
            worker.read(end)
        yield from self._collect(worker)
        self._forget(worker)
        worker.close()
        self._workers.remove(worker)
        if worker.since is not None:
            yield self._failed(worker, status)
        elif worker.orders:
            self._false_starts += not worker.doom
            if self._false_starts > 3:
                raise RunError(f"workers of the pool end before they begin ({crash(status)}): {worker.words()}")
        self._again.extendleft(reversed(worker.orders))

    def _forget(self, worker: Worker) -> None:
        """Wait no more for what comes from a worker: nothing does, or the last of it is read when it has ended."""
        for end in worker.ends():
            with contextlib.suppress(KeyError):
                self._selector.unregister(end)

    def _failed(self, worker: Worker, status: int) -> Record:
        seconds = time.monotonic() - (worker.since or 0.0)
        return worker.orders.popleft().failed(worker.doom or crash(status), worker.words(), seconds)

    def _watch(self) -> None:
        """End cells that are over a limit: out of time, they are first made to write down their stack."""
        now, executor = time.monotonic(), self._executor
        for worker in self._workers:
            if now >= worker.kill_at:
                worker.signal(signal.SIGKILL)
            elif worker.since is None or worker.doom:
                continue
            elif executor.timeout is not None and now - worker.since >= executor.timeout:
                worker.doom, worker.kill_at = f"timeout {executor.timeout:g} s", now + STACK_SECONDS
                worker.signal(STACK_SIGNAL)
            elif isinstance(executor.memory, int) and resident(worker.pid) > executor.memory:
                worker.doom, worker.kill_at = f"memory {show_size(executor.memory)}", now
                worker.signal(signal.SIGKILL)

    def _patience(self) -> float | None:
        """Return for how long nothing needs to be watched."""
        busy = [worker for worker in self._workers if worker.since is not None]
        soonest = min((worker.kill_at for worker in self._workers), default=float("inf"))
        if busy and self._executor.timeout is not None:
            soonest = min(
                soonest, *((w.since or 0.0) + self._executor.timeout for w in busy if not w.doom), float("inf")
            )
        if busy and self._executor.memory is not None:
            soonest = min(soonest, time.monotonic() + POLL_SECONDS)
        return None if soonest == float("inf") else max(0.001, soonest - time.monotonic())
