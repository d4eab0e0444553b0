"""`assay check --backend X`: entrants at smoke on a backend and on the CPU, compared within the backend's tolerances.

Two things are compared: the output of the same untrained module on the same inputs (`Backend.rounding`), and the task's
main metric after training (`Backend.drift`). The first is sharp; the second sees the backend through a whole cell, in
which training amplifies every rounding.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from assay.checks.kit import NotApplicable
from assay.checks.probes import Probed, probed
from assay.checks.smoke import cell_of
from assay.checks.subject import Subject
from assay.context import PinnedThreads, isolated_generators
from assay.failures import CANNOT, CannotRun
from assay.running import execute
from assay.spec import CPU, Backend, Model, Record
from assay.store import Store

State = Literal["same", "differs", "fails", "cannot run", "not compared"]


class Row(NamedTuple):
    """What became of an entrant.

    `output` is the largest relative difference of the untrained module's output, None where the task has no probe.
    `cpu` and `there` are the main metric on the CPU and on the backend, `drift` is |there - cpu| / max(1, |cpu|).
    `said` is why it failed, cannot run, or was not compared.
    """

    task: str
    entrant: str
    state: State
    metric: str = ""
    output: float | None = None
    cpu: float | None = None
    there: float | None = None
    drift: float | None = None
    said: str = ""


def rows(subject: Subject, backend: Backend, store: Store) -> Iterator[Row]:
    """Yield a row for each entrant of a plugin. Cells that the store has are not run again."""
    try:
        models = subject.models
        probes = {(p.model.task, p.model.id): p for p in _probes(subject)}
    except NotApplicable:
        return
    for model in models:
        try:
            yield _row(subject, model, backend, store, probes.get((model.task, model.id)))
        except NotApplicable as reason:
            yield Row(model.task, model.id, "not compared", said=str(reason))


def _probes(subject: Subject) -> list[Probed]:
    try:
        return probed(subject)
    except NotApplicable:
        return []


def _row(subject: Subject, model: Model, backend: Backend, store: Store, probe: Probed | None) -> Row:
    cell = cell_of(subject, model)
    jobs = [subject.planner.job(dataclasses.replace(cell, backend=name)) for name in (CPU.id, backend.id)]
    here, there = execute(jobs, subject.catalog, store).records
    metric = _main_metric(subject, model, here)
    row = Row(model.task, model.id, "same", metric)
    if not here.ok or not metric:
        return row._replace(state="not compared", said=f"on the CPU: {here.reason or 'has no metric of the task'}")
    if not there.ok:
        state: State = "cannot run" if there.reason.startswith(CANNOT) else "fails"
        return row._replace(state=state, said=there.reason)
    a, b = there.metrics.get(metric), here.metrics[metric]
    if a is None:
        return row._replace(state="fails", said=f"has no {metric} there")
    row = row._replace(cpu=b, there=a, drift=abs(a - b) / max(1.0, abs(b)))
    try:
        row = row._replace(output=output_gap(probe, backend) if probe else None)
    except CannotRun as error:
        return row._replace(state="cannot run", said=str(error))
    except Exception as error:  # whatever the backend or the entrant raises
        return row._replace(state="fails", said=f"untrained: {type(error).__name__}: {error}")
    assert row.drift is not None
    far = row.drift > backend.drift or (row.output or 0.0) > backend.rounding
    return row._replace(state="differs" if far else "same")


def _main_metric(subject: Subject, model: Model, record: Record) -> str:
    """Return the first of the task's metrics that the record has, empty when it has none."""
    task = subject.placed(model)
    names = [subject.catalog.metric(task, name).id for name in task.metrics]
    return next((name for name in names if name in record.metrics), "")


def output_gap(probe: Probed, backend: Backend) -> float:
    """Return the largest difference of an untrained module's output on a backend, relative to its largest entry."""
    import torch

    def output(module: Any, device: str) -> Any:
        with isolated_generators(0, device), torch.no_grad():
            return module(*(t.to(device) for t in probe.probe.inputs)).double().cpu()

    with PinnedThreads():
        expected = output(copy.deepcopy(probe.probe.module).eval(), CPU.device)
        with backend.session():
            found = output(backend.prepare(copy.deepcopy(probe.probe.module).eval()), backend.device)
    return float((found - expected).abs().max() / (1e-12 + expected.abs().max()))


def text(row: Row, backend: Backend) -> str:
    """Return a row as a line."""
    line = f"{row.state:12} {row.task} {row.entrant}"
    if row.said:
        return f"{line}: {row.said.splitlines()[0]}"
    output = f"output {row.output:.1e} (<= {backend.rounding:g}), " if row.output is not None else ""
    return f"{line}: {output}{row.metric} {row.cpu:.4g} -> {row.there:.4g} (by {row.drift:.1e}, <= {backend.drift:g})"
