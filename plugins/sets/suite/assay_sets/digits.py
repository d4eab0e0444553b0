"""Sets made of real digits: MNIST as 2-D point sets, and sets of scikit-learn's 8x8 images."""

from typing import Any

import assay_data_mnist10k
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from assay_sets.common import generator, mask_of, read_npz
from assay_sets.schemas import LabelledSets, PointClouds, SetBatch

# scale -> training sets, test sets, points a set
POINT_SIZES = {"smoke": (200, 100, 32), "small": (1500, 500, 64)}
# scale -> training sets, test sets a test size
SET_SIZES = {"smoke": (500, 100), "small": (8_000, 500), "full": (100_000, 500)}
TRAIN_LIMIT = 10
SUM_TEST_SIZES = (10, 20, 50, 100)

Pool = tuple[NDArray[Any], NDArray[np.int64]]  # images and their labels


def split_pool(rng: Generator, pool: Pool, share: float) -> tuple[Pool, Pool]:
    """Two disjoint pools in random order, the first with `share` of the images."""
    images, labels = pool
    order = rng.permutation(len(labels))
    cut = round(share * len(labels))
    return (images[order[:cut]], labels[order[:cut]]), (images[order[cut:]], labels[order[cut:]])


def _ink_points(rng: Generator, images: NDArray[Any], points: int) -> NDArray[np.float32]:
    """Images (n, H, W) of ink >= 0 -> (n, points, 2), centred, in the unit disc, x to the right, y upwards.

    Pixels are drawn with probability proportional to their ink and the place within the pixel uniformly.
    """
    n, _, width = images.shape
    ink = images.reshape(n, -1).cumsum(1, dtype=np.float64)
    chance = (ink / ink[:, -1:] + np.arange(n)[:, None]).ravel()  # increasing: image i fills (i, i + 1]
    drawn = rng.random((n, points)) + np.arange(n)[:, None]
    pixel = np.searchsorted(chance, drawn, side="right") % ink.shape[1]
    clouds = np.stack([pixel % width, -(pixel // width)], axis=-1) + rng.random((n, points, 2))
    clouds -= clouds.mean(1, keepdims=True)
    return (clouds / np.linalg.norm(clouds, axis=2).max(1)[:, None, None]).astype(np.float32)


def mnist_points(seed: int, scale: str, source: str | None = None) -> PointClouds:
    """MNIST digits as 2-D point sets: 200 + 100 sets of 32 points at smoke, 1500 + 500 of 64 at small.

    The 10,000 digits of `assay-data-mnist10k` are split 8,000/2,000 by seed and each set shows another digit.
    Points fall on pixels with probability proportional to ink, uniformly within the pixel, and are centred
    and scaled to the unit disc (x to the right, y upwards).

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small", or "full", which needs `source` and gives a set of 256 points for each of
            its images.
        source: path of an .npz with images (n, H, W) of ink >= 0, none empty, and labels (n,) int64, used at
            any scale instead of the bundled digits and split 80/20 likewise.

    Raises:
        ValueError: scale "full" without `source`.
    """
    if source is not None or scale == "full":
        layout = {"images": "(n, H, W), ink >= 0", "labels": "(n,) int64"}
        images, labels = read_npz("mnist-points", source, layout).values()
    else:
        images, labels = assay_data_mnist10k.load()
    rng = generator(seed, "mnist-points")
    train, test = split_pool(rng, (images, labels), 0.8)
    n, m, points = (len(images), len(images), 256) if scale == "full" else POINT_SIZES[scale]
    return PointClouds(
        train_points=_ink_points(rng, train[0][:n], points),
        train_labels=train[1][:n],
        test_points=_ink_points(rng, test[0][:m], points),
        test_labels=test[1][:m],
        classes=int(labels.max()) + 1,
    )


def pools(rng: Generator, name: str, scale: str, source: str | None) -> tuple[Pool, Pool]:
    """Images (n, D) float32 in [0, 1] and labels (n,), split 70/30."""
    if source is not None or scale == "full":
        layout = {"images": "(n, D) float32 in [0, 1]", "labels": "(n,) int64"}
        images, labels = read_npz(name, source, layout).values()
    else:
        from sklearn.datasets import load_digits  # takes about a second to import: only who needs it pays

        images, labels = load_digits(return_X_y=True)
        images = (images / 16).astype(np.float32)
    return split_pool(rng, (images, labels), 0.7)


def members(rng: Generator, labels: NDArray[np.int64], classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each class asked for, in an array of any shape, the index of a random image of it."""
    by_class = labels.argsort(kind="stable")
    starts, ends = (np.searchsorted(labels[by_class], classes, side=side) for side in ("left", "right"))
    return by_class[starts + rng.integers(0, ends - starts)]


def _gather(pool: Pool, pick: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Images (n, Nmax, D) of the picked indices (n, Nmax), zero where the mask is False."""
    x = pool[0][pick]
    x[~mask] = 0
    return x


def _sums(rng: Generator, pool: Pool, sizes: NDArray[np.int64], width: int) -> SetBatch:
    mask = mask_of(sizes, width)
    pick = rng.integers(len(pool[1]), size=mask.shape)
    y = (pool[1][pick] * mask).sum(1, keepdims=True)
    return _gather(pool, pick, mask), mask, y.astype(np.float32)


def digit_sum(seed: int, scale: str, source: str | None = None) -> LabelledSets:
    """Sum of the digits that a set of images shows (Deep Sets, arXiv:1703.06114, section 4.1).

    An element is one 8x8 image, flattened (D = 64) and in [0, 1], drawn with replacement. Training sets have
    N ~ U{1..10}, test sets 10, 20, 50 or 100 elements. 500 training sets and 100 test sets a size at smoke,
    8,000 and 500 at small, 100,000 and 500 at full. Images are split 70/30 before sets are drawn. Loss: mse.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small", or "full", which needs `source`.
        source: path of an .npz with images (n, D) float32 in [0, 1] and labels (n,) int64, used at any scale
            instead of scikit-learn's digits (MNIST8M at full).

    Raises:
        ValueError: scale "full" without `source`.
    """
    rng = generator(seed, "digit-sum")
    train, test = pools(rng, "digit-sum", scale, source)
    sets, test_sets = SET_SIZES[scale]
    drawn = _sums(rng, train, rng.integers(1, TRAIN_LIMIT + 1, sets), TRAIN_LIMIT)
    tests = {size: _sums(rng, test, np.full(test_sets, size), size) for size in SUM_TEST_SIZES}
    return LabelledSets(*drawn, tests=tests, loss="mse")


def _counts(rng: Generator, pool: Pool, sets: int) -> SetBatch:
    sizes = rng.integers(6, 11, sets)
    distinct = rng.integers(1, np.minimum(sizes, 8) + 1)
    mask = mask_of(sizes, 10)
    kinds = np.unique(pool[1])
    chosen = rng.random((sets, len(kinds))).argsort(1)[:, :8]
    # every chosen class once, any of them again in the elements left, then the real elements in random order
    slot = np.where(mask_of(distinct, 10), np.arange(10), rng.integers(0, distinct[:, None], mask.shape))
    order = np.where(mask, rng.random(mask.shape), 2).argsort(1)
    kind = np.take_along_axis(chosen, np.take_along_axis(slot, order, 1), 1)
    pick = members(rng, pool[1], kinds[kind])
    return _gather(pool, pick, mask), mask, distinct[:, None].astype(np.float32)


def unique_count(seed: int, scale: str, source: str | None = None) -> LabelledSets:
    """Number of distinct classes that a set of images shows (Set Transformer, arXiv:1810.00825, section 5.2).

    N ~ U{6..10} images of c ~ U{1..min(N, 8)} classes: each class once, the others among these at random, in
    random order; the label is c. An element is one 8x8 image, flattened (D = 64) and in [0, 1]. Test sets
    have the same range of N, under the key 10. The set sizes stand for online draws: 500 + 100 sets at smoke,
    8,000 + 500 at small (drawn once, not anew each step), 100,000 + 500 at full. Images are split 70/30
    before sets are drawn. Loss: poisson.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small", or "full", which needs `source`.
        source: path of an .npz with images (n, D) float32 in [0, 1] and labels (n,) int64 of 8 classes or
            more, used at any scale instead of scikit-learn's digits (Omniglot at full).

    Raises:
        ValueError: scale "full" without `source`.
    """
    rng = generator(seed, "unique-count")
    train, test = pools(rng, "unique-count", scale, source)
    sets, test_sets = SET_SIZES[scale]
    return LabelledSets(*_counts(rng, train, sets), tests={10: _counts(rng, test, test_sets)}, loss="poisson")
