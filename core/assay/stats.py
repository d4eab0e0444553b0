"""The statistics of verdicts: from one number a seed to an effect, its interval and two one-sided p-values.

Every test asks both questions: how surprising are the data if the claim is false (`p_holds`), and how surprising if it
is true (`p_fails`). Either is compared with half of alpha, so that on its own a verdict and the two-sided 1 - alpha
interval always agree. Student's t is used for means: with the few seeds that one has, rank and permutation tests cannot
reach the level at all. When a value never varies t has no scale, and the exact sign test takes its place.
docs/verdicts.md has the measured error rates, and says where t cannot be trusted.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Test:
    """What the data say about one hypothesis.

    `effect` estimates the quantity compared, `low` and `high` bound it (1 - alpha interval, NaN where none exists),
    `standardised` is its distance from the bound in standard deviations over seeds (Cohen's d_z, positive where the
    claim holds; NaN without variation) and `sd` that standard deviation, of the logarithm for a ratio. `p_holds` and
    `p_fails` are one-sided. `permutation` is the two-sided p-value of the sign-flip test of the same bound, a check that
    decides nothing (NaN where it is not made). `reason` says why no test could be made or what to know of it.
    """

    effect: float
    low: float
    high: float
    standardised: float
    p_holds: float
    p_fails: float
    method: str
    reason: str = ""
    sd: float = math.nan
    permutation: float = math.nan

    @property
    def certain(self) -> bool:
        """Whether the answer has no chance in it, so that it needs no correction for other claims."""
        return {self.p_holds, self.p_fails} == {0.0, 1.0}


NAN = float("nan")
ONE_SEED = "one seed says nothing about the variation over seeds: run at least 2"


def undecided(effect: float, reason: str, method: str = "none") -> Test:
    """Return a test that can decide nothing, with the reason."""
    return Test(effect, NAN, NAN, NAN, 1.0, 1.0, method, reason)


def t_sf(t: float, df: float) -> float:
    """Return P(T > t) of Student's t distribution."""
    from scipy import special  # where it is used: running cells needs no statistics, and it takes a third of the start

    return float(special.stdtr(df, -t))


def mean_interval(values: Array, alpha: float) -> tuple[float, float]:
    """Return the two-sided 1 - alpha t interval of the mean of at least two values."""
    from scipy import special

    half = (
        float(special.stdtrit(len(values) - 1, 1 - alpha / 2)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    )
    mean = float(np.mean(values))
    return mean - half, mean + half


def above(values: Sequence[float], bound: float, alpha: float, *, exact: bool = False, strict: bool = True) -> Test:
    """Test mean > bound. One-sample t test (Student 1908; paired, when the values are differences by seed).

    Assumes independent seeds and a mean that is close to normal. Without variation: by the value itself when it is
    `exact`, else by the sign test (Dixon and Mood 1946), whose p-value is 2^-n and which speaks of the median. `strict`
    matters only where values can lie on the bound with certainty.
    """
    x = np.asarray(values, dtype=float)
    mean = float(np.mean(x))
    if not _varies(x) and exact:
        over = mean > bound or (mean == bound and not strict)
        return Test(mean, mean, mean, NAN, 0.0 if over else 1.0, 1.0 if over else 0.0, "exact")
    if len(x) == 1:
        return undecided(mean, ONE_SEED)
    if not _varies(x):
        return _sign(mean, len(x), bound)
    sd = float(np.std(x, ddof=1))
    t = (mean - bound) / (sd / math.sqrt(len(x)))
    low, high = mean_interval(x, alpha)
    return Test(mean, low, high, (mean - bound) / sd, t_sf(t, len(x) - 1), t_sf(-t, len(x) - 1), "paired t", sd=sd)


def t_tests(rows: Array) -> tuple[Array, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return for each row of (tests, seeds >= 2) what `above` says of its mean and 0, for many tests at once.

    Two-sided p-values, whether the mean is positive, and whether the row varies: the p-value of one that does not is
    no t test's, `above` has to say.
    """
    from scipy import special

    n = rows.shape[1]
    mean, sd = rows.mean(1), rows.std(1, ddof=1)
    varies = np.ptp(rows, 1) > 1e-12 * np.maximum(1.0, np.abs(rows).max(1))
    t = np.abs(mean) / np.where(varies, sd, 1.0) * math.sqrt(n)
    return 2 * special.stdtr(n - 1, -t), mean > 0, varies


def below(values: Sequence[float], bound: float, alpha: float, *, exact: bool = False, strict: bool = True) -> Test:
    """Test mean < bound: `above` of the negated values. `standardised` keeps its meaning: positive where it holds."""
    test = above([-v for v in values], -bound, alpha, exact=exact, strict=strict)
    return replace(test, effect=-test.effect, low=-test.high, high=-test.low)


def within(values: Sequence[float], of: float, tol: float, alpha: float, *, exact: bool = False) -> Test:
    """Test |mean - of| <= tol: `between` its two edges."""
    return between(values, of - tol, of + tol, alpha, exact=exact)


def between(values: Sequence[float], least: float, most: float, alpha: float, *, exact: bool = False) -> Test:
    """Test least <= mean <= most: two one-sided tests (TOST, Schuirmann 1987), with the assumptions of `above`.

    Each side is tested at alpha / 2, so that `holds` means that the 1 - alpha interval lies inside the tolerance;
    the customary 90 % interval would be laxer than every other verdict of assay. It fails when that interval lies
    outside: false at most 5 % of the time, as a mean can miss on one side only. `standardised` is that of the side
    that is closer.
    """
    lower = above(values, least, alpha, exact=exact, strict=False)
    upper = below(values, most, alpha, exact=exact, strict=False)
    return replace(
        lower,
        standardised=min(lower.standardised, upper.standardised),
        p_holds=max(lower.p_holds, upper.p_holds),
        p_fails=min(lower.p_fails, upper.p_fails),
        method="TOST" if lower.method == "paired t" else lower.method,
        reason=lower.reason or upper.reason,
    )


def trend(table: Sequence[Sequence[float]], alpha: float, *, exact: bool = False) -> Test:
    """Test that values rise over the ordered columns, one row a seed: Page's L (Page 1963; exact for small tables).

    Null hypothesis: within a seed every order is as likely. Assumes independent seeds. The effect is the mean over
    seeds of Spearman's correlation between level and value, with its t interval clipped to [-1, 1] (NaN when the
    correlations never vary). `exact` values that are the same at every seed decide by themselves when they never fall,
    or never rise. No trend at all is not a falling one: it stays inconclusive.
    """
    from scipy import stats

    rows = np.asarray(table, dtype=float)
    if exact and not np.ptp(rows, axis=0).any() and np.ptp(rows[0]) > 0:
        return _monotone(rows[0])
    if len(rows) < 2:
        return undecided(NAN, ONE_SEED, "Page's trend")
    columns = np.arange(rows.shape[1], dtype=float)
    ranks = stats.rankdata(rows, axis=1)
    if not any(_varies(row) for row in ranks):
        return undecided(0.0, "no seed's value moves over the levels", "Page's trend")
    rho = np.array([float(np.corrcoef(columns, row)[0, 1]) if _varies(row) else 0.0 for row in ranks])
    low, high, sd, standardised = NAN, NAN, NAN, NAN
    if _varies(rho):
        low, high = (float(np.clip(edge, -1.0, 1.0)) for edge in mean_interval(rho, alpha))
        sd = float(np.std(rho, ddof=1))
        standardised = float(rho.mean()) / sd
    rising = float(stats.page_trend_test(rows).pvalue)
    falling = float(stats.page_trend_test(rows[:, ::-1]).pvalue)
    return Test(float(rho.mean()), low, high, standardised, rising, falling, "Page's trend", sd=sd)


def _monotone(row: Array) -> Test:
    steps = np.diff(row)
    direction = 1.0 if (steps >= 0).all() else -1.0 if (steps <= 0).all() else 0.0
    if not direction:
        return undecided(0.0, "it rises and falls over the levels", "exact")
    return Test(direction, direction, direction, NAN, float(direction < 0), float(direction > 0), "exact")


def extreme(values: Sequence[float], bound: float, op: str) -> Test:
    """Test that every value keeps to `op bound`: no average, no statistics."""
    value = max(values) if op in ("<", "<=") else min(values)
    keeps = {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound}[op]
    return Test(value, value, value, NAN, 0.0 if keeps else 1.0, 1.0 if keeps else 0.0, "every seed")


def both(tests: Sequence[Test]) -> Test:
    """Test a conjunction: it holds if each part holds, and fails if any part fails.

    Holding needs no correction (intersection-union test, Berger 1982); failing is Bonferroni-corrected over the parts
    with chance in them. The numbers shown are those of the part that is furthest from holding.
    """
    weakest = max(tests, key=lambda test: (test.p_holds, -test.p_fails))
    chances = sum(not test.certain for test in tests)
    p_fails = min(1.0, max(1, chances) * min(test.p_fails for test in tests))
    reason = "; ".join(dict.fromkeys(test.reason for test in tests if test.reason))
    return replace(weakest, p_fails=p_fails, reason=reason)


def sign_flip(values: Sequence[float], bound: float) -> float:
    """Return the two-sided p-value of the sign-flip permutation test that values lie symmetrically about a bound.

    Exact up to 12 values, 4095 random flips and the identity beyond (Fisher 1935). NaN below 6 values, where it could
    not reach 0.05 however the values lay.
    """
    x = np.asarray(values, dtype=float) - bound
    if len(x) < 6:
        return NAN
    if len(x) <= 12:
        flips = np.array(list(itertools.product((1.0, -1.0), repeat=len(x))))
    else:
        flips = np.random.default_rng(0).choice((1.0, -1.0), (4096, len(x)))
        flips[0] = 1.0
    sums = np.abs(flips @ x)
    return float(np.mean(sums >= sums[0] * (1 - 1e-12)))


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
    """Return the smallest distance from the bound that n seeds show with the given power (noncentral t, Cohen 1988)."""
    from scipy import special

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
    reason = f"all {n} seeds gave the same value: exact sign test in place of t"
    over = value > bound
    return Test(value, NAN, NAN, NAN, p if over else 1.0, 1.0 if over else p, "sign", reason)
