"""What the arenas of this family share: their generators and their refusal of files they cannot read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from zlib import crc32

import numpy as np
from assay import AssayError, Context


def generator(seed: int, name: str) -> np.random.Generator:
    """Return the generator of data set `name`: the same for the same seed, independent between data sets."""
    return np.random.default_rng([seed, crc32(name.encode())])


def no_source(name: str, source: str | None) -> None:
    """Raise AssayError when a file was given to a data set that needs none."""
    if source is not None:
        raise AssayError(f"{name} reads no file of yours: leave out the path (got {source!r})")


@contextlib.contextmanager
def whole_fit(ctx: Context) -> Iterator[None]:
    """Make the block's wall seconds the cost `fit_seconds`, those that `kit.train` counted within it included once."""
    with ctx.timer("fit"):
        yield
        ctx.costs.pop("fit_seconds", None)
