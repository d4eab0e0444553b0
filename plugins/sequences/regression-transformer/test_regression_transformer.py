"""Regression Transformer: numbers as digits, what each objective hides, and strings that keep what is not hidden."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from assay_regression_transformer import DIGITS, RegressionTransformer, numerical_encoding
from assay_sequences.property_strings import boman_peptides

DATA = boman_peptides(0, "smoke")


@pytest.fixture
def model():
    torch.manual_seed(0)
    made = RegressionTransformer(20, 14)
    made.low, made.range = float(DATA.train_property.min()), float(np.ptp(DATA.train_property)) * (1 + 1e-6)
    return made.eval()


def test_numerical_encodings_are_the_papers_formula():
    table = numerical_encoding(6)
    for place, digit, j in [(-1, 7, 0), (-1, 7, 1), (-2, 3, 4), (-3, 9, 5)]:
        expected = (-1) ** j * digit * 10.0**place / (j + 1)
        assert float(table[10 * (-place - 1) + digit, j]) == pytest.approx(expected)


def test_encodings_order_numbers_by_their_size(model):
    values = np.sort(np.random.default_rng(0).uniform(model.low, model.low + model.range, 50))
    tokens = model.tokens(np.zeros((50, 14), dtype=np.int64), values)
    size = model.numbers[tokens][:, :DIGITS, 0].sum(1)
    assert (size.diff() >= -1e-6).all()
    assert model.numbers[tokens][:, DIGITS:].abs().max() == 0


def test_digits_give_the_value_back_to_the_last_place(model):
    values = DATA.train_property
    tokens = model.tokens(DATA.train, values)
    digits = (tokens[:, :DIGITS] - 20) % 10
    back = model.low + model.range * (digits.numpy() * 10.0 ** -np.arange(1, DIGITS + 1)).sum(1)
    assert (np.abs(back - values) <= model.range * 10.0**-DIGITS + 1e-9).all()
    assert ((tokens[:, :DIGITS] - 20) // 10 == torch.arange(DIGITS)).all()


def test_prediction_reads_the_digits_off_one_after_another(model):
    asked = []
    values = np.array([DATA.train_property[i] for i in range(5)])
    answers = model.tokens(DATA.train[:5], values)

    def forward(tokens):
        asked.append(tokens[:, :DIGITS].clone())
        return torch.nn.functional.one_hot(answers.clamp(max=model.mask - 1), model.mask).float()

    model.forward = forward
    found = model.predict(DATA.train[:5])
    np.testing.assert_allclose(found, values, atol=model.range * 10.0**-DIGITS)
    assert (asked[0] == model.mask).all()
    assert (asked[2][:, :2] == answers[:, :2]).all()


def seen(steps, **params):
    """Return what the network reads at each pass of a short training."""
    torch.manual_seed(0)
    made, read = RegressionTransformer(20, 14, **params), []
    made.register_forward_pre_hook(lambda module, inputs: read.append(inputs[0]))
    ctx = SimpleNamespace(
        budget={"batch": 32, "steps": steps, "lr": 1e-3},
        rng=lambda name: np.random.default_rng(1),
        prepare=lambda net: net,
        timer=lambda name: contextlib.nullcontext(),
        backend=SimpleNamespace(autocast=contextlib.nullcontext),
        log=lambda *a, **k: None,
    )
    made.fit(DATA.train, DATA.train_property, ctx)
    return made, read


def test_a_property_is_hidden_where_it_is_predicted_and_shown_where_it_is_primed():
    model, (plain, _, prediction, primed, consistent) = seen(4)
    hidden = plain == model.mask
    assert hidden[:, :DIGITS].any()
    assert hidden[:, DIGITS + 1 :].any()
    hidden = prediction == model.mask
    assert hidden[:, DIGITS - 1].all()
    assert not hidden[:, DIGITS:].any()
    assert (hidden[:, :DIGITS].int().diff(dim=1) >= 0).all()
    hidden = primed == model.mask
    assert not hidden[:, : DIGITS + 1].any()
    assert 0.3 < hidden.sum() / (primed[:, DIGITS + 1 :] < model.end).sum() < 0.5
    assert (consistent[:, DIGITS + 1 :] != model.mask).all()
    assert (consistent[:, DIGITS - 1] == model.mask).all()
    assert ((consistent == primed) | hidden)[:, DIGITS + 1 :].all()


@pytest.mark.parametrize(("params", "passes"), [({}, 5), ({"consistency": False}, 4), ({"alternate": False}, 4)])
def test_self_consistency_is_a_second_pass_of_the_generating_steps(params, passes):
    assert len(seen(4, **params)[1]) == passes


def test_written_strings_keep_the_seeds_lengths_and_most_residues(model):
    wanted = DATA.test_property[::-1].copy()
    written = model.generate(DATA.test, wanted, np.random.default_rng(0))
    assert ((written >= 0) == (DATA.test >= 0)).all()
    assert written.max() < 20
    assert 0.25 < (written != DATA.test)[DATA.test >= 0].mean() < 0.45


def test_what_is_written_depends_on_the_primed_property(model):
    low, high = (model.generate(DATA.test, np.full(len(DATA.test), v), np.random.default_rng(0)) for v in (-2.0, 2.0))
    assert (low != high).any()
