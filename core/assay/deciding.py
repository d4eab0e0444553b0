"""Chooses the test by the form of a hypothesis and makes it: from measurements by seed to one `Test`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from assay import stats
from assay.expressions import (
    All,
    Comparison,
    Expression,
    Hypothesis,
    Score,
    Trend,
    Within,
    Worst,
    evaluate,
    is_ratio,
)
from assay.stats import Test


def decide(hypothesis: Hypothesis, table: Sequence[Mapping[Score, float]], exact: bool, alpha: float) -> Test:
    """Return the test of a hypothesis.

    Args:
        hypothesis: What a claim checks.
        table: The measurements of one seed a row, every one of them there.
        exact: Whether the metrics have no chance in them.
        alpha: Level of the two-sided interval.
    """
    if isinstance(hypothesis, All):
        return stats.both([decide(h, table, exact, alpha) for h in hypothesis.hypotheses])
    if isinstance(hypothesis, Within):
        return _test_within(hypothesis, _per_seed(hypothesis.left, table), exact, alpha)
    assert isinstance(hypothesis, Comparison)
    left, op, bound = hypothesis.left, hypothesis.op, hypothesis.bound
    if isinstance(left, Trend):
        test = stats.trend([[row[s] for s in left.scores()] for row in table], alpha, exact=exact)
        if op in (">", ">="):
            return test
        return replace(test, standardised=-test.standardised, p_holds=test.p_fails, p_fails=test.p_holds)
    if isinstance(left, Worst):
        values = _per_seed(left.expression, table)
        return _finite(values) or stats.extreme(values, bound, op)
    values = _per_seed(left, table)
    compare = stats.above if op in (">", ">=") else stats.below
    strict = op in (">", "<")
    if is_ratio(left):
        if bad := _not_positive([*values, bound]):
            return bad
        test = _with_permutation(compare, _logs(values), math.log(bound), alpha, exact=exact, strict=strict)
        return _from_logs(test)
    return _finite(values) or _with_permutation(compare, values, bound, alpha, exact=exact, strict=strict)


def _test_within(hypothesis: Within, values: list[float], exact: bool, alpha: float) -> Test:
    of, tol = hypothesis.of, hypothesis.tol
    if not is_ratio(hypothesis.left):
        return _finite(values) or stats.within(values, of, tol, alpha, exact=exact)
    if bad := _not_positive([*values, of - tol]):
        return bad
    return _from_logs(stats.between(_logs(values), math.log(of - tol), math.log(of + tol), alpha, exact=exact))


def _with_permutation(
    compare: Callable[..., Test], values: list[float], bound: float, alpha: float, **how: bool
) -> Test:
    """Make a t test, and the sign-flip test beside it."""
    test = compare(values, bound, alpha, **how)
    return replace(test, permutation=stats.sign_flip(values, bound)) if test.method == "paired t" else test


def _not_positive(values: Sequence[float]) -> Test | None:
    """Return the test of values of which not all have a logarithm, None when all have."""
    if not all(math.isfinite(v) and v > 0 for v in values):
        return stats.undecided(
            math.nan, "a ratio is tested on logarithms: its values and its bound must be positive and finite"
        )
    return None


def _logs(values: Sequence[float]) -> list[float]:
    return [math.log(v) for v in values]


def _from_logs(test: Test) -> Test:
    return replace(test, effect=math.exp(test.effect), low=math.exp(test.low), high=math.exp(test.high))


def _per_seed(expression: Expression, table: Sequence[Mapping[Score, float]]) -> list[float]:
    def value(row: Mapping[Score, float]) -> float:
        try:
            return evaluate(expression, row)
        except (ZeroDivisionError, ValueError):
            return math.nan

    return [value(row) for row in table]


def _finite(values: Sequence[float]) -> Test | None:
    """Return the test of values that have no number (0/0, the log of a negative), None when all are finite."""
    bad = sum(not math.isfinite(v) for v in values)
    return stats.undecided(math.nan, f"not a finite number at {bad} of {len(values)} seeds") if bad else None


def shown(hypothesis: Hypothesis, table: Sequence[Mapping[Score, float]]) -> list[object]:
    """Return what was tested at each seed: one number, a list over the levels of a trend, a list over conjuncts."""
    if isinstance(hypothesis, All):
        return [list(row) for row in zip(*(shown(h, table) for h in hypothesis.hypotheses), strict=True)]
    left = hypothesis.expressions()[0]
    if isinstance(left, Trend):
        return [[row[s] for s in left.scores()] for row in table]
    return list(_per_seed(left.expression if isinstance(left, Worst) else left, table))
