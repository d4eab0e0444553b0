"""Multisets of real vectors, drawn, and pairs of them that a channel-wise view cannot tell apart."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from assay_sets.common import generator, refuse_source
from assay_sets.schemas import Multisets

DRAWS = {"smoke": 20, "small": 200, "full": 200}
ROWS, COLUMNS = {"smoke": (2, 3), "small": (2, 3, 4, 5), "full": (2, 3, 4, 5)}, (1, 2, 3, 4)
LARGER_ROWS, LARGER_COLUMNS = (4, 8, 16, 32), 3
"""Numbers of rows, and the number of columns, at which the width of an embedding is measured."""


def _draws(rng: Generator, count: int, n: int, d: int) -> NDArray[np.float64]:
    """Entries U[-1, 1]; in every fourth multiset the first row stands twice."""
    x = rng.uniform(-1, 1, (count, n, d))
    x[::4, 1] = x[::4, 0]
    return x


def _pair(rng: Generator, n: int, d: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two multisets with the same columns: the last column is shifted by one row."""
    x = rng.uniform(-1, 1, (n, d))
    other = x.copy()
    other[:, -1] = np.roll(x[:, -1], 1)
    return x, other


def random_multisets(seed: int, scale: str, source: str | None = None) -> Multisets:
    """Rows U[-1, 1]^D: 20 draws for each N in {2, 3} at smoke, 200 for each N in {2..5} at small, and D in {1..4}.

    In every fourth draw two rows are equal. The pairs begin with {(0, 0), (1, 1)} and {(0, 1), (1, 0)}.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small" or "full" (the same as small).
        source: not used; the data are drawn.

    Raises:
        ValueError: `source` was given.
    """
    refuse_source("random-multisets", source)
    rng = generator(seed, "random-multisets")
    sizes = list(product(ROWS[scale], COLUMNS))
    draws = {(n, d): _draws(rng, DRAWS[scale], n, d) for n, d in sizes}
    corners = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
    pairs = (corners, *(_pair(rng, n, d) for n, d in sizes if d > 1 for _ in range(5)))
    return Multisets(draws, pairs, {n: rng.uniform(-1, 1, (n, LARGER_COLUMNS)) for n in LARGER_ROWS})
