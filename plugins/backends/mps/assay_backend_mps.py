"""Apple GPUs through Metal, in float32. What Metal lacks fails: torch's fallback to the CPU is refused."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from typing import Any

from assay import Backend, hookimpl
from assay.backends import deterministic, elsewhere, torch_module, without_torch

FALLBACK = "PYTORCH_ENABLE_MPS_FALLBACK"
"""With this variable torch computes on the CPU, in silence, what Metal lacks."""


def available() -> str | None:
    """Return why there is no Apple GPU here, None when there is."""
    if why := without_torch():
        return why
    import torch

    if not torch.backends.mps.is_built():
        return "this torch was built without MPS: it is for macOS on Apple silicon"
    if not torch.backends.mps.is_available():
        return "torch finds no Apple GPU: MPS needs macOS 12.3 or newer on Apple silicon"
    if os.environ.get(FALLBACK, "0") != "0":
        return f"{FALLBACK} is set, so that operations would run on the CPU unnoticed: unset it"
    return None


def prepare(module: Any) -> Any:
    """Return the module on the GPU; raise CannotRun for what is no torch module."""
    return torch_module(module, "mps").to("mps")


def synchronise() -> None:
    """Wait for all kernels under way."""
    import torch

    torch.mps.synchronize()


@contextlib.contextmanager
def session() -> Iterator[None]:
    """Ask for deterministic kernels, and leave the GPU's generator as it was."""
    import torch

    state = torch.mps.get_rng_state()
    try:
        with deterministic():
            yield
    finally:
        torch.mps.set_rng_state(state)


def no_peak() -> None:
    """Say that the peak is not known: Metal tells what is allocated now, not what was at most."""


def confirm(module: Any) -> str | None:
    """Return why a module did not run on the GPU: some of it lies elsewhere."""
    return elsewhere(module, "mps")


def describe() -> str:
    """Return the chip's architecture and the system."""
    return f"Apple GPU ({platform.machine()}), macOS {platform.mac_ver()[0]}"


@hookimpl
def assay_backends() -> list[Backend]:
    """Return the backend."""
    return [
        Backend(
            "mps",
            device="mps",
            available=available,
            prepare=prepare,
            synchronise=synchronise,
            reset_memory=no_peak,
            peak_memory=no_peak,
            describe=describe,
            session=session,
            confirm=confirm,
        )
    ]
