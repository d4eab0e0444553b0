"""What the datasets of the sets family share: their generator, their masks and the user's own file."""

from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray


def generator(seed: int, name: str) -> np.random.Generator:
    """Generator of dataset `name`: the same for the same seed, independent between datasets."""
    return np.random.default_rng([seed, crc32(name.encode())])


def mask_of(sizes: NDArray[np.int64], width: int) -> NDArray[np.bool_]:
    """Set sizes (n,) -> mask (n, width) bool, True for the first sizes[i] elements of row i."""
    return np.arange(width) < sizes[:, None]


def rotations(rng: np.random.Generator, n: int, dim: int = 3) -> NDArray[np.float64]:
    """Rotations (n, dim, dim) drawn uniformly from SO(dim): QR of a Gaussian with signs fixed, determinant 1."""
    q, r = np.linalg.qr(rng.normal(size=(n, dim, dim)))
    q *= np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    q[:, :, 0] *= np.linalg.det(q)[:, None]
    return q


def read_npz(name: str, source: str | None, layout: dict[str, str]) -> dict[str, NDArray[Any]]:
    """Read the arrays named in `layout` (field -> its shape and dtype in words) from the user's .npz file.

    Raises:
        ValueError: no file was given; the message tells the layout.
    """
    if source is None:
        fields = ", ".join(f"{field} {shape}" for field, shape in layout.items())
        raise ValueError(f"{name} at scale 'full' reads your own file: source=PATH of an .npz with {fields}")
    with np.load(source) as file:
        return {field: file[field] for field in layout}


def refuse_source(name: str, source: str | None) -> None:
    """Raise ValueError when a file was given to a dataset that is drawn."""
    if source is not None:
        raise ValueError(f"{name} is drawn, it reads no file: leave out source (got {source!r})")


def held_out(samples: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of a random 80 % of the samples for training, and of the others (at least one) for testing."""
    order = rng.permutation(samples)
    cut = max(1, samples // 5)
    return order[cut:], order[:cut]
