"""From samples to verdicts: each outcome, each way in which measurements can be missing, and the family-wise error."""

from __future__ import annotations

import math

import numpy as np
import pytest
from assay import AssayError, Claim, score, slope, trend, within, worst
from assay.stats import spend
from assay.verdicts import Sample, judge, untested

acc = score("accuracy", task="sets/point-clouds")
A, B = acc("a"), acc("b")
BEATS = Claim("beats", A - B > 0.05, says="a beats b")


def sample(*values: float, **extra: object) -> Sample:
    return Sample(dict(enumerate(values)), **extra)


def only(claim: Claim, samples: dict, **extra: object):
    (found,) = judge([claim], {claim.id: samples}, **extra)
    return found


def constant(value: float, n: int = 5) -> Sample:
    return sample(*[value] * n)


def test_a_clear_difference_holds():
    found = only(BEATS, {A: sample(0.9, 0.8, 0.95, 0.85, 0.9), B: sample(0.7, 0.62, 0.73, 0.66, 0.71)})
    assert found.outcome == "holds"
    assert found.test.low > 0.05
    assert found.per_seed[1] == pytest.approx(0.18)


def test_the_same_difference_the_other_way_fails():
    found = only(BEATS, {B: sample(0.9, 0.8, 0.95, 0.85, 0.9), A: sample(0.7, 0.62, 0.73, 0.66, 0.71)})
    assert found.outcome == "fails"


def test_a_difference_on_both_sides_of_the_bound_is_inconclusive_and_says_why():
    found = only(BEATS, {A: sample(0.9, 0.7, 0.8), B: sample(0.7, 0.8, 0.7)})
    assert found.outcome == "inconclusive"
    assert "either side of the bound" in found.reason


def test_entrants_are_paired_by_seed():
    """Seeds differ far more than entrants do: an unpaired test would see nothing."""
    easy = np.array([0.1, 0.9, 0.5, 0.3, 0.7])
    noise = np.array([0.0, 0.01, -0.01, 0.005, 0.0])
    found = only(BEATS, {A: sample(*(easy + 0.1 + noise)), B: sample(*easy)})
    assert found.outcome == "holds"


def test_only_seeds_with_every_measurement_count():
    found = only(BEATS, {A: Sample({0: 0.9, 1: 0.8, 2: 0.9, 7: 0.1}), B: Sample({0: 0.6, 1: 0.55, 2: 0.61, 9: 0.9})})
    assert sorted(found.per_seed) == [0, 1, 2]


def test_a_crash_of_one_seed_takes_back_a_holds_and_is_shown():
    whole = {A: sample(0.9, 0.8, 0.95, 0.85, 0.9), B: sample(0.7, 0.62, 0.73, 0.66, 0.71)}
    broken = Sample({k: v for k, v in whole[A].values.items() if k != 3}, {3: "error: ValueError"})
    found = only(BEATS, {**whole, A: broken})
    assert found.outcome == "inconclusive"
    assert found.failures == ("a seed 3: error: ValueError",)
    assert "cells failed" in found.reason


def test_a_crash_does_not_take_back_a_fails():
    lost = Sample({0: 0.5, 1: 0.51, 2: 0.52, 3: 0.5}, {4: "error"})
    assert only(BEATS, {A: lost, B: sample(0.9, 0.92, 0.91, 0.93, 0.9)}).outcome == "fails"


def test_a_claim_whose_own_entrant_never_ran_fails():
    crashed = Sample({}, {0: "killed", 1: "killed"})
    found = only(BEATS, {A: crashed, B: sample(0.5, 0.6)}, own={"a"})
    assert found.outcome == "fails"
    assert found.reason == "no cell of a succeeded"


def test_a_rival_that_never_ran_leaves_the_claim_open():
    crashed = Sample({}, {0: "killed", 1: "killed"})
    found = only(BEATS, {A: sample(0.5, 0.6), B: crashed}, own={"a"})
    assert found.outcome == "inconclusive"
    assert found.reason == "no cell of b succeeded"


def test_nothing_run_is_inconclusive():
    assert "nothing has been run" in only(BEATS, {A: Sample({}), B: Sample({})}).reason


def test_one_seed_is_inconclusive():
    found = only(BEATS, {A: sample(0.9), B: sample(0.1)})
    assert (found.outcome, math.isnan(found.test.low)) == ("inconclusive", True)
    assert "run at least 2" in found.reason


@pytest.mark.parametrize(("n", "outcome"), [(5, "inconclusive"), (6, "holds")])
def test_values_that_never_vary_take_six_seeds(n, outcome):
    """A metric at its bound at every seed: 2 * 2^-5 is above 0.05, 2 * 2^-6 below."""
    found = only(BEATS, {A: constant(1.0, n), B: constant(0.5, n)})
    assert found.outcome == outcome
    assert "same value" in found.reason


def test_tied_entrants_do_not_beat_each_other():
    claim = Claim("better", A > B, says="a beats b")
    assert only(claim, {A: constant(1.0), B: constant(1.0)}).outcome == "inconclusive"


def test_an_exact_metric_decides_at_one_seed_and_needs_no_correction():
    found = only(BEATS, {A: sample(0.9, exact=True), B: sample(0.1, exact=True)})
    assert (found.outcome, found.p) == ("holds", 0.0)


def test_a_ratio_is_tested_on_logarithms():
    claim = Claim("cost", A / B < 0.2, says="a fifth")
    found = only(claim, {A: sample(1.0, 2.0, 4.0), B: sample(10.0, 19.0, 42.0)})
    assert found.outcome == "holds"
    assert found.test.effect == pytest.approx((1 / 10 * 2 / 19 * 4 / 42) ** (1 / 3))


def test_equality_of_a_ratio_is_tested_on_logarithms_too():
    claim = Claim("same", within(A / B, 0.5, of=1.0), says="as large")
    up, down = sample(1.0, 2.1, 4.0, 1.1), sample(1.05, 2.0, 4.1, 1.0)
    assert only(claim, {A: up, B: down}).outcome == "holds"
    assert only(claim, {A: sample(9.0, 18.0, 40.0, 9.5), B: down}).outcome == "fails"


def test_a_ratio_with_a_zero_is_inconclusive():
    claim = Claim("cost", A / B < 0.2, says="a fifth")
    found = only(claim, {A: sample(0.0, 2.0, 4.0), B: sample(10.0, 19.0, 42.0)})
    assert "must be positive" in found.reason


def test_a_tolerance_that_a_ratio_cannot_have_is_refused():
    with pytest.raises(AssayError, match="of - tol must be > 0"):
        within(A / B, 1.0, of=1.0)


def test_zero_by_zero_is_inconclusive_and_counted():
    claim = Claim("odd", A / B - 1 > 0, says="odd")
    found = only(claim, {A: sample(0.0, 1.0), B: sample(0.0, 1.0)})
    assert found.reason == "not a finite number at 1 of 2 seeds"


def test_an_exponent_is_one_slope_a_seed():
    sizes = (10, 100, 1000)
    claim = Claim("linear", within(slope(acc("a"), over="n", at=sizes), 0.1, of=1.0), says="O(n)")
    rng = np.random.default_rng(0)
    samples = {acc("a", n=n): sample(*(n * rng.uniform(0.95, 1.05, 5))) for n in sizes}
    found = only(claim, samples)
    assert found.outcome == "holds"
    assert found.test.effect == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(("sign", "outcome"), [(1, "holds"), (-1, "fails")])
def test_a_trend_has_a_direction(sign, outcome):
    levels = (0.1, 0.2, 0.3, 0.4)
    claim = Claim("grows", trend(acc("a"), over="noise", at=levels) > 0, says="grows")
    samples = {acc("a", noise=x): sample(*(sign * x + 0.001 * k for k in range(4))) for x in levels}
    found = only(claim, samples)
    assert found.outcome == outcome
    assert len(found.per_seed[0]) == 4


def test_the_worst_seed_decides_a_worst_case():
    claim = Claim("invariant", worst(A) <= 1e-5, says="invariant")
    assert only(claim, {A: sample(1e-9, 1e-6)}).outcome == "holds"
    assert only(claim, {A: sample(1e-9, 1e-4)}).outcome == "fails"


def test_a_conjunction_holds_only_if_each_part_does():
    claim = Claim("both", (A > B) & (A > 0.99), says="both")
    found = only(claim, {A: sample(0.9, 0.8, 0.95, 0.85, 0.9), B: sample(0.7, 0.62, 0.73, 0.66, 0.71)})
    assert found.outcome == "fails"


def test_holm_is_what_two_claims_of_one_paper_pay():
    values = {A: sample(0.31, 0.25, 0.35, 0.2, 0.3), B: sample(0.1, 0.15, 0.05, 0.12, 0.06)}
    one = Claim("one", A - B > 0.0, says="")
    assert only(one, values).outcome == "holds"
    noise = Claim("noise", acc("c") - acc("d") > 0.0, says="")
    nothing = {acc("c"): sample(0.1, 0.2, 0.1), acc("d"): sample(0.2, 0.1, 0.1)}
    found, _ = judge([one, noise], {"one": values, "noise": nothing})
    assert found.level == 0.025
    assert found.p == pytest.approx(2 * only(one, values).p)


def test_a_claim_that_only_the_correction_leaves_open_says_so():
    claims = [Claim(f"c{i}", A - B > 0.0, says="") for i in range(8)]
    values = {A: sample(0.31, 0.25, 0.35, 0.2, 0.3), B: sample(0.1, 0.15, 0.05, 0.12, 0.06)}
    found = judge(claims, {c.id: values for c in claims})
    assert {v.outcome for v in found} == {"inconclusive"}
    assert "Holm" in found[0].reason


def test_a_claim_without_its_entrant_is_untested_and_costs_the_others_nothing():
    values = {A: sample(0.31, 0.25, 0.35, 0.2, 0.3), B: sample(0.1, 0.15, 0.05, 0.12, 0.06)}
    one, other = Claim("one", A - B > 0.0, says=""), Claim("other", A > 0.5, says="")
    found = judge([one, other], {"one": values}, missing={"other": "entrant a is not installed"})
    assert [v.outcome for v in found] == ["holds", "untested"]
    assert found[0].level == 0.05
    assert found[1] == untested(other, "entrant a is not installed")


def test_a_sequential_look_widens_the_interval():
    values = {A: sample(0.9, 0.8, 0.95, 0.85, 0.9), B: sample(0.7, 0.62, 0.73, 0.66, 0.71)}
    whole, look = only(BEATS, values), only(BEATS, values, alpha=0.0125)
    assert look.test.high - look.test.low > whole.test.high - whole.test.low
    assert look.confidence == 0.9875


def test_values_at_the_bound_of_their_metric_are_judged_with_a_warning():
    claim = Claim("high", A > 0.9, says="nearly perfect")
    found = only(claim, {A: sample(1.0, 0.98, 1.0, 0.99, 1.0, bounds=(0.0, 1.0))})
    assert found.outcome == "holds"
    assert "pile up at the metric's bound" in found.reason
    assert not only(claim, {A: sample(0.95, 0.94, 0.96, 0.95, 0.94, bounds=(0.0, 1.0))}).reason


# Error rates of whole verdicts, measured with fixed seeds (benchmarks/calibration.py has the long version).


def simulate(claims, mean: float, count: int, seed: int, shared: float = 3.0):
    """Yield the verdicts on papers whose entrants a and b differ by `mean`; seeds move both by far more."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        samples = {}
        for claim in claims:
            common = rng.normal(0, shared, 5)
            a, b = common + mean + rng.normal(0, 1, 5), common + rng.normal(0, 1, 5)
            samples[claim.id] = {A: sample(*a), B: sample(*b)}
        yield judge(claims, samples)


def test_a_paper_of_three_false_claims_has_a_false_holds_at_most_by_chance():
    claims = [Claim(f"c{i}", A - B > 0.0, says="") for i in range(3)]
    wrong = sum(any(v.outcome != "inconclusive" for v in paper) for paper in simulate(claims, 0.0, 600, 0))
    assert 0.02 < wrong / 600 < 0.07


def test_a_true_claim_is_found_though_seeds_vary_more_than_entrants():
    claims = [Claim("c", A - B > 0.0, says="")]
    held = sum(v.outcome == "holds" for (v,) in simulate(claims, 3.0, 300, 1, shared=10.0))
    assert held / 300 > 0.8


def test_three_looks_at_growing_numbers_of_seeds_keep_the_error_of_one():
    claim, looks, wrong = Claim("c", A - B > 0.0, says=""), (5, 10, 20), 0
    rng = np.random.default_rng(11)
    for _ in range(400):
        a, b = rng.normal(size=(2, 20))
        wrong += any(
            only(claim, {A: sample(*a[:n]), B: sample(*b[:n])}, alpha=level).outcome != "inconclusive"
            for n, level in zip(looks, spend(0.05, looks), strict=True)
        )
    assert wrong / 400 < 0.06
