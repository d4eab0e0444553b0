"""Checks of what a plugin registers: its entrants, metrics, tasks and data sets agree with each other and the metadata."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from assay.checks.kit import Check, NotApplicable
from assay.checks.subject import Subject
from assay.spec import Metric, Model

KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SNAKE = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
ARXIV = re.compile(r"(\d{2})(0[1-9]|1[0-2])\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7}")


def loads(subject: Subject) -> Iterator[str]:
    """The plugin can be imported and registers something."""
    if subject.problem:
        yield subject.problem
    elif not subject.catalog.manager.get_hookcallers(subject.catalog.manager.get_plugin(subject.plugin.name)):
        yield "registers nothing: has its module a function with @hookimpl?"


def arxiv(subject: Subject) -> Iterator[str]:
    """The arXiv id is one, and fits the year."""
    paper = subject.paper
    if paper.arxiv is None:
        raise NotApplicable("not on arXiv")
    matched = ARXIV.fullmatch(paper.arxiv)
    if not matched:
        yield f"arxiv={paper.arxiv!r} is no arXiv id: 1703.06114"
    elif matched[1] and 2000 + int(matched[1]) > paper.year + 1:
        yield f"arXiv:{paper.arxiv} is of 20{matched[1]}, the paper of {paper.year}"


def year(subject: Subject) -> Iterator[str]:
    """The year can be one."""
    if not 1800 <= subject.paper.year <= date.today().year:
        yield f"year={subject.paper.year}"


def model_ids(subject: Subject) -> Iterator[str]:
    """Ids of entrants read alike in all tables."""
    for model in subject.models:
        if not KEBAB.fullmatch(model.id):
            yield f"entrant {model.id!r}: small letters, digits and hyphens"


def model_tasks(subject: Subject) -> Iterator[str]:
    """Entrants enter tasks that exist."""
    for model in subject.models:
        if model.task not in subject.catalog.tasks:
            yield f"entrant {model.id} enters {model.task!r}, which no installed suite offers"


def ablates(subject: Subject) -> Iterator[str]:
    """An ablation names its entrant, in the same task."""
    for model in subject.models:
        if model.ablates and (model.task, model.ablates) not in subject.catalog.models:
            yield f"{model.id} ablates {model.ablates!r}, which is no entrant of {model.task}"


def has_ablation(subject: Subject) -> Iterator[str]:
    """A paper's mechanism can be taken away."""
    if subject.paper and not any(model.ablates for model in subject.models):
        yield "no entrant ablates another: what the mechanism adds cannot be seen"


def params_accepted(subject: Subject) -> Iterator[str]:
    """Parameters and knobs of an entrant are arguments of its `build`."""
    for model in subject.models:
        accepted, open_ended = _accepted(model)
        for name in {**model.params, **model.knobs}:
            if name not in accepted and not open_ended:
                yield f"{model.id} sets {name!r}, which {model.build.__qualname__} does not take"


def knobs_hold_default(subject: Subject) -> Iterator[str]:
    """What an entrant is by itself is among the values of its knobs."""
    for model in subject.models:
        accepted, _ = _accepted(model)
        for name, values in model.knobs.items():
            default = model.params.get(name, accepted.get(name, inspect.Parameter.empty))
            if len(values) < 2:
                yield f"{model.id}: knob {name!r} has {len(values)} values, it needs two at least"
            if default is not inspect.Parameter.empty and default not in values:
                yield f"{model.id}: {name} is {default!r} unless set, which its knob does not allow: {values}"


def known_datasets(subject: Subject) -> Iterator[str]:
    """The data sets that an entrant is limited to exist."""
    from assay.errors import AssayError

    for model in subject.models:
        task = subject.placed(model)
        for name in model.datasets:
            try:
                subject.catalog.dataset(task, name)
            except AssayError as error:
                yield f"{model.id}: {error}"


def metric_form(subject: Subject) -> Iterator[str]:
    """A metric has a proper name, unit and bounds."""
    metrics: list[Metric] = list(subject.offered("metric").values())
    if not metrics:
        raise NotApplicable("registers no metric")
    for metric in metrics:
        low, high = metric.bounds
        if not SNAKE.fullmatch(metric.id.rpartition("/")[2]):
            yield f"metric {metric.id!r}: small letters, digits and underscores"
        if not metric.unit:
            yield f"metric {metric.id} has no unit: 'fraction', 'relative', 'count', ..."
        if metric.direction not in ("up", "down"):
            yield f"metric {metric.id}: direction {metric.direction!r} is neither 'up' nor 'down'"
        if not metric.needs:
            yield f"metric {metric.id} says nothing of the fields that it needs"
        if not low < high:
            yield f"metric {metric.id}: bounds {metric.bounds} hold no range"
        if metric.unit == "fraction" and not (math.isfinite(low) and math.isfinite(high)):
            yield f"metric {metric.id} is a fraction without bounds: bounds=(0, 1)"


def task_form(subject: Subject) -> Iterator[str]:
    """A task is complete: its metrics, data, baselines and budgets exist."""
    for task in subject.tasks:
        family = {metric.rpartition("/")[2] for metric in subject.catalog.metrics}
        yield from (
            f"{task.id}: metric {m!r} is not registered" for m in task.metrics if m.rpartition("/")[2] not in family
        )
        yield from (f"{task.id}: no budget for scale {s!r}" for s in ("smoke", "small") if s not in task.budgets)
        models = subject.catalog.models
        yield from (f"{task.id}: baseline {b!r} is no entrant" for b in task.baselines if (task.id, b) not in models)
        if not task.baselines:
            yield f"{task.id} has no baseline: nothing to beat"
        if not task.contract or not task.title:
            yield f"{task.id} has no {'contract' if task.title else 'title'}"
        full = task.dataset if "/" in task.dataset else f"{task.family}/{task.dataset}"
        found = subject.catalog.datasets.get(full)
        if found is None or found.schema != task.schema:
            yield f"{task.id}: its data set {task.dataset!r} does not exist with schema {task.schema!r}"


def suite_form(subject: Subject) -> Iterator[str]:
    """A family asks a question."""
    if not subject.suite.question.rstrip().endswith("?"):
        yield "the family's question does not end in a question mark"


def dataset_form(subject: Subject) -> Iterator[str]:
    """A data set says what it is and whose."""
    found = list(subject.offered("dataset").values())
    if not found:
        raise NotApplicable("registers no data set")
    for dataset in found:
        if not dataset.title:
            yield f"data set {dataset.id} has no title"
        if not dataset.licence and "synthetic" not in dataset.title:
            yield f"data set {dataset.id} has no licence (one that is drawn says 'synthetic' in its title)"


def _accepted(model: Model) -> tuple[dict[str, Any], bool]:
    """Return the arguments of `build` with their defaults, and whether it takes any."""
    found = inspect.signature(model.build).parameters.values()
    return {p.name: p.default for p in found}, any(p.kind is p.VAR_KEYWORD for p in found)


CHECKS = (
    Check("loads", "code", "what cannot be imported cannot run", "see the message", loads),
    Check("arxiv", "code", "a reader must find the paper", "correct Paper.arxiv", arxiv),
    Check("year", "code", "papers are listed by year", "correct Paper.year", year),
    Check("model-ids", "code", "ids are typed, completed and used in URLs", "my-entrant", model_ids),
    Check("model-tasks", "code", "an entrant of no task never runs", "correct Model.task", model_tasks),
    Check("ablates", "code", "an ablation is compared with its entrant", "correct Model.ablates", ablates),
    Check(
        "has-ablation",
        "code",
        "without the mechanism's absence its use cannot be measured",
        'Model(..., ablates="ID")',
        has_ablation,
    ),
    Check(
        "params-accepted",
        "code",
        "a parameter that build does not take fails in the run",
        "correct Model.params",
        params_accepted,
    ),
    Check(
        "knobs-hold-default",
        "code",
        "a grid that leaves out the default compares with nothing",
        "add it",
        knobs_hold_default,
    ),
    Check(
        "known-datasets",
        "code",
        "an entrant limited to unknown data never runs",
        "correct Model.datasets",
        known_datasets,
    ),
    Check(
        "metric-form",
        "code",
        "a number without unit, direction and range cannot be read",
        "complete Metric(...)",
        metric_form,
    ),
    Check("task-form", "code", "an arena that lacks a part fails for every entrant", "complete Task(...)", task_form),
    Check("suite-form", "code", "a family's README begins with its question", "write it as a question", suite_form),
    Check("dataset-form", "code", "nobody may use data without a licence", "complete Dataset(...)", dataset_form),
)
