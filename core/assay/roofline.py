"""The machine's roofs by backend: how many operations a second a matrix product reaches, how many bytes a second a copy.

They are measured once, by `assay doctor --roofline`, and kept in a file of the user's (`~/.cache/assay/roofline.json`,
`$XDG_CACHE_HOME` and `$ASSAY_ROOFLINE` are respected). Williams, Waterman and Patterson 2009, doi:10.1145/1498765.1498785.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from assay.context import PinnedThreads
from assay.machine import processor
from assay.spec import Backend

ORDER = 2048
"""Rows and columns of the matrices."""
BYTES = 2**28
"""Of the array that is copied: larger than any cache."""
REPEATS, SECONDS = 5, 2.0
"""Each roof is the best of at least REPEATS times, for about SECONDS."""


class Roof(NamedTuple):
    """What a backend reaches on a device: FLOP/s of a matrix product, bytes/s (read and written) of a copy."""

    device: str
    flops_per_second: float
    bytes_per_second: float

    def attainable(self, flops: float, bytes: float) -> float:
        """Return the FLOP/s that work of this many operations and bytes can reach at most."""
        return min(self.flops_per_second, self.bytes_per_second * flops / bytes)


def path() -> Path:
    """Return where roofs are kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("ASSAY_ROOFLINE") or cache / "assay" / "roofline.json")


def known() -> dict[str, Roof]:
    """Return the roofs that were measured, by backend; none where the file is missing or no such file."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return {name: Roof(*roof) for name, roof in json.loads(path().read_text(encoding="utf-8")).items()}
    return {}


def roof(backend: Backend) -> Roof | None:
    """Return the roof of a backend on this device, None when it was not measured here."""
    found = known().get(backend.id)
    return found if found and found.device == device(backend) else None


def share(backend: Backend, costs: Mapping[str, float]) -> dict[str, float]:
    """Return `roofline_share` for a timed forward's costs: its FLOP/s over what the roof allows. Nothing without a roof."""
    speed = costs.get("flops_per_second")
    found = roof(backend) if speed else None
    if not found or not speed:
        return {}
    return {"roofline_share": speed / found.attainable(speed * costs["forward_seconds"], costs["forward_bytes"])}


def device(backend: Backend) -> str:
    """Return the name of the device that a backend runs on."""
    return backend.describe() or processor()


def keep(backend: Backend, found: Roof) -> None:
    """Write a roof down in place of an older one."""
    place = path()
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps({**known(), backend.id: found}, indent=1), encoding="utf-8")
    part.replace(place)


def measure(backend: Backend) -> Roof:
    """Measure a backend's roofs, with as many threads as a cell has. Takes about four seconds."""
    import torch

    with PinnedThreads(), backend.session(), torch.no_grad():
        a, b = (torch.randn(ORDER, ORDER, device=backend.device) for _ in range(2))
        with backend.autocast():
            product = best(functools.partial(torch.matmul, a, b), backend)
        source = torch.ones(BYTES // 4, device=backend.device)
        target = torch.empty_like(source)
        copied = best(functools.partial(target.copy_, source), backend)
    return Roof(device(backend), 2 * ORDER**3 / product, 2 * BYTES / copied)


def best(work: Callable[[], Any], backend: Backend) -> float:
    """Return the least seconds that a piece of work took."""
    work()
    backend.synchronise()
    times: list[float] = []
    while len(times) < REPEATS or sum(times) < SECONDS:
        start = time.perf_counter()
        work()
        backend.synchronise()
        times.append(time.perf_counter() - start)
    return min(times)
