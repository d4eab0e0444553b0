"""Data sets of sequences/signal-classification: digits read pixel by pixel, MNIST-1D, and a mark at the beginning of noise."""

from __future__ import annotations

import numpy as np
from assay_data_mnist1d import load as load_signals
from assay_data_mnist10k import load as load_digits

from assay_sequences.common import generator, no_source
from assay_sequences.signal_classification import SignalData

SIZES = {"smoke": (240, 120), "small": (4_000, 1_000), "full": (8_000, 2_000)}


def smnist_196(seed: int, scale: str, source: str | None = None) -> SignalData:
    """MNIST digits averaged to 14 x 14 and read row by row: T=196, C=1, ten classes, mean 0 and variance 1 over all.

    240 + 120 digits at smoke, 4,000 + 1,000 at small, 8,000 + 2,000 at full, drawn by the seed.
    """
    no_source("smnist-196", source)
    rng, (train, test) = generator(seed, "smnist-196"), SIZES[scale]
    images, labels = load_digits()
    order = rng.permutation(len(images))[: train + test]
    small = images[order].reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(len(order), 196, 1)
    x = ((small - small.mean()) / small.std()).astype(np.float32)
    return SignalData(x[:train], labels[order[:train]], x[train:], labels[order[train:]], 10)


def mnist1d(seed: int, scale: str, source: str | None = None) -> SignalData:
    """MNIST-1D (arXiv:2011.14439): T=40, C=1, ten classes, split 4,000 / 1,000 by the seed (240 / 120 at smoke)."""
    no_source("mnist1d", source)
    rng, (train, test) = generator(seed, "mnist1d"), SIZES["smoke" if scale == "smoke" else "small"]
    signals, labels = load_signals()
    order = rng.permutation(len(signals))[: train + test]
    x, y = signals[order, :, None], labels[order]
    return SignalData(x[:train], y[:train], x[train:], y[train:], 10)


def first_mark(seed: int, scale: str, source: str | None = None) -> SignalData:
    """White noise of T=256 steps (64 at smoke, 4,096 at full); the first 16 also hold a sine of amplitude 2: of which frequency?

    Frequencies are (k + 1) / 20 cycles a step, k = 0..7, with a random phase. 3,000 + 1,000 signals at small.
    """
    no_source("first-mark", source)
    rng = generator(seed, "first-mark")
    length = {"smoke": 64, "small": 256, "full": 4096}[scale]
    train, test = {"smoke": (240, 120), "small": (3_000, 1_000), "full": (3_000, 1_000)}[scale]
    labels = rng.integers(8, size=train + test)
    phase = rng.uniform(0, 2 * np.pi, (train + test, 1))
    x = rng.standard_normal((train + test, length))
    x[:, :16] += 2 * np.sin(2 * np.pi * (labels[:, None] + 1) / 20 * np.arange(16) + phase)
    signals = x[..., None].astype(np.float32)
    return SignalData(signals[:train], labels[:train], signals[train:], labels[train:], 8)
