"""Watches a block of a plugin's code for what it must leave alone: files, network, processes, global state, output."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
import unittest.mock
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from assay.checks.audit import heard
from assay.checks.noting import noting

HOMES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")


@dataclass
class Seen:
    """What a block did, in words; all empty when it behaved."""

    files: list[str] = field(default_factory=list)
    network: list[str] = field(default_factory=list)
    processes: list[str] = field(default_factory=list)
    generators: list[str] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)
    printed: str = ""
    cpu_seconds: float = 0.0


@contextlib.contextmanager
def watched() -> Iterator[Seen]:
    """Run a block in an empty working and home folder without network, and tell what it left behind.

    The generators' and the process's settings are put back afterwards. `assay`'s own seeding is not counted.
    """
    seen = Seen()
    before = _settings()
    states = _generators()
    children, threads = _children(), set(threading.enumerate())
    out = io.StringIO()
    with tempfile.TemporaryDirectory(prefix="assay-check-") as folder, contextlib.ExitStack() as stack:
        root = Path(folder)
        stack.enter_context(_elsewhere(root))
        for patch in noting(seen.generators, seen.settings):
            stack.enter_context(patch)
        stack.enter_context(_below(out))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(out))  # where the runner passes on what is printed in a cell
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # a library's warning is not the plugin's printing
        stack.enter_context(heard(root, seen.network, seen.files))
        inside, start = _settings(), time.process_time()
        try:
            yield seen
        finally:
            seen.cpu_seconds = time.process_time() - start
            seen.settings += _changes(inside, _settings())
            seen.files += sorted(str(p.relative_to(root)) for p in root.rglob("*") if _counts(p, root))
    seen.printed = out.getvalue()
    seen.processes += [f"process {name}" for name in _end(_children() - children)]
    left = [t for t in threading.enumerate() if t not in threads and t.is_alive() and not t.daemon]
    seen.processes += [f"thread {t.name}" for t in left]
    seen.generators += [name for name, state in _generators().items() if not _same(state, states.get(name))]
    _restore(before, states)


def _counts(path: Path, root: Path) -> bool:
    """Whether a path is something left behind: not the folders of this block, nor caches that the core keeps."""
    inside = path.relative_to(root).parts
    left = path.is_file() or (inside[0] == "here" and len(inside) > 1)
    return left and ".assay" not in inside and "__pycache__" not in inside


@contextlib.contextmanager
def _elsewhere(root: Path) -> Iterator[None]:
    """Work in `root/here`, at home in `root/home`, with temporary files in `root/tmp`."""
    places = {name: root / name for name in ("here", "home", "tmp")}
    for place in places.values():
        place.mkdir()
    old, old_tmp = Path.cwd(), tempfile.tempdir
    environment = {**dict.fromkeys(HOMES, str(places["home"])), "TMPDIR": str(places["tmp"])}
    with unittest.mock.patch.dict(os.environ, environment):
        os.chdir(places["here"])
        tempfile.tempdir = str(places["tmp"])
        try:
            yield
        finally:
            tempfile.tempdir = old_tmp
            os.chdir(old)


@contextlib.contextmanager
def _below(out: io.StringIO) -> Iterator[None]:
    """Add to `out` what child processes and C code print on stdout in a block."""
    kept = os.dup(1)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            file.seek(0)
            out.write(file.read().decode(errors="replace"))


def _settings() -> dict[str, Any]:
    """Return what the process shares and nobody should change."""
    found: dict[str, Any] = {
        "working folder": os.getcwd(),
        # torch itself sets one of its own at the first optimiser
        "environment": {name: value for name, value in os.environ.items() if not name.startswith("TORCHINDUCTOR_")},
        "recursion": sys.getrecursionlimit(),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        found |= {
            "torch threads": torch.get_num_threads(),
            "torch default dtype": torch.get_default_dtype(),
            "torch gradients": torch.is_grad_enabled(),
            "torch deterministic": torch.are_deterministic_algorithms_enabled(),
        }
    return found


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Say what changed; of the environment, only which variables."""
    found = []
    for name, value in after.items():
        old = before.get(name, value)
        if name == "environment":
            found += [f"variable {key} of the environment" for key in dict(old.items() ^ value.items())]
        elif value != old:
            found.append(f"{name}: {old!r:.40} became {value!r:.40}")
    return found


def _generators() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    found = {"random": random.getstate(), "numpy.random": np.random.get_state()}  # noqa: NPY002 - only read
    return found | ({"torch": torch.get_rng_state()} if torch is not None else {})


def _same(state: Any, before: Any) -> bool:
    if before is None:
        return True
    if isinstance(state, tuple):
        return all(_same(a, b) for a, b in zip(state, before, strict=True))
    equal = state == before
    return bool(equal.all()) if hasattr(equal, "all") else bool(equal)


def _restore(settings: dict[str, Any], states: dict[str, Any]) -> None:
    os.chdir(settings["working folder"])
    os.environ.clear()
    os.environ.update(settings["environment"])
    sys.setrecursionlimit(settings["recursion"])
    random.setstate(states["random"])
    np.random.set_state(states["numpy.random"])  # noqa: NPY002 - put back
    torch = sys.modules.get("torch")
    if torch is not None and "torch threads" in settings:
        torch.set_num_threads(settings["torch threads"])
        torch.set_default_dtype(settings["torch default dtype"])
        torch.set_grad_enabled(settings["torch gradients"])
        torch.use_deterministic_algorithms(settings["torch deterministic"])
        torch.set_rng_state(states["torch"])


def _children() -> set[int]:
    """Return the processes that this one started and that still run, by id."""
    import psutil

    alive = (p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE)
    return {p.pid for p in alive if "resource_tracker" not in " ".join(p.cmdline())}


def _end(left: set[int]) -> list[str]:
    """End processes that were left behind and return their command lines."""
    import psutil

    found = []
    for pid in left:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            found.append(" ".join(process.cmdline())[:60] or str(pid))
            process.kill()
    multiprocessing.active_children()  # reaps those that ended
    return found
