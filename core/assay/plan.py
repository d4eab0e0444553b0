"""From a selection to an ordered list of jobs. Everything is validated here, before anything runs."""

from __future__ import annotations

import fnmatch
import inspect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from assay.catalog import Catalog
from assay.cell import Job
from assay.digest import Digester
from assay.errors import AssayError, unknown
from assay.expressions import Score
from assay.spec import SCALES, Cell, Dataset, Metric, Model, Task, freeze, metric_key


@dataclass(frozen=True)
class Selection:
    """What a user asks to run. `what` names tasks (globs too) and papers; empty `models` or `datasets` mean all.

    A paper means its own entrants and the baselines of their tasks. `params` maps a parameter to the values to try.
    """

    what: tuple[str, ...]
    models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    scale: str = "small"
    backends: tuple[str, ...] = ("cpu",)
    params: tuple[tuple[str, tuple[Any, ...]], ...] = ()


class Measurement(NamedTuple):
    """Where a score is found: the cell (of seed 0) and the name under which its record keeps the number."""

    cell: Cell
    key: str
    exact: bool


def seeds_of(text: int | str | Sequence[int]) -> tuple[int, ...]:
    """Return seeds from a count (`5`: 0 to 4), a list (`0,3,7`), a range (`1000:1005`) or a sequence of numbers."""
    if isinstance(text, str):
        try:
            if ":" in text:
                first, last = map(int, text.split(":"))
                seeds: Sequence[int] = range(first, last)
            else:
                seeds = [int(t) for t in text.split(",")] if "," in text else range(int(text))
        except ValueError:
            raise AssayError(f"seeds {text!r}: give a count (5), a list (0,3,7) or a range (1000:1005)") from None
    else:
        seeds = range(text) if isinstance(text, int) else text
    if not seeds or min(seeds) < 0 or len(set(seeds)) != len(seeds):
        raise AssayError(f"seeds {text!r}: give at least one seed, none negative and none twice")
    return tuple(seeds)


def digester(catalog: Catalog) -> Digester:
    """Return what computes digests for the plugins of a catalog."""
    return Digester(p.module.partition(".")[0] for p in catalog.plugins)


class Planner:
    """Turns selections and scores into jobs of one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._digester = digester(catalog)
        self.sources: dict[str, str] = {}
        """Paths given by the user, by full data set id."""

    def jobs(self, selection: Selection) -> list[Job]:
        """Return the jobs of a selection, ordered so that neighbours share their data."""
        if selection.scale not in SCALES:
            raise unknown("scale", selection.scale, SCALES)
        for backend in selection.backends:
            self.catalog.backend(backend)
        cells = [
            Cell(task.id, dataset, model.id, params, seed, selection.scale, backend, self.sources.get(dataset))
            for task, models in self._arenas(selection)
            for dataset in self._datasets(task, selection.datasets)
            for seed in selection.seeds
            for backend in selection.backends
            for model in models
            if self._enters(model, task, dataset)
            for params in self._grid(model, selection.params)
        ]
        return [self.job(cell) for cell in cells]

    def job(self, cell: Cell) -> Job:
        """Return a cell with all that its ids stand for, and its digest."""
        catalog = self.catalog
        task, model = catalog.task(cell.task), catalog.model(cell.task, cell.model)
        dataset = catalog.dataset(task, cell.dataset)[1]
        if cell.scale not in task.budgets:
            raise AssayError(f"task {task.id} has no budget for scale {cell.scale!r}: it has {', '.join(task.budgets)}")
        shared = tuple(catalog.metric(task, name) for name in task.metrics)
        own = self._own_metrics(model)
        protocol = self._digester.protocol(task, dataset, shared, cell.scale)
        digest = self._digester.cell(cell, model, protocol, own)
        return Job(cell, digest, protocol, task, dataset, model, (*shared, *own), catalog.backend(cell.backend))

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
        dataset = self.catalog.dataset(task, score.dataset or task.dataset)[0]
        source = self.sources.get(dataset)
        cell = Cell(
            task.id, dataset, model.id, freeze(params), 0, score.scale or scale, score.backend or backend, source
        )
        return Measurement(cell, metric_key(metric.id, conditions), metric.exact)

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
            if tasks:
                for (task, name), model in catalog.models.items():
                    if task in tasks:
                        chosen.setdefault(task, {})[name] = model
            elif what in catalog.papers or any(p.paper == what for p in catalog.plugins):
                for model in self._of_paper(catalog.paper(what).id):
                    chosen.setdefault(model.task, {})[model.id] = model
            else:
                known = [name for p in catalog.plugins for name in (*p.having("task"), p.paper) if name]
                raise unknown("task or paper", what, known)
        arenas = []
        for task, models in chosen.items():
            names = (
                _matching("model", list(models), selection.models, hint=f"(task {task})")
                if selection.models
                else models
            )
            arenas.append((catalog.task(task), [models[name] for name in names]))
        return arenas

    def _of_paper(self, paper: str) -> list[Model]:
        origin = self.catalog.origins["paper", paper]
        own = [m for key, m in self.catalog.models.items() if self.catalog.origins.get(("model", key)) == origin]
        tasks = {m.task for m in own}
        return own + [self.catalog.model(t, b) for t in sorted(tasks) for b in self.catalog.task(t).baselines]

    def _datasets(self, task: Task, wanted: Sequence[str]) -> list[str]:
        if wanted:
            return [self.catalog.dataset(task, name)[0] for name in wanted]
        fitting: dict[str, Dataset] = {k: d for k, d in self.catalog.datasets.items() if d.schema == task.schema}
        default = self.catalog.dataset(task, task.dataset)[0]
        return sorted(fitting, key=lambda name: (name != default, name))

    def _enters(self, model: Model, task: Task, dataset: str) -> bool:
        return not model.datasets or dataset in {self.catalog.dataset(task, name)[0] for name in model.datasets}

    def _grid(self, model: Model, grid: Sequence[tuple[str, tuple[Any, ...]]]) -> list[tuple[tuple[str, Any], ...]]:
        names = [name for name, _ in grid]
        combinations = [dict(zip(names, values, strict=True)) for values in itertools.product(*(v for _, v in grid))]
        for params in combinations:
            self._check_params(model, params)
        return [freeze(params) for params in combinations]

    def _check_params(self, model: Model, params: Mapping[str, Any]) -> None:
        signature = inspect.signature(model.build).parameters.values()
        open_ended = any(p.kind is p.VAR_KEYWORD for p in signature)
        known = {p.name for p in signature if p.default is not p.empty} | set(model.params) | set(model.knobs)
        for name, value in params.items():
            if name not in known and not open_ended:
                raise unknown("parameter", name, known, hint=f"(model {model.id})")
            allowed = model.knobs.get(name)
            if allowed is not None and value not in allowed:
                raise AssayError(f"model {model.id}: {name} takes {', '.join(map(str, allowed))}, not {value!r}")


def _matching(kind: str, names: Sequence[str], patterns: Sequence[str], *, hint: str = "") -> list[str]:
    """Return the names that match any of the patterns, each pattern at least one."""
    found: dict[str, None] = {}
    for pattern in patterns:
        hits = fnmatch.filter(names, pattern)
        if not hits:
            raise unknown(kind, pattern, names, hint=hint)
        found.update(dict.fromkeys(hits))
    return list(found)
