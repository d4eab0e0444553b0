"""Riffle shuffles, Plackett-Luce distributions and the steps between them."""

from collections import Counter
from itertools import permutations, product

import numpy as np
import pytest
import torch
from assay_symmetric_diffusers import (
    SymmetricDiffuser,
    draw_gap,
    fitted,
    log_plackett_luce,
    posteriors,
    riffle_chance,
    rising_sequences,
    total_variation,
)

S4 = list(permutations(range(4)))


def by_cuts(n):
    """The chance of each order after one riffle, from all cuts and interleavings: a fair coin a card (inverse riffle)."""
    counts = Counter()
    for coins in product((0, 1), repeat=n):
        left = coins.count(0)
        piles = {0: iter(range(left)), 1: iter(range(left, n))}
        counts[tuple(next(piles[c]) for c in coins)] += 1
    return {order: count / 2**n for order, count in counts.items()}


@pytest.mark.parametrize("n", [3, 4])
def test_one_riffle_is_that_of_all_cuts(n):
    true = by_cuts(n)
    for order in permutations(range(n)):
        assert float(riffle_chance(n, 1, rising_sequences(order))) == true.get(order, 0)
    assert true[tuple(range(n))] == (n + 1) / 2**n


def test_drawn_orders_have_their_chances():
    assert draw_gap(torch.Generator().manual_seed(0)) < 4


def test_the_deck_mixes_as_bayer_and_diaconis_found():
    """Table 1 of their paper, for 52 cards."""
    assert [round(total_variation(52, t), 3) for t in (5, 6, 7, 8)] == [0.924, 0.614, 0.334, 0.167]


def test_distances_agree_with_enumeration():
    enumerated = sum(abs(float(riffle_chance(4, 2, rising_sequences(o))) - 1 / 24) for o in S4) / 2
    assert total_variation(4, 2) == pytest.approx(enumerated)


def test_probabilities_sum_to_one():
    orders = torch.tensor(S4)
    total = log_plackett_luce(torch.randn(4, 4).expand(24, 4, 4), orders).exp().sum()
    torch.testing.assert_close(total, torch.tensor(1.0))


def test_a_probability_by_hand():
    """Place 0 takes item 1 by its first row, place 1 item 0 of the two left by its second."""
    s = torch.tensor([[0.0, 1.0, 2.0], [0.5, 0.0, 1.5], [0.0, 0.0, 0.0]])
    first = np.exp(1) / (1 + np.exp(1) + np.exp(2))
    second = np.exp(0.5) / (np.exp(0.5) + np.exp(1.5))
    assert log_plackett_luce(s, torch.tensor([1, 0, 2])).exp() == pytest.approx(first * second)


def test_posteriors_are_distributions_over_ways_back():
    targets = posteriors(torch.Generator().manual_seed(0))
    torch.testing.assert_close(targets.sum(1), torch.ones(len(targets), dtype=torch.float64))
    backs = [tuple(np.argsort(o)) for o in S4]
    impossible = [k for k, back in enumerate(backs) if rising_sequences(back) > 2]
    assert not targets[:, impossible].any()


def test_equal_rows_are_a_special_case():
    """A target of the Plackett-Luce family is met by both, one outside it by the generalised family better."""
    orders = torch.tensor(S4)
    scores = torch.tensor([0.3, -1.0, 0.5, 0.0]).double().expand(24, 4, 4)
    inside = log_plackett_luce(scores, orders).exp()[None]
    outside = posteriors(torch.Generator().manual_seed(0))[:1]
    assert fitted(inside, False).max() < 1e-6 and fitted(inside, True).max() < 1e-4
    assert fitted(outside, True) < fitted(outside, False) - 0.01


def test_the_right_scores_undo_every_step():
    """A network that knows each card's place gives the true permutation, whatever the arrangement."""
    net = SymmetricDiffuser(5, 1)
    net.encode = torch.nn.Identity()
    net.scores = lambda codes, time: -(torch.arange(5.0)[None, :, None] - codes.transpose(1, 2)).abs()
    perm = torch.rand(8, 5, generator=torch.Generator().manual_seed(0)).argsort(1)
    x = perm.argsort(1)[..., None].float()  # the item shown at j belongs at x[j]
    assert torch.equal(net.predict(x), perm)


@pytest.mark.peer
def test_likelihood_peaks_where_choix_says():
    """choix's maximum-likelihood scores of some rankings have no gradient under this likelihood."""
    choix = pytest.importorskip("choix")
    rankings = [[2, 0, 1], [0, 1, 2], [1, 2, 0], [2, 1, 0]]
    best = torch.tensor(choix.opt_rankings(3, rankings), requires_grad=True)
    log_plackett_luce(best.expand(4, 3, 3), torch.tensor(rankings)).sum().backward()
    torch.testing.assert_close(best.grad, torch.zeros_like(best), atol=1e-3, rtol=0)
