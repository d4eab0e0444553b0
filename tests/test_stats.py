"""The tests behind verdicts: against independent implementations, against theory, and where they must refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from assay import stats
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

numbers = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12)
DRAWS = np.random.default_rng(7).normal(0.3, 1.0, (20, 6))


@pytest.mark.parametrize("row", DRAWS[:5])
def test_above_is_the_one_sample_t_test(row):
    found = stats.above(row, 0.1, 0.05)
    peer = scipy_stats.ttest_1samp(row, 0.1, alternative="greater")
    interval = scipy_stats.ttest_1samp(row, 0.1).confidence_interval(0.95)
    assert found.p_holds == pytest.approx(peer.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.standardised == pytest.approx((row.mean() - 0.1) / row.std(ddof=1))


@given(numbers, st.floats(-10, 10))
def test_below_mirrors_above(values, bound):
    up, down = stats.above(values, bound, 0.05), stats.below([-v for v in values], -bound, 0.05)
    assert (up.p_holds, up.p_fails) == (down.p_holds, down.p_fails)
    assert up.effect == -down.effect


@given(numbers, st.floats(-10, 10))
def test_on_its_own_a_verdict_and_the_interval_agree(values, bound):
    found = stats.above(values, bound, 0.05)
    if found.method == "paired t" and min(abs(found.low - bound), abs(found.high - bound)) > 1e-6:
        assert (found.p_holds <= 0.025) == (found.low > bound)
        assert (found.p_fails <= 0.025) == (found.high < bound)


def test_values_that_never_vary_are_judged_by_their_signs():
    assert stats.above([1.0] * 5, 0.5, 0.05).p_holds == 0.5**5
    assert stats.above([1.0] * 5, 1.5, 0.05).p_fails == 0.5**5


def test_values_that_all_lie_on_the_bound_decide_nothing():
    found = stats.above([0.5] * 8, 0.5, 0.05)
    assert (found.p_holds, found.p_fails) == (1.0, 1.0)
    assert "bound itself" in found.reason


def test_one_seed_decides_nothing():
    found = stats.above([0.9], 0.5, 0.05)
    assert (found.p_holds, found.p_fails) == (1.0, 1.0)
    assert "run at least 2" in found.reason


def test_an_exact_value_is_proof_at_one_seed():
    assert stats.above([0.9], 0.5, 0.05, exact=True).certain
    assert stats.above([0.5], 0.5, 0.05, exact=True, strict=True).p_holds == 1.0
    assert stats.above([0.5], 0.5, 0.05, exact=True, strict=False).p_holds == 0.0


def test_a_tolerance_holds_only_when_the_interval_lies_inside():
    inside = stats.within([0.1, -0.1, 0.05, -0.05, 0.0], 0.0, 0.5, 0.05)
    outside = stats.within([1.1, 0.9, 1.05, 0.95, 1.0], 0.0, 0.5, 0.05)
    open_ = stats.within([0.9, -0.9, 0.5, -0.5, 0.1], 0.0, 0.5, 0.05)
    assert inside.p_holds < 0.025
    assert outside.p_fails < 0.025
    assert min(open_.p_holds, open_.p_fails) > 0.025


def test_a_rise_at_every_seed_is_a_trend():
    rows = [[1, 2, 3, 4], [2, 3, 4, 6], [0, 1, 5, 7], [1, 3, 4, 5]]
    found = stats.trend(rows, 0.05)
    assert found.p_holds == pytest.approx(scipy_stats.page_trend_test(rows).pvalue)
    assert found.effect == pytest.approx(1.0)


def test_a_flat_table_has_no_trend_either_way():
    found = stats.trend([[1, 1, 1], [2, 2, 2]], 0.05)
    assert (found.p_holds, found.p_fails) == (1.0, 1.0)


def test_exact_values_trend_by_themselves():
    assert stats.trend([[1, 2, 3]], 0.05, exact=True).p_holds == 0.0
    assert stats.trend([[3, 2, 1]], 0.05, exact=True).p_fails == 0.0
    assert not stats.trend([[1, 3, 2]], 0.05, exact=True).certain


@pytest.mark.parametrize(("op", "bound", "keeps"), [("<=", 3, True), ("<", 3, False), (">=", 1, True), (">", 1, False)])
def test_extreme_asks_every_seed(op, bound, keeps):
    assert (stats.extreme([1.0, 2.0, 3.0], bound, op).p_holds == 0.0) is keeps


def test_a_conjunction_is_as_weak_as_its_weakest_part():
    strong, weak = stats.above([1.0, 1.1, 0.9, 1.0], 0, 0.05), stats.above([1.0, -1.1, 0.9, 0.1], 0, 0.05)
    found = stats.both([strong, weak])
    assert found.p_holds == weak.p_holds
    assert found.p_fails == min(1.0, 2 * min(strong.p_fails, weak.p_fails))


def test_a_part_without_chance_costs_a_conjunction_nothing():
    chance = stats.above([-1.0, -1.1, -0.9, -1.0], 0, 0.05)
    assert stats.both([stats.extreme([0.0], 1.0, "<="), chance]).p_fails == chance.p_fails


def test_sign_flips_reach_only_what_their_number_allows():
    assert stats.sign_flip([1.0, 1.1, 1.2, 0.9, 1.3, 1.05], 0) == 2 / 2**6
    assert math.isnan(stats.sign_flip([1.0, 1.1, 1.2, 0.9, 1.3], 0))


def test_sign_flips_agree_with_scipy():
    row = DRAWS[0]
    peer = scipy_stats.permutation_test((row,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert stats.sign_flip(row, 0.0) == pytest.approx(peer.pvalue)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_value_nor_changes_their_order(p_values):
    adjusted = stats.holm(p_values)
    assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert all(a <= b for a, b in zip(np.array(adjusted)[order], np.array(adjusted)[order][1:], strict=False))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=5, unique=True).map(sorted))
def test_looks_spend_alpha_and_no_more(looks):
    assert sum(stats.spend(0.05, looks)) == pytest.approx(0.05)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_detectable_is_the_inverse_of_the_power_of_the_t_test(n):
    distance = stats.detectable(1.0, n, 0.05, 0.8)
    critical = scipy_stats.t.isf(0.025, n - 1)
    assert scipy_stats.nct.sf(critical, n - 1, distance * math.sqrt(n)) == pytest.approx(0.8, abs=1e-6)


def test_seeds_needed_is_the_first_number_that_detects():
    needed = stats.seeds_needed(0.8, 1.0, 0.05)
    assert stats.detectable(1.0, needed, 0.05) <= 0.8 < stats.detectable(1.0, needed - 1, 0.05)
    assert stats.seeds_needed(0.0, 1.0, 0.05) is None


@pytest.mark.peer
@pytest.mark.parametrize("row", DRAWS[:5])
def test_tolerances_agree_with_statsmodels(row):
    weightstats = pytest.importorskip("statsmodels.stats.weightstats")
    p, *_ = weightstats.ttost_paired(row, np.zeros_like(row), -0.8, 0.9)
    found = stats.between(row, -0.8, 0.9, 0.05)
    assert found.p_holds == pytest.approx(p)


@pytest.mark.peer
@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=8))
def test_holm_agrees_with_statsmodels(p_values):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    assert stats.holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1])


@pytest.mark.peer
def test_power_agrees_with_statsmodels():
    power = pytest.importorskip("statsmodels.stats.power")
    for n in (3, 5, 20):
        peer = power.TTestPower().solve_power(nobs=n, alpha=0.025, power=0.8, alternative="larger")
        assert stats.detectable(1.0, n, 0.05) == pytest.approx(peer, rel=1e-4)


# The error rates, measured: a short version of benchmarks/calibration.py with fixed seeds.


def share(count: int, total: int) -> float:
    return count / total


def test_a_claim_that_is_false_at_its_bound_holds_at_most_by_chance():
    draws = np.random.default_rng(0).normal(0.0, 1.0, (2000, 5))
    held = sum(stats.above(x, 0.0, 0.05).p_holds <= 0.025 for x in draws)
    assert 0.015 < share(held, 2000) < 0.035


def test_a_claim_that_is_far_from_true_never_holds():
    draws = np.random.default_rng(1).normal(-2.0, 1.0, (500, 5))
    assert not any(stats.above(x, 0.0, 0.05).p_holds <= 0.025 for x in draws)
    assert share(sum(stats.above(x, 0.0, 0.05).p_fails <= 0.025 for x in draws), 500) > 0.8


def test_intervals_cover_the_truth_nineteen_times_in_twenty():
    draws = np.random.default_rng(2).normal(0.0, 1.0, (4000, 5))
    covered = sum(t.low <= 0.0 <= t.high for t in (stats.above(x, 0.0, 0.05) for x in draws))
    assert 0.94 < share(covered, 4000) < 0.96


def test_the_stated_effect_is_found_four_times_in_five():
    distance = stats.detectable(1.0, 5, 0.05)
    draws = np.random.default_rng(3).normal(distance, 1.0, (2000, 5))
    assert 0.77 < share(sum(stats.above(x, 0.0, 0.05).p_holds <= 0.025 for x in draws), 2000) < 0.83


def test_a_tolerance_at_whose_edge_the_truth_lies_holds_at_most_by_chance():
    draws = np.random.default_rng(4).normal(3.0, 1.0, (2000, 10))
    assert share(sum(stats.within(x, 0.0, 3.0, 0.05).p_holds <= 0.025 for x in draws), 2000) < 0.035


def test_a_trend_of_noise_is_found_at_most_by_chance():
    draws = np.random.default_rng(5).normal(0.0, 1.0, (300, 5, 4))
    assert share(sum(stats.trend(x, 0.05).p_holds <= 0.025 for x in draws), 300) < 0.05
