"""Checks of what is generated from the code: the README and the recorded verdict."""

from __future__ import annotations

from collections.abc import Iterator

from assay.checks.kit import Check, NotApplicable
from assay.checks.subject import Subject
from assay.sources import changed


def readme_fresh(subject: Subject) -> Iterator[str]:
    """The README is the one that is generated from code and verdicts."""
    from assay.readme import generated

    wanted = generated(subject)
    if subject.text("README.md") != wanted:
        yield "README.md is not what the code and the verdicts say"


def verdict_fresh(subject: Subject) -> Iterator[str]:
    """The recorded claims are those of the code, and rest on its present sources."""
    if not subject.recorded.get("claims"):
        raise NotApplicable("nothing was recorded")
    recorded = {claim["id"]: claim["check"] for claim in subject.recorded["claims"]}
    for claim in subject.paper.claims:
        if recorded.get(claim.id) != str(claim.check):
            yield f"claim {claim.id} was recorded as {recorded.get(claim.id, 'nothing')!r}, the code says '{claim.check}'"
    if changes := changed(subject.recorded.get("sources", {})):
        yield f"verdict.json rests on other sources than these: {', '.join(changes[:4])}"


CHECKS = (
    Check("readme-fresh", "code", "a README that lags behind the code misleads", "assay check --fix", readme_fresh),
    Check("verdict-fresh", "code", "a verdict on another claim misleads", "assay verify PAPER --record", verdict_fresh),
)
