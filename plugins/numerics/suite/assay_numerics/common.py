"""What the arenas of this family share: their generators, their clock and their refusal of files they cannot read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from zlib import crc32

import numpy as np
from assay import AssayError, Context


def generator(seed: int, name: str) -> np.random.Generator:
    """Return the generator of data set `name`: the same for the same seed, independent between data sets."""
    return np.random.default_rng([seed, crc32(name.encode())])


def no_source(name: str, scale: str, source: str | None) -> None:
    """Raise AssayError when a drawn data set is given a file, or asked for a scale that it has not."""
    if source is not None:
        raise AssayError(f"{name} is drawn, it reads no file: leave out the path (got {source!r})")
    if scale == "full":
        raise AssayError(f"{name} is drawn at smoke and small; at full give your own data by --data")


@contextlib.contextmanager
def clocked(ctx: Context) -> Iterator[list[float]]:
    """Add the block's wall seconds to the cost `predict_seconds`, and append them to the list that is given."""
    before, elapsed = ctx.costs.get("predict_seconds", 0.0), list[float]()
    with ctx.timer("predict"):
        yield elapsed
    elapsed.append(ctx.costs["predict_seconds"] - before)
