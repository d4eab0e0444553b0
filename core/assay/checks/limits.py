"""Ends a piece of work that takes too much of the processor, so that checking hundreds of plugins has an end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


class OverTime(BaseException):
    """Raised within work that has used its processor time; no `except Exception` of an entrant keeps it."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise OverTime in a block after so many seconds of this process's processor time.

    Only the main thread can be interrupted, and Windows has no such timer: elsewhere the block runs to its end.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "ITIMER_PROF"):
        yield
        return

    def stop(*_: Any) -> None:
        raise OverTime(f"stopped after {seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    try:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
