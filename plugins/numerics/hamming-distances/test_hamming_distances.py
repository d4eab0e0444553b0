"""Hamming distances: every algorithm against comparison of everything, on any strings."""

import numpy as np
import pytest
from assay_hamming_distances import Bounded, Cheapest, ThreeSum, differences
from assay_numerics.hamming_shifts import Abrahamson, PerSymbolFFT, Work
from hypothesis import given, settings
from hypothesis import strategies as st

EXACT = [Cheapest(), Cheapest("list"), Cheapest("fft"), ThreeSum(), Abrahamson(), PerSymbolFFT()]


def naive(text, pattern):
    m = len(pattern)
    return [sum(a != b for a, b in zip(text[s : s + m], pattern, strict=True)) for s in range(len(text) - m + 1)]


def solved(algorithm, text, pattern, limit=3):
    return algorithm.distances(np.array(text), np.array(pattern), limit, Work(), np.random.default_rng(0)).tolist()


strings = st.lists(st.integers(0, 3), min_size=2, max_size=9).flatmap(
    lambda pattern: st.tuples(st.lists(st.integers(0, 4), min_size=len(pattern), max_size=40), st.just(pattern))
)


@pytest.mark.parametrize("algorithm", EXACT, ids=str)
@settings(deadline=None, max_examples=60)
@given(strings)
def test_exact_algorithms_agree_with_comparison(algorithm, drawn):
    assert solved(algorithm, *drawn) == naive(*drawn)


@settings(deadline=None, max_examples=60)
@given(strings, st.integers(0, 5))
def test_the_bounded_scan_is_exact_up_to_k(drawn, limit):
    found = solved(Bounded(chunk=2), *drawn, limit)
    assert found == [min(d, limit + 1) for d in naive(*drawn)]


@settings(deadline=None)
@given(st.sets(st.integers(0, 30), min_size=1), st.lists(st.integers(0, 30), min_size=1, max_size=8))
def test_differences_counts_3sum_solutions_in_a_range(a, b):
    found = differences(np.array(sorted(a)), np.array(b), 7, Work())
    assert found.tolist() == [sum(x - y == s for x in a for y in b) for s in range(7)]


def test_work_of_listing_is_the_number_of_pairs():
    work = Work()
    Cheapest("list").distances(np.array([0, 1, 0, 0, 2]), np.array([0, 1]), 1, work, np.random.default_rng(0))
    assert work.operations == 3 * 1 + 1 * 1


@pytest.mark.peer
def test_agrees_with_scipy_correlate():
    from scipy.signal import correlate

    rng = np.random.default_rng(0)
    text, pattern = rng.integers(5, size=300), rng.integers(5, size=40)
    matches = sum(correlate((text == c) * 1.0, (pattern == c) * 1.0, mode="valid") for c in range(5))
    np.testing.assert_array_equal(solved(Cheapest(), text, pattern), 40 - np.rint(matches).astype(int))
