"""What the arenas of this family share: their generators, their refusal of files they cannot read, and of what is missing."""

from __future__ import annotations

import importlib
from typing import Any
from zlib import crc32

import numpy as np
from assay import AssayError


def generator(seed: int, name: str) -> np.random.Generator:
    """Return the generator of data set `name`: the same for the same seed, independent between data sets."""
    return np.random.default_rng([seed, crc32(name.encode())])


def no_source(name: str, scale: str, source: str | None) -> None:
    """Raise AssayError when a drawn data set is given a file, or asked for a scale that it has not."""
    if source is not None:
        raise AssayError(f"{name} is drawn, it reads no file: leave out the path (got {source!r})")
    if scale == "full":
        raise AssayError(f"{name} is drawn at smoke and small; at full give your own data by --data")


def library(module: str, extra: str) -> Any:
    """Return a module that a baseline wraps; raise AssayError that names the extra which brings it when it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise AssayError(
            f'this baseline needs {module.partition(".")[0]}: pip install "assay-numerics[{extra}]" ({error})'
        ) from error
