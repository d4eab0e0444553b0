"""Writes what a plugin's folder repeats of its code anew: the keywords of pyproject.toml and the README."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import assay
from assay.checks.kit import NotApplicable

if TYPE_CHECKING:
    from assay.checks.subject import Subject

KEYWORDS = re.compile(r"^keywords\s*=\s*\[[^\]]*\]", re.MULTILINE)
PLACES = ("model:", "dataset:", "backend:")
MAPPED = ("api:", "family:", "task:", "paper:", "claim:", *PLACES)


def fix(subject: Subject, *, store: str | None = None) -> Iterator[str]:
    """Write keywords and README of a plugin anew; yield a line for each file that changed."""
    from assay import readme

    if subject.problem:
        yield f"left as it is, it cannot be imported: {subject.problem}"
        return
    try:
        path = subject.root / "pyproject.toml"
    except NotApplicable as reason:
        yield f"left as it is, {reason}"
        return
    before = path.read_text(encoding="utf-8")
    after = KEYWORDS.sub(lambda _: keywords(subject), before, count=1)
    if after != before:
        path.write_text(after, encoding="utf-8")
        yield "pyproject.toml: keywords"
    try:
        text = readme.generated(subject, store=store)
    except NotApplicable:
        return
    if text != subject.text("README.md"):
        (subject.root / "README.md").write_text(text, encoding="utf-8")
        yield "README.md"


def keywords(subject: Subject) -> str:
    """Return the `keywords = [...]` that the code asks for; those that mean nothing to assay stay."""
    papers, suites = subject.offered("paper").values(), subject.offered("suite").values()
    tasks = [task.id for task in subject.offered("task").values()]
    tasks = tasks or sorted({model.task for model in subject.offered("model").values()})
    family = next((p.family for p in papers), next((s.id for s in suites), subject.plugin.family))
    words = [f"api:{assay.API}", *([f"family:{family}"] if family else []), *(f"task:{task}" for task in tasks)]
    for paper in papers:
        words += [f"paper:{paper.id}", *(f"claim:{claim.id}" for claim in paper.claims)]
    words += places(subject)
    words += [word for word in subject.plugin.keywords if not word.startswith(MAPPED)]
    return written(words)


def written(words: list[str]) -> str:
    """Return `keywords = [...]` of pyproject.toml, on several lines when it is long."""
    line = f"keywords = [{', '.join(json.dumps(word) for word in words)}]"
    if len(line) <= 120:
        return line
    return "keywords = [\n" + "".join(f"    {json.dumps(word)},\n" for word in words) + "]"


def places(subject: Subject) -> list[str]:
    """Return the keywords that say where a plugin's entrants, data sets and backends belong: `model:TASK/ID`.

    By them `assay track` lists what it measures, and the shell completes ids, without an import.
    """
    models, datasets = subject.offered("model").values(), subject.offered("dataset").items()
    if datasets:
        family = [p for p in subject.catalog.plugins if p.family == subject.plugin.family and not p.paper]
        subject.catalog.load(tasks=[task for plugin in family for task in plugin.having("task")])
    return [
        *(f"model:{model.task}/{model.id}" for model in models),
        *(
            f"dataset:{task.id}/{key.partition('/')[2]}"
            for task in subject.catalog.tasks.values()
            for key, dataset in datasets
            if dataset.schema == task.schema
        ),
        *(f"backend:{backend.id}" for backend in subject.offered("backend").values()),
    ]
