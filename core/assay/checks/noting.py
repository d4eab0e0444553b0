"""Notes the calls by which a block seeds generators or changes settings that the whole process shares."""

from __future__ import annotations

import contextlib
import random
import sys
import unittest.mock
from collections.abc import Iterator
from typing import Any

import numpy as np

SEEDING = ("seed", "manual_seed")
SETTING = {  # by the function that tells what is set
    "set_num_threads": "get_num_threads",
    "set_num_interop_threads": "get_num_interop_threads",
    "set_default_dtype": "get_default_dtype",
    "set_default_device": "get_default_device",
    "use_deterministic_algorithms": "are_deterministic_algorithms_enabled",
}


def noting(generators: list[str], settings: list[str]) -> Iterator[Any]:
    """Yield patches under which calls that seed global generators or change settings are noted, unless libraries call.

    torch's generator may be seeded within `torch.random.fork_rng`, which puts it back; a setting may be put back by hand.
    """
    forks: list[str] = []
    places: list[tuple[str, Any]] = [("random", random), ("numpy.random", np.random)]
    if torch := sys.modules.get("torch"):
        places.append(("torch", torch))
        yield unittest.mock.patch.object(torch.random, "fork_rng", _forking(torch.random.fork_rng, forks))
    for name, module in places:
        for function in (f for f in (*SEEDING, *SETTING) if hasattr(module, f)):
            call, label = getattr(module, function), f"{name}.{function}"
            tell = getattr(module, SETTING.get(function, ""), None)
            noted = _setting(label, call, tell, settings) if tell else _noted(label, call, generators, forks)
            yield unittest.mock.patch.object(module, function, noted)


def _forking(fork_rng: Any, forks: list[str]) -> Any:
    @contextlib.contextmanager
    def forked(*args: Any, **kwargs: Any) -> Iterator[None]:
        with fork_rng(*args, **kwargs):
            forks.append("torch.manual_seed")
            try:
                yield
            finally:
                forks.pop()

    def call(*args: Any, **kwargs: Any) -> Any:
        return (fork_rng if _a_library_calls() else forked)(*args, **kwargs)

    return call


def _noted(name: str, function: Any, notes: list[str], forks: list[str]) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        if name not in forks and not _a_library_calls():
            notes.append(f"{sys._getframe(1).f_globals.get('__name__', '')} calls {name}")
        return function(*args, **kwargs)

    return call


def _setting(name: str, function: Any, tell: Any, notes: list[str]) -> Any:
    found: dict[str, Any] = {}

    def call(*args: Any, **kwargs: Any) -> Any:
        if _a_library_calls():
            return function(*args, **kwargs)
        note = f"{sys._getframe(1).f_globals.get('__name__', '')} calls {name}"
        before = found.setdefault(note, tell())
        result = function(*args, **kwargs)
        if tell() == before:
            notes[:] = [n for n in notes if n != note]
            del found[note]
        else:
            notes.append(note)
        return result

    return call


def _a_library_calls() -> bool:
    """Whether the function that calls this one was itself called by assay, torch or numpy."""
    return sys._getframe(2).f_globals.get("__name__", "").partition(".")[0] in ("assay", "torch", "numpy")
