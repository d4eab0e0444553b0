"""Runs one cell and measures it: the only place in assay where an entrant trains."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.metadata
import math
import platform
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from assay import examples, roofline
from assay.capture import Tee
from assay.context import Context, PinnedThreads, isolated_generators
from assay.failures import CANNOT, CannotRun, DataError, joined, short_traceback, shortened
from assay.hooks import hookimpl
from assay.machine import reset_resident_peak, resident, warm_up
from assay.spec import COSTS, Backend, Cell, Dataset, Entrant, Metric, Model, Record, Task, metric_key

Distributions = tuple[tuple[str, str], ...]
"""Names and versions."""


class Job(NamedTuple):
    """A cell with everything that its ids stand for. `examples` is the folder for scores of examples, empty for none."""

    cell: Cell
    digest: str
    protocol: str
    task: Task
    dataset: Dataset
    model: Model
    metrics: tuple[Metric, ...]
    backend: Backend
    distributions: Distributions = ()
    """Those that the task, the data set and the model come from."""
    examples: str = ""


class InvalidMetric(Exception):
    """A metric that is no finite number within its bounds."""


class Runner:
    """Runs jobs one after another in this process. A context manager: the plugins of `manager` take part while it is open."""

    def __init__(self, manager: Any) -> None:
        self.manager = manager
        self.job: Job | None = None
        self._data: tuple[tuple[Any, ...], Any] | None = None
        self.threads = PinnedThreads()

    def __enter__(self) -> Runner:
        self.manager.register(self, name="assay-runner")
        return self

    def __exit__(self, *exception: object) -> None:
        self.manager.unregister(self)

    @hookimpl
    def assay_run_cell(self, cell: Cell, ctx: Context) -> Record:
        """Run the cell itself: the innermost of the wrappers that plugins may add."""
        assert self.job is not None and self.job.cell == cell
        data = self.data(self.job, ctx)
        return measure(self.job, data, ctx)

    def run(self, job: Job) -> Record:
        """Run a job and return its record; whatever the entrant raises becomes the reason of a failed record."""
        warm_up()
        start = time.perf_counter()
        ctx = Context(job.cell, job.task.budgets[job.cell.scale], job.backend)
        self.job = job
        output = Tee(sys.stderr)
        try:
            with self.threads, contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                record: Record = self.manager.hook.assay_run_cell(cell=job.cell, ctx=ctx)
            if not isinstance(record, Record):
                record = failure(job, f"error: a plugin's assay_run_cell returned {record!r:.40} and no record")
        except KeyboardInterrupt:
            raise
        except CannotRun as error:
            record = failure(job, f"{CANNOT} {job.cell.backend}: {error}")
        except BaseException as error:  # SystemExit too: an entrant that calls sys.exit has failed
            name = "" if isinstance(error, DataError) else f"{type(error).__name__}: "
            record = failure(job, f"error: {name}{error}", short_traceback(error))
        finally:
            ctx.close()
        if record.reason:
            record = dataclasses.replace(record, detail=joined(record.detail, output.tail))
        device = roofline.device(job.backend)
        return finish(record, job.protocol, time.perf_counter() - start, job.distributions, device)

    def data(self, job: Job, ctx: Context) -> Any:
        """Return the cell's data; the last loaded is kept, as neighbouring cells share it. Arrays are read-only."""
        key = (job.dataset, ctx.data_seed, job.cell.scale, job.cell.source)
        if self._data is None or self._data[0] != key:
            self._data = None
            try:
                data = job.dataset.load(ctx.data_seed, job.cell.scale, job.cell.source)
            except Exception as error:
                raise DataError(f"data set {job.cell.dataset}: {type(error).__name__}: {error}") from error
            protect(data)
            self._data = (key, data)
        return self._data[1]


def measure(job: Job, data: Any, ctx: Context) -> Record:
    """Train and evaluate the entrant, and compute every metric for which the outcome has the fields."""
    entrant = Entrant(job.model.id, job.model, {**job.model.params, **dict(job.cell.params)})
    backend = job.backend
    reset = backend.reset_memory or reset_resident_peak
    reset()
    before = resident("VmRSS") or 0
    with isolated_generators(ctx.model_seed, ctx.device), backend.session():
        outcome = dict(job.task.run(entrant, data, ctx))
        peak = backend.peak_memory() if backend.peak_memory else resident("VmHWM")
        if peak is not None:
            ctx.costs["peak_memory"] = float(peak if backend.peak_memory else max(0, peak - before))
        ctx.ran()
        metrics, kept, invalid = evaluated(job, outcome, data, ctx)
        ctx.time_forward()  # last, so that it cannot change a metric
    ctx.costs |= roofline.share(backend, ctx.costs)
    if job.examples:
        examples.write(Path(job.examples), job.digest, kept, data)
    costs = {name: ctx.costs[name] for name in COSTS if name in ctx.costs}
    reason = "invalid metric: " + "; ".join(invalid) if invalid else ""
    return Record(job.cell, job.digest, metrics, costs, tuple(ctx.curve), reason)


Evaluated = tuple[dict[str, float], dict[str, Any], list[str]]


def evaluated(job: Job, outcome: dict[str, Any], data: Any, ctx: Context) -> Evaluated:
    """Return the metrics of an outcome by key, scores of examples where they are asked for, and what is invalid.

    Reports and metrics that read the module see it on the CPU, whatever the backend: what they call it with lies there.
    """
    metrics: dict[str, float] = {}
    kept: dict[str, Any] = {}
    invalid: list[str] = []
    with ctx.inspected():
        conditions = list(outcome.pop("conditions", ()))
        if hasattr(outcome.get("module"), "report"):
            extra = dict(outcome["module"].report(data, ctx))
            conditions += extra.pop("conditions", ())
            outcome |= extra
        for knobs, fields in [({}, outcome), *conditions]:
            view = {**outcome, **fields}
            for metric in job.metrics:
                if all(need in view for need in metric.needs) and (not knobs or set(metric.needs) & set(fields)):
                    key = metric_key(metric.id, knobs)
                    try:
                        metrics[key] = checked(metric, metric.compute(view))
                        if job.examples and metric.examples is not None:
                            kept[key] = example_scores(metric.examples(view), metrics[key])
                    except InvalidMetric as error:
                        invalid.append(f"{key} {error}")
    return metrics, kept, invalid


def checked(metric: Metric, value: Any) -> float:
    """Return a metric's value as a float; raise InvalidMetric when it is none, not finite, or out of bounds."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise InvalidMetric(f"is {value!r:.40}, not a number")
    number = float(value)
    low, high = metric.bounds
    if not math.isfinite(number):
        raise InvalidMetric(f"is {number}")
    if not low <= number <= high:
        raise InvalidMetric(f"is {number}, outside [{low:g}, {high:g}]")
    return number


def example_scores(scores: Any, value: float) -> NDArray[np.float64]:
    """Return scores of examples as a float array (examples,); raise InvalidMetric when their mean is not the metric."""
    array = np.asarray(scores, dtype=float)
    if array.ndim != 1 or not len(array) or not math.isclose(array.mean(), value, rel_tol=1e-4, abs_tol=1e-7):
        raise InvalidMetric(f"is {value}, and the mean of its examples is {array.mean() if array.size else None}")
    return array


class Planned(Protocol):
    """What a failed record needs to know: a job, or what travels of it."""

    @property
    def cell(self) -> Cell: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102


def failure(job: Planned, reason: str, detail: str = "") -> Record:
    """Return the record of a cell that failed."""
    return Record(job.cell, job.digest, reason=shortened(reason.strip()), detail=detail)


def finish(
    record: Record, protocol: str, seconds: float = 0.0, distributions: Distributions = (), device: str = ""
) -> Record:
    """Return a record with what every one has at its end: duration, surroundings and time of day."""
    return dataclasses.replace(
        record,
        seconds=seconds,
        protocol=protocol,
        environment=environment(distributions, "torch" in sys.modules, device),
        finished=time.time(),
    )


def protect(data: Any) -> None:
    """Make the arrays of a data set read-only, so that no entrant can change them for the next one."""
    if isinstance(data, np.ndarray):
        data.flags.writeable = False
    elif isinstance(data, Mapping):
        for item in data.values():
            protect(item)
    elif isinstance(data, list | tuple):
        for item in data:
            protect(item)
    elif dataclasses.is_dataclass(data):
        for field in dataclasses.fields(data):
            protect(getattr(data, field.name))


@functools.cache
def environment(distributions: Distributions, torch: bool, device: str = "") -> Mapping[str, str]:
    """Return versions and machine: Python, assay, numpy, torch where it was loaded, distributions and device as given."""
    names = ("assay", "numpy", "torch") if torch else ("assay", "numpy")
    libraries = {name: importlib.metadata.version(name) for name in names}
    system = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    return {**system, **({"device": device} if device else {}), **libraries, **dict(distributions)}


def notify(hook: Any, **told: Any) -> None:
    """Tell the plugins of a hook; one that fails to listen costs a line of warning, not the run."""
    try:
        hook(**told)
    except Exception as error:
        where = [frame.filename for frame in traceback.extract_tb(error.__traceback__)][-1]
        print(f"assay: {hook.name} failed in {where}: {type(error).__name__}: {error}", file=sys.stderr)
