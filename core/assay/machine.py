"""What is read from the machine that a cell runs on: the process's resident memory, the processor's name."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import platform
import sys
from typing import Any

try:
    _malloc_trim: Any = ctypes.CDLL(None).malloc_trim
except (OSError, AttributeError, TypeError):
    _malloc_trim = None  # not glibc


def warm_up() -> None:
    """Load what torch loads at its first optimiser and its first count of operations, where torch is loaded at all.

    It takes a second and some 75 MB, which would be the costs of a process's first cell.
    """
    if "torch" in sys.modules and "torch._dynamo" not in sys.modules:
        with contextlib.suppress(ImportError):
            import torch._dynamo
            import torch.utils.flop_counter  # noqa: F401


def reset_resident_peak() -> None:
    """Give freed memory back and start the process's high-water mark anew (Linux; elsewhere nothing happens)."""
    if _malloc_trim is not None:
        _malloc_trim(0)
    try:
        with open("/proc/self/clear_refs", "wb", buffering=0) as stream:
            stream.write(b"5")
    except OSError:
        return


def resident(field: str) -> int | None:
    """Return VmRSS or VmHWM of this process in bytes, None where /proc does not tell."""
    try:
        with open("/proc/self/status", "rb", buffering=0) as stream:
            text = stream.read(1 << 14)
    except OSError:
        return None
    found = text.partition(field.encode() + b":")[2].split(None, 1)
    return int(found[0]) * 1024 if found else None


@functools.cache
def processor() -> str:
    """Return the processor's name, its architecture where the system does not tell."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
            names = [line.partition(":")[2].strip() for line in stream if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
