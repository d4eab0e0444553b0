"""MNIST-1D (Greydanus and Kobak, 2020, arXiv:2011.14439): 5,000 signals of 40 steps in ten classes."""

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

__all__ = ["load"]


def load() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read the signals; the authors' split is 4,000 for training and the last 1,000 for testing.

    Returns:
        signals: (5000, 40) float32, mean 0 and variance 1 over all.
        labels: (5000,) int64 in 0..9.
    """
    with (files(__name__) / "signals.npz").open("rb") as file, np.load(file) as arrays:
        return arrays["signals"], arrays["labels"].astype(np.int64)
