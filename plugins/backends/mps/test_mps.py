"""The backend for Apple GPUs: against a stand-in everywhere, on the GPU where there is one."""

import pytest
import torch
from assay import CannotRun
from assay_backend_mps import FALLBACK, assay_backends, available, confirm, prepare, session
from torch import nn

(MPS,) = assay_backends()


class Metal:
    """A stand-in for torch.mps whose generator has a state."""

    def __init__(self) -> None:
        self.state = torch.tensor([1])

    def get_rng_state(self):
        return self.state

    def set_rng_state(self, state):
        self.state = state


@pytest.fixture
def apple(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.delenv(FALLBACK, raising=False)


def test_elsewhere_it_says_why(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: False)
    assert available() == "this torch was built without MPS: it is for macOS on Apple silicon"


def test_on_apple_silicon_it_is_available(apple):
    assert available() is None


def test_a_silent_fallback_to_the_cpu_is_refused(apple, monkeypatch):
    monkeypatch.setenv(FALLBACK, "1")
    assert "operations would run on the CPU unnoticed" in str(available())


def test_the_gpu_s_generator_is_left_as_it_was(monkeypatch):
    metal = Metal()
    monkeypatch.setattr(torch, "mps", metal)
    with session():
        assert torch.are_deterministic_algorithms_enabled()
        metal.state = torch.tensor([2])
    assert metal.state.item() == 1 and not torch.are_deterministic_algorithms_enabled()


def test_what_is_no_module_cannot_run():
    with pytest.raises(CannotRun, match="str is no torch module; mps runs nothing else"):
        prepare("text")


def test_a_module_that_stayed_on_the_cpu_is_found_out():
    assert confirm(nn.Linear(2, 2)) == "parts of it lie on cpu after the run"


def test_there_is_no_peak_memory():
    assert MPS.peak_memory() is None


@pytest.mark.skipif(available() is not None, reason=f"no Apple GPU: {available()}")
def test_a_module_gives_on_the_gpu_what_it_gives_on_the_cpu():
    net, x = nn.Linear(64, 8), torch.randn(32, 64)
    expected = net(x)
    found = prepare(net)(x.to("mps")).cpu()
    assert float((found - expected).abs().max() / expected.abs().max()) <= MPS.rounding
