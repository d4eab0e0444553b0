"""What a running cell is given: its budget, seeds, clocks, log and scratch folder."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from assay.spec import CPU, Backend, Cell

THREADS = 1
"""Threads of a cell's numerical libraries: fixed, as sums depend on how they are split."""


def derive(*parts: object) -> int:
    """Return a 63-bit seed from the parts by hashing: the same on every machine, unrelated for different parts."""
    digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


class Context:
    """The surroundings of one cell, passed to a task's `run` and to an entrant's `report`.

    `budget` is what the task grants at this scale; `data_seed` comes from (data set, seed) and is the same for all
    entrants, `model_seed` from (model, seed).
    """

    def __init__(self, cell: Cell, budget: Mapping[str, Any], backend: Backend = CPU) -> None:
        self.cell = cell
        self.scale = cell.scale
        self.budget = budget
        self.backend = backend
        self.device = backend.device
        self.data_seed = derive("data", cell.dataset, cell.seed)
        self.model_seed = derive("model", cell.model, cell.seed)
        self.costs: dict[str, float] = {}
        self.curve: list[dict[str, float]] = []

    def rng(self, stream: str) -> np.random.Generator:
        """Return a NumPy generator for a named use, the same for all entrants of a data set and seed."""
        return np.random.default_rng([self.data_seed, derive(stream)])

    def log(self, step: int, **values: float) -> None:
        """Add a point to the learning curve. Values that are not finite are kept out of it."""
        row = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        self.curve.append({"step": step, **row})

    @contextlib.contextmanager
    def timer(self, name: str) -> Iterator[None]:
        """Add the wall seconds of a block to the cost `name_seconds`: `fit`, `predict`.

        Where the environment says ASSAY_CLOCK=cpu, as tracking over commits does, they are seconds of processor time of
        this process: a busy machine does not lengthen them.
        """
        clock = time.process_time if os.environ.get("ASSAY_CLOCK") == "cpu" else time.perf_counter
        self.backend.synchronise()
        start = clock()
        try:
            yield
        finally:
            self.backend.synchronise()
            cost = f"{name}_seconds"
            self.costs[cost] = self.costs.get(cost, 0.0) + clock() - start

    @contextlib.contextmanager
    def count_flops(self, samples: int = 1) -> Iterator[None]:
        """Record as `flops` the floating-point operations of a block of torch code, divided by `samples`.

        Call the module itself in the block, not under `no_grad`: torch's counter follows modules by their gradients.
        """
        from torch.utils.flop_counter import FlopCounterMode

        counter = FlopCounterMode(display=False)
        with counter:
            yield
        self.costs["flops"] = float(counter.get_total_flops()) / samples

    def prepare(self, module: Any) -> Any:
        """Return what an entrant built, placed on the device and compiled as the backend does; counts parameters."""
        if hasattr(module, "parameters"):
            self.costs["parameters"] = float(sum(p.numel() for p in module.parameters() if p.requires_grad))
        return self.backend.prepare(module)

    @cached_property
    def scratch(self) -> Path:
        """An empty folder of the cell's own, removed when the cell ends."""
        return Path(tempfile.mkdtemp(prefix="assay-"))

    def close(self) -> None:
        """Remove the scratch folder, if there is one."""
        if "scratch" in self.__dict__:
            shutil.rmtree(self.scratch, ignore_errors=True)


_LENT = np.random.MT19937(0)
"""Stands in for NumPy's global generator while a cell runs: changing it over costs less than copying its state."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class PinnedThreads:
    """A context manager, to be entered again and again, in which numerical libraries use `THREADS` threads.

    Those that are loaded are told so; one that loads meanwhile reads it from the environment. All is put back after.
    """

    def __init__(self) -> None:
        from threadpoolctl import ThreadpoolController

        self._make = ThreadpoolController
        self._modules = 0
        self._controller: Any = None
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> None:
        if self._modules != len(sys.modules):
            self._controller = self._make()
            self._modules = len(sys.modules)
        torch = sys.modules.get("torch")
        if torch is not None:
            threads = torch.get_num_threads()
            self._undo.append(lambda: torch.set_num_threads(threads))
            torch.set_num_threads(THREADS)
        limited = self._controller.limit(limits=THREADS)
        before = {name: os.environ.get(name) for name in THREAD_VARIABLES if os.environ.get(name) != str(THREADS)}
        os.environ.update(dict.fromkeys(before, str(THREADS)))
        self._undo += [limited.restore_original_limits, lambda: _restore(before)]

    def __exit__(self, *exception: object) -> None:
        while self._undo:
            self._undo.pop()()


def _restore(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextlib.contextmanager
def isolated_generators(seed: int, device: str = "cpu") -> Iterator[None]:
    """Seed the global generators of random, NumPy and torch for a block, and put all back after it."""
    torch = sys.modules.get("torch")
    python_state, numpy_bits = random.getstate(), np.random.get_bit_generator()  # type: ignore[attr-defined]
    random.seed(seed)
    np.random.set_bit_generator(_LENT)  # type: ignore[attr-defined]
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        with _torch_as_found(torch, seed, device) if torch else contextlib.nullcontext():
            yield
    finally:
        random.setstate(python_state)
        np.random.set_bit_generator(numpy_bits)  # type: ignore[attr-defined]


@contextlib.contextmanager
def _torch_as_found(torch: Any, seed: int, device: str) -> Iterator[None]:
    on_cpu = device == "cpu"  # then other devices' generators are left alone: asking for them costs more than a cell
    dtype = torch.get_default_dtype()
    try:
        with torch.random.fork_rng(devices=[] if on_cpu else None):
            (torch.default_generator if on_cpu else torch).manual_seed(seed)
            yield
    finally:
        torch.set_default_dtype(dtype)
