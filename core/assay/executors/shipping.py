"""What travels to a worker, and how a worker makes jobs of it.

A job holds functions of plugins, which do not travel well. So a worker is told the cell by its ids, loads the plugins
itself, once, and makes sure that it arrives at the digest that the cell was planned with.
"""

from __future__ import annotations

import pickle
import sys
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from assay import roofline
from assay.catalog import Catalog, Plugin
from assay.cell import Distributions, Job, Runner, failure, finish
from assay.errors import AssayError
from assay.own import FILE_MODULE, dataset_of, model_from_file
from assay.plan import Planner
from assay.spec import Cell, Model, Record


class Order(NamedTuple):
    """A cell that a worker is to run, with the digests that it was planned with."""

    cell: Cell
    digest: str
    protocol: str
    distributions: Distributions = ()

    def failed(self, reason: str, detail: str = "", seconds: float = 0.0) -> Record:
        """Return the record of this cell when no runner could make one."""
        return finish(failure(self, reason, detail), self.protocol, seconds, self.distributions)


def order(job: Job) -> Order:
    """Return what a worker needs to know of a job."""
    return Order(job.cell, job.digest, job.protocol, job.distributions)


@dataclass(frozen=True)
class Manifest:
    """What workers need beside the cells: the plugins, and the user's own entrants and data."""

    plugins: tuple[Plugin, ...]
    tasks: tuple[str, ...]
    files: tuple[tuple[str, str], ...] = ()
    """The user's entrants from files: (task, `id=path.py:Name`)."""
    values: tuple[tuple[str, str], ...] = ()
    """The user's other entrants: (task, id)."""
    pickled: bytes = b""
    """The models of `values`."""
    data: tuple[tuple[str, str, str], ...] = ()
    """The user's data sets: (full id, schema, path)."""
    samples: tuple[Order, ...] = ()
    """An order for each different source, whose digest is worked out before any cell runs."""


def pack(jobs: Iterable[Job], catalog: Catalog, *, by_value: bool = False) -> bytes:
    """Return the manifest for workers, from a job of each kind that may come.

    `by_value` sends classes from files too, for hosts without the file.
    """
    files: dict[tuple[str, str], str] = {}
    values: dict[tuple[str, str], Model] = {}
    data: dict[str, tuple[str, str, str]] = {}
    samples: dict[tuple[str, str, str, str], Order] = {}
    for job in jobs:
        cell, model = job.cell, job.model
        samples.setdefault((cell.task, cell.dataset, cell.model, cell.scale), order(job))
        if ("model", (cell.task, cell.model)) not in catalog.origins:
            if model.build.__module__.startswith(FILE_MODULE) and not by_value:
                path = sys.modules[model.build.__module__].__file__
                files[cell.task, cell.model] = f"{model.id}={path}:{model.build.__qualname__}"
            else:
                values[cell.task, cell.model] = model
        if ("dataset", cell.dataset) not in catalog.origins and cell.source:
            data[cell.dataset] = (cell.dataset, job.dataset.schema, cell.source)
    loaded = [p for p in catalog.plugins if catalog.manager.has_plugin(p.name)]
    manifest = Manifest(
        tuple(catalog.plugins),
        tuple(sorted({task for p in loaded for task in p.having("task")})),
        tuple((task, text) for (task, _), text in files.items()),
        tuple(values),
        _pickle_models(list(values.values())) if values else b"",
        tuple(data.values()),
        tuple(samples.values()),
    )
    return zlib.compress(pickle.dumps(manifest))


def _pickle_models(models: list[Model]) -> bytes:
    try:
        import cloudpickle
    except ModuleNotFoundError:
        raise AssayError(
            f"entrant {models[0].id!r} is to be sent to other processes, which needs cloudpickle: "
            "pip install cloudpickle, or enter it as FILE.py:CLASS, or run it inline"
        ) from None
    own = {m.build.__module__ for m in models if m.build.__module__.startswith(FILE_MODULE)}
    for name in own:
        cloudpickle.register_pickle_by_value(sys.modules[name])
    try:
        return bytes(cloudpickle.dumps(models))
    except Exception as error:  # whatever the user's class holds on to
        raise AssayError(
            f"entrant {models[0].id!r} cannot be sent to other processes: {error}; run it inline"
        ) from error
    finally:
        for name in own:
            cloudpickle.unregister_pickle_by_value(sys.modules[name])


class Workshop:
    """A worker's plugins, loaded once. Use it as a context manager."""

    def __init__(self, packed: bytes) -> None:
        manifest: Manifest = pickle.loads(zlib.decompress(packed))
        self._catalog = Catalog(manifest.plugins).load(tasks=manifest.tasks)
        self._values = set(manifest.values)
        self._planner = Planner(self._catalog)
        self._broken: dict[Any, AssayError] = {}
        for task, text in manifest.files:
            self._enter(lambda task=task, text=text: model_from_file(text, task), task, text.partition("=")[0])
        models: list[Model] = pickle.loads(manifest.pickled) if manifest.pickled else []
        for (task, name), model in zip(manifest.values, models, strict=True):
            self._catalog.models[task, name] = model
        for full, schema, path in manifest.data:
            own = dataset_of(full.partition("/")[2], self._catalog.schemas[schema])
            self._catalog.datasets[full] = own
            self._planner.sources[full] = path
        self.runner = Runner(self._catalog.manager)
        self._samples = manifest.samples

    def warm(self) -> None:
        """Work out all that is the same for every cell, so that processes forked from this one find it done."""
        for wanted in self._samples:
            job = self.job(wanted)
            if isinstance(job, Job) and job.backend.device == "cpu":  # another is not to be started before the fork
                finish(failure(job, ""), job.protocol, 0.0, job.distributions, roofline.device(job.backend))
        with self.runner.threads:
            pass

    def _enter(self, make: Any, task: str, name: str) -> None:
        try:
            self._catalog.models[task, name] = make()
        except AssayError as error:
            self._broken[task, name] = error

    def __enter__(self) -> Workshop:
        self.runner.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.runner.__exit__(*exception)

    def job(self, wanted: Order) -> Job | Record:
        """Return the job of an order, or the record that says why there is none."""
        cell = wanted.cell
        try:
            if (cell.task, cell.model) in self._broken:
                raise self._broken[cell.task, cell.model]
            job = self._planner.job(cell)
        except (AssayError, OSError) as error:
            return wanted.failed(f"error: the worker cannot make this cell: {error}")
        by_value = (cell.task, cell.model) in self._values  # its source did not travel: it cannot have been edited
        if job.protocol != wanted.protocol or (job.digest != wanted.digest and not by_value):
            what = "data or the protocol" if job.protocol != wanted.protocol else "entrant"
            return wanted.failed(
                f"stale: the source of the cell's {what} is not the one that was planned: "
                "edited while running, or another version on the worker's host; run again",
            )
        return job._replace(digest=wanted.digest)

    def run(self, wanted: Order) -> Record:
        """Run what is ordered and return its record."""
        job = self.job(wanted)
        return job if isinstance(job, Record) else self.runner.run(job)
