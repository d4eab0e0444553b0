"""Lets a user's own models and data enter a task of the catalog."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay import own
from assay.catalog import Catalog
from assay.errors import AssayError
from assay.plan import Planner
from assay.spec import Dataset, Model


def _task_of(names: Sequence[str], catalog: Catalog, what: str) -> str:
    if len(names) == 1 and "/" in names[0] and not set(names[0]) & set("*?["):
        return catalog.task(names[0]).id
    if len(names) != 1 or names[0] not in catalog.tasks:
        raise AssayError(
            f"{what} of your own enter one task: name it, one of {', '.join(sorted(catalog.tasks)) or 'none installed'}"
        )
    return names[0]


def enter_models(catalog: Catalog, names: Sequence[str], models: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Register the user's entrants in the one task that is named; return their ids."""
    if not models:
        return []
    task = _task_of(names, catalog, "models")
    if isinstance(models, Mapping):
        entering: list[Model] = own.models_of(models, task)
    else:
        entering = [own.model_from_file(text, task) for text in models]
    for model in entering:
        if (task, model.id) in catalog.models:
            raise AssayError(f"model {model.id!r} exists in {task} already: give yours another name")
        catalog.models[task, model.id] = model
    return [model.id for model in entering]


def enter_data(planner: Planner, names: Sequence[str], data: Mapping[str, str], scale: str) -> tuple[str, ...]:
    """Register the user's files as data sets, or as the sources of installed ones; return their full ids."""
    if not data:
        return ()
    catalog = planner.catalog
    task = catalog.task(_task_of(names, catalog, "data"))
    schema = catalog.schemas.get(task.schema)
    for name, path in data.items():
        if not re.fullmatch(r"[\w.-]+", name):
            raise AssayError(f"data {name!r}: name it with letters, digits, '-', '_' and '.'")
        full = f"{task.family}/{name}"
        existing: Dataset | None = catalog.datasets.get(full)
        if existing is None and schema is None:
            raise AssayError(f"task {task.id} takes no data of your own: its suite registers no schema {task.schema!r}")
        if existing is None:
            assert schema is not None
            own.check(path, task, schema)
            catalog.datasets[full] = own.dataset_of(name, schema)
        elif scale != "full":
            raise AssayError(
                f"{name!r} is an installed data set: its source is used at --scale full; else pick another name"
            )
        elif not Path(path).exists():
            raise AssayError(f"{path}: there is no such file")
        planner.sources[full] = str(Path(path).resolve())
    return tuple(f"{task.family}/{name}" for name in data)
