"""The CPU in bfloat16: forward passes and losses under torch.autocast, weights and optimiser in float32."""

from __future__ import annotations

import contextlib
from typing import Any

from assay import Backend, hookimpl
from assay.backends import autocast_methods, torch_module, unreduced, without_torch


def autocast() -> contextlib.AbstractContextManager[Any]:
    """Return a context manager in which torch computes in bfloat16 where its rules for the CPU allow."""
    import torch

    return torch.autocast("cpu", torch.bfloat16)


def prepare(module: Any) -> Any:
    """Return the module with its methods in autocast; raise CannotRun for what is no torch module."""
    return autocast_methods(torch_module(module, "cpu-bf16"), autocast, "cpu")


@hookimpl
def assay_backends() -> list[Backend]:
    """Return the backend. bfloat16 has 8 bits of mantissa: one rounding is up to 0.4 %."""
    return [
        Backend(
            "cpu-bf16",
            available=without_torch,
            prepare=prepare,
            autocast=autocast,
            confirm=unreduced,
            rounding=0.05,
            drift=0.1,
        )
    ]
