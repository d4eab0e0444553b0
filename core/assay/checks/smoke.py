"""Checks that run a plugin's entrants and data sets at smoke, through the same runner as every cell."""

from __future__ import annotations

import dataclasses
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from assay.cell import Job, Runner
from assay.checks.claimed import measured
from assay.checks.kit import Check, NotApplicable
from assay.checks.limits import limited
from assay.checks.subject import Subject
from assay.checks.watch import Seen, watched
from assay.errors import AssayError
from assay.spec import Cell, Model, Record

CELL_SECONDS = 30.0
"""Of the processor, after which a smoke cell is ended: it may take a tenth of that."""
KNOB_SECONDS = 5.0
TIMES = ("s", "seconds", "ms", "us", "ns")
"""Units of metrics that differ from run to run."""


@dataclass(frozen=True)
class Ran:
    """An entrant at smoke: seed 0 twice, then seed 1, and what it did beside."""

    model: Model
    job: Job
    first: Record
    again: Record
    other: Record
    seen: Seen


def ran(subject: Subject) -> list[Ran]:
    """Return the smoke runs of a plugin's entrants, made when they are first asked for."""
    if not hasattr(subject, "_ran"):
        subject._ran = [_run(subject, model) for model in subject.models]  # type: ignore[attr-defined]
    found: list[Ran] = subject._ran  # type: ignore[attr-defined]
    return found


def good(subject: Subject) -> list[Ran]:
    """Return the smoke runs that succeeded; not applicable when none did."""
    found = [r for r in ran(subject) if r.first.ok and r.again.ok]
    if not found:
        raise NotApplicable("no entrant runs")
    return found


def cell_of(subject: Subject, model: Model, seed: int = 0) -> Cell:
    """Return an entrant's smoke cell on the first data set that it enters."""
    task = subject.placed(model)
    name = next(iter(model.datasets), task.dataset)
    dataset = subject.catalog.dataset(task, name)[0]
    return Cell(task.id, dataset, model.id, (), seed, "smoke")


def _run(subject: Subject, model: Model) -> Ran:
    """Run an entrant three times; the first time pays for imports, so that the second tells its seconds."""
    jobs = [subject.planner.job(cell_of(subject, model, seed)) for seed in (0, 0, 1)]
    with Runner(subject.catalog.manager) as runner:
        with watched() as seen, limited(CELL_SECONDS):
            first = runner.run(jobs[0])
        with watched() as warm, limited(CELL_SECONDS):
            again = runner.run(jobs[1])
        with watched(), limited(CELL_SECONDS):
            other = runner.run(jobs[2])
    # libraries set variables and draw numbers when they are first used, which is not the entrant's doing
    seen = dataclasses.replace(seen, settings=warm.settings, generators=warm.generators, cpu_seconds=warm.cpu_seconds)
    return Ran(model, jobs[0], first, again, other, seen)


def label(run: Ran) -> str:
    """Return how an entrant is named in a finding."""
    return f"{run.model.id} ({run.model.task})"


def runs(subject: Subject) -> Iterator[str]:
    """Every entrant is built, trained and evaluated at smoke."""
    for run in ran(subject):
        for record in (run.first, run.other):
            if not record.ok and not record.reason.startswith("invalid metric"):
                yield f"{label(run)} seed {record.cell.seed}: {record.reason}"


def metrics_in_range(subject: Subject) -> Iterator[str]:
    """Every metric is a finite number within its bounds."""
    for run in ran(subject):
        if run.first.reason.startswith("invalid metric"):
            yield f"{label(run)}: {run.first.reason}"


def main_metric(subject: Subject) -> Iterator[str]:
    """The task's main metric is measured."""
    for run in good(subject):
        task = run.job.task
        if not any(subject.catalog.metric(task, name).id in run.first.metrics for name in task.metrics):
            yield f"{label(run)} has none of the task's metrics: {', '.join(task.metrics)}"


def deterministic(subject: Subject) -> Iterator[str]:
    """The same cell twice gives the same bits, but for what is measured in seconds."""
    for run in good(subject):
        times = {metric.id for metric in run.job.metrics if metric.unit in TIMES}
        one, two = (
            {n: v for n, v in _numbers(record).items() if n.partition("[")[0] not in times}
            for record in (run.first, run.again)
        )
        if one != two:
            name = next(n for n in {**one, **two} if one.get(n) != two.get(n))
            yield f"{label(run)}: {name} is {one.get(name)!r}, then {two.get(name)!r} at the same seed"


def seeds_differ(subject: Subject) -> Iterator[str]:
    """Another seed gives other numbers."""
    for run in good(subject):
        exact = {m.id for m in run.job.metrics if m.exact}
        chance = {n: v for n, v in _numbers(run.first).items() if n.partition("[")[0] not in exact}
        if run.other.ok and chance and chance == {n: v for n, v in _numbers(run.other).items() if n in chance}:
            yield f"{label(run)} gives the same numbers at seeds 0 and 1"


def loss_falls(subject: Subject) -> Iterator[str]:
    """Training lowers the loss that it logs."""
    logged = False
    for run in good(subject):
        losses = [point["loss"] for point in run.first.curve if "loss" in point]
        if len(losses) < 4:
            continue
        logged = True
        part = max(2, len(losses) // 4)
        start, end = statistics.fmean(losses[:part]), statistics.fmean(losses[-part:])
        if not end < start:
            yield f"{label(run)}: the loss goes from {start:.3g} to {end:.3g}"
    if not logged:
        raise NotApplicable("logs no loss")


def ablation_differs(subject: Subject) -> Iterator[str]:
    """An ablation, run with its entrant's seeds, gives other numbers than the entrant."""
    ablations = [run for run in good(subject) if run.model.ablates]
    if not ablations:
        raise NotApplicable("has no ablation that runs")
    by_id = {(run.model.task, run.model.id): run for run in good(subject)}
    for run in ablations:
        whole = by_id.get((run.model.task, run.model.ablates or ""))
        if whole is None:
            continue
        cell = dataclasses.replace(run.job.cell, model=whole.model.id)
        job = run.job._replace(cell=cell, model=dataclasses.replace(run.model, id=whole.model.id))
        if _numbers(_quietly(subject, job)) == _numbers(whole.first):
            yield f"{label(run)} gives the very numbers of {whole.model.id}: nothing is ablated"


def params_work(subject: Subject) -> Iterator[str]:
    """Every value of every knob runs; one that takes long at smoke is tried for a while."""
    tried = False
    for run in good(subject):
        for name, values in run.model.knobs.items():
            for value in values:
                tried = True
                try:
                    job = subject.planner.job(dataclasses.replace(run.job.cell, params=((name, value),)))
                except AssayError as error:
                    yield f"{label(run)}: {error}"
                    continue
                record = _quietly(subject, job, KNOB_SECONDS)
                if not record.ok and "OverTime" not in record.reason:
                    yield f"{label(run)} with {name}={value!r}: {record.reason}"
    if not tried:
        raise NotApplicable("has no knob")


def costs(subject: Subject) -> Iterator[str]:
    """What is timed and counted can be true."""
    for run in good(subject):
        found = run.first.costs
        for name in ("fit_seconds", "predict_seconds"):
            if found.get(name, 0.0) < 0:
                yield f"{label(run)}: {name} is {found[name]}"
        timed = sum(found.get(name, 0.0) for name in ("fit_seconds", "predict_seconds"))
        if timed == 0:
            yield f"{label(run)}: neither fit_seconds nor predict_seconds was measured (ctx.timer)"
        if timed > run.first.seconds:
            yield f"{label(run)}: {timed:.3g} s of fitting and predicting in a cell of {run.first.seconds:.3g} s"
        if found.get("parameters") and not found.get("flops"):
            yield f"{label(run)} has parameters and no FLOPs (ctx.count_flops)"


def claims_measured(subject: Subject) -> Iterator[str]:
    """What the claims speak of is in the records of the paper's entrants."""
    records = {(r.model.task, r.model.id): r.first for r in good(subject)}
    for claim in subject.paper.claims:
        for score in claim.check.scores():
            record = records.get((score.task, score.entrant))
            if record is None or score.dataset not in (None, record.cell.dataset.partition("/")[2]):
                continue
            name = measured(subject, claim, score)
            if record.value(name) is None and _measured_as(name) not in map(_measured_as, record.metrics):
                yield f"claim {claim.id}: {score.entrant} has no {name}; it has {', '.join(record.metrics)}"


def _measured_as(name: str) -> tuple[str, tuple[str, ...]]:
    """Return a metric and the knobs that it was measured under, without their values, which depend on the scale."""
    metric, _, knobs = name.partition("[")
    return metric, tuple(re.findall(r"(\w+)=", re.sub(r'"[^"]*"', "", knobs)))


def _numbers(record: Record) -> dict[str, float]:
    return {**record.metrics, **{f"{k} at step {p['step']:g}": v for p in record.curve for k, v in p.items()}}


def _quietly(subject: Subject, job: Job, seconds: float = CELL_SECONDS) -> Record:
    with Runner(subject.catalog.manager) as runner, watched(), limited(seconds):
        return runner.run(job)


SEEDS = "draw from torch's generator, which the core seeds, or from ctx.rng(...)"
CHECKS = (
    Check("runs", "smoke", "what does not run cannot be compared", "run it: assay run PAPER --scale smoke", runs),
    Check(
        "metrics-in-range", "smoke", "NaN or a value out of range voids the cell", "see the metric", metrics_in_range
    ),
    Check(
        "main-metric", "smoke", "without it an entrant is on no leaderboard", "return the fields it needs", main_metric
    ),
    Check("deterministic", "smoke", "resume and verdicts rest on equal bits", SEEDS, deterministic),
    Check("seeds-differ", "smoke", "equal numbers at all seeds make every test certain", SEEDS, seeds_differ),
    Check("loss-falls", "smoke", "training that does not train compares noise", "see the gradients", loss_falls),
    Check(
        "ablation-differs",
        "smoke",
        "an ablation that changes nothing supports nothing",
        "see its params",
        ablation_differs,
    ),
    Check("params-work", "smoke", "a declared value that fails stops a whole grid", "correct Model.knobs", params_work),
    Check("costs", "smoke", "costs are compared as much as accuracy", "time with ctx.timer", costs),
    Check(
        "claims-measured", "smoke", "a claim on what nobody measures stays open", "report its fields", claims_measured
    ),
)
