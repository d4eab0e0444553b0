"""Ground sets in which an oracle chose a subset, by rules that no element shows by itself."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from assay_sets.common import generator, refuse_source
from assay_sets.digits import Pool, members, pools
from assay_sets.schemas import SubsetChoices

# scale -> training sets, test sets
SIZES = {"smoke": (100, 100), "small": (1_000, 300), "full": (10_000, 1_000)}
MOONS = (20, 10)
"""Elements of the larger and of the smaller moon."""
ANOMALY_ELEMENTS = 16
AVERAGE_ELEMENTS, AVERAGE_DIMENSIONS, NEAR = 30, 4, 0.5

Choices = tuple[NDArray[np.float32], NDArray[np.bool_]]


def _mixed(rng: Generator, v: NDArray[np.float32], s: NDArray[np.bool_]) -> Choices:
    """Return the elements of each set in random order."""
    order = rng.random(s.shape).argsort(1)
    return np.take_along_axis(v, order[:, :, None], 1), np.take_along_axis(s, order, 1)


def _moons(rng: Generator, sets: int) -> Choices:
    large, small = MOONS
    angle = rng.uniform(0, np.pi, (sets, large + small))
    chosen = np.broadcast_to(np.arange(large + small) >= large, angle.shape)
    upper = chosen ^ (rng.random(sets) < 0.5)[:, None]
    moon = np.stack(
        [np.where(upper, np.cos(angle), 1 - np.cos(angle)), np.where(upper, np.sin(angle), 0.5 - np.sin(angle))], -1
    )
    moon += rng.normal(0, 0.1, moon.shape)
    turn = rng.uniform(0, 2 * np.pi, sets)
    rotation = np.stack([np.stack([np.cos(turn), -np.sin(turn)], -1), np.stack([np.sin(turn), np.cos(turn)], -1)], -2)
    v = moon @ rotation.swapaxes(1, 2) + rng.normal(0, 1, (sets, 1, 2))
    return _mixed(rng, v.astype(np.float32), chosen)


def two_moons(seed: int, scale: str, source: str | None = None) -> SubsetChoices:
    """Two interleaved half circles of 20 and 10 noisy points; the subset is the smaller one.

    Shapes and noise (0.1) are those of scikit-learn's make_moons. Which moon is the smaller is a fair coin, and the
    whole set is turned by U[0, 2 pi) and shifted by N(0, I), so an element alone does not tell. D = 2.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke" (100 + 100 sets), "small" (1,000 + 300) or "full" (10,000 + 1,000).
        source: not used; the data are drawn.

    Raises:
        ValueError: `source` was given.
    """
    refuse_source("two-moons-subset", source)
    rng = generator(seed, "two-moons-subset")
    sets, test_sets = SIZES[scale]
    return SubsetChoices(*_moons(rng, sets), *_moons(rng, test_sets))


def _anomalies(rng: Generator, pool: Pool, sets: int) -> Choices:
    images, labels = pool
    odd = rng.integers(2, 4, sets)
    chosen = np.arange(ANOMALY_ELEMENTS) < odd[:, None]
    common = rng.integers(0, 10, sets)
    rare = (common + rng.integers(1, 10, sets)) % 10
    kind = np.where(chosen, rare[:, None], common[:, None])
    return _mixed(rng, images[members(rng, labels, kind)], chosen)


def digit_anomaly(seed: int, scale: str, source: str | None = None) -> SubsetChoices:
    """16 images of one digit but for 2 or 3 of another digit; the subset is these (after arXiv:2402.03139).

    An element is an 8x8 image, flattened (D = 64) and in [0, 1]. Images are split 70/30 before sets are drawn.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke" (100 + 100 sets), "small" (1,000 + 300), or "full", which needs `source`.
        source: path of an .npz with images (n, D) float32 in [0, 1] and labels (n,) int64 in 0..9, used at any scale
            instead of scikit-learn's digits.

    Raises:
        ValueError: scale "full" without `source`.
    """
    rng = generator(seed, "digit-anomaly")
    train, test = pools(rng, "digit-anomaly", scale, source)
    sets, test_sets = SIZES[scale]
    return SubsetChoices(*_anomalies(rng, train, sets), *_anomalies(rng, test, test_sets))


def _averages(rng: Generator, direction: NDArray[np.float64], sets: int) -> Choices:
    """Sets of which at least one element is near the average: others are drawn again."""
    kept_v, kept_s, left = [], [], sets
    while left:
        shape = (left, AVERAGE_ELEMENTS, AVERAGE_DIMENSIONS)
        v = rng.normal(0, 1, shape) + rng.normal(0, 2, (left, 1, AVERAGE_DIMENSIONS))
        along = v @ direction
        chosen = np.abs(along - along.mean(1, keepdims=True)) < NEAR
        good = chosen.any(1)
        kept_v.append(v[good].astype(np.float32))
        kept_s.append(chosen[good])
        left -= int(good.sum())
    return np.concatenate(kept_v), np.concatenate(kept_s)


def near_average(seed: int, scale: str, source: str | None = None) -> SubsetChoices:
    """30 elements of N(m, I) in R^4, m ~ N(0, 4 I) a set; the subset is those near the set's own average.

    Chosen is who lies within 0.5 of the set's mean along a fixed unit direction that training has to find. As m varies
    more than the elements do, an element alone does not tell, not even which of two is the likelier: choosing those
    above the average would be solved by a score an element, as the size of the subset is given.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke" (100 + 100 sets), "small" (1,000 + 300) or "full" (10,000 + 1,000).
        source: not used; the data are drawn.

    Raises:
        ValueError: `source` was given.
    """
    refuse_source("near-average", source)
    rng = generator(seed, "near-average")
    direction = rng.normal(size=AVERAGE_DIMENSIONS)
    direction /= np.linalg.norm(direction)
    sets, test_sets = SIZES[scale]
    return SubsetChoices(*_averages(rng, direction, sets), *_averages(rng, direction, test_sets))
