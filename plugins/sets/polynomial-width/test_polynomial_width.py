"""The sum embeddings of Wang et al. (2023)."""

import numpy as np
import pytest
from assay_polynomial_width import LinearExponential, LinearPower, anchors, clusters, couplers, mixed_sums
from assay_sets.sum_embedding import row_error
from hypothesis import given, settings
from hypothesis import strategies as st


def test_any_columns_many_anchors_are_independent():
    """General position: no three of the anchors in R^3 lie in a plane."""
    a = anchors(4, 3)
    assert len(a) == 4 * 3 // 2 * 2 + 1
    triples = [a[[i, j, k]] for i in range(13) for j in range(i) for k in range(j)]
    assert min(abs(np.linalg.det(t)) for t in triples) > 1e-4


def test_the_embedding_is_a_sum_over_rows():
    """Of two multisets put together it is the sum of theirs, when N is the same for all."""
    x = np.random.default_rng(0).uniform(-1, 1, (4, 2))
    for embedding in (LinearPower(), LinearExponential()):
        whole = embedding.embed(x)
        np.testing.assert_allclose(embedding.embed(x[[2, 0, 3, 1]]), whole, atol=1e-12)
        moved = x.copy()
        moved[0] += 0.1
        change = embedding.embed(moved) - whole
        other = x.copy()
        other[1:] = 0.3  # whatever the other rows are, the change is that of the row
        shifted = other.copy()
        shifted[0] = moved[0]
        np.testing.assert_allclose(embedding.embed(shifted) - embedding.embed(other), change, atol=1e-10)


def test_mixed_sums_of_a_hand_made_multiset():
    """x = 1, 2 and a . x = 3, -1: sums of x a^q are 3 and 1."""
    x, a = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    c = couplers(2)
    of_couplers = np.array([[[((x + c_l * a) ** p).sum() for p in (1, 2)] for c_l in c]])
    np.testing.assert_allclose(mixed_sums(of_couplers), [[3.0], [1.0]])


def test_equal_roots_are_counted():
    roots, times = clusters(np.array([0.1, 0.1 + 1e-8, 0.5]), 1e-6)
    np.testing.assert_allclose(roots, [0.1, 0.5])
    assert times.tolist() == [2, 1]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 3))
def test_multisets_come_back(seed, rows, columns):
    x = np.random.default_rng(seed).uniform(-1, 1, (rows, columns))
    assert row_error(LinearPower().decode(LinearPower().embed(x), rows, columns), x) < 1e-6


def test_the_corners_come_back():
    """The pair that a channel-wise embedding confuses, whose rows tie in every channel."""
    for x in ([[0, 0], [1, 1]], [[0, 1], [1, 0]], [[1, 1], [1, 1]]):
        z = LinearPower().embed(np.array(x, float))
        assert row_error(LinearPower().decode(z, 2, 2), np.array(x, float)) < 1e-6


@pytest.mark.parametrize("rows", [4, 8])
def test_the_width_is_that_of_the_theorem(rows):
    """K N with K = D + J + J D (N + 1)."""
    count = len(anchors(rows, 3))
    assert len(LinearPower().embed(np.zeros((rows, 3)))) == rows * (3 + count + count * 3 * (rows + 1))
    assert len(LinearExponential().embed(np.zeros((rows, 3)))) == count * rows * (3 + 1)
