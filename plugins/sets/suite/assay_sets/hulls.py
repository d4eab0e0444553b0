"""Points in the plane with their convex hulls."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from assay_sets.common import generator, refuse_source
from assay_sets.schemas import Hulls, HullSets

# scale -> training sets a size, test sets a size
SIZES = {"smoke": (200, 100), "small": (4_000, 500), "full": (250_000, 500)}
TRAIN_POINTS = {"smoke": (5,), "small": (5, 6, 7, 8), "full": (5, 10, 20, 50)}
TEST_POINTS = (5, 8, 12, 16)


def hulls_of(points: NDArray[np.float32]) -> NDArray[np.int64]:
    """Points (n, N, 2) -> vertices (n, N): counter-clockwise from the lowest index, then -1. Qhull."""
    found = np.full(points.shape[:2], -1)
    for row, cloud in zip(found, points.astype(np.float64), strict=True):
        vertices = ConvexHull(cloud).vertices  # in the plane: counter-clockwise
        row[: len(vertices)] = np.roll(vertices, -int(vertices.argmin()))
    return found


def _draw(rng: Generator, sets: int, size: int) -> Hulls:
    return listed(rng.random((sets, size, 2), dtype=np.float32))


def listed(points: NDArray[np.float32]) -> Hulls:
    """Return sets of points (n, N, 2), each listed from left to right, and their hulls."""
    points = np.take_along_axis(points, points[:, :, :1].argsort(1), 1)
    return points, hulls_of(points)


def uniform_square(seed: int, scale: str, source: str | None = None) -> HullSets:
    """Points uniform in the unit square (Pointer Networks, arXiv:1506.03134, section 4.2).

    Training sets have 5 points at smoke, 5 to 8 at small, 5 to 50 at full (200, 4,000 and 250,000 a size); test sets
    5, 8, 12 and 16 (100 a size at smoke, else 500). Points are listed from left to right: a set has no order of its own,
    and in a random one no entrant gets beyond chance within this budget (the paper trains on a million sets).

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small" or "full" (some minutes to draw).
        source: not used; the data are drawn.

    Raises:
        ValueError: `source` was given.
    """
    refuse_source("uniform-square", source)
    rng = generator(seed, "uniform-square")
    sets, test_sets = SIZES[scale]
    train = {size: _draw(rng, sets, size) for size in TRAIN_POINTS[scale]}
    return HullSets(train, {size: _draw(rng, test_sets, size) for size in TEST_POINTS})
