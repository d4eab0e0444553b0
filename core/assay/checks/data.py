"""The check that loads a plugin's data sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from assay.checks.kit import Check, NotApplicable
from assay.checks.subject import Subject
from assay.checks.watch import watched


def dataset_runs(subject: Subject) -> Iterator[str]:
    """Every data set loads at smoke, the same twice and another at another seed."""
    if not subject.offered("dataset"):
        raise NotApplicable("registers no data set")
    for name, dataset in subject.offered("dataset").items():
        with watched() as seen:
            try:
                one, two, other = (_flat(dataset.load(seed, "smoke", None)) for seed in (0, 0, 1))
            except Exception as error:
                yield f"data set {name} does not load at smoke: {type(error).__name__}: {error}"
                continue
        if one != two:
            yield f"data set {name} is another one at the same seed"
        if one == other:
            yield f"data set {name} is the same at seeds 0 and 1"
        for what in (*seen.files[:2], *seen.network[:2], *seen.generators[:2]):
            yield f"data set {name}: {what}"


def _flat(data: Any) -> tuple[Any, ...]:
    """Return data as plain nested tuples that compare by value: arrays, tensors, sparse matrices, objects of them."""
    if hasattr(data, "detach"):
        data = data.detach().cpu().numpy()
    if hasattr(data, "tobytes"):
        plain = data.dtype.hasobject
        return (str(data.dtype), data.shape, _flat(data.tolist()) if plain else data.tobytes())
    if hasattr(data, "tocoo"):
        found = data.tocoo()
        return (found.shape, _flat(found.row), _flat(found.col), _flat(found.data))
    if isinstance(data, Mapping):
        return tuple((str(k), _flat(v)) for k, v in data.items())
    if isinstance(data, list | tuple):
        return tuple(map(_flat, data))
    if dataclasses.is_dataclass(data):
        return tuple(_flat(getattr(data, f.name)) for f in dataclasses.fields(data))
    if callable(data):
        return (getattr(data, "__module__", ""), getattr(data, "__qualname__", type(data).__qualname__))
    return _flat(vars(data)) if hasattr(data, "__dict__") else (repr(data),)


CHECKS = (
    Check(
        "dataset-runs", "smoke", "entrants are paired by the data of a seed", "draw from the seed alone", dataset_runs
    ),
)
