"""Keeps the last of what an entrant prints."""

from __future__ import annotations

import contextlib
import io
from collections import deque
from typing import TextIO

KEPT = 4000
"""Characters of output that a failed record keeps."""


class Tee(io.TextIOBase):
    """Stands for stdout and stderr while a cell runs: passes on what is printed and keeps the last of it in `tail`.

    Closing it does nothing, so that an entrant that closes stdout closes no other's.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._parts: deque[str] = deque()
        self._size = 0

    def write(self, text: str) -> int:
        """Pass on a text and keep it. A stream that is closed, or whose reader has gone, is no fault of the entrant."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        self._parts.append(text[-KEPT:])
        self._size += len(self._parts[-1])
        while self._size - len(self._parts[0]) >= KEPT:
            self._size -= len(self._parts.popleft())
        return len(text)

    @property
    def tail(self) -> str:
        """The last of what was printed."""
        return "".join(self._parts)[-KEPT:]

    def flush(self) -> None:
        """Flush what it passes on to."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def close(self) -> None:
        """Do nothing."""

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of what it passes on to, for C code and child processes."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Say whether it ends at a terminal."""
        return self._stream.isatty()
