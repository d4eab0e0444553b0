"""Classes of items and how sequences of them are drawn, for sequences/icl-labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from assay import AssayError
from numpy.typing import NDArray

from assay_sequences.common import generator, no_source

LABELS = 32
Batch = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]
"""Items (B, n + 1, 32), the query last; labels (B, n) of the others; the query's label (B,)."""


@dataclass(frozen=True)
class Regime:
    """How training sequences are drawn: what entrants of this task change.

    A sequence is bursty with probability `burstiness`: of n context items 3 n / 8 (one at least) are of the query's class, as
    many of one other, the rest of different ones; else all classes are independent, the query's too. Classes are the first
    `n_classes` with frequencies 1 / rank^zipf; `within` is the noise about a centre. `labels="fixed"`: class k has label
    k mod 32; `"random"`: the sequence gives each class of it a label 0 or 1, the query's and the other one's differ.
    """

    burstiness: float = 0.9
    n_classes: int = 1024
    zipf: float = 0.0
    within: float = 0.1
    context: int = 8
    labels: Literal["fixed", "random"] = "fixed"


@dataclass(frozen=True)
class World:
    """Class centres (K, 32), entries N(0, 1 / 32)."""

    centres: NDArray[np.float64]

    def items(self, rng: np.random.Generator, centres: NDArray[np.float64], within: float) -> NDArray[np.float32]:
        """Return an item (..., 32) about each of the centres: (mu + within eta) / sqrt(1 + within^2)."""
        eta = rng.standard_normal(centres.shape) / centres.shape[-1] ** 0.5
        return ((centres + within * eta) / np.sqrt(1 + within**2)).astype(np.float32)

    def draw(self, rng: np.random.Generator, size: int, regime: Regime) -> Batch:
        """Return training sequences."""
        n, k = regime.context, regime.n_classes
        if k > len(self.centres):
            raise AssayError(f"n_classes={k}: the world has {len(self.centres)} classes at this scale")
        weights = np.arange(1, k + 1) ** -regime.zipf
        classes = rng.choice(k, size=(size, n + 1), p=weights / weights.sum())
        many = max(1, 3 * n // 8)
        bursty = rng.random(size) < regime.burstiness
        other = (classes[:, 0] + rng.integers(1, k, size)) % k if regime.zipf == 0 else classes[:, 1]
        clash = other == classes[:, 0]
        other = np.where(clash, (other + 1) % k, other)
        context = classes[:, 1:].copy()
        context[:, :many], context[:, many : 2 * many] = classes[:, :1], other[:, None]
        context = np.take_along_axis(context, rng.random(context.shape).argsort(1), 1)
        classes[:, 1:] = np.where(bursty[:, None], context, classes[:, 1:])
        classes = np.roll(classes, -1, 1)
        labels = classes % LABELS
        if regime.labels == "random":
            first = rng.integers(2, size=(size, 1))
            labels = np.where(classes == classes[:, -1:], first, 1 - first)
        return self.items(rng, self.centres[classes], regime.within), labels[:, :-1], labels[:, -1]

    def in_context(self, rng: np.random.Generator, size: int, regime: Regime) -> Batch:
        """Return sequences of two new classes, half of the context each, labels 0 and 1 at random: chance is .5 between these."""
        n = regime.context
        dim = self.centres.shape[1]
        centres = rng.standard_normal((size, 2, dim)) / dim**0.5
        sides = np.tile(np.arange(n) % 2, (size, 1))
        sides = np.take_along_axis(sides, rng.random(sides.shape).argsort(1), 1)
        sides = np.hstack([sides, rng.integers(2, size=(size, 1))])
        labels = sides ^ rng.integers(2, size=(size, 1))
        chosen = np.take_along_axis(centres, sides[..., None], 1)
        return self.items(rng, chosen, regime.within), labels[:, :-1], labels[:, -1]

    def in_weights(self, rng: np.random.Generator, size: int, regime: Regime) -> Batch:
        """Return sequences of training classes, none of the context of the query's."""
        k = regime.n_classes
        query = rng.integers(k, size=(size, 1))
        context = (query + rng.integers(1, k, size=(size, regime.context))) % k
        classes = np.hstack([context, query])
        items = self.items(rng, self.centres[classes], regime.within)
        return items, classes[:, :-1] % LABELS, classes[:, -1] % LABELS


def gaussian_classes(seed: int, scale: str, source: str | None = None) -> World:
    """1,024 class centres in R^32 (64 at smoke), N(0, I / 32)."""
    no_source("gaussian-classes", source)
    classes = 64 if scale == "smoke" else 1024
    return World(generator(seed, "gaussian-classes").standard_normal((classes, 32)) / 32**0.5)
