"""Sets of numbers drawn from distributions whose labels are known exactly."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from assay_sets.common import generator, mask_of, refuse_source
from assay_sets.schemas import LabelledSets, SetBatch

# scale -> training sets, test sets a test size
MAX_SETS = {"smoke": (500, 100), "small": (8_000, 500), "full": (8_000, 500)}
MAX_TRAIN_LIMIT, MAX_TEST_SIZES = 10, (10, 20, 50, 100)
GAUSS_SETS = {"smoke": (64, 64), "small": (1024, 500), "full": (2**17, 500)}
GAUSS_TRAIN_RANGE, GAUSS_TEST_SIZES = (20, 60), (50, 200)


def _maxima(rng: Generator, sizes: NDArray[np.int64], width: int) -> SetBatch:
    mask = mask_of(sizes, width)
    x = rng.uniform(0, 100, mask.shape).astype(np.float32) * mask
    return x[:, :, None], mask, x.max(1, keepdims=True)


def set_max(seed: int, scale: str, source: str | None = None) -> LabelledSets:
    """Maximum of a set of reals U[0, 100], D = 1 (Set Transformer, arXiv:1810.00825, section 5.1).

    Training sets have N ~ U{1..10}, test sets 10, 20, 50 or 100 elements. The paper draws sets anew each
    step; here 8,000 are drawn once, and 500 test sets a size (500 and 100 at smoke). Loss: l1.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small" or "full" (the same as small).
        source: not used; the data are drawn.

    Raises:
        ValueError: `source` was given.
    """
    refuse_source("set-max", source)
    rng = generator(seed, "set-max")
    sets, test_sets = MAX_SETS[scale]
    train = _maxima(rng, rng.integers(1, MAX_TRAIN_LIMIT + 1, sets), MAX_TRAIN_LIMIT)
    tests = {size: _maxima(rng, np.full(test_sets, size), size) for size in MAX_TEST_SIZES}
    return LabelledSets(*train, tests=tests, loss="l1")


def _gauss(rng: Generator, sizes: NDArray[np.int64], width: int) -> SetBatch:
    mask = mask_of(sizes, width)
    angle = rng.uniform(0, np.pi, len(sizes))
    cos, sin = np.cos(angle), np.sin(angle)
    # Sigma = R diag(1, 4) R^T = (R diag(1, 2)) (R diag(1, 2))^T
    root = np.stack([np.stack([cos, -2 * sin], -1), np.stack([sin, 2 * cos], -1)], -2).astype(np.float32)
    x = rng.standard_normal((*mask.shape, 2), dtype=np.float32) @ root.transpose(0, 2, 1)
    entropy = 0.5 * np.log(2 * np.pi * np.e * (cos**2 + 4 * sin**2))
    return x * mask[:, :, None], mask, entropy[:, None].astype(np.float32)


def gauss_statistics(seed: int, scale: str, source: str | None = None) -> LabelledSets:
    """Differential entropy (nats) of the first coordinate of a rotated 2-D Gaussian.

    After Deep Sets, arXiv:1703.06114, section 4.1. A set has N ~ U{20..60} samples of N(0, R(a) diag(1, 4)
    R(a)^T), a ~ U[0, pi), D = 2; the label is log(2 pi e Sigma_11) / 2. Test sets have 50 or 200 elements; the paper's 300 to 500
    would make full self-attention take minutes an entrant.
    64 training sets and 64 test sets a size at smoke, 1,024 and 500 at small, 2^17 and 500 at full (about 1
    GB while drawing). Loss: mse.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small" or "full".
        source: not used; the data are drawn.

    Raises:
        ValueError: `source` was given.
    """
    refuse_source("gauss-statistics", source)
    rng = generator(seed, "gauss-statistics")
    sets, test_sets = GAUSS_SETS[scale]
    low, high = GAUSS_TRAIN_RANGE
    train = _gauss(rng, rng.integers(low, high + 1, sets), high)
    tests = {size: _gauss(rng, np.full(test_sets, size), size) for size in GAUSS_TEST_SIZES}
    return LabelledSets(*train, tests=tests, loss="mse")
