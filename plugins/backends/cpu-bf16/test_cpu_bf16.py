"""What the bfloat16 backend makes of a module."""

import copy

import pytest
import torch
from assay import CannotRun
from assay_backend_cpu_bf16 import assay_backends, autocast, prepare
from torch import nn

(BACKEND,) = assay_backends()


class Net(nn.Module):
    """A linear layer that remembers the type that it computed in."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 64)
        self.seen: list[torch.dtype] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.linear(x)
        self.seen.append(out.dtype)
        return out

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        return self(x).square().mean()

    def fit(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


def test_it_computes_in_bfloat16_and_returns_float32(net):
    x = torch.randn(8, 64)
    exact = net(x)
    out = prepare(net)(x)
    assert net.seen[-1] == torch.bfloat16 and out.dtype == torch.float32
    assert 0 < float((out - exact).abs().max() / exact.abs().max()) < BACKEND.rounding


def test_other_public_methods_are_in_autocast_too_and_fit_is_not(net):
    prepare(net).loss(torch.randn(8, 64))
    assert net.seen == [torch.bfloat16]
    assert net.fit(torch.randn(8, 64)).dtype == torch.float32


def test_inside_the_training_recipe_nothing_is_converted_back(net):
    with autocast():
        assert prepare(net)(torch.randn(8, 64)).dtype == torch.bfloat16


def test_weights_and_gradients_stay_in_float32(net):
    prepare(net).loss(torch.randn(8, 64)).backward()
    assert {t.dtype for p in net.parameters() for t in (p, p.grad)} == {torch.float32}


def test_a_copy_uses_its_own_weights_and_doubles_stay_exact(net):
    other = copy.deepcopy(prepare(net)).double()
    nn.init.zeros_(other.linear.weight)
    nn.init.zeros_(other.linear.bias)
    assert not other(torch.randn(8, 64, dtype=torch.float64)).any()
    assert other.seen[-1] == torch.float64


def test_what_is_no_module_cannot_run():
    with pytest.raises(CannotRun, match="dict is no torch module"):
        prepare({})


def test_a_module_that_computes_nothing_in_bfloat16_is_found_out(net):
    class Sum(nn.Module):
        def forward(self, x):
            return x.sum(1)

    alone = prepare(Sum())
    alone(torch.randn(8, 64))
    assert BACKEND.confirm(alone) == "nothing that it computes is done in bfloat16 by autocast"
    prepare(net)(torch.randn(8, 64))
    assert BACKEND.confirm(net) is None
