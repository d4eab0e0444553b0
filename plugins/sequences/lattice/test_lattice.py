"""Lattice: the increment as a gradient, its fast form, and what is left of it without projection or unit slots."""

import numpy as np
import pytest
import torch
from assay_lattice import Lattice, increment, memory, stepwise, unit, write_is_orthogonal
from assay_sequences.kit import delta_recurrence


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_an_increment_is_across_its_slot_and_is_the_gradient():
    found = write_is_orthogonal(np.random.default_rng(0))
    assert max(found.values()) < 1e-13


def test_without_the_projection_it_is_neither():
    found = write_is_orthogonal(np.random.default_rng(0), project=False)
    assert min(found.values()) > 0.1


def test_a_slot_whose_code_is_zero_is_not_written():
    k = torch.tensor([1.0, 0.0, -2.0])
    step = increment(torch.randn(5, 3), k, torch.randn(5), torch.tensor(0.5))
    assert (step[:, 1] == 0).all()
    assert (step[:, 0] != 0).all()


def test_what_a_unit_memory_already_holds_is_not_written():
    slots, k = unit(torch.randn(5, 3)), torch.randn(3)
    torch.testing.assert_close(increment(slots, k, slots @ k, torch.tensor(0.9)), torch.zeros(5, 3))


def test_many_tokens_after_each_other_are_one_gradient_step_each():
    layer, x = Lattice(8, 2, 9), torch.randn(2, 6, 8)
    q, k, v, gate, slots = layer.inputs(x)
    state = slots.expand(2, *slots.shape).detach()
    for t in range(6):
        leaf = state.clone().requires_grad_()
        lost = 0.5 * (v[:, :, t].detach() - (unit(leaf) @ k[:, :, t, :, None].detach()).squeeze(-1)).square()
        (slope,) = torch.autograd.grad(lost.sum(), leaf)
        state = unit(state - gate[:, :, t, None, None].detach() * slope)
        torch.testing.assert_close(memory(q, k, v, gate, slots)[:, :, t], (state @ q[:, :, t, :, None]).squeeze(-1))


@pytest.mark.parametrize("project", [True, False])
def test_lengths_known_beforehand_are_those_that_are_divided_by(project):
    inputs = Lattice(8, 2, 9, slots=3).inputs(torch.randn(3, 9, 8))
    torch.testing.assert_close(memory(*inputs, project=project), stepwise(*inputs, project=project), rtol=0, atol=1e-12)


def test_without_unit_slots_it_is_the_delta_rule():
    q, k, v, gate, slots = Lattice(8, 2, 9).inputs(torch.randn(3, 9, 8))
    theirs = delta_recurrence(q, k, v, gate, initial=slots.mT)
    torch.testing.assert_close(memory(q, k, v, gate, slots, norm=False), theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("params", [{}, {"slots": 3}, {"project": False}, {"norm": False}])
def test_it_is_causal_and_reads_any_length(params):
    layer, x = Lattice(8, 2, 20, **params), torch.randn(2, 12, 8)
    changed = x.clone()
    changed[:, 7:] += 1
    torch.testing.assert_close(layer(changed)[:, :7], layer(x)[:, :7])
    assert not torch.allclose(layer(changed)[:, 7:], layer(x)[:, 7:])
    assert layer(torch.randn(2, 20, 8)).shape == (2, 20, 8)


@pytest.mark.peer
def test_the_gradient_is_that_of_torch_func():
    func = pytest.importorskip("torch.func")
    slots, k, v = torch.randn(5, 3), torch.randn(3), torch.randn(5)
    slope = func.grad(lambda s: 0.5 * (v - s / s.norm(dim=0) @ k).square().sum())(slots)
    torch.testing.assert_close(increment(slots, k, v, torch.tensor(1.0)), -slope)
