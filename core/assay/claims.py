"""Claims: inequalities between stored measurements, as frozen values that print, compare and say what they need.

`score("accuracy", task="sets/point-clouds")` names a measurement, `acc("deep-sets")` that of one entrant: one number
a seed. Arithmetic on scores is one number a seed again; a comparison makes the hypothesis, and its form settles the
test (see `assay.stats`):

=============================  ==========================================================================
`a - b > 0.05`, `a >= 0.9`     mean over seeds, paired by seed: t interval, sign test when it never varies
`a / b < 0.2`                  the same on logarithms: the geometric mean ratio (`within` a ratio too)
`within(a - b, 0.01)`          equivalence by two one-sided tests (TOST, Schuirmann 1987)
`within(slope(a, ...), ...)`   log-log slope over a parameter, one number a seed, then as above
`trend(a, ...) > 0`            Page's test for ordered alternatives (Page 1963)
`worst(a) <= 1e-5`             every seed: no statistics
`h & g`                        holds if each holds (intersection-union test, Berger 1982)
=============================  ==========================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assay.errors import AssayError
from assay.expressions import Expression, Hypothesis, Score, Slope, Trend, Within, Worst, is_ratio
from assay.spec import freeze


@dataclass(frozen=True)
class Claim:
    """An executable statement of a paper.

    `check` is the hypothesis, `says` the statement in words, `published` the paper's own figure (left out when
    unsure), `seeds` how many it is tested with.
    """

    id: str
    check: Hypothesis
    says: str
    published: str | None = None
    seeds: int = 5


def score(
    metric: str,
    *,
    task: str,
    dataset: str | None = None,
    scale: str | None = None,
    backend: str | None = None,
    **params: Any,
) -> Score:
    """Name a metric or cost of a task; call the result with an entrant's id to have its measurement."""
    return Score(metric, task, "", freeze(params), dataset, scale, backend)


def slope(expression: Score, *, over: str, at: tuple[float, ...]) -> Slope:
    """Return the exponent with which a positive score grows in a parameter, fitted over the levels `at`."""
    return Slope(expression, over, _levels(over, at, 2))


def trend(expression: Score, *, over: str, at: tuple[Any, ...]) -> Trend:
    """Return the direction in which a score moves over the ordered levels `at`; compare it with 0."""
    return Trend(expression, over, _levels(over, at, 3))


def worst(expression: Expression) -> Worst:
    """Return the value of the worst seed; compare it with a bound that must hold at every seed."""
    return Worst(expression)


def within(expression: Expression, tol: float, *, of: float = 0.0) -> Within:
    """Claim that an expression equals `of` up to `tol`."""
    if tol <= 0:
        raise AssayError(f"within(..., tol={tol}): the tolerance must be positive")
    if isinstance(expression, Worst | Trend):
        raise AssayError(f"within({expression}): {type(expression).__name__.lower()} takes a comparison with a bound")
    if is_ratio(expression) and tol >= of:
        raise AssayError(
            f"within({expression}, {tol}, of={of}): a ratio is tested on logarithms, so of - tol must be > 0"
        )
    return Within(expression, of, tol)


def _levels(over: str, at: tuple[Any, ...], least: int) -> tuple[Any, ...]:
    if len(set(at)) != len(at) or len(at) < least:
        raise AssayError(f"over={over!r}: give at least {least} different levels, got {at!r}")
    return tuple(at)
