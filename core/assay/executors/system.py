"""What the pool asks of the operating system about processes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal

DEATH_SIGNAL, SUBREAPER = 1, 36
"""Options of prctl(2): a signal when the parent dies, and to be the parent of orphaned descendants."""


def kill_descendants(spare: set[int] | frozenset[int] = frozenset()) -> None:
    """End this process's children and, as they come to it, theirs; all but those to spare."""
    while left := [pid for pid in children(os.getpid()) if pid not in spare]:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def children(pid: int) -> list[int]:
    """Return the process ids of a process's children, none where /proc does not tell."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as stream:
                found += map(int, stream.read().split())
    return found


def kill_tree(pid: int) -> None:
    """End a process with all that descends from it, where it cannot be asked to do so itself."""
    tree = [pid]
    for one in tree:
        tree += children(one)
    for one in tree:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(one, signal.SIGKILL)


def prctl(option: int, value: int) -> None:
    """Set a property of this process (Linux; elsewhere nothing happens)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
