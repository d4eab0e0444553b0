"""Hears from the interpreter itself what a block does: connections, which are refused, and files written elsewhere."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONNECTIONS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class NoNetwork(OSError):
    """Raised in place of a connection."""


class Heard:
    """What the blocks under way did; a hook of the interpreter cannot be removed, so that there is one, and it listens on."""

    def __init__(self, root: Path, network: list[str], files: list[str]) -> None:
        self.root, self.network, self.files = str(root), network, files

    def event(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Take note of an event; refuse a connection beyond this machine's own sockets in the file system."""
        if name in CONNECTIONS:
            address = arguments[0] if name.startswith("socket.get") else arguments[1] if len(arguments) > 1 else None
            if not isinstance(address, bytes | str) or name.startswith("socket.get"):
                self.network.append(str(address))
                raise NoNetwork(f"a plugin may not use the network: {address}")
        elif (name == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING) or name == "os.mkdir":
            self.written(arguments[0])

    def written(self, path: Any) -> None:
        """Take note of a path that is not below the block's own folder: of none that is open already, or a device."""
        if isinstance(path, int):
            return
        place = os.path.abspath(os.fsdecode(path))
        ours = place.startswith((self.root + os.sep, "/dev/", "/proc/")) or "__pycache__" in place
        if not ours and place not in self.files:
            self.files.append(place)


_blocks: list[Heard] = []


@functools.cache
def _hook() -> None:
    sys.addaudithook(lambda name, arguments: _blocks[-1].event(name, arguments) if _blocks else None)


@contextlib.contextmanager
def heard(root: Path, network: list[str], files: list[str]) -> Iterator[None]:
    """Listen to a block: names of connections go to `network`, of files written outside of `root` to `files`."""
    _hook()
    _blocks.append(Heard(root, network, files))
    try:
        yield
    finally:
        _blocks.pop()
