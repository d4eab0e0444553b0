"""Lyapunov functions: the verifier against values on a grid, generators, and a translator that learns."""

import numpy as np
import pytest
import torch
from assay_lyapunov_transformer import LONGEST, Learned, tokens
from assay_numerics.lyapunov import (
    NearestPair,
    QuadraticLMI,
    backward,
    descent,
    form_is_nonnegative,
    forward,
    is_valid,
    polynomial_fields,
)
from hypothesis import given, settings
from hypothesis import strategies as st


def at(p, x, y):
    return sum(c * x**i * y**j for (i, j), c in p.items()) + 0 * x


@pytest.mark.parametrize("draw", [backward, forward])
@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_generated_pairs_are_certified(draw, seed):
    pair = draw(np.random.default_rng(seed))
    assert is_valid(pair.v, pair.field)


GRID = np.meshgrid(np.linspace(-3, 3, 61), np.linspace(-3, 3, 61))
small = st.integers(-3, 3)


@settings(deadline=None, max_examples=200)
@given(st.tuples(small, small, small, st.integers(0, 1), st.integers(0, 1)), st.integers(0, 10_000))
def test_what_is_certified_descends_on_a_grid(v, seed):
    """Soundness: no candidate that rises anywhere is accepted, on fields of either kind."""
    rng = np.random.default_rng(seed)
    field = (backward if seed % 2 else forward)(rng).field
    if is_valid(v, field):
        w = descent(v, field)
        assert at(w, *GRID).min() >= -1e-6 * (1 + max(map(abs, w.values()), default=0))


def test_rotation_is_accepted_and_expansion_is_not():
    rotation = ({(0, 1): -1}, {(1, 0): 1})
    assert is_valid((1, 0, 1, 0, 0), rotation)
    assert not is_valid((2, 0, 1, 0, 0), rotation)
    assert not is_valid((1, 0, 1, 0, 0), ({(1, 0): 1}, {(0, 1): -1}))
    assert not is_valid((1, 0, -1, 0, 0), ({(1, 0): -1}, {(0, 1): -1}))


def test_backward_identity_agrees_with_sympy():
    sympy = pytest.importorskip("sympy")
    x, y = sympy.symbols("x y")
    for seed in range(20):
        pair = backward(np.random.default_rng(seed))
        a, b, c, d, e = pair.v
        v = a * x**2 + b * x * y + c * y**2 + d * x**4 + e * y**4
        f = [sum(k * x**i * y**j for (i, j), k in part.items()) for part in pair.field]
        scale, h1, h2 = pair.recipe
        left = scale * (v.diff(x) * f[0] + v.diff(y) * f[1]) + (h1 * v.diff(x)) ** 2 + (h2 * v.diff(y)) ** 2
        assert sympy.expand(left) == 0


def test_linear_systems_are_solved_by_linearisation():
    field = ({(1, 0): -1, (0, 1): 2}, {(0, 1): -3})
    (candidates,) = QuadraticLMI().propose([field], 1)
    assert is_valid(candidates[0], field)


def test_test_fields_are_not_met_in_training_and_tokens_fit():
    data = polynomial_fields(0, "smoke")
    known = [pair.field for pair in (*data.backward, *data.forward)]
    for fields in data.tests.values():
        assert all(f not in known for f in fields)
        assert all(len(tokens(f)[0]) == LONGEST for f in fields)


def test_the_nearest_pair_of_a_training_field_is_its_own():
    data = polynomial_fields(0, "smoke")
    solver = NearestPair()
    solver.train(data.backward, data.forward, 0, None)
    assert solver.propose([data.backward[7].field], 1)[0][0] == data.backward[7].v


def test_a_translator_learns_pairs_by_heart():
    class Surroundings:
        def rng(self, name):
            return np.random.default_rng(0)

        def log(self, step, **values):
            pass

    torch.manual_seed(0)
    pairs = polynomial_fields(0, "smoke").backward[:12]
    solver = Learned()
    solver.train(pairs, (), 60, Surroundings())
    first = [candidates[0] for candidates in solver.propose([pair.field for pair in pairs], 3)]
    assert np.mean([v == pair.v for v, pair in zip(first, pairs, strict=True)]) > 0.8


@pytest.mark.peer
def test_forms_are_nonnegative_exactly_when_cvxpy_finds_squares():
    """A form of two variables is nonnegative if and only if it is a sum of squares."""
    cp = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(0)
    for _ in range(40):
        form = {(i, 4 - i): int(c) for i, c in enumerate(rng.integers(-3, 5, 5)) if c}
        gram, margin = cp.Variable((3, 3), PSD=True), cp.Variable()
        limits = [
            cp.sum([gram[r, s] for r in range(3) for s in range(3) if r + s == i])
            == form.get((i, 4 - i), 0) + margin * [1, 0, 2, 0, 1][i]
            for i in range(5)
        ]
        cp.Problem(cp.Minimize(margin), limits).solve(solver="CLARABEL")
        if abs(margin.value) > 1e-6:  # the form less its least value on the circle
            assert form_is_nonnegative(form) == (margin.value < 0)
