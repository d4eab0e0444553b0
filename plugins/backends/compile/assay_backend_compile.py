"""The CPU with torch.compile: every public method of a module compiled, the time that it takes reported apart."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import time
from collections.abc import Iterator
from typing import Any

from assay import Backend, hookimpl
from assay.backends import torch_module, with_methods, without_torch


class Clock:
    """Adds up the seconds that torch spends compiling."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._begun = 0.0

    def start(self, *_: Any) -> None:
        """Take note that compiling begins."""
        self._begun = time.perf_counter()

    def stop(self, *_: Any) -> None:
        """Take note that compiling has ended."""
        self.seconds += time.perf_counter() - self._begun


CLOCK = Clock()


def available() -> str | None:
    """Return why there is no compiler here, None when there is."""
    if os.environ.get("CXX") or any(map(shutil.which, ("g++", "clang++", "cl"))):
        return without_torch()
    return "torch.compile needs a C++ compiler: install g++ or clang++, or name one by $CXX"


@contextlib.contextmanager
def session() -> Iterator[None]:
    """Start with nothing compiled and leave nothing compiled, so that a cell does not depend on those before it.

    What torch cannot compile within its limit of variants raises instead of running uncompiled. torch's compilers run
    in this process: others would outlive the cell.
    """
    import torch._dynamo
    import torch._inductor.config
    from torch._dynamo.callback import callback_handler as handler
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    strict = torch._dynamo.config.patch(suppress_errors=False, fail_on_recompile_limit_hit=True)
    handler.register_start_callback(CLOCK.start)
    handler.register_end_callback(CLOCK.stop)
    try:
        with strict, torch._inductor.config.patch(compile_threads=1):
            yield
    finally:
        handler.remove_start_callback(CLOCK.start)
        handler.remove_end_callback(CLOCK.stop)
        torch._dynamo.reset()


def prepare(module: Any) -> Any:
    """Return the module with its methods compiled when they are first called; raise CannotRun for any other entrant."""
    import torch

    def change(_: str, function: Any) -> Any:
        compiled = torch.compile(function)

        @functools.wraps(function)
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return compiled(
                self, *args, **kwargs
            )  # a compiled function that is a method itself loses `self` in a trace

        return method

    return with_methods(torch_module(module, "compile"), change)


def compiling() -> float:
    """Return the seconds spent compiling so far."""
    return CLOCK.seconds


def confirm(module: Any) -> str | None:
    """Return why a module did not run compiled: torch made no graph of it. None when it did."""
    from torch._dynamo.utils import counters

    return None if counters["stats"]["unique_graphs"] else "torch.compile made no graph of it: all ran uncompiled"


@hookimpl
def assay_backends() -> list[Backend]:
    """Return the backend. Fused kernels add up in another order, and training amplifies the difference."""
    return [
        Backend(
            "compile",
            available=available,
            prepare=prepare,
            session=session,
            compiling=compiling,
            confirm=confirm,
            rounding=1e-4,
            drift=0.05,
        )
    ]
