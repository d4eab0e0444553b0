"""From a selection to an ordered list of jobs. Everything is validated here, before anything runs."""

from __future__ import annotations

import fnmatch
import inspect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from assay import index
from assay.catalog import Catalog
from assay.cell import Job
from assay.digest import Digester, entry_at
from assay.errors import AssayError, unknown
from assay.expressions import Score
from assay.jobs import Jobs
from assay.spec import SCALES, Cell, Metric, Model, Params, Task, freeze, metric_key


@dataclass(frozen=True)
class Selection:
    """What a user asks to run. `what` names tasks (globs too) and papers; empty `models` or `datasets` mean all.

    A paper means its own entrants and the baselines of their tasks. `params` maps a parameter to the values to try.
    """

    what: tuple[str, ...]
    models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    seeds: Sequence[int] = range(5)
    scale: str = "small"
    backends: tuple[str, ...] = ("cpu",)
    params: tuple[tuple[str, tuple[Any, ...]], ...] = ()


class Measurement(NamedTuple):
    """Where a score is found: the cell (of seed 0) and the name under which its record keeps the number."""

    cell: Cell
    key: str
    exact: bool
    bounds: tuple[float, float] = (float("-inf"), float("inf"))


MANY = 1000
"""A count in text from here on is asked about: it may be meant as a pilot seed."""


def seeds_of(text: int | str | Sequence[int]) -> Sequence[int]:
    """Return seeds from a count (`5`: 0 to 4), a list (`0,3,7`), a range (`1000:1005`) or a sequence of numbers."""
    if isinstance(text, str):
        try:
            if ":" in text:
                first, last = map(int, text.split(":"))
                seeds: Sequence[int] = range(first, last)
            else:
                seeds = [int(t) for t in text.split(",")] if "," in text else range(int(text))
                if isinstance(seeds, range) and len(seeds) >= MANY:
                    raise AssayError(
                        f"seeds {text!r}: write 0:{text} for so many seeds, or {text}:{int(text) + 1} for this seed alone"
                    )
        except ValueError:
            raise AssayError(f"seeds {text!r}: give a count (5), a list (0,3,7) or a range (1000:1005)") from None
    else:
        seeds = range(text) if isinstance(text, int) else text
    twice = not isinstance(seeds, range) and len(set(seeds)) != len(seeds)
    if not seeds or min(seeds) < 0 or twice:
        raise AssayError(f"seeds {text!r}: give at least one seed, none negative and none twice")
    return seeds if isinstance(seeds, range) else tuple(seeds)


class Planner:
    """Turns selections and scores into jobs of one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._digester = Digester(p.module.partition(".")[0] for p in catalog.plugins)
        self._entries: dict[tuple[Any, ...], Job] = {}
        self.sources: dict[str, str] = {}
        """Paths given by the user, by full data set id."""

    def jobs(self, selection: Selection) -> Jobs:
        """Return the jobs of a selection, ordered so that neighbours share their data."""
        if selection.scale not in SCALES:
            raise unknown("scale", selection.scale, SCALES)
        arenas = self._arenas(selection)
        datasets = self._datasets([task for task, _ in arenas], selection.datasets)
        entries = [
            [
                self._entry(
                    Cell(task.id, dataset, model.id, params, 0, selection.scale, backend, self.sources.get(dataset))
                )
                for backend in dict.fromkeys(selection.backends)
                for model in models
                if self._enters(model, task, dataset)
                for params in self._grid(model, selection.params)
            ]
            for task, models in arenas
            for dataset in datasets[task.id]
        ]
        jobs = Jobs(entries, selection.seeds)
        if not jobs:
            raise AssayError("nothing to run: no entrant of the selection enters these data sets")
        return jobs

    def job(self, cell: Cell) -> Job:
        """Return a cell with all that its ids stand for, and its digest."""
        entry = self._entry(cell)
        return entry._replace(cell=cell, digest=entry_at(entry.digest, cell.seed))

    def _entry(self, cell: Cell) -> Job:
        """Return the job that a cell has at every seed, with the digest of its entry."""
        key = _but_seed(cell)
        if key not in self._entries:
            self._entries[key] = self._make_entry(cell)
        return self._entries[key]

    def _make_entry(self, cell: Cell) -> Job:
        catalog = self.catalog
        task, model = catalog.task(cell.task), catalog.model(cell.task, cell.model)
        name, dataset = catalog.dataset(task, cell.dataset)
        if cell.scale not in task.budgets:
            raise AssayError(f"task {task.id} has no budget for scale {cell.scale!r}: it has {', '.join(task.budgets)}")
        backend = catalog.backend(cell.backend)
        shared = tuple(catalog.metric(task, name) for name in task.metrics)
        own = self._own_metrics(model)
        protocol = self._digester.protocol(task, dataset, shared, cell.scale)
        digest = self._digester.entry(cell, model, protocol, own, backend)
        keys = (("task", task.id), ("dataset", name), ("model", (task.id, model.id)), ("backend", backend.id))
        return Job(cell, digest, protocol, task, dataset, model, (*shared, *own), backend, catalog.distributions(*keys))

    def measurement(self, score: Score, scale: str, backend: str) -> Measurement:
        """Return where a claim's score is found; raise when its entrant, metric, data set or parameter does not exist."""
        task = self.catalog.task(score.task)
        model = self.catalog.model(task.id, score.entrant)
        metric = self.catalog.metric(task, score.metric)
        knobs = {**task.conditions, **model.conditions}
        conditions = {name: value for name, value in score.params if name in knobs}
        for name, value in conditions.items():
            if value not in knobs[name]:
                raise AssayError(
                    f"{score}: {name} is evaluated at {', '.join(map(str, knobs[name]))}, not at {value!r}"
                )
        params = {name: value for name, value in score.params if name not in knobs}
        self._check_params(model, params)
        self.catalog.backend(score.backend or backend)
        dataset = self.catalog.dataset(task, score.dataset or task.dataset)[0]
        source = self.sources.get(dataset)
        cell = Cell(
            task.id, dataset, model.id, _freeze(params), 0, score.scale or scale, score.backend or backend, source
        )
        return Measurement(cell, metric_key(metric.id, conditions), metric.exact, metric.bounds)

    def at_seeds(self, cell: Cell, seeds: Iterable[int]) -> list[Job]:
        """Return the jobs of a cell at other seeds."""
        return [self.job(replace(cell, seed=seed)) for seed in seeds]

    def _own_metrics(self, model: Model) -> tuple[Metric, ...]:
        """Return the metrics that the model's own paper registers."""
        catalog = self.catalog
        origin = catalog.origins.get(("model", (model.task, model.id)))
        if origin is None or origin == catalog.origins.get(("task", model.task)):
            return ()
        return tuple(m for key, m in catalog.metrics.items() if catalog.origins.get(("metric", key)) == origin)

    def _arenas(self, selection: Selection) -> list[tuple[Task, list[Model]]]:
        """Return the tasks that a selection names, each with its entrants."""
        catalog = self.catalog
        chosen: dict[str, dict[str, Model]] = {}
        for what in selection.what:
            tasks = fnmatch.filter(catalog.tasks, what)
            if not tasks:
                catalog.blame("task", what)
            if tasks:
                for (task, name), model in catalog.models.items():
                    if task in tasks:
                        chosen.setdefault(task, {})[name] = model
            elif what in catalog.papers or any(p.paper == what for p in catalog.plugins):
                for model in self._of_paper(catalog.paper(what).id):
                    chosen.setdefault(model.task, {})[model.id] = model
            else:
                known = [name for p in catalog.plugins for name in (*p.having("task"), p.paper) if name]
                raise index.absent("task or paper", what, known)
        wanted = selection.models or ("*",)
        every = [name for models in chosen.values() for name in models]
        for pattern in selection.models:
            if not fnmatch.filter(every, pattern):
                raise unknown("model", pattern, every, hint=f"(task {', '.join(chosen)})")
        return [
            (catalog.task(task), [models[name] for name in _matching(list(models), wanted)])
            for task, models in chosen.items()
        ]

    def _of_paper(self, paper: str) -> list[Model]:
        origin = self.catalog.origins["paper", paper]
        own = [m for key, m in self.catalog.models.items() if self.catalog.origins.get(("model", key)) == origin]
        tasks = {m.task for m in own}
        return own + [self.catalog.model(t, b) for t in sorted(tasks) for b in self.catalog.task(t).baselines]

    def _datasets(self, tasks: Sequence[Task], wanted: Sequence[str]) -> dict[str, list[str]]:
        """Return the full ids of data sets by task: all that fit, or those wanted, each of which must fit some task."""
        chosen: dict[str, list[str]] = {task.id: [] for task in tasks}
        for name in dict.fromkeys(wanted):
            failures = []
            for task in tasks:
                try:
                    chosen[task.id].append(self.catalog.dataset(task, name)[0])
                except AssayError as error:
                    failures.append(error)
            if len(failures) == len(tasks):
                raise failures[0]
        for task in tasks if not wanted else ():
            fitting = [name for name, dataset in self.catalog.datasets.items() if dataset.schema == task.schema]
            default = self.catalog.dataset(task, task.dataset)[0]
            chosen[task.id] = sorted(fitting, key=lambda name, default=default: (name != default, name))  # type: ignore[misc]
        return {task: list(dict.fromkeys(names)) for task, names in chosen.items()}

    def _enters(self, model: Model, task: Task, dataset: str) -> bool:
        return not model.datasets or dataset in {self.catalog.dataset(task, name)[0] for name in model.datasets}

    def _grid(self, model: Model, grid: Sequence[tuple[str, tuple[Any, ...]]]) -> list[Params]:
        names = [name for name, _ in grid]
        combinations = [dict(zip(names, values, strict=True)) for values in itertools.product(*(v for _, v in grid))]
        for params in combinations:
            self._check_params(model, params)
        return list(dict.fromkeys(map(_freeze, combinations)))

    def _check_params(self, model: Model, params: Mapping[str, Any]) -> None:
        if not params:
            return
        try:
            signature = list(inspect.signature(model.build).parameters.values())
        except (TypeError, ValueError):
            signature = []
        open_ended = not signature or any(p.kind is p.VAR_KEYWORD for p in signature)
        known = {p.name for p in signature if p.default is not p.empty} | set(model.params) | set(model.knobs)
        for name, value in params.items():
            if name not in known and not open_ended:
                raise unknown("parameter", name, known, hint=f"(model {model.id})")
            allowed = model.knobs.get(name)
            if allowed is not None and value not in allowed:
                raise AssayError(f"model {model.id}: {name} takes {', '.join(map(str, allowed))}, not {value!r}")


def _but_seed(cell: Cell) -> tuple[Any, ...]:
    """Return the fields of a cell in their order, without its seed."""
    return (cell.task, cell.dataset, cell.model, cell.params, cell.scale, cell.backend, cell.source)


def _matching(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Return the names that match any of the patterns, in the order of the patterns, each once."""
    return list(dict.fromkeys(name for pattern in patterns for name in fnmatch.filter(names, pattern)))


def _freeze(params: Mapping[str, Any]) -> Params:
    try:
        return freeze(params)
    except TypeError as error:
        raise AssayError(str(error)) from None
