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

from assay.failures import CannotRun
from assay.spec import CPU, Backend, Cell
from assay.timing import Call, forward_costs, size, watched

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
        self._prepared: list[Any] = []
        self._call: Call | None = None
        self._compiled = backend.compiling()

    def rng(self, stream: str) -> np.random.Generator:
        """Return a NumPy generator for a named use, the same for all entrants of a data set and seed."""
        return np.random.default_rng([self.data_seed, derive(stream)])

    def log(self, step: int, **values: float) -> None:
        """Add a point to the learning curve. Values that are not finite are kept out of it."""
        row = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        self.curve.append({"step": step, **row})

    @contextlib.contextmanager
    def timer(self, name: str) -> Iterator[None]:
        """Add the wall seconds of a block to the cost `name_seconds`: `fit`, `predict`. Compiling does not count.

        Where the environment says ASSAY_CLOCK=cpu, as tracking over commits does, they are seconds of this process's
        processor time: a busy machine does not lengthen them.
        """
        clock = time.process_time if os.environ.get("ASSAY_CLOCK") == "cpu" else time.perf_counter
        self.backend.synchronise()
        start, compiled = clock(), self.backend.compiling()
        try:
            with self._noting() if name == "predict" else contextlib.nullcontext():
                yield
        finally:
            self.backend.synchronise()
            cost, compiling = f"{name}_seconds", self.backend.compiling() - compiled
            self.costs[cost] = self.costs.get(cost, 0.0) + max(0.0, clock() - start - compiling)

    @contextlib.contextmanager
    def count_flops(self, samples: int = 1) -> Iterator[None]:
        """Record as `flops` the floating-point operations of a block of torch code, divided by `samples`.

        Call the module itself in the block, not under `no_grad`: torch's counter follows modules by their gradients.
        """
        from torch.utils.flop_counter import FlopCounterMode

        counter = FlopCounterMode(display=False)
        with self._eager(), counter:
            yield
        self.costs["flops"] = float(counter.get_total_flops()) / samples

    def prepare(self, module: Any) -> Any:
        """Return what an entrant built, placed on the device and compiled as the backend does; counts parameters."""
        if hasattr(module, "parameters"):
            self.costs["parameters"] = float(sum(p.numel() for p in module.parameters() if p.requires_grad))
        if hasattr(module, "buffers"):
            self.costs["parameter_bytes"] = float(sum(map(size, (*module.parameters(), *module.buffers()))))
        prepared = self.backend.prepare(module)
        self._prepared.append(prepared)
        return prepared

    def ran(self) -> None:
        """Take note that the task has run; raise CannotRun when what it built did not really run on the backend."""
        if self.backend.id != CPU.id and not self._prepared:
            raise CannotRun(f"{self.cell.task} does not hand its entrants to a backend; run it with --backend cpu")
        self.backend.synchronise()
        for module in self._prepared:
            if why := self.backend.confirm(module):
                raise CannotRun(why)
        if self.backend.compiling is not CPU.compiling:
            self.costs["compile_seconds"] = self.backend.compiling() - self._compiled

    @contextlib.contextmanager
    def inspected(self) -> Iterator[None]:
        """Have what was built on the CPU and not compiled for a block, whatever the backend, and back after it."""
        away = [m for m in self._prepared if self.device != CPU.device and hasattr(m, "to")]
        for module in away:
            module.to(CPU.device)
        with self._eager():
            yield
        for module in away:
            module.to(self.device)

    def time_forward(self) -> None:
        """Add the costs of a timed forward, where the task's prediction called what it had prepared."""
        if self._call is None:
            return
        with contextlib.suppress(Exception):  # its report has changed what it holds: a figure of another module
            self.costs |= forward_costs(self._call, self.backend.synchronise, self._eager())

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        """Note the first call in a block of what the task has prepared, if that is a torch module."""
        module = self._prepared[-1] if self._prepared else None
        if self._call is not None or not hasattr(module, "buffers"):
            yield
            return

        def note(call: Call) -> None:
            self._call = self._call or call

        with watched(module, note):
            yield

    def _eager(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context manager in which a backend that compiles does not."""
        if self.backend.compiling is CPU.compiling:
            return contextlib.nullcontext()
        import torch

        stance: contextlib.AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
        return stance

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
        self._libraries: list[Any] = []
        self._found: list[tuple[Callable[[int], None], int]] = []
        self._variables: dict[str, str | None] = {}

    def __enter__(self) -> None:
        if self._modules != len(sys.modules):
            self._libraries = self._make().lib_controllers
            self._modules = len(sys.modules)
        torch = sys.modules.get("torch")
        dials = [torch, *self._libraries] if torch is not None else self._libraries
        self._found = [(dial.set_num_threads, dial.get_num_threads()) for dial in dials]
        for dial in dials:
            dial.set_num_threads(THREADS)
        pinned = str(THREADS)
        self._variables = {name: found for name in THREAD_VARIABLES if (found := os.environ.get(name)) != pinned}
        os.environ.update(dict.fromkeys(self._variables, pinned))

    def __exit__(self, *exception: object) -> None:
        for name, found in self._variables.items():
            if found is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = found
        for set_threads, found_threads in reversed(self._found):
            set_threads(found_threads)


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
    devices = [torch.cuda.current_device()] if device.startswith("cuda") else []
    dtype = torch.get_default_dtype()
    try:
        with torch.random.fork_rng(devices=devices):
            (torch.default_generator if on_cpu else torch).manual_seed(seed)
            yield
    finally:
        torch.set_default_dtype(dtype)
