"""The statistics of verdicts: from one number a seed to an effect, its interval and two one-sided p-values.

Every test asks both questions: how surprising are the data if the claim is false (`p_holds`), and how surprising if it
is true (`p_fails`). Either is compared with half of alpha, so that a verdict and the two-sided 1 - alpha interval
always agree. Student's t is used for means, as seeds are few and their averages close to normal; when a value never
varies t has no scale, and the exact sign test takes its place (docs/verdicts.md says where each can be trusted).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Test:
    """What the data say about one hypothesis.

    `effect` estimates the quantity compared, `low` and `high` bound it (1 - alpha interval, NaN where none exists),
    `standardised` is its distance from the bound in standard deviations over seeds (Cohen's d_z; NaN without
    variation). `p_holds` and `p_fails` are one-sided. `reason` says why no test could be made or what to know of it.
    """

    effect: float
    low: float
    high: float
    standardised: float
    p_holds: float
    p_fails: float
    method: str
    reason: str = ""

    @property
    def certain(self) -> bool:
        """Whether the answer has no chance in it, so that it needs no correction for other claims."""
        return {self.p_holds, self.p_fails} == {0.0, 1.0}


NAN = float("nan")


def undecided(effect: float, reason: str, method: str = "none") -> Test:
    """Return a test that can decide nothing, with the reason."""
    return Test(effect, NAN, NAN, NAN, 1.0, 1.0, method, reason)


def t_sf(t: float, df: float) -> float:
    """Return P(T > t) of Student's t distribution."""
    return float(special.stdtr(df, -t))


def mean_interval(values: Array, alpha: float) -> tuple[float, float]:
    """Return the two-sided 1 - alpha t interval of the mean of at least two values."""
    half = (
        float(special.stdtrit(len(values) - 1, 1 - alpha / 2)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    )
    mean = float(np.mean(values))
    return mean - half, mean + half


def above(values: Sequence[float], bound: float, alpha: float, *, exact: bool = False, strict: bool = True) -> Test:
    """Test mean > bound. One-sample t test (paired, when the values are differences).

    Without variation: by the value itself when it is `exact`, else by the sign test, whose p-value is 2^-n. `strict`
    matters only where values can lie on the bound with certainty.
    """
    x = np.asarray(values, dtype=float)
    mean = float(np.mean(x))
    if not _varies(x) and exact:
        over = mean > bound or (mean == bound and not strict)
        return Test(mean, mean, mean, NAN, 0.0 if over else 1.0, 1.0 if over else 0.0, "exact")
    if len(x) == 1:
        return undecided(mean, "one seed says nothing about the variation over seeds: run at least 2")
    if not _varies(x):
        return _sign(mean, len(x), bound)
    sd = float(np.std(x, ddof=1))
    t = (mean - bound) / (sd / math.sqrt(len(x)))
    low, high = mean_interval(x, alpha)
    return Test(mean, low, high, (mean - bound) / sd, t_sf(t, len(x) - 1), t_sf(-t, len(x) - 1), "paired t")


def below(values: Sequence[float], bound: float, alpha: float, *, exact: bool = False, strict: bool = True) -> Test:
    """Test mean < bound: `above` of the negated values. `standardised` keeps its meaning: positive where it holds."""
    test = above([-v for v in values], -bound, alpha, exact=exact, strict=strict)
    return replace(test, effect=-test.effect, low=-test.high, high=-test.low)


def within(values: Sequence[float], of: float, tol: float, alpha: float, *, exact: bool = False) -> Test:
    """Test |mean - of| <= tol: two one-sided tests (Schuirmann 1987).

    Each side is tested at alpha / 2, so that `holds` means that the 1 - alpha interval lies inside the tolerance;
    the customary 90 % interval would be laxer than every other verdict of assay. `standardised` is that of the side
    that is closer.
    """
    lower = above(values, of - tol, alpha, exact=exact, strict=False)
    upper = below(values, of + tol, alpha, exact=exact, strict=False)
    return replace(
        lower,
        standardised=min(lower.standardised, upper.standardised),
        p_holds=max(lower.p_holds, upper.p_holds),
        p_fails=min(lower.p_fails, upper.p_fails),
        method="TOST" if lower.method == "paired t" else lower.method,
        reason=lower.reason or upper.reason,
    )


def trend(table: Sequence[Sequence[float]], alpha: float) -> Test:
    """Test that values rise over the ordered columns, one row a seed: Page's L (Page 1963; exact for small tables).

    The effect is the mean over seeds of Spearman's correlation between level and value, with its t interval clipped to
    [-1, 1] (NaN when the correlations never vary).
    """
    from scipy import stats

    rows = np.asarray(table, dtype=float)
    if len(rows) < 2:
        return undecided(NAN, "one seed says nothing about the variation over seeds: run at least 2", "Page")
    columns = np.arange(rows.shape[1], dtype=float)
    ranks = stats.rankdata(rows, axis=1)
    if not any(_varies(row) for row in ranks):
        return undecided(0.0, "no seed's value moves over the levels", "Page")
    rho = np.array([float(np.corrcoef(columns, row)[0, 1]) if _varies(row) else 0.0 for row in ranks])
    low, high = NAN, NAN
    if len(rho) > 1 and _varies(rho):
        low, high = (float(np.clip(edge, -1.0, 1.0)) for edge in mean_interval(rho, alpha))
    rising = float(stats.page_trend_test(rows).pvalue)
    falling = float(stats.page_trend_test(rows[:, ::-1]).pvalue)
    return Test(float(rho.mean()), low, high, NAN, rising, falling, "Page's trend")


def extreme(values: Sequence[float], bound: float, op: str) -> Test:
    """Test that every value keeps to `op bound`: no average, no statistics."""
    value = max(values) if op in ("<", "<=") else min(values)
    keeps = {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound}[op]
    return Test(value, value, value, NAN, 0.0 if keeps else 1.0, 1.0 if keeps else 0.0, "every seed")


def both(tests: Sequence[Test]) -> Test:
    """Test a conjunction: it holds if each holds (intersection-union, so no correction), fails if any fails (Bonferroni).

    The numbers shown are those of the part that is furthest from holding.
    """
    weakest = max(tests, key=lambda test: (test.p_holds, -test.p_fails))
    p_fails = min(1.0, len(tests) * min(test.p_fails for test in tests))
    reason = "; ".join(dict.fromkeys(test.reason for test in tests if test.reason))
    return Test(
        weakest.effect,
        weakest.low,
        weakest.high,
        weakest.standardised,
        weakest.p_holds,
        p_fails,
        weakest.method,
        reason,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for testing them all (Holm 1979): the family-wise error stays below alpha."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = running
    return adjusted


def spend(alpha: float, looks: Sequence[int]) -> list[float]:
    """Return the level of each look at growing numbers of seeds: alpha spent in proportion to the seeds seen.

    Levels add up to alpha, so that by the union bound the error over all looks stays below alpha for any test and any
    dependence between looks (an alpha-spending design after Lan and DeMets 1983, without their normal approximation).
    """
    last = looks[-1]
    seen = [0, *looks]
    return [alpha * (now - before) / last for before, now in zip(seen, looks, strict=False)]


def detectable(sd: float, n: int, alpha: float, power: float = 0.8) -> float:
    """Return the smallest distance from the bound that n seeds show with the given power (noncentral t)."""
    if n < 2:
        return float("inf")
    critical = float(special.stdtrit(n - 1, 1 - alpha / 2))
    return float(special.nctdtrinc(n - 1, 1 - power, critical)) * sd / math.sqrt(n)


def seeds_needed(distance: float, sd: float, alpha: float, power: float = 0.8, most: int = 10_000) -> int | None:
    """Return how many seeds show a distance from the bound with the given power, None if more than `most`."""
    if distance <= 0:
        return None
    low, high = 2, most
    if detectable(sd, most, alpha, power) > distance:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if detectable(sd, middle, alpha, power) <= distance else (middle + 1, high)
    return low


def _varies(x: Array) -> bool:
    """Whether values differ by more than the rounding of their own size."""
    return float(np.ptp(x)) > 1e-12 * max(1.0, float(np.max(np.abs(x))))


def _sign(value: float, n: int, bound: float) -> Test:
    if value == bound:
        return undecided(value, f"all {n} seeds lie on the bound itself", "sign")
    p = 0.5**n
    reason = f"no variation over {n} seeds: exact sign test instead of t"
    over = value > bound
    return Test(value, NAN, NAN, NAN, p if over else 1.0, 1.0 if over else p, "sign", reason)
