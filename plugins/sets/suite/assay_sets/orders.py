"""Items that have a right order: numbers, two-digit images, the patches of a digit."""

from __future__ import annotations

import assay_data_mnist10k
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from assay_sets.common import generator, read_npz, refuse_source
from assay_sets.digits import Pool, members, pools, split_pool
from assay_sets.schemas import OrderedItems

# scale -> training sets, test sets, items a set
FLOAT_SIZES = {"smoke": (2_000, 200, 5), "small": (20_000, 500, 10), "full": (100_000, 500, 15)}
DIGIT_SIZES = {"smoke": (500, 100, 3), "small": (8_000, 500, 9), "full": (100_000, 500, 32)}
# scale -> training images, test images, pieces a side
JIGSAW_SIZES = {"smoke": (500, 100, 2), "small": (4_000, 500, 3)}


def float_sort(seed: int, scale: str, source: str | None = None) -> OrderedItems:
    """Sets of reals U[0, 1], ascending (Order Matters, arXiv:1511.06391, section 5.1): P = 1.

    2,000 + 200 sets of 5 at smoke, 20,000 + 500 of 10 at small, 100,000 + 500 of 15 at full.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small" or "full".
        source: not used; the data are drawn.

    Raises:
        ValueError: `source` was given.
    """
    refuse_source("float-sort", source)
    rng = generator(seed, "float-sort")
    train, test, items = FLOAT_SIZES[scale]
    drawn = np.sort(rng.random((train + test, items), dtype=np.float32), axis=1)[:, :, None]
    return OrderedItems(drawn[:train], drawn[train:])


def _numbers(rng: Generator, pool: Pool, sets: int, items: int) -> NDArray[np.float32]:
    """Images of `items` distinct numbers of 00..99 in ascending order: (sets, items, 2 D), tens before units."""
    images, labels = pool
    values = np.sort(rng.random((sets, 100)).argsort(1)[:, :items], axis=1)
    digits = np.stack([values // 10, values % 10], axis=-1)
    return images[members(rng, labels, digits)].reshape(sets, items, -1)


def digit_sort(seed: int, scale: str, source: str | None = None) -> OrderedItems:
    """Images of two-digit numbers, ascending (after Grover et al. 2019; error-free sorting, arXiv:2310.07174).

    An item is two 8x8 images side by side, flattened (P = 128) and in [0, 1], read as 00..99; numbers in a set
    differ. 500 + 100 sets of 3 at smoke, 8,000 + 500 of 9 at small. Images are split 70/30 before sets are drawn.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small", or "full", which needs `source`.
        source: path of an .npz with images (n, D) float32 in [0, 1] and labels (n,) int64 in 0..9, used at any scale
            instead of scikit-learn's digits.

    Raises:
        ValueError: scale "full" without `source`.
    """
    rng = generator(seed, "digit-sort")
    train, test = pools(rng, "digit-sort", scale, source)
    sets, test_sets, items = DIGIT_SIZES[scale]
    return OrderedItems(_numbers(rng, train, sets, items), _numbers(rng, test, test_sets, items))


def _patches(images: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """Images (n, H, W) uint8 -> (n, side * side, h * w) in [0, 1], row by row; what does not divide is cut off."""
    n, height, width = images.shape
    h, w = height // side, width // side
    top, left = (height - h * side) // 2, (width - w * side) // 2
    cut = images[:, top : top + h * side, left : left + w * side].reshape(n, side, h, side, w)
    return (cut.swapaxes(2, 3).reshape(n, side * side, h * w) / 255).astype(np.float32)


def digit_jigsaw(seed: int, scale: str, source: str | None = None) -> OrderedItems:
    """The patches of a digit, row by row (after DeepPermNet, arXiv:1704.02729, and Mena et al. 2018).

    500 + 100 images in 2x2 patches of 14x14 at smoke, 4,000 + 500 in 3x3 patches of 9x9 (the middle 27x27 pixels) at
    small; P is the number of pixels. The 10,000 digits of `assay-data-mnist10k` are split 80/20 by seed. Patches that
    are equal in every pixel (blank ones, above all) are interchangeable: the task counts either place as right.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small", or "full", which needs `source` and uses every image in 3x3 patches.
        source: path of an .npz with images (n, H, W) uint8, used at any scale instead of the bundled digits.

    Raises:
        ValueError: scale "full" without `source`.
    """
    if source is not None or scale == "full":
        images = read_npz("digit-jigsaw", source, {"images": "(n, H, W) uint8"})["images"]
    else:
        images, _ = assay_data_mnist10k.load()
    rng = generator(seed, "digit-jigsaw")
    (train, _), (test, _) = split_pool(rng, (images, np.arange(len(images))), 0.8)
    n, m, side = (len(train), len(test), 3) if scale == "full" else JIGSAW_SIZES[scale]
    return OrderedItems(_patches(train[:n], side), _patches(test[:m], side))
