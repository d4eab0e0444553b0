"""Ways to run jobs: here, in isolated processes, or on a dask cluster.

An executor's room offers a context manager `crew(work)`. It gives a function that takes an iterator of jobs and yields
their records in any order; it pulls the next job only when it has a place for it. Ending the iterator is how a run
stops: whatever was pulled still ends and is yielded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError, unknown

if TYPE_CHECKING:
    from assay.catalog import Catalog
    from assay.cell import Job
    from assay.spec import Cell, Record

NAMES = ("inline", "pool", "dask")
Crew = Callable[["Iterator[Job]"], "Iterator[Record]"]


@dataclass(frozen=True)
class Executor:
    """How cells are run. An empty `name` is chosen by the rest: an address means dask, a limit or workers the pool.

    Attributes:
        name: `inline` (this process), `pool` (isolated processes), `dask`, or empty.
        workers: Processes at a time; the CPUs when None. Not for an address: there the cluster decides.
        timeout: Wall-clock seconds that a cell may take.
        memory: Bytes that a cell's processes may have resident, together; or a text such as `2GiB`.
        isolate: Give every cell a fresh process. Otherwise one process runs many, until a cell spoils it.
        address: A dask scheduler's address, or a `distributed.Client`.
        resources: Dask resources that a cell occupies: `{"GPU": 1}`.
    """

    name: str = ""
    workers: int | None = None
    timeout: float | None = None
    memory: int | str | None = None
    isolate: bool = False
    address: Any = None
    resources: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limited = self.workers is not None or self.timeout is not None or self.memory is not None or self.isolate
        if not self.name:
            name = "dask" if self.address is not None or self.resources else "pool" if limited else "inline"
            object.__setattr__(self, "name", name)
        if self.name not in NAMES:
            raise unknown("executor", self.name, NAMES)
        if self.name == "inline" and limited:
            raise AssayError("inline has one process and no limits: choose --executor pool, or leave --executor out")
        if self.name != "dask" and (self.address is not None or self.resources):
            raise AssayError(f"an address and resources are for --executor dask, not {self.name}")
        if self.workers is not None and self.workers < 1:
            raise AssayError(f"workers {self.workers}: give 1 or more")
        if self.workers is not None and self.address is not None:
            raise AssayError("the cluster at an address has its own number of workers: leave --workers out")
        if self.timeout is not None and self.timeout <= 0:
            raise AssayError(f"timeout {self.timeout:g}: give seconds above 0")
        if isinstance(self.memory, str):
            object.__setattr__(self, "memory", parse_size(self.memory))

    @property
    def processes(self) -> int:
        """How many cells this machine runs at a time."""
        return 1 if self.name == "inline" else self.workers or cpus()


@dataclass(frozen=True)
class Work:
    """What an executor is given: a job of each kind that may come, the plugins they are from, and whom to tell of a start."""

    executor: Executor
    samples: tuple[Job, ...]
    catalog: Catalog
    started: Callable[[Cell], None]


def crew(work: Work) -> AbstractContextManager[Crew]:
    """Return the crew of the executor that is named; raise AssayError when it cannot be had here."""
    made: AbstractContextManager[Crew] = import_module(f"assay.executors.{work.executor.name}").crew(work)
    return made


def cpus() -> int:
    """Return the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def parse_size(text: str) -> int:
    """Return the bytes of `2GiB`, `500MB` or `1.5G`.

    >>> parse_size("2GiB")
    2147483648
    """
    matched = re.fullmatch(r"\s*([0-9.]+)\s*([kmgt]i?)?b?\s*", text, re.IGNORECASE)
    try:
        size = int(float(matched[1]) * UNITS[(matched[2] or "").lower()]) if matched else 0
    except ValueError:
        size = 0
    if size <= 0:
        raise AssayError(f"memory {text!r}: give a size such as 2GiB or 500MB")
    return size


def show_size(size: int) -> str:
    """Return bytes as a person writes them: `2 GiB`."""
    for unit in ("GiB", "MiB", "KiB"):
        if size >= UNITS[unit[:2].lower()]:
            return f"{size / UNITS[unit[:2].lower()]:.4g} {unit}"
    return f"{size} bytes"
