"""What authors of backends for torch share: modules only, methods changed without a trace, bfloat16 by autocast."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from assay.failures import CannotRun

Enter = Callable[[], contextlib.AbstractContextManager[Any]]
KEPT = ("fit", "report")
"""Methods of an entrant that stay as they are: one trains itself by its own means, the other is about the result."""
SEEN = "_assay_reduced"


def without_torch() -> str | None:
    """Return why a backend for torch is not available, None when torch is installed."""
    return None if importlib.util.find_spec("torch") else "torch is not installed: pip install torch"


def torch_module(module: Any, backend: str) -> Any:
    """Return an entrant that is a torch module; raise CannotRun for any other, which runs on the CPU alone."""
    from torch import nn

    if isinstance(module, nn.Module):
        return module
    raise CannotRun(f"{type(module).__name__} is no torch module; {backend} runs nothing else")


def elsewhere(module: Any, device: str) -> str | None:
    """Return why a module did not run on a type of device: some of it lies elsewhere. None if all of it is there."""
    places = {str(t.device) for t in (*module.parameters(), *module.buffers()) if t.device.type != device}
    return f"parts of it lie on {', '.join(sorted(places))} after the run" if places else None


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    """Ask torch for deterministic kernels for a block, and put the setting back; it warns of operations without one."""
    import torch

    strict, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warns)


def with_methods(module: Any, change: Callable[[str, Any], Any]) -> Any:
    """Return the module as an instance of a subclass whose public methods and `forward` are what `change` makes of them.

    `change(name, function)` is called for every method that the entrant's classes define below `torch.nn.Module`, but
    for KEPT. The subclass has the name of the class, and a copy of the module is of it too.
    """
    from torch import nn

    kind = type(module)
    base = {name for parent in kind.__mro__ if parent in nn.Module.__mro__ for name in vars(parent)} - {"forward"}
    found = {
        name: function
        for parent in reversed(kind.__mro__)
        for name, function in vars(parent).items()
        if inspect.isfunction(function) and not name.startswith("_") and name not in base and name not in KEPT
    }
    changed = {name: change(name, function) for name, function in found.items()}
    module.__class__ = type(kind.__name__, (kind,), {"__module__": kind.__module__, "__doc__": kind.__doc__, **changed})
    return module


def autocast_methods(module: Any, enter: Enter, device: str) -> Any:
    """Return the module with every public method in autocast, as training is; results come back in float32.

    `enter` is the backend's `autocast`, `device` the type of its device. What computed in a smaller type is noted, see
    `unreduced`.
    """
    import torch

    def change(name: str, function: Any) -> Any:
        @functools.wraps(function)
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            look = contextlib.nullcontext() if vars(self).get(SEEN) else _look(self)
            if torch.is_autocast_enabled(device):  # inside training, or another of its methods
                with look:
                    return function(self, *args, **kwargs)
            with enter(), look:
                return _float32(function(self, *args, **kwargs))

        return method

    return with_methods(module, change)


def unreduced(module: Any) -> str | None:
    """Return why a module did not run in autocast's smaller type: nothing that it computed was in it. None if it did."""
    return None if vars(module).get(SEEN) else "nothing that it computes is done in bfloat16 by autocast"


def _look(module: Any) -> contextlib.AbstractContextManager[Any]:
    """Return a context manager that marks a module when an operation inside gives a tensor of 16 bits."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    small = (torch.bfloat16, torch.float16)

    class Look(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor) and out.dtype in small:
                setattr(module, SEEN, True)
            return out

    mode: contextlib.AbstractContextManager[Any] = Look()
    return mode


def _float32(value: Any) -> Any:
    """Return a result with its 16-bit tensors in float32, as an arena's contract promises them."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.float() if value.dtype in (torch.bfloat16, torch.float16) else value
    if type(value) in (tuple, list):
        return type(value)(map(_float32, value))
    if type(value) is dict:
        return {name: _float32(item) for name, item in value.items()}
    return value
