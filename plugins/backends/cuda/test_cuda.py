"""The CUDA backends: against a stand-in for torch.cuda everywhere, on the GPU where there is one."""

import types

import pytest
import torch
from assay import CannotRun
from assay_backend_cuda import MEMORY, assay_backends, available, confirm, describe, prepare, session, synchronise
from torch import nn

CUDA, BF16 = assay_backends()
on_gpu = pytest.mark.skipif(available() is not None, reason=f"no GPU: {available()}")


class Gpu(types.SimpleNamespace):
    """A stand-in for torch.cuda that counts."""

    def __init__(self) -> None:
        super().__init__(calls=[], held=1000, most=1000)

    def __getattr__(self, name: str):
        answers = {"is_available": True, "get_device_name": "Stand-in", "memory_allocated": self.held}
        answers |= {"max_memory_allocated": self.most}

        def call(*args):
            self.calls.append(name)
            return answers.get(name)

        return call


@pytest.fixture
def gpu(monkeypatch):
    stand_in = Gpu()
    monkeypatch.setattr(torch, "cuda", stand_in)
    monkeypatch.setattr(torch.version, "cuda", "12.6")
    return stand_in


def test_without_a_gpu_it_says_why(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    assert available() == "this torch was built without CUDA: install a CUDA build of torch"


def test_with_a_build_for_cuda_and_no_gpu_it_says_where_to_look(gpu, monkeypatch):
    monkeypatch.setattr(gpu, "is_available", lambda: False, raising=False)
    assert available() == "torch finds no NVIDIA GPU: see nvidia-smi"


def test_with_a_gpu_it_is_available(gpu):
    assert available() is None


def test_peak_memory_is_what_came_on_top_of_what_was_held(gpu):
    MEMORY.reset()
    assert {"empty_cache", "reset_peak_memory_stats"} <= set(gpu.calls)
    gpu.most = 5000
    assert MEMORY.peak() == 4000


def test_clocks_wait_for_the_gpu(gpu):
    synchronise()
    assert gpu.calls == ["synchronize"]


def test_the_record_names_gpu_and_cuda(gpu):
    assert describe() == "Stand-in, CUDA 12.6"


def test_what_is_no_module_cannot_run():
    with pytest.raises(CannotRun, match="int is no torch module; cuda runs nothing else"):
        prepare(1)


def test_a_module_that_stayed_on_the_cpu_is_found_out(gpu):
    assert confirm(nn.Linear(2, 2)) == "parts of it lie on cpu after the run"


def test_a_gpu_that_was_not_used_is_found_out(gpu):
    MEMORY.reset()
    assert confirm(nn.ReLU()) == "nothing was computed on the GPU"


def test_a_session_asks_for_determinism_and_full_float32_and_puts_all_back(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)

    def state():
        flags = torch.backends.cudnn
        return (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.get_float32_matmul_precision(),
            (flags.enabled, flags.benchmark, flags.deterministic, flags.allow_tf32),
        )

    torch.set_float32_matmul_precision("high")
    try:
        before = state()
        with session():
            assert state() == (True, True, "highest", (True, False, True, False))
        assert state() == before
    finally:
        torch.set_float32_matmul_precision("highest")


@on_gpu
@pytest.mark.parametrize("backend", [CUDA, BF16], ids=lambda b: b.id)
def test_a_module_gives_on_the_gpu_what_it_gives_on_the_cpu(backend):
    torch.manual_seed(0)
    net, x = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8)), torch.randn(32, 64)
    expected = net(x)
    with backend.session():
        backend.reset_memory()
        found = backend.prepare(net)(x.to(backend.device)).cpu()
        assert backend.confirm(net) is None
    assert float((found - expected).abs().max() / expected.abs().max()) <= backend.rounding
