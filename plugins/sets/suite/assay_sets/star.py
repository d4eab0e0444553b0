"""Binary variables whose joint distribution is known."""

from __future__ import annotations

import numpy as np

from assay_sets.common import generator, refuse_source
from assay_sets.schemas import BinarySamples

# scale -> training samples, test samples
SIZES = {"smoke": (100, 500), "small": (300, 2_000), "full": (300, 100_000)}
LEAVES, AGREEMENT = 5, 0.9


def star_model(seed: int, scale: str, source: str | None = None) -> BinarySamples:
    """A head of probability 1/2 and five leaves that equal it with probability 0.9 (after arXiv:1511.06391, 5.1).

    The head comes first. Training sets are small, 100 samples at smoke and 300 at small: with many, a network reaches
    the same likelihood in every order of the variables. 500 and 2,000 samples to test.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small" or "full" (100,000 to test).
        source: not used; the data are drawn.

    Raises:
        ValueError: `source` was given.
    """
    refuse_source("star-model", source)
    rng = generator(seed, "star-model")
    train, test = SIZES[scale]
    head = rng.random((train + test, 1)) < 0.5
    leaves = head ^ (rng.random((train + test, LEAVES)) >= AGREEMENT)
    x = np.concatenate([head, leaves], axis=1).astype(np.float32)
    return BinarySamples(x[:train], x[train:])
