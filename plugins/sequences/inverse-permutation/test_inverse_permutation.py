"""Inverse permutation: the constructions are exact, and what the mask hides cannot be told."""

import numpy as np
import pytest
import torch
from assay_inverse_permutation import PLACES, Attention, ReadOut, construction_error, unseen_change
from assay_sequences.integer_problems import inverse_permutation


@pytest.fixture(autouse=True)
def _double():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize(("scratch", "causal"), [(False, False), (True, False), (True, True)])
def test_constructions_are_exact(scratch, causal):
    assert construction_error(np.random.default_rng(0), scratch, causal)["max_error"] < 1e-12


def test_behind_the_mask_the_construction_needs_scratch():
    assert construction_error(np.random.default_rng(0), scratch=False, causal=True)["max_error"] > 0.5


def test_a_blunt_softmax_is_not_exact(monkeypatch):
    monkeypatch.setattr("assay_inverse_permutation.SHARP", 1.0)
    assert construction_error(np.random.default_rng(0))["max_error"] > 0.1


def test_the_mask_hides_what_comes_later():
    x, size = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)), 6
    layer = Attention(torch.eye(size), torch.eye(size), causal=True)
    changed = x.clone()
    changed[-1] += 1
    torch.testing.assert_close(layer(changed)[:-1], layer(x)[:-1])


def test_the_best_guess_behind_the_mask_is_the_ceiling_of_the_notes():
    rng, problem = np.random.default_rng(0), inverse_permutation(0, "small")
    prompts, answers = problem.draw(rng, 20_000)
    perms, strings = prompts[:, :PLACES], prompts[:, PLACES:]
    place = np.argsort(perms, axis=1)  # where letter j stands
    told = np.take_along_axis(strings, place, axis=1)
    np.testing.assert_array_equal(told, answers)
    seen = place <= np.arange(PLACES)
    guess = np.where(seen, told, strings[:1, :1])
    assert abs((guess == answers).mean() - 0.650) < 0.01


def test_scratch_tokens_let_a_place_see_the_whole_string():
    torch.set_default_dtype(torch.float32)
    model = ReadOut(scratch=PLACES).model(vocab=14, length=15)
    tokens = torch.arange(10)[None]
    blank = torch.full((1, PLACES), 13)
    other = tokens.clone()
    other[0, 9] = 3  # the last letter
    before, after = (model(torch.cat([t, blank], 1)) for t in (tokens, other))
    assert (before[0, :9] - after[0, :9]).abs().max() == 0
    assert (before[0, 10:] - after[0, 10:]).abs().amax(1).min() > 0


@pytest.mark.parametrize("layers", [1, 2, 8])
def test_a_letter_that_comes_too_late_changes_no_answer(layers):
    assert unseen_change(np.random.default_rng(0), layers=layers)["invariance_error"] < 1e-12
    assert unseen_change(np.random.default_rng(0), scratch=PLACES, layers=layers)["invariance_error"] > 1e-3
