"""A timed forward: the first call that a task's prediction makes of its module, made again under a clock."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

WARM_UP = 2
"""Calls that are made before the clock counts."""
LEAST, MOST, SECONDS = 5, 100, 0.1
"""Calls are timed until they took SECONDS, at least LEAST and at most MOST."""


class Call(NamedTuple):
    """A call of a torch module that can be made again."""

    module: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    training: bool

    def again(self) -> Any:
        """Make the call."""
        return self.module(*self.args, **self.kwargs)


@contextlib.contextmanager
def watched(module: Any, note: Callable[[Call], None]) -> Iterator[None]:
    """Tell `note` of every call of a torch module in a block.

    The class's `__call__` stands aside for the block: a hook on the module would be compiled with it, and change what
    is measured.
    """
    kind = type(module)
    own, inherited = vars(kind).get("__call__"), kind.__call__

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self is module:
            note(Call(module, args, kwargs, module.training))
        return inherited(self, *args, **kwargs)

    kind.__call__ = call
    try:
        yield
    finally:
        if own is None:
            del kind.__call__
        else:
            kind.__call__ = own


def forward_costs(call: Call, synchronise: Callable[[], None], eager: Any) -> dict[str, float]:
    """Return the costs of a call without gradients: seconds, spread, bytes and FLOP/s.

    `forward_seconds` is the median, `forward_spread` the interquartile range of the timed calls; `forward_bytes` what
    must be moved at least: parameters, buffers, inputs and outputs, once each. `eager` is a context manager in which
    nothing is compiled: operations are counted in it.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    call.module.train(call.training)
    counter = FlopCounterMode(display=False)
    with eager, counter:  # with gradients: torch's counter follows modules by them
        out = call.again()
    with torch.no_grad():
        seconds = timed(call.again, synchronise)
    low, median, high = np.quantile(seconds, (0.25, 0.5, 0.75)).tolist()
    moved = [*call.module.parameters(), *call.module.buffers(), *tensors((call.args, dict(call.kwargs), out))]
    costs = {"forward_seconds": median, "forward_spread": high - low, "forward_bytes": float(sum(map(size, moved)))}
    flops = counter.get_total_flops()
    return {**costs, "flops_per_second": flops / median} if flops else costs


def timed(call: Callable[[], Any], synchronise: Callable[[], None]) -> list[float]:
    """Return the wall seconds of each of several calls, warmed up, the device's work finished at every stop."""
    for _ in range(WARM_UP):
        call()
    seconds: list[float] = []
    spent = 0.0
    synchronise()
    while len(seconds) < LEAST or (spent < SECONDS and len(seconds) < MOST):
        start = time.perf_counter()
        call()
        synchronise()
        seconds.append(time.perf_counter() - start)
        spent += seconds[-1]
    return seconds


def tensors(value: Any) -> Iterator[Any]:
    """Yield the torch tensors in nested tuples, lists and mappings."""
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors(item)


def size(tensor: Any) -> int:
    """Return the bytes of a tensor's elements."""
    return int(tensor.numel() * tensor.element_size())
