"""NVIDIA GPUs: `cuda` in float32, `cuda-bf16` by autocast.

No TF32, no CUDA graphs, deterministic kernels where torch has them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from assay import Backend, hookimpl
from assay.backends import autocast_methods, deterministic, elsewhere, torch_module, unreduced, without_torch


class Memory:
    """Bytes that torch has allocated on the GPU, at most, beyond those of before."""

    def __init__(self) -> None:
        self._before = 0

    def reset(self) -> None:
        """Give cached memory back and start the high-water mark anew."""
        import torch

        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        self._before = torch.cuda.memory_allocated()

    def peak(self) -> int:
        """Return the bytes since `reset`."""
        import torch

        return max(0, int(torch.cuda.max_memory_allocated()) - self._before)


MEMORY = Memory()


def available() -> str | None:
    """Return why there is no GPU here, None when there is. Does not touch it, so that processes can fork after."""
    if why := without_torch():
        return why
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    import torch

    if torch.version.cuda is None:
        return "this torch was built without CUDA: install a CUDA build of torch"
    return None if torch.cuda.is_available() else "torch finds no NVIDIA GPU: see nvidia-smi"


def prepare(module: Any) -> Any:
    """Return the module on the GPU; raise CannotRun for what is no torch module."""
    return torch_module(module, "cuda").to("cuda")


def autocast() -> contextlib.AbstractContextManager[Any]:
    """Return a context manager in which torch computes in bfloat16 where its rules for CUDA allow."""
    import torch

    return torch.autocast("cuda", torch.bfloat16)


def prepare_bf16(module: Any) -> Any:
    """Return the module on the GPU with its methods in autocast."""
    return autocast_methods(prepare(module), autocast, "cuda")


def synchronise() -> None:
    """Wait for all kernels under way."""
    import torch

    torch.cuda.synchronize()


@contextlib.contextmanager
def session() -> Iterator[None]:
    """Set deterministic kernels and full float32; put all back after. torch warns of an operation that has none."""
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts
    precision = torch.get_float32_matmul_precision()
    exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    torch.set_float32_matmul_precision("highest")
    try:
        with deterministic(), exact:
            yield
    finally:
        torch.set_float32_matmul_precision(precision)


def confirm(module: Any) -> str | None:
    """Return why a module did not run on the GPU: some of it lies elsewhere, or nothing was allocated there."""
    return elsewhere(module, "cuda") or (None if MEMORY.peak() else "nothing was computed on the GPU")


def confirm_bf16(module: Any) -> str | None:
    """Return why a module did not run on the GPU in bfloat16."""
    return confirm(module) or unreduced(module)


def describe() -> str:
    """Return the GPU's name and the CUDA version that torch was built for."""
    import torch

    return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"


@hookimpl
def assay_backends() -> list[Backend]:
    """Return the backends."""
    shared: dict[str, Any] = {
        "device": "cuda",
        "available": available,
        "synchronise": synchronise,
        "reset_memory": MEMORY.reset,
        "peak_memory": MEMORY.peak,
        "describe": describe,
        "session": session,
    }
    return [
        Backend("cuda", prepare=prepare, confirm=confirm, **shared),
        Backend(
            "cuda-bf16",
            prepare=prepare_bf16,
            autocast=autocast,
            confirm=confirm_bf16,
            rounding=0.05,
            drift=0.1,
            **shared,
        ),
    ]
