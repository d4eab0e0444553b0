"""Two entrants compared example by example: how much of the uncertainty is seeds, how much the finite test set.

Scores come as one array a seed, (examples,), the same examples for both entrants. Where every seed draws its own test
set, examples are nested in seeds; a test set that is the same at every seed is crossed with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay import stats

Array = NDArray[np.float64]
RESAMPLES = 1000


@dataclass(frozen=True)
class Split:
    """Variance of a mean over seeds and examples, by source; `seeds` is NaN for one seed."""

    seeds: float
    examples: float

    @property
    def share(self) -> float:
        """The part of the variance that is due to the finite test set, 0 to 1."""
        total = self.seeds + self.examples
        return self.examples / total if total > 0 else math.nan


@dataclass(frozen=True)
class McNemar:
    """Examples of one seed that only one of two classifiers got right, and the exact p-value (McNemar 1947)."""

    seed: int
    only_a: int
    only_b: int
    p: float


@dataclass(frozen=True)
class Difference:
    """How entrant `a` differs from `b` in a metric, a - b.

    `over_seeds` is the t interval over seeds, which takes a test set that is the same at every seed for granted;
    `over_examples` the paired bootstrap over examples, which takes the trained entrants for granted; `over_both` the
    hierarchical bootstrap. All 95 %, none corrected for other comparisons. `mcnemar` has one entry a seed when every
    score is 0 or 1, with p-values Holm-corrected over the seeds.
    """

    a: str
    b: str
    effect: float
    fixed_test_set: bool
    split: Split
    over_seeds: tuple[float, float]
    over_examples: tuple[float, float]
    over_both: tuple[float, float]
    mcnemar: tuple[McNemar, ...]


def difference(
    a: str, b: str, scores_a: dict[int, Array], scores_b: dict[int, Array], *, fixed: bool, resamples: int = RESAMPLES
) -> Difference:
    """Compare two entrants on the seeds that both have. `fixed`: every seed has the same test set."""
    seeds = sorted(set(scores_a) & set(scores_b))
    rows = [scores_a[s] - scores_b[s] for s in seeds]
    means = np.array([row.mean() for row in rows])
    over_seeds = stats.mean_interval(means, 0.05) if len(means) > 1 else (math.nan, math.nan)
    return Difference(
        a,
        b,
        float(means.mean()),
        fixed,
        split(rows, fixed=fixed),
        over_seeds,
        bootstrap(rows, seeds=False, fixed=fixed, resamples=resamples),
        bootstrap(rows, seeds=True, fixed=fixed, resamples=resamples),
        mcnemar({s: scores_a[s] for s in seeds}, {s: scores_b[s] for s in seeds}),
    )


def split(rows: Sequence[Array], *, fixed: bool) -> Split:
    """Return the variance of the mean of `rows` (one a seed) that comes from seeds, and that from examples.

    Nested: the variance between seeds' means, less what their finite test sets put into it. Crossed: two-way random
    effects by mean squares (Searle, Casella and McCulloch 1992); what seeds and examples do together counts as examples.
    """
    count, means = len(rows), np.array([row.mean() for row in rows])
    if not fixed or count == 1:
        within = float(np.mean([row.var(ddof=1) / len(row) if len(row) > 1 else 0.0 for row in rows])) / count
        total = float(means.var(ddof=1)) / count if count > 1 else math.nan
        return Split(max(0.0, total - within) if count > 1 else math.nan, within)
    table = np.stack(list(rows))
    size = table.shape[1]
    residual = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    noise = float((residual**2).sum()) / max(1, (count - 1) * (size - 1))
    seeds = max(0.0, float(means.var(ddof=1)) - noise / size)
    examples = max(0.0, float(table.mean(0).var(ddof=1)) - noise / count)
    return Split(seeds / count, examples / size + noise / (count * size))


def bootstrap(rows: Sequence[Array], *, seeds: bool, fixed: bool, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean of `rows`: examples drawn anew, and seeds before them if asked.

    With few seeds the hierarchical bootstrap is somewhat too narrow, by about sqrt(1 - 1 / seeds).
    """
    rng = np.random.default_rng(0)
    count = len(rows)

    def once() -> float:
        chosen = rng.integers(0, count, count) if seeds else range(count)
        if fixed:
            index = rng.integers(0, len(rows[0]), len(rows[0]))
            return float(np.mean([rows[s][index].mean() for s in chosen]))
        return float(np.mean([rows[s][rng.integers(0, len(rows[s]), len(rows[s]))].mean() for s in chosen]))

    low, high = np.quantile(_many(once, resamples), (0.025, 0.975))
    return float(low), float(high)


def mcnemar(scores_a: dict[int, Array], scores_b: dict[int, Array]) -> tuple[McNemar, ...]:
    """Return the exact test of each seed's two trained classifiers, nothing when scores are not 0 or 1."""
    from scipy.stats import binomtest

    if not all(np.isin(row, (0.0, 1.0)).all() for row in (*scores_a.values(), *scores_b.values())):
        return ()
    counts = {s: (int(((x == 1) & (scores_b[s] == 0)).sum()), int(((x == 0) & (scores_b[s] == 1)).sum()))
              for s, x in scores_a.items()}  # fmt: skip
    raw = [float(binomtest(min(pair), sum(pair)).pvalue) if sum(pair) else 1.0 for pair in counts.values()]
    return tuple(McNemar(seed, *pair, p) for (seed, pair), p in zip(counts.items(), stats.holm(raw), strict=True))


def _many(once: Callable[[], float], times: int) -> Array:
    return np.array([once() for _ in range(times)])
