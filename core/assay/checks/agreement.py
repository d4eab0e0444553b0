"""Checks that a plugin's metadata, which listing reads, agree with its code, which runs."""

from __future__ import annotations

from collections.abc import Iterator

from assay.checks.kit import Check
from assay.checks.subject import Subject
from assay.fixing import PLACES, places


def same_paper(subject: Subject) -> Iterator[str]:
    """Metadata and code name the same paper, title and family."""
    paper, plugin = subject.paper, subject.plugin
    for what, coded, told in (
        ("paper", paper.id, plugin.paper),
        ("title", paper.title, plugin.title),
        ("family", paper.family, plugin.family),
    ):
        if coded != told:
            yield f"{what} is {coded!r} in the code and {told!r} in pyproject.toml"


def same_tasks(subject: Subject) -> Iterator[str]:
    """Keywords name the tasks that entrants enter, or that a suite offers."""
    offered = {task.id for task in subject.offered("task").values()}
    entered = {model.task for model in subject.offered("model").values()}
    coded, told = offered or entered, set(subject.plugin.having("task"))
    if coded != told:
        yield f"the code is about {', '.join(sorted(coded)) or 'no task'}, keywords name {', '.join(sorted(told)) or 'none'}"


def same_claims(subject: Subject) -> Iterator[str]:
    """Keywords name the claims."""
    coded, told = [claim.id for claim in subject.paper.claims], list(subject.plugin.having("claim"))
    if sorted(coded) != sorted(told):
        yield f"the code has {', '.join(coded)}; keywords name {', '.join(told) or 'none'}"


def same_places(subject: Subject) -> Iterator[str]:
    """Keywords name the entrants, data sets and backends."""
    coded, told = set(places(subject)), {word for word in subject.plugin.keywords if word.startswith(PLACES)}
    yield from (f"keywords lack {word}" for word in sorted(coded - told))
    yield from (f"keywords name {word}, which the code does not register" for word in sorted(told - coded))


_KEYWORDS = "assay check --fix writes the keywords anew from the code"
CHECKS = (
    Check("same-paper", "code", "assay list shows the metadata, assay verify the code", "make them alike", same_paper),
    Check("same-tasks", "code", "a plugin is only loaded for the tasks of its keywords", _KEYWORDS, same_tasks),
    Check("same-claims", "code", "assay list counts the claims of the keywords", _KEYWORDS, same_claims),
    Check("same-places", "code", "assay track and the shell read them from the keywords", _KEYWORDS, same_places),
)
