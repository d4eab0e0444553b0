"""A user's own entrants and data: a class from a notebook or file, arrays from npz, parquet or csv."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import re
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import AssayError, unknown
from assay.spec import Dataset, Model, Schema, Task

FILE_MODULE = "assay_own_"
"""How the modules of users' files are named."""


def model_from_file(text: str, task: str) -> Model:
    """Return the entrant that `path/to/file.py:Name` names. Its id is the name, or `id` in `id=path.py:Name`."""
    given, equals, rest = text.partition("=")
    path_text, colon, name = (rest if equals else text).rpartition(":")
    path = Path(path_text)
    if not colon or path.suffix != ".py":
        raise AssayError(f"model {text!r}: give FILE.py:CLASS")
    if not path.is_file():
        raise AssayError(f"model {text!r}: there is no file {path}")
    where = hashlib.blake2b(
        str(path.resolve()).encode(), digest_size=4
    ).hexdigest()  # files of one name are two modules
    module_name = f"{FILE_MODULE}{path.stem}_{where}"
    spec = importlib.util.spec_from_file_location(module_name, path.resolve())
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise AssayError(f"model {text!r}: {path} cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(getattr(module, name, None)):
        raise unknown(f"class in {path}", name, [n for n, v in vars(module).items() if isinstance(v, type)])
    return Model(given if equals else name, task, getattr(module, name))


def models_of(models: Mapping[str, Any], task: str) -> list[Model]:
    """Return entrants for classes or builders by name, as `assay.run(models={"mine": MyNet})` takes them."""
    entrants = []
    for name, build in models.items():
        if isinstance(build, Model):
            entrants.append(replace(build, id=name, task=task))
        elif callable(build):
            entrants.append(Model(name, task, build))
        else:
            raise AssayError(
                f"models[{name!r}] must be a class or a function that builds one, got {type(build).__name__}"
            )
    return entrants


def dataset_of(name: str, schema: Schema) -> Dataset:
    """Return a data set of the user's: its file comes by the cell's source, its split by the seed."""
    return Dataset(
        name, schema.id, functools.partial(_load, schema.make, tuple(schema.fields.items())), title="own data"
    )


def _load(
    make: Callable[[Mapping[str, Any], Any], Any],
    fields: tuple[tuple[str, str], ...],
    seed: int,
    scale: str,
    source: str | None,
) -> Any:
    del scale  # own data is taken as it is at every scale
    return make(read(str(source), dict(fields)), np.random.default_rng(seed))


def check(path: str, task: Task, schema: Schema) -> None:
    """Read a user's file once, so that whatever is wrong with it is said before anything runs."""
    try:
        schema.make(read(path, schema.fields), np.random.default_rng(0))
    except AssayError as error:
        raise AssayError(f"{error} (task {task.id} takes {describe(schema)})") from None
    except Exception as error:
        raise AssayError(
            f"{path}: task {task.id} cannot split these data: {type(error).__name__}: {error} (it takes {describe(schema)})"
        ) from error


def describe(schema: Schema) -> str:
    """Return a schema's fields in one line."""
    return ", ".join(f"{name}: {form}" for name, form in schema.fields.items())


def read(path: str, fields: Mapping[str, str]) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of a file by field, checked and cast to the field's dtype.

    npz: an array a field. parquet and csv: a row a sample; a field of one dimension is the column of its name, one of
    more is the columns `field.0`, `field.1` or `field.0.0`, ... in row-major order.
    """
    file = Path(path)
    if not file.is_file():
        raise AssayError(f"{path}: there is no such file")
    if file.suffix not in (".npz", ".csv", ".parquet"):
        raise AssayError(f"{path}: own data is read from .npz, .parquet or .csv, not {file.suffix or 'a bare name'!r}")
    try:
        raw = _arrays(file) if file.suffix == ".npz" else _table(file, fields)
    except ImportError as error:
        raise AssayError(f'{path} cannot be read: {error}: pip install "assay[pandas]"') from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise AssayError(f"{path} cannot be read: {error}") from error
    sizes: dict[str, int] = {}
    return {name: _field(path, name, form, raw, sizes) for name, form in fields.items()}


def _arrays(file: Path) -> dict[str, np.ndarray[Any, Any]]:
    if not zipfile.is_zipfile(file):
        raise ValueError("it is no npz archive")
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _table(file: Path, fields: Mapping[str, str]) -> dict[str, np.ndarray[Any, Any]]:
    import pandas as pd

    frame = pd.read_csv(file) if file.suffix == ".csv" else pd.read_parquet(file)
    return {name: _columns(frame, name) for name in fields if _has(frame, name)}


def _has(frame: Any, name: str) -> bool:
    return any(str(c) == name or str(c).startswith(name + ".") for c in frame.columns)


def _columns(frame: Any, name: str) -> np.ndarray[Any, Any]:
    """Return a field of a table: its column, or its numbered columns put into an array."""
    if name in frame.columns:
        return np.asarray(frame[name])
    numbered = [str(c) for c in frame.columns if str(c).startswith(name + ".")]
    indices = {c: tuple(map(int, c.removeprefix(name + ".").split("."))) for c in numbered}
    shape = tuple(max(axis) + 1 for axis in zip(*indices.values(), strict=True))
    array: Any = np.full((len(frame), *shape), np.nan)
    for column, index in indices.items():
        array[(slice(None), *index)] = frame[column]
    return np.asarray(array)


def _field(path: str, name: str, form: str, raw: Mapping[str, Any], sizes: dict[str, int]) -> np.ndarray[Any, Any]:
    """Return one field checked against `dtype[dims]`; `sizes` keeps what named dimensions were found to be."""
    if name not in raw:
        raise AssayError(f"{path}: field {name!r} is missing; found {', '.join(raw) or 'nothing'}")
    array = raw[name]
    matched = re.fullmatch(r"(\w+)\[(.*)\]", form)
    assert matched is not None, form
    dtype, dims = np.dtype(matched[1]), [d.strip() for d in matched[2].split(",")]
    came = f"{array.dtype}[{','.join(map(str, array.shape))}]"
    if array.ndim != len(dims):
        raise AssayError(f"{path}: field {name!r} should be {form}, got {came}: {len(dims)} dimensions expected")
    for dim, size in zip(dims, array.shape, strict=True):
        if sizes.setdefault(dim, int(dim) if dim.isdigit() else size) != size:
            raise AssayError(f"{path}: field {name!r} should be {form} with {dim} = {sizes[dim]}, got {came}")
    if not len(array):
        raise AssayError(f"{path}: field {name!r} has no samples")
    if array.dtype.kind not in "fiub":
        raise AssayError(f"{path}: field {name!r} should be {form}, got {came}: numbers expected")
    if not np.all(np.isfinite(array)):
        bad = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise AssayError(f"{path}: field {name!r} holds {array[bad]} at index {bad}: remove or fill it first")
    with np.errstate(over="ignore", invalid="ignore"):
        cast: np.ndarray[Any, Any] = array.astype(dtype)
    if not np.all(np.isfinite(cast)) or (dtype.kind in "iub" and not np.array_equal(cast, array)):
        raise AssayError(f"{path}: field {name!r} should be {form}, got {came} with values that {dtype} cannot hold")
    return cast
