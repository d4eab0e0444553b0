"""Scores of single examples: kept beside the store, one compressed file a cell, found by the cell's digest."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import AssayError

TEST_SET = "test set"
"""Name under which a file keeps the fingerprint of the data that the entrant was tested on."""


def folder(store: str) -> Path:
    """Return where the examples of a store's cells are kept. Raises AssayError for a store that is no file."""
    if "://" in store:
        raise AssayError(
            f"scores of examples are kept in files beside the store, and {store} is none: use --store PATH"
        )
    return Path(f"{store}.examples")


def lacking(places: Iterable[tuple[str, str]]) -> set[str]:
    """Return the digests, of pairs (digest, folder), whose scores are asked for (a folder is named) and not there."""
    return {digest for digest, place in places if place and not _path(Path(place), digest).exists()}


def write(place: Path, digest: str, scores: Mapping[str, NDArray[Any]], data: Any) -> None:
    """Keep a cell's scores by metric (each of shape (examples,)) and the fingerprint of its test data, all or nothing."""
    place.mkdir(parents=True, exist_ok=True)
    path = _path(place, digest)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with open(partial, "wb") as stream:
        np.savez_compressed(stream, **{**scores, TEST_SET: np.array(fingerprint(data))})  # type: ignore[arg-type]
    partial.replace(path)


def read(place: Path, digest: str, metric: str) -> tuple[NDArray[np.float64], str] | None:
    """Return a cell's scores by a metric and the fingerprint of its test data, None where they were not kept."""
    path = _path(place, digest)
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as file:
        return (file[metric].astype(float), str(file[TEST_SET])) if metric in file else None


def fingerprint(data: Any) -> str:
    """Return a hash of the fields of data whose names speak of a test, of all of it when none does."""
    fields = _fields(data) or {"": data}
    chosen = {name: value for name, value in fields.items() if "test" in name} or fields
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(chosen):
        _feed(found, chosen[name])
    return found.hexdigest()


def _feed(found: Any, value: Any) -> None:
    inside = _fields(value)
    if inside or isinstance(value, list | tuple):
        for item in inside.values() if inside else value:
            _feed(found, item)
    else:
        array = np.ascontiguousarray(value)
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(array.tobytes() if array.dtype != object else repr(value).encode())


def _fields(data: Any) -> dict[str, Any]:
    if isinstance(data, Mapping):
        return {str(name): value for name, value in data.items()}
    if dataclasses.is_dataclass(data):
        return {field.name: getattr(data, field.name) for field in dataclasses.fields(data)}
    return {}


def _path(place: Path, digest: str) -> Path:
    return place / f"{digest}.npz"
