"""What the compiling backend makes of a module. The slow tests compile."""

import pytest
import torch
from assay import CannotRun
from assay_backend_compile import CLOCK, assay_backends, available, prepare, session
from torch import nn

(BACKEND,) = assay_backends()


class Net(nn.Module):
    """A small network with a loss."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x).relu()

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        return self(x).square().mean()


def test_what_is_no_module_cannot_run():
    with pytest.raises(CannotRun, match="dict is no torch module"):
        prepare({})


def test_without_a_compiler_it_says_what_to_install(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    assert "install g++ or clang++" in str(available())


def test_a_session_leaves_torch_as_it_was():
    import torch._dynamo
    import torch._inductor.config
    from torch._dynamo.callback import callback_handler

    with session():
        assert torch._dynamo.config.fail_on_recompile_limit_hit
        assert CLOCK.start in callback_handler.start_callbacks
    assert not torch._dynamo.config.fail_on_recompile_limit_hit
    assert CLOCK.start not in callback_handler.start_callbacks


@pytest.mark.slow
@pytest.mark.skipif(available() is not None, reason=str(available()))
def test_it_compiles_counts_the_seconds_and_gives_the_same():
    net, x = Net(), torch.randn(4, 8)
    expected = net(x)
    with session():
        before = BACKEND.compiling()
        torch.testing.assert_close(prepare(net)(x), expected)
        net.loss(x).backward()
        assert BACKEND.compiling() > before
        assert BACKEND.confirm(net) is None
        spent = BACKEND.compiling()
        net(x)
        assert BACKEND.compiling() == spent


def test_a_module_of_which_nothing_was_compiled_is_found_out():
    with session():
        net = prepare(Net())
        with torch.compiler.set_stance("force_eager"):
            net(torch.randn(4, 8))
        assert BACKEND.confirm(net) == "torch.compile made no graph of it: all ran uncompiled"


class Steps(nn.Module):
    """A method that torch cannot trace as a whole, called by another."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def encoded(self, x: torch.Tensor) -> torch.Tensor:
        torch._dynamo.graph_break()
        return self.linear(x)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        return self.encoded(x).square().mean()


@pytest.mark.slow
@pytest.mark.skipif(available() is not None, reason=str(available()))
def test_a_method_keeps_its_module_where_the_trace_of_its_caller_breaks():
    net, x = Steps(), torch.randn(4, 8)
    expected = net.loss(x)
    with session():
        torch.testing.assert_close(prepare(net).loss(x), expected)
