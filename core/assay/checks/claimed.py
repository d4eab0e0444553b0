"""Checks of a paper's claims: each names what exists, could fail, and is about the paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from assay.checks.kit import Check
from assay.checks.registered import KEBAB
from assay.checks.subject import Subject
from assay.claims import Claim
from assay.errors import AssayError
from assay.expressions import All, Arithmetic, Comparison, Hypothesis, Score, Worst
from assay.spec import metric_key

SAYS = 240
"""Characters of a claim's statement."""


def has_claims(subject: Subject) -> Iterator[str]:
    """A paper has at least one claim."""
    if not subject.paper.claims:
        yield "the paper claims nothing"


def claim_ids(subject: Subject) -> Iterator[str]:
    """Ids of claims are well formed and occur once."""
    ids = [claim.id for claim in subject.paper.claims]
    for name in dict.fromkeys(ids):
        if not KEBAB.fullmatch(name):
            yield f"claim {name!r}: small letters, digits and hyphens"
        if ids.count(name) > 1:
            yield f"claim {name!r} occurs {ids.count(name)} times"


def claim_says(subject: Subject) -> Iterator[str]:
    """A claim is one sentence."""
    for claim in subject.paper.claims:
        if not claim.says.strip().endswith(".") or len(claim.says) > SAYS:
            yield f"claim {claim.id}: says={claim.says[:40]!r}... is no sentence of at most {SAYS} characters"


def claim_tasks(subject: Subject) -> Iterator[str]:
    """Scores are of tasks that exist."""
    for claim, score in _scores(subject):
        if score.task not in subject.catalog.tasks:
            yield f"claim {claim.id}: {score} is of task {score.task!r}, which no installed suite offers"


def claim_entrants(subject: Subject) -> Iterator[str]:
    """Scores are of entrants that exist, or of another known paper."""
    from assay.index import known

    absent = {entry["paper"] for entry in known()} - {p.paper for p in subject.catalog.plugins}
    for claim, score in _scores(subject):
        there = (score.task, score.entrant) in subject.catalog.models
        if not there and not any(score.entrant.startswith(paper) for paper in absent):
            yield f"claim {claim.id}: {score.entrant!r} is no entrant of {score.task}"


def claim_metrics(subject: Subject) -> Iterator[str]:
    """Scores are of metrics or costs that exist."""
    yield from _lookups(subject, lambda task, score: subject.catalog.metric(task, score.metric))


def claim_datasets(subject: Subject) -> Iterator[str]:
    """Scores are on data sets that fit."""
    yield from _lookups(subject, lambda task, score: subject.catalog.dataset(task, score.dataset or task.dataset))


def claim_params(subject: Subject) -> Iterator[str]:
    """Parameters that a score pins are knobs of the task or parameters of the entrant."""
    for claim, score in _scores(subject):
        model = subject.catalog.models.get((score.task, score.entrant))
        task = subject.catalog.tasks.get(score.task)
        if model is None or task is None or not score.params:
            continue
        try:
            subject.catalog.metric(task, score.metric)
            subject.catalog.dataset(task, score.dataset or task.dataset)
        except AssayError:
            continue
        try:
            subject.planner.measurement(score, "small", "cpu")
        except AssayError as error:
            yield f"claim {claim.id}: {error}"


def claim_about_paper(subject: Subject) -> Iterator[str]:
    """Every claim names an entrant of the paper."""
    own = {(model.task, model.id) for model in subject.models}
    for claim in subject.paper.claims:
        if not any((score.task, score.entrant) in own for score in claim.check.scores()):
            yield f"claim {claim.id} names no entrant of this paper"


def claim_margin(subject: Subject) -> Iterator[str]:
    """A difference between entrants is claimed with a margin."""
    for claim, part in _parts(subject):
        if (
            isinstance(part, Comparison)
            and part.bound == 0
            and isinstance(part.left, Arithmetic)
            and part.left.operator == "-"
        ):
            yield f"claim {claim.id}: {part} has no margin: how much better is enough to say so?"


def claim_can_fail(subject: Subject) -> Iterator[str]:
    """A bound lies within the metric's range."""
    for claim, part in _parts(subject):
        left = part.left.expression if isinstance(part, Comparison) and isinstance(part.left, Worst) else part
        score = left.left if isinstance(left, Comparison) else left
        if not isinstance(part, Comparison) or not isinstance(score, Score) or score.task not in subject.catalog.tasks:
            continue
        try:
            low, high = subject.catalog.metric(subject.catalog.tasks[score.task], score.metric).bounds
        except AssayError:
            continue
        always = {"<": part.bound > high, "<=": part.bound >= high, ">": part.bound < low, ">=": part.bound <= low}
        if always[part.op]:
            yield f"claim {claim.id}: {part} cannot fail, the metric lies in [{low:g}, {high:g}]"


def claim_seeds(subject: Subject) -> Iterator[str]:
    """A claim about means has seeds enough for a test."""
    for claim in subject.paper.claims:
        statistical = any(not isinstance(e, Worst) for e in claim.check.expressions())
        if statistical and claim.seeds < 3:
            yield f"claim {claim.id} is tested with {claim.seeds} seeds: a mean needs three at least"


def claim_published(subject: Subject) -> Iterator[str]:
    """The paper's own figures stand beside what is found."""
    if not any(claim.published for claim in subject.paper.claims):
        yield "no claim gives the published figure"


def _scores(subject: Subject) -> Iterator[tuple[Claim, Score]]:
    for claim in subject.paper.claims:
        for score in claim.check.scores():
            yield claim, score


def _lookups(subject: Subject, look: Callable[[Any, Score], object]) -> Iterator[str]:
    for claim, score in _scores(subject):
        if score.task in subject.catalog.tasks:
            try:
                look(subject.catalog.tasks[score.task], score)
            except AssayError as error:
                yield f"claim {claim.id}: {error}"


def _parts(subject: Subject) -> Iterator[tuple[Claim, Hypothesis]]:
    for claim in subject.paper.claims:
        parts = claim.check.hypotheses if isinstance(claim.check, All) else (claim.check,)
        yield from ((claim, part) for part in parts)


def measured(subject: Subject, claim: Claim, score: Score) -> str:
    """Return the name under which a record keeps a score."""
    model = subject.catalog.models[score.task, score.entrant]
    knobs = {**subject.catalog.tasks[score.task].conditions, **model.conditions}
    return metric_key(score.metric, {name: value for name, value in score.params if name in knobs})


CHECKS = (
    Check("has-claims", "code", "assay is about claims", "Claim(...)", has_claims),
    Check("claim-ids", "code", "verdicts are kept by claim id", "beats-mean-pooling", claim_ids),
    Check(
        "claim-says", "code", "a verdict is shown with what was claimed", "one sentence with a full stop", claim_says
    ),
    Check(
        "claim-tasks", "code", "a claim on no task stays untested for ever", "correct score(..., task=)", claim_tasks
    ),
    Check(
        "claim-entrants", "code", "a typo in an id leaves the claim untested for ever", "correct the id", claim_entrants
    ),
    Check(
        "claim-metrics",
        "code",
        "a typo in a metric leaves the claim untested for ever",
        "correct score(...)",
        claim_metrics,
    ),
    Check(
        "claim-datasets", "code", "a claim on unknown data stays untested for ever", "correct dataset=", claim_datasets
    ),
    Check(
        "claim-params",
        "code",
        "a parameter that nothing takes leaves the claim untested",
        "correct the name or value",
        claim_params,
    ),
    Check(
        "claim-about-paper",
        "code",
        "a claim on others is not this paper's",
        "name an entrant of the paper",
        claim_about_paper,
    ),
    Check("claim-margin", "code", "with seeds enough any difference is significant", "a - b > 0.02", claim_margin),
    Check("claim-can-fail", "code", "what nothing can refute says nothing", "move the bound", claim_can_fail),
    Check("claim-seeds", "code", "two seeds give no interval worth the name", "Claim(..., seeds=5)", claim_seeds),
    Check(
        "claim-published",
        "code",
        "a user compares with the paper's table",
        'Claim(..., published="...")',
        claim_published,
    ),
)
