"""A worker process as its pool sees it: what it is at, what it prints, how it ends."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import signal
import socket
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from assay.capture import KEPT
from assay.executors.shipping import Order
from assay.executors.system import children
from assay.executors.worker import HEADER, frame, mark
from assay.failures import joined

MARK = re.compile(re.escape(mark("@")).replace(b"@", b"[0-9a-f]*"))


@dataclass(eq=False)
class Worker:
    """A process as the pool sees it."""

    channel: socket.socket
    output: int
    stack: int
    pid: int = 0
    orders: deque[Order] = field(default_factory=deque)
    since: float | None = None
    """When the first of `orders` was begun, None when the worker is idle."""
    fresh: bool = True
    doom: str = ""
    """Why it is being ended."""
    kill_at: float = float("inf")
    received: bytearray = field(default_factory=bytearray)
    printed: bytearray = field(default_factory=bytearray)
    traced: bytearray = field(default_factory=bytearray)

    def ends(self) -> tuple[Any, ...]:
        """Return the pool's ends of the worker's channel, output and stack."""
        return self.channel, self.output, self.stack

    def read(self, end: Any) -> bool:
        """Take what has come through one of the ends, keeping the last of what was printed; return whether it is open."""
        kept = {self.channel: self.received, self.output: self.printed, self.stack: self.traced}[end]
        descriptor = self.channel.fileno() if end is self.channel else end
        for _ in range(64):  # a worker that prints for ever must not keep the pool from its other work
            try:
                data = os.read(descriptor, 1 << 16)
            except BlockingIOError:
                return True
            except ConnectionError:
                return False
            if not data:
                return False
            kept += data
            if kept is not self.received:
                del kept[: -KEPT * 4]
        return True

    def words(self) -> str:
        """Return what is known of the cell at hand: its stack, and the last that it printed."""
        printed = MARK.split(bytes(self.printed))[-1][-KEPT:]
        return joined(self.traced.decode(errors="replace"), printed.decode(errors="replace"))

    def frames(self) -> Iterator[Any]:
        """Yield what has come through the channel whole."""
        while len(self.received) >= HEADER.size:
            (size,) = HEADER.unpack_from(self.received)
            if len(self.received) < HEADER.size + size:
                return
            body = bytes(self.received[HEADER.size : HEADER.size + size])
            del self.received[: HEADER.size + size]
            yield pickle.loads(body)

    def give(self, orders: list[Order], *, last: bool) -> None:
        """Send a batch to the idle worker; `last` tells it to end after that."""
        self.fresh = False
        self.orders += orders
        with contextlib.suppress(OSError):  # one that has just died is heeded when the server says so
            self.channel.setblocking(True)
            self.channel.sendall(frame((orders, last)))
            self.channel.setblocking(False)

    def signal(self, number: int) -> None:
        """Send a signal: a deadly one to all of its group, another to the worker alone."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if number == signal.SIGKILL else os.kill)(self.pid, number)

    def close(self) -> None:
        """Close the pool's ends."""
        self.channel.close()
        os.close(self.output)
        os.close(self.stack)


def crash(status: int) -> str:
    """Return what a wait status means: `crash: signal 11 (SIGSEGV)`."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"crash: exit status {code} before the cell ended"
    with contextlib.suppress(ValueError):
        return f"crash: signal {-code} ({signal.Signals(-code).name})"
    return f"crash: signal {-code}"


def resident(pid: int) -> int:
    """Return the resident bytes of a process and all its descendants."""
    total = 0
    with contextlib.suppress(OSError), open(f"/proc/{pid}/statm") as stream:
        total = int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total + sum(resident(child) for child in children(pid))
