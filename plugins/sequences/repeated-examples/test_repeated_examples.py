"""Repeated examples: what is drawn again, what is new, and what never comes."""

import numpy as np
import pytest
import torch
from assay_repeated_examples import Repeated, gcds_learned
from assay_sequences.integer_algorithms import coded
from assay_sequences.integer_problems import gcd, sparse_parity


def prompts_of(regime, problem, steps=30, size=20):
    """All prompts of a run, as values that compare whole rows."""
    return np.concatenate([coded(x) for x, _ in regime.batches(problem, steps, size, np.random.default_rng(0))])


@pytest.mark.parametrize(("regime", "most"), [(Repeated(50), 50), (Repeated(200), 200)])
def test_no_more_than_the_distinct_examples_are_seen(regime, most):
    assert most / 2 < len(np.unique(prompts_of(regime, gcd(0, "small")))) <= most


def test_single_use_hardly_repeats():
    seen = prompts_of(Repeated(), gcd(0, "small"))
    assert len(np.unique(seen)) > 0.99 * len(seen)


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_two_sets_share_the_batch(share):
    _, counts = np.unique(prompts_of(Repeated(10, share), gcd(0, "small"), 100), return_counts=True)
    assert (counts > 5).sum() == 10
    assert counts[counts > 5].sum() / counts.sum() == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("regime", [Repeated(), Repeated(200), Repeated(50, 0.25)])
def test_the_test_is_never_trained_on(regime):
    problem = sparse_parity(0, "smoke")
    assert not np.isin(prompts_of(regime, problem), coded(problem.tests["same"][0])).any()


def test_answers_stay_with_their_prompts():
    problem = sparse_parity(0, "small")
    for prompts, answers in Repeated(50, 0.5).batches(problem, 5, 40, np.random.default_rng(0)):
        assert (prompts[:, problem.draw.hidden].sum(1) % 2 == answers[:, 0]).all()


def test_a_gcd_is_learnt_when_most_of_its_pairs_are_right():
    correct = torch.tensor([[True, True], [True, True], [True, False], [False, True], [True, True], [True, True]])
    assert gcds_learned({"correct": correct, "gcds": np.array([1, 1, 1, 2, 2, 30])}) == 1
