"""The Python interface: `run`, `verify`, `compare` and `records`. The command line calls nothing else."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assay import examples
from assay.by_backend import Comparison, comparisons
from assay.catalog import Catalog
from assay.differing import differ
from assay.entering import enter_data, enter_models
from assay.errors import AssayError, unknown
from assay.executors import Executor
from assay.export import SCHEMA, flat, table
from assay.leaderboard import Leaderboards, latest, leaderboards
from assay.plan import Planner, Selection, seeds_of
from assay.resampling import Difference
from assay.running import Progress, Run, execute
from assay.spec import COSTS, Record
from assay.store import Store
from assay.verifying import verify

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("task", "dataset", "model", "seed", "scale", "backend", "digest", "reason", "protocol")
"""By which `records` selects."""

__all__ = ["backends", "compare", "differences", "flat", "records", "run", "verify"]


def run(
    what: str | Sequence[str],
    *,
    entrants: Sequence[str] = (),
    models: Mapping[str, Any] | Sequence[str] = (),
    datasets: Sequence[str] = (),
    data: Mapping[str, str] | None = None,
    seeds: int | str | Sequence[int] = 5,
    scale: str = "small",
    backend: str | Sequence[str] = "cpu",
    params: Mapping[str, Any] | None = None,
    store: str | None = None,
    force: bool = False,
    executor: str | Executor = "",
    keep_examples: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Run every cell of a selection that is not in the store yet.

    Args:
        what: Ids or globs of tasks, or ids of papers (a paper means its entrants and the baselines of their tasks).
        entrants: Ids or globs of installed entrants; all when empty.
        models: Entrants of your own that join them: classes by name, or `FILE.py:CLASS` texts.
        datasets: Ids of data sets; all that fit when empty.
        data: Paths of your own data by name (npz, parquet, csv); a name of an installed data set gives its `full` source.
        seeds: A count, a range `1000:1005`, a list `0,3,7`, or numbers.
        scale: `smoke`, `small` or `full`.
        backend: One id or several.
        params: A value, or a list of values to try, by parameter.
        store: Path or SQLAlchemy URL of the records; `.assay/records.db` when None.
        force: Run cells again that are in the store.
        executor: `inline`, `pool`, `dask` or an `assay.Executor` with its limits.
        keep_examples: Keep the scores of single examples beside the store, for `differences`.
        progress: Called with an `assay.progress.Event` as cells start and end.

    Raises:
        AssayError: The selection does not make sense, or the store cannot be used. Nothing has run then.
        RunError: The store or the executor broke while cells ran. What was stored is safe.
        KeyboardInterrupt: Ctrl-C. What had ended is stored, and the same call goes on from there.
    """
    chosen = executor if isinstance(executor, Executor) else Executor(executor)
    names = (what,) if isinstance(what, str) else tuple(what)
    catalog = _catalog_for(names)
    planner = Planner(catalog)
    mine = enter_models(catalog, names, models)
    given = enter_data(planner, names, data or {}, scale)
    grid = tuple((k, tuple(v) if isinstance(v, list | tuple) else (v,)) for k, v in (params or {}).items())
    selection = Selection(
        names,
        (*entrants, *mine) if entrants else (),
        (*datasets, *given),
        seeds_of(seeds),
        scale,
        (backend,) if isinstance(backend, str) else tuple(backend),
        grid,
    )
    jobs = planner.jobs(selection)
    with Store(store) as opened:
        if keep_examples:
            jobs = jobs.keeping_examples(str(examples.folder(opened.address)))
        return execute(jobs, catalog, opened, executor=chosen, force=force, progress=progress)


def compare(
    task: str,
    *,
    metric: str | None = None,
    dataset: str | None = None,
    scale: str = "small",
    store: str | None = None,
) -> Leaderboards:
    """Return a leaderboard for each data set of a task, from the store alone: no plugin is imported."""
    found, name, (direction, unit), _ = _measured(task, metric, dataset, scale, store)
    return leaderboards(found, name, direction, unit)


def backends(
    task: str,
    *,
    metric: str | None = None,
    dataset: str | None = None,
    scale: str = "small",
    store: str | None = None,
) -> list[Comparison]:
    """Compare each entrant of a task with itself on other backends, from the store alone; one comparison a data set."""
    found, name, (_, unit), _ = _measured(task, metric, dataset, scale, store)
    return comparisons(found, name, unit)


def differences(
    task: str,
    *,
    metric: str | None = None,
    dataset: str | None = None,
    scale: str = "small",
    store: str | None = None,
) -> dict[str, list[Difference]]:
    """Compare the best entrant with each other example by example; by data set, from what `keep_examples` kept."""
    found, name, (direction, _), address = _measured(task, metric, dataset, scale, store)
    return differ(found, name, direction, examples.folder(address))


def _measured(
    task: str, metric: str | None, dataset: str | None, scale: str, store: str | None
) -> tuple[list[Record], str, tuple[str, str], str]:
    """Return the newest records of a task, the metric with its direction and unit, and the store's address."""
    with Store(store, create=False) as opened:
        known = opened.metrics(task)
        if not known:
            raise AssayError(f"the store {opened.address} has no record of task {task!r}: assay run {task}")
        records = latest(opened.records(task=task, scale=scale))
    if dataset:
        full = dataset if "/" in dataset else f"{task.partition('/')[0]}/{dataset}"
        records = [r for r in records if r.cell.dataset == full]
    if not records:
        raise AssayError(
            f"no record of {task} at scale {scale!r}{f' on {dataset}' if dataset else ''} in {opened.address}"
        )
    name = metric or next(iter(known))
    return records, name, known[name] if name in known else _cost(name, known), opened.address


def records(store: str | None = None, **equal: Any) -> pd.DataFrame:
    """Return the stored records as a pandas DataFrame, one row a cell; docs/report.md describes the columns.

    `equal` keeps those whose columns equal what is given: `task="sets/point-clouds"`, `scale="small"`. Raises AssayError
    for a column that does not exist.
    """
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise AssayError("assay.records needs pandas: pip install 'assay[pandas]'") from error

    for name in equal:
        if name not in COLUMNS:
            raise unknown("column", name, COLUMNS)
    with Store(store, create=False) as opened:
        found = pd.DataFrame(table(opened.records(**equal)))
    found.attrs["assay_schema"] = SCHEMA
    return found


def _catalog_for(names: Sequence[str]) -> Catalog:
    """Return a catalog with the plugins loaded that a selection's tasks and papers need."""
    catalog = Catalog()
    tasks = {
        t for p in catalog.plugins for t in p.having("task") for n in names if fnmatch.fnmatch(t, n) or p.paper == n
    }
    return catalog.load(tasks=tasks)


def _cost(name: str, known: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    base = name.partition("[")[0]
    if base in known:
        return known[base]
    if name not in COSTS:
        raise unknown("metric", name, [*known, *COSTS])
    return COSTS[name].direction, COSTS[name].unit
