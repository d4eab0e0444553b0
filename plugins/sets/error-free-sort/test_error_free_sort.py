"""Error-free swaps: exact forwards, soft backwards."""

import pytest
import torch
from assay_error_free_sort import SortingNetwork, soft_less, softening_error, sorted_softly, straight_through
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.floats(-5, 5, allow_nan=False, width=32), min_size=2, max_size=9))
def test_error_free_networks_sort(numbers):
    """Values and the permutation agree, ties included."""
    scores = torch.tensor([numbers], dtype=torch.float64)
    values, p = sorted_softly(scores, error_free=True)
    torch.testing.assert_close(values, scores.sort(1).values, rtol=0, atol=1e-12)
    torch.testing.assert_close((p @ scores[..., None]).squeeze(-1), values, rtol=0, atol=1e-12)
    assert ((p - p.round()).abs() < 1e-12).all()
    torch.testing.assert_close(p.sum(1), torch.ones_like(scores))


def test_a_soft_swap_by_hand():
    """a = 0.2, b = 0.1: v = -1, alpha = 1/2 - (1/2 - 1/16) = 1/16."""
    values, p = sorted_softly(torch.tensor([[0.2, 0.1]]), error_free=False)
    torch.testing.assert_close(values, torch.tensor([[0.2 / 16 + 0.1 * 15 / 16, 0.2 * 15 / 16 + 0.1 / 16]]))
    torch.testing.assert_close(p, torch.tensor([[[1 / 16, 15 / 16], [15 / 16, 1 / 16]]]))


def test_soft_less_is_smooth_and_symmetric():
    v = torch.linspace(-1, 1, 2001, dtype=torch.float64)
    torch.testing.assert_close(soft_less(v) + soft_less(-v), torch.ones_like(v))
    slope = torch.gradient(soft_less(v), spacing=(v,))[0]
    assert (slope > 0).all() and (slope.diff().abs() < 1.1).all()


def test_gradients_are_those_of_the_soft_network():
    """Error-free is not torch.sort: with the same values the gradient is soft, and never zero."""
    hard, soft = torch.tensor(1.0), torch.tensor(0.3, requires_grad=True)
    straight_through(hard, 2 * soft).backward()
    assert soft.grad == 2
    scores = torch.tensor([[0.3, -0.2]], requires_grad=True)
    weights = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    gradients = [
        torch.autograd.grad((sorted_softly(scores, error_free)[1] * weights).sum(), scores)[0]
        for error_free in (True, False)
    ]
    torch.testing.assert_close(*gradients)
    assert gradients[0].abs().sum() > 0


def test_soft_networks_lose():
    scores = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    outcome = {"network": sorted_softly(scores, error_free=False)[0], "sorted": scores.sort(1).values}
    assert softening_error(outcome) > 0.01


def test_scores_follow_their_items():
    """Also through the transformer: another order of the items gives the same scores in that order."""
    net = SortingNetwork(5, 3, transformer=True).double().eval()
    x, order = torch.randn(2, 5, 3).double(), torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(net.scores(x[:, order]), net.scores(x)[:, order])


@pytest.mark.peer
@pytest.mark.parametrize("wires", [4, 7])
def test_the_soft_network_is_that_of_diffsort(wires):
    diffsort = pytest.importorskip("diffsort")
    scores = torch.randn(6, wires, generator=torch.Generator().manual_seed(0))
    peer = diffsort.DiffSortNet("odd_even", wires, steepness=10.0, interpolation_type="optimal")
    values, p = peer(scores)
    ours, our_p = sorted_softly(scores, error_free=False)
    torch.testing.assert_close(ours, values, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(our_p, p.transpose(1, 2), rtol=1e-5, atol=1e-5)
