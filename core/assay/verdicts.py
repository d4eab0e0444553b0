"""From measurements to verdicts. Reads stored numbers only: nothing here can run a model.

A claim `holds` when its test rejects the opposite at alpha after Holm's correction over the claims of its paper,
`fails` when it rejects the claim itself, is `inconclusive` when it rejects neither, and `untested` when an entrant that
it names is not installed. A failed cell counts against a claim: with one, it cannot hold, and it fails when no cell of
the paper's own entrant succeeded (docs/verdicts.md lists every such case).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from assay import notebook, stats
from assay.claims import Claim
from assay.deciding import decide, shown
from assay.expressions import Score
from assay.spec import Model, Paper, Record
from assay.stats import Test

ALPHA = 0.05
T_TESTS = ("paired t", "TOST")
Outcome = Literal["holds", "fails", "inconclusive", "untested"]


@dataclass(frozen=True)
class Sample:
    """The stored numbers of one score: `values` by seed, `failures` (reasons) by seed, whether the metric is exact, the
    wall seconds of the cells behind them by digest, and the values that the metric can take.
    """

    values: Mapping[int, float]
    failures: Mapping[int, str] = field(default_factory=dict)
    exact: bool = False
    cells: Mapping[str, float] = field(default_factory=dict)
    bounds: tuple[float, float] = (-math.inf, math.inf)

    @property
    def crowded(self) -> bool:
        """Whether values pile up at a bound of the metric: their mean lies within two standard deviations of it."""
        values = list(self.values.values())
        if len(values) < 2:
            return False
        mean, sd = statistics.fmean(values), statistics.stdev(values)
        return sd > 0 and min(abs(mean - bound) for bound in self.bounds) < 2 * sd


@dataclass(frozen=True)
class Verdict:
    """What was found about one claim.

    `p` is two-sided and adjusted over the paper's claims; `level` is what the unadjusted p had to reach. `per_seed` is
    the number that was tested at each seed (a list of numbers, one a level, for a trend; one a part for a conjunction).
    `failures` are lines `entrant seed N: reason`, `broken` the entrants of which no cell succeeded. `confidence` is that
    of the interval: 0.95, shared out over the looks of a sequential test; `looks` are the numbers of seeds of
    those taken. `seconds` is the wall time of the cells that it rests on.
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
    seconds: float = 0.0
    broken: tuple[str, ...] = ()
    confidence: float = 1 - ALPHA


@dataclass(frozen=True)
class Verification:
    """The verdicts on a paper, in the order of its claims, the records that they rest on, the digests of the source
    statements that those rest on, by `module:symbol`, and the entrants that the paper registers.
    """

    paper: Paper
    verdicts: tuple[Verdict, ...]
    scale: str
    backend: str
    records: tuple[Record, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    entrants: tuple[Model, ...] = ()

    def __repr__(self) -> str:
        """Return the verdicts as a table of text."""
        return notebook.verification(self).text()

    def _repr_html_(self) -> str:
        return notebook.verification(self).html()

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
    own: Collection[str] | None = None,
    alpha: float = ALPHA,
) -> list[Verdict]:
    """Return a verdict for each claim of a paper, from its samples by claim id.

    `missing` says by claim id why it cannot be tested. `own` are the paper's own entrants (all are, when None): a claim
    fails when one of them never ran, and stays open when another's never did. `alpha` is the level of this look.
    Holm's correction runs over the claims with chance in
    them, undecided ones too; those settled by the value itself can not be wrong by chance and need none.
    """
    missing = missing or {}
    found = {
        c.id: replace(
            _examine(c, samples[c.id], alpha),
            confidence=1 - alpha,
            seconds=sum({k: v for sample in samples[c.id].values() for k, v in sample.cells.items()}.values(), 0.0),
        )
        for c in claims
        if c.id not in missing
    }
    uncertain = [v for v in found.values() if not v.test.certain]
    raw = [min(1.0, 2 * min(v.test.p_holds, v.test.p_fails)) for v in uncertain]
    adjusted = stats.holm(raw)
    order = sorted(range(len(raw)), key=raw.__getitem__)
    for rank, i in enumerate(order):
        verdict = replace(uncertain[i], p=adjusted[i], level=alpha / (len(raw) - rank))
        found[verdict.claim.id] = _conclude(verdict, alpha, own)
    for verdict in list(found.values()):
        if verdict.test.certain:
            found[verdict.claim.id] = _conclude(replace(verdict, p=0.0, level=alpha), alpha, own)
    return [found.get(c.id) or untested(c, missing[c.id]) for c in claims]


def _examine(claim: Claim, samples: Mapping[Score, Sample], alpha: float) -> Verdict:
    """Test a claim on its own, on the seeds at which every measurement exists."""
    scores = claim.check.scores()
    seeds = sorted(set.intersection(*(set(samples[s].values) for s in scores)))
    failures = tuple(
        dict.fromkeys(f"{s.entrant} seed {seed}: {why}" for s in scores for seed, why in samples[s].failures.items())
    )
    broken = tuple(dict.fromkeys(s.entrant for s in scores if samples[s].failures and not samples[s].values))
    if not seeds:
        reason = "no seed has every measurement" if failures else "nothing has been run: assay verify runs it"
        test = stats.undecided(math.nan, reason)
        return Verdict(claim, "inconclusive", test, reason=reason, failures=failures, broken=broken)
    table = [{s: samples[s].values[seed] for s in scores} for seed in seeds]
    exact = all(samples[s].exact for s in scores)
    test = decide(claim.check, table, exact, alpha)
    if test.method in T_TESTS and len(scores) == 1 and samples[scores[0]].crowded:
        test = replace(test, reason="values pile up at the metric's bound, where t is too sure (docs/verdicts.md)")
    per_seed = dict(zip(seeds, shown(claim.check, table), strict=True))
    return Verdict(claim, "inconclusive", test, per_seed=per_seed, reason=test.reason, failures=failures, broken=broken)


def _conclude(verdict: Verdict, alpha: float, own: Collection[str] | None) -> Verdict:
    """Settle the outcome from the adjusted p-value, and take back a `holds` that rests on failed cells."""
    test, names = verdict.test, sorted({f.partition(" seed ")[0] for f in verdict.failures})
    if verdict.broken:
        guilty = [name for name in verdict.broken if own is None or name in own]
        reason = f"no cell of {', '.join(guilty or verdict.broken)} succeeded"
        return replace(verdict, outcome="fails" if guilty else "inconclusive", reason=reason)
    if verdict.p > alpha:
        return replace(verdict, outcome="inconclusive", reason=_undecided(verdict, alpha))
    outcome: Outcome = "holds" if test.p_holds < test.p_fails else "fails"
    if outcome == "holds" and verdict.failures:
        reason = f"would hold, but {len(verdict.failures)} cells failed, of {', '.join(names)}"
        return replace(verdict, outcome="inconclusive", reason=reason)
    return replace(verdict, outcome=outcome)


def _undecided(verdict: Verdict, alpha: float) -> str:
    """Say why a test that could decide did not."""
    test = verdict.test
    if verdict.reason and test.method not in T_TESTS:
        return verdict.reason
    why = "the data agree with either side of the bound: more seeds may decide (assay power)"
    if 2 * min(test.p_holds, test.p_fails) <= alpha:
        why = "decided on its own, but no longer after Holm's correction over the paper's claims"
    return f"{why}; {verdict.reason}" if verdict.reason else why
