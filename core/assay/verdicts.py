"""From measurements to verdicts. Reads stored numbers only: nothing here can run a model.

A claim `holds` when its test rejects the opposite at alpha after Holm's correction over the claims of its paper,
`fails` when it rejects the claim itself, is `inconclusive` when it rejects neither, and `untested` when an entrant that
it names is not installed or has not run. A failed cell counts against a claim: with one, it cannot hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from assay import stats
from assay.claims import Claim
from assay.expressions import (
    All,
    Arithmetic,
    Comparison,
    Expression,
    Hypothesis,
    Score,
    Trend,
    Within,
    Worst,
    evaluate,
)
from assay.spec import Paper, Record
from assay.stats import Test

ALPHA = 0.05
Outcome = Literal["holds", "fails", "inconclusive", "untested"]


@dataclass(frozen=True)
class Sample:
    """The stored numbers of one score: `values` by seed, `failures` (reasons) by seed, whether the metric is exact."""

    values: Mapping[int, float]
    failures: Mapping[int, str] = field(default_factory=dict)
    exact: bool = False


@dataclass(frozen=True)
class Verdict:
    """What was found about one claim.

    `p` is two-sided and adjusted over the paper's claims; `level` is what the unadjusted p had to reach. `per_seed` is
    the number that was tested at each seed (a list of numbers, one a level, for a trend; one a part for a conjunction).
    `failures` are lines `entrant seed: reason`. `looks` are the numbers of seeds at which a sequential test looked.
    """

    claim: Claim
    outcome: Outcome
    test: Test
    p: float = math.nan
    level: float = math.nan
    per_seed: Mapping[int, object] = field(default_factory=dict)
    reason: str = ""
    failures: tuple[str, ...] = ()
    looks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Verification:
    """The verdicts on a paper, in the order of its claims, and the records that they rest on."""

    paper: Paper
    verdicts: tuple[Verdict, ...]
    scale: str
    backend: str
    records: tuple[Record, ...]

    @property
    def seconds(self) -> float:
        """Wall seconds of all cells that the verdicts rest on, resumed ones included."""
        return sum(record.seconds for record in self.records)


def untested(claim: Claim, reason: str) -> Verdict:
    """Return the verdict of a claim that could not be put to the test."""
    return Verdict(claim, "untested", stats.undecided(math.nan, reason), reason=reason)


def judge(
    claims: Sequence[Claim],
    samples: Mapping[str, Mapping[Score, Sample]],
    *,
    missing: Mapping[str, str] | None = None,
    alpha: float = ALPHA,
    looks: Sequence[int] = (),
) -> list[Verdict]:
    """Return a verdict for each claim of a paper, from its samples by claim id.

    `missing` says by claim id why it cannot be tested. `alpha` is the level of this look, and `looks` the numbers of
    seeds at which a sequential test looks. Holm's correction runs over the claims with chance in them; those settled by
    the value itself need none.
    """
    missing = missing or {}
    found = {
        c.id: replace(_examine(c, samples[c.id], alpha), looks=tuple(looks)) for c in claims if c.id not in missing
    }
    uncertain = [v for v in found.values() if not v.test.certain]
    raw = [min(1.0, 2 * min(v.test.p_holds, v.test.p_fails)) for v in uncertain]
    order = sorted(range(len(raw)), key=raw.__getitem__)
    for rank, i in enumerate(order):
        level = alpha / (len(raw) - rank)
        verdict = replace(uncertain[i], p=stats.holm(raw)[i], level=level)
        found[verdict.claim.id] = _conclude(verdict, alpha)
    for verdict in list(found.values()):
        if verdict.test.certain:
            found[verdict.claim.id] = _conclude(replace(verdict, p=0.0, level=alpha), alpha)
    return [found.get(c.id) or untested(c, missing[c.id]) for c in claims]


def _examine(claim: Claim, samples: Mapping[Score, Sample], alpha: float) -> Verdict:
    """Test a claim on its own, on the seeds at which every measurement exists."""
    scores = claim.check.scores()
    seeds = sorted(set.intersection(*(set(samples[s].values) for s in scores)))
    failures = tuple(
        dict.fromkeys(f"{s.entrant} seed {seed}: {why}" for s in scores for seed, why in samples[s].failures.items())
    )
    if not seeds:
        reason = "no seed has every measurement" if failures else "nothing has been run: assay verify runs it"
        return Verdict(claim, "inconclusive", stats.undecided(math.nan, reason), reason=reason, failures=failures)
    table = [{s: samples[s].values[seed] for s in scores} for seed in seeds]
    exact = all(samples[s].exact for s in scores)
    test = _test(claim.check, table, exact, alpha)
    per_seed = dict(zip(seeds, _shown(claim.check, table), strict=True))
    return Verdict(claim, "inconclusive", test, per_seed=per_seed, reason=test.reason, failures=failures)


def _conclude(verdict: Verdict, alpha: float) -> Verdict:
    """Settle the outcome from the adjusted p-value, and take back a `holds` that rests on failed cells."""
    test, names = verdict.test, {f.partition(" seed ")[0] for f in verdict.failures}
    if verdict.failures and not verdict.per_seed:
        return replace(verdict, outcome="fails", reason=f"no cell of {', '.join(sorted(names))} succeeded")
    if verdict.p > alpha:
        return replace(verdict, outcome="inconclusive", reason=verdict.reason or "the interval holds the bound")
    outcome: Outcome = "holds" if test.p_holds < test.p_fails else "fails"
    if outcome == "holds" and verdict.failures:
        reason = f"would hold, but cells failed: {len(verdict.failures)} of {', '.join(sorted(names))}"
        return replace(verdict, outcome="inconclusive", reason=reason)
    return replace(verdict, outcome=outcome)


def _test(hypothesis: Hypothesis, table: Sequence[Mapping[Score, float]], exact: bool, alpha: float) -> Test:
    """Choose the test by the form of the hypothesis and make it."""
    if isinstance(hypothesis, All):
        return stats.both([_test(h, table, exact, alpha) for h in hypothesis.hypotheses])
    if isinstance(hypothesis, Within):
        values = _per_seed(hypothesis.left, table)
        return _finite(values) or stats.within(values, hypothesis.of, hypothesis.tol, alpha, exact=exact)
    assert isinstance(hypothesis, Comparison)
    left, op, bound = hypothesis.left, hypothesis.op, hypothesis.bound
    if isinstance(left, Trend):
        test = stats.trend([[row[s] for s in left.scores()] for row in table], alpha)
        return test if op in (">", ">=") else replace(test, p_holds=test.p_fails, p_fails=test.p_holds)
    if isinstance(left, Worst):
        values = _per_seed(left.expression, table)
        return _finite(values) or stats.extreme(values, bound, op)
    values = _per_seed(left, table)
    compare = stats.above if op in (">", ">=") else stats.below
    strict = op in (">", "<")
    if not _is_ratio(left):
        return _finite(values) or compare(values, bound, alpha, exact=exact, strict=strict)
    if min(values) <= 0 or bound <= 0:
        return stats.undecided(values[0], "a ratio is tested on logarithms, and not all of its values are positive")
    logs = [math.log(v) for v in values]
    test = _finite(logs) or compare(logs, math.log(bound), alpha, exact=exact, strict=strict)
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


def _is_ratio(expression: Expression) -> bool:
    """Whether the expression is one measurement divided by another."""
    if not isinstance(expression, Arithmetic) or expression.operator != "/":
        return False
    return all(any(True for _ in side.scores()) for side in expression.parts())


def _shown(hypothesis: Hypothesis, table: Sequence[Mapping[Score, float]]) -> list[object]:
    """Return what was tested at each seed: one number, a list over the levels of a trend, a list over conjuncts."""
    if isinstance(hypothesis, All):
        return [list(row) for row in zip(*(_shown(h, table) for h in hypothesis.hypotheses), strict=True)]
    left = hypothesis.expressions()[0]
    if isinstance(left, Trend):
        return [[row[s] for s in left.scores()] for row in table]
    return list(_per_seed(left.expression if isinstance(left, Worst) else left, table))
