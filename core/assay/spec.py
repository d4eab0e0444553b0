"""What plugins register and what runs leave behind, as frozen values without behaviour."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Literal

Scale = Literal["smoke", "small", "full"]
SCALES: tuple[Scale, ...] = ("smoke", "small", "full")
Params = tuple[tuple[str, Any], ...]
"""Parameters of an entrant as sorted (name, value) pairs: hashable, and the same for the same meaning."""


def freeze(params: Mapping[str, Any]) -> Params:
    """Return parameters in the one order and form in which cells, digests and the store keep them.

    Lists become tuples and NumPy's numbers Python's. Raises TypeError for a value that JSON has no form for.
    """
    return tuple((name, _frozen(name, params[name])) for name in sorted(params))


def _frozen(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_frozen(name, item) for item in value)
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"parameter {name}: give a number, a text, true, false or a list of these, not {value!r:.60}")


def show_params(params: Mapping[str, Any] | Params) -> str:
    """Return `a=1, b="x"`: parameters as a person writes them, values in JSON."""
    return ", ".join(f"{name}={json.dumps(value, default=repr)}" for name, value in sorted(dict(params).items()))


def metric_key(metric: str, conditions: Mapping[str, Any] | Params = ()) -> str:
    """Return the name under which a record keeps a metric, `mae[test_size=50]` for a condition."""
    return f"{metric}[{show_params(conditions)}]" if conditions else metric


@dataclass(frozen=True)
class Schema:
    """The form of a task's data, and how a user's own file becomes it.

    `fields` maps the name of an array of samples to `dtype[dims]`: `{"points": "float32[n,N,D]", "labels": "int64[n]"}`.
    A named dimension has one size in all fields, a number is that size; the first dimension counts the samples.
    `make(arrays, rng)` splits checked arrays by the NumPy generator into what `Dataset.load` of this schema returns.
    """

    id: str
    fields: Mapping[str, str]
    make: Callable[[Mapping[str, Any], Any], Any]


@dataclass(frozen=True)
class Dataset:
    """A source of data: `load(seed, scale, source)` returns data of the named schema.

    The data and its split depend on the arguments alone. `source` is a path that the user gave (scale `full`), else None.
    """

    id: str
    schema: str
    load: Callable[[int, str, str | None], Any]
    title: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Task:
    """An arena: who may enter it, how entrants are trained and evaluated, and under which budget.

    `run(entrant, data, ctx)` trains and evaluates one entrant and returns the outcome: the fields that metrics need,
    `module` (what the entrant built), and optionally `conditions`, a list of `(knobs, fields)`: further evaluations
    of the same trained entrant, under knobs that `conditions` of the task declares with their values.
    `dataset` is the one that a claim means when it names none. `probe(entrant, data, ctx)` builds an entrant for a
    direct test of the contract by `assay check`; a task whose entrants are no torch modules has none.
    """

    id: str
    schema: str
    run: Callable[[Entrant, Any, Any], Mapping[str, Any]]
    metrics: tuple[str, ...]
    dataset: str
    contract: str
    budgets: Mapping[str, Mapping[str, Any]]
    baselines: tuple[str, ...] = ()
    conditions: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    title: str = ""
    probe: Callable[[Entrant, Any, Any], Probe] | None = None

    @property
    def family(self) -> str:
        """The part of the id before the slash."""
        return self.id.partition("/")[0]


@dataclass(frozen=True)
class Model:
    """An entrant: `build(**contract, **params)` returns what the task's contract asks for.

    `knobs` declares parameters that runs and claims may vary, with the allowed values; `ablates` names the entrant
    whose mechanism this one lacks; `datasets` are those that it enters, all that fit when empty. What `build` returns
    may offer `report(data, ctx)`, whose fields join the outcome; `conditions` declares the knobs of evaluations that a
    report adds. `autocast` says that it is meant to work in bfloat16 autocast, which `assay check` then tests.
    """

    id: str
    task: str
    build: Callable[..., Any]
    params: Mapping[str, Any] = field(default_factory=dict)
    knobs: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    conditions: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    ablates: str | None = None
    datasets: tuple[str, ...] = ()
    autocast: bool = False


@dataclass(frozen=True)
class Entrant:
    """A model with its parameters settled, as a task's `run` receives it."""

    id: str
    model: Model
    params: Mapping[str, Any]

    def build(self, **contract: Any) -> Any:
        """Build the entrant for the sizes that the task's contract names."""
        return self.model.build(**contract, **self.params)


@dataclass(frozen=True)
class Probe:
    """An untrained entrant and a batch of at least two samples for it.

    `module(*inputs)` returns a tensor of `shape`, whose first dimension counts the samples, as in each of the inputs.
    """

    module: Any
    inputs: tuple[Any, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Metric:
    """One number of an outcome: `compute(outcome)` reads the fields in `needs` and returns a float.

    `exact` says that the value has no chance in it (a count of operations, a worst-case error of a theorem), so that
    equal values at every seed are proof and not a lack of data. `bounds` are the values that it can take. `examples`
    returns, of the same outcome, an array (examples,) of the scores whose mean the metric is, where it is one.
    """

    id: str
    compute: Callable[[Mapping[str, Any]], float]
    needs: tuple[str, ...]
    direction: Literal["up", "down"]
    unit: str
    exact: bool = False
    bounds: tuple[float, float] = (float("-inf"), float("inf"))
    examples: Callable[[Mapping[str, Any]], Any] | None = None


def _cost(name: str, unit: str, direction: Literal["up", "down"] = "down", *, exact: bool = False) -> Metric:
    return Metric(name, itemgetter(name), (name,), direction, unit, exact, (0.0, float("inf")))


COSTS: Mapping[str, Metric] = {
    cost.id: cost
    for cost in (
        _cost("fit_seconds", "s"),
        _cost("predict_seconds", "s"),
        _cost("peak_memory", "bytes"),
        _cost("parameters", "count", exact=True),
        _cost("flops", "FLOP", exact=True),
        _cost("compile_seconds", "s"),
        _cost("parameter_bytes", "bytes", exact=True),
        _cost("forward_seconds", "s"),
        _cost("forward_spread", "s"),
        _cost("forward_bytes", "bytes", exact=True),
        _cost("flops_per_second", "FLOP/s", "up"),
        _cost("roofline_share", "fraction", "up"),
        _cost("energy", "J"),
    )
}
"""Measured for every cell where they can be (docs/backends.md); a claim names them as it names metrics."""


def _always() -> None:
    return None


def _same(module: Any) -> Any:
    return module


def _accept(module: Any) -> str | None:
    return None


def _no_seconds() -> float:
    return 0.0


@dataclass(frozen=True)
class Backend:
    """Where and how a cell runs. The defaults are the plain CPU.

    `available()` returns None, or the reason why it cannot be used here. `prepare(module)` moves or compiles what an
    entrant built, and raises `assay.CannotRun` for one that it cannot run; `confirm(module)` looks at it after the run
    and returns None, or why it did not really run on the backend: then the cell fails, for nothing may fall back to
    the plain CPU in silence. `session()` is open around the whole cell: switches of determinism and precision.
    `synchronise()` waits for work under way before a clock stops; `compiling()` returns the seconds that went into
    compilation so far, which no clock counts; `peak_memory()` returns the bytes used at most since `reset_memory()`,
    None where it cannot be read. `describe()` names the device for the record.

    `rounding` and `drift` are what `assay check --backend` takes for equal to the CPU: the largest relative difference
    of an untrained entrant's output, and the largest |a - b| / max(1, |b|) of a metric after training at smoke.
    """

    id: str
    device: str = "cpu"
    available: Callable[[], str | None] = _always
    prepare: Callable[[Any], Any] = _same
    autocast: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    synchronise: Callable[[], None] = _always
    reset_memory: Callable[[], None] | None = None
    peak_memory: Callable[[], int | None] | None = None
    describe: Callable[[], str | None] = _always
    session: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    confirm: Callable[[Any], str | None] = _accept
    compiling: Callable[[], float] = _no_seconds
    rounding: float = 1e-4
    drift: float = 0.05


CPU = Backend("cpu")


@dataclass(frozen=True)
class Paper:
    """A publication: what it claims, and what was learnt when the claims were run (`notes`)."""

    id: str
    title: str
    year: int
    family: str
    claims: tuple[Any, ...] | list[Any]
    arxiv: str | None = None
    notes: str = ""


@dataclass(frozen=True)
class Suite:
    """A family of papers: the question that its arenas answer, and what was found when they were run.

    `findings` is written after seeing the results; the family's README is generated from it.
    """

    id: str
    title: str
    question: str
    findings: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """The unit of work, of caching and of failure. Ids are full: `sets/point-clouds`, `sets/shapes-3d`."""

    task: str
    dataset: str
    model: str
    params: Params
    seed: int
    scale: str
    backend: str = "cpu"
    source: str | None = None

    def __str__(self) -> str:
        """Return the cell in one line, as progress and errors name it."""
        params = f"({show_params(self.params)})" if self.params else ""
        backend = "" if self.backend == "cpu" else f" {self.backend}"
        return (
            f"{self.task} {self.dataset.partition('/')[2]} {self.model}{params} seed={self.seed} {self.scale}{backend}"
        )


@dataclass(frozen=True)
class Record:
    """The stored outcome of a cell. `reason` is empty when it succeeded, else says why it failed.

    `protocol` is the digest of what all entrants share (task, data, metrics): only records of one protocol compare.
    `metrics` and `costs` map names to finite floats; `curve` holds what `ctx.log` was given, in order; `detail` is the
    short traceback or last output of a failure; `environment` names versions and machine; `seconds` is the whole cell.
    """

    cell: Cell
    digest: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[Mapping[str, float], ...] = ()
    reason: str = ""
    detail: str = ""
    seconds: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)
    finished: float = 0.0
    protocol: str = ""

    @property
    def ok(self) -> bool:
        """Whether the cell ran to its end and every metric is a finite number."""
        return not self.reason

    def value(self, metric: str) -> float | None:
        """Return a metric or cost by the name it is kept under, None if the record has none of that name."""
        return self.metrics.get(metric, self.costs.get(metric))
