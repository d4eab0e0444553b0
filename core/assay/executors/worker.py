"""A pool's worker: takes orders from its channel, runs them one after another, sends the records back."""

from __future__ import annotations

import os
import pickle
import socket
import struct
import sys
import threading
from typing import Any

from assay.executors.shipping import Order, Workshop
from assay.executors.system import children
from assay.spec import Record

HEADER = struct.Struct("=I")
STARTED = b"\x01"
"""What a worker sends when it takes up work after it had none; a record means that the next order is begun."""


def frame(content: Any) -> bytes:
    """Return a value as it goes through a channel."""
    body = pickle.dumps(content, protocol=pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body)) + body


def mark(digest: str) -> bytes:
    """Return the line that a worker prints after a cell, so that the pool knows what each cell printed."""
    return f"\n\x00end of {digest}\x00\n".encode()


def serve(workshop: Workshop, channel: socket.socket) -> None:
    """Run orders in an open workshop until the channel closes, the pool says so, or a cell has spoiled this process."""
    own = os.getpid()
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w", buffering=1), open(2, "w", buffering=1)  # noqa: SIM115
    inode = os.fstat(1).st_ino
    while (batch := _receive(channel)) is not None:
        orders, last = batch
        channel.sendall(frame(STARTED))
        for wanted in orders:
            record = _run(workshop, wanted)
            if os.getpid() != own:
                os._exit(0)  # a child that the entrant forked and let return
            spoiled = bool(children(own)) or threading.active_count() > 1 or _closed(inode)
            _mark(wanted.digest)
            channel.sendall(frame((record, spoiled)))
            if spoiled:
                return
        if last:
            return


def _run(workshop: Workshop, wanted: Order) -> Record:
    try:
        return workshop.run(wanted)
    except KeyboardInterrupt:  # a worker gets none from a terminal: the entrant raised it
        return wanted.failed("error: KeyboardInterrupt")


def _closed(inode: int) -> bool:
    """Whether a cell has closed or replaced what this process prints to."""
    try:
        return sys.stdout.closed or os.fstat(1).st_ino != inode
    except OSError:
        return True


def _mark(digest: str) -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(1, mark(digest))
    except (OSError, ValueError):
        return


def _receive(channel: socket.socket) -> tuple[list[Order], bool] | None:
    header = _exactly(channel, HEADER.size)
    if header is None:
        return None
    body = _exactly(channel, HEADER.unpack(header)[0])
    received: tuple[list[Order], bool] | None = pickle.loads(body) if body is not None else None
    return received


def _exactly(channel: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        part = channel.recv(size - len(data))
        if not part:
            return None
        data += part
    return bytes(data)
