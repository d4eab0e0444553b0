"""Synthetic 3-D point clouds: ten surfaces, and pairs of touching primitives with a label for each point."""

from itertools import combinations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from assay_sets.common import generator, read_npz
from assay_sets.schemas import PointClouds
from assay_sets.surfaces import SUPPORTS, SURFACES, Array, sphere

JITTER = 0.02
# scale -> training clouds, test clouds, points a cloud
SHAPE_SIZES = {"smoke": (200, 100, 32), "small": (1500, 500, 64)}
PART_SIZES = {"smoke": (150, 80, 32), "small": (1000, 300, 128)}


def _frames(rng: Generator, n: int) -> Array:
    """n linear maps (n, 3, 3): scale every axis by U[0.7, 1.3], then turn about z by U[0, 2 pi)."""
    angle = rng.uniform(0, 2 * np.pi, n)
    turn = np.zeros((n, 3, 3))
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
    turn[:, 1, 0] = np.sin(angle)
    turn[:, 0, 1] = -turn[:, 1, 0]
    turn[:, 2, 2] = 1
    return turn * rng.uniform(0.7, 1.3, (n, 1, 3))


def _surfaces(rng: Generator, names: list[str], kinds: NDArray[np.int64], points: int) -> Array:
    """Clouds (n, points, 3) of the surfaces names[kinds[i]]."""
    clouds = np.empty((len(kinds), points, 3))
    for kind, name in enumerate(names):
        chosen = kinds == kind
        clouds[chosen] = SURFACES[name](rng, chosen.sum() * points).reshape(-1, points, 3)
    return clouds


def _finish(rng: Generator, clouds: Array) -> NDArray[np.float32]:
    """Jitter, centre, and scale every cloud to the unit ball."""
    clouds = clouds + rng.normal(0, JITTER, clouds.shape)
    clouds -= clouds.mean(1, keepdims=True)
    return (clouds / np.linalg.norm(clouds, axis=2).max(1)[:, None, None]).astype(np.float32)


def _draw_shapes(rng: Generator, n: int, points: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    labels = rng.permutation(np.arange(n) % len(SURFACES))
    clouds = _surfaces(rng, list(SURFACES), labels, points)
    return _finish(rng, clouds @ _frames(rng, n).transpose(0, 2, 1)), labels


def _draw_part(rng: Generator, kinds: NDArray[np.int64], points: int, direction: Array) -> Array:
    """Primitives in random frames (n, points, 3), the farthest point along `direction` at the origin."""
    frames = _frames(rng, len(kinds))
    towards = np.einsum("nji,nj->ni", frames, direction)
    contact = np.empty((len(kinds), 3))
    for kind, support in enumerate(SUPPORTS.values()):
        contact[kinds == kind] = support(towards[kinds == kind])
    return (_surfaces(rng, list(SUPPORTS), kinds, points) - contact[:, None]) @ frames.transpose(0, 2, 1)


def _draw_parts(rng: Generator, n: int, points: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    pairs = np.array(list(combinations(range(len(SUPPORTS)), 2)))
    pairs = pairs[rng.permutation(np.arange(n) % len(pairs))]
    direction, half = sphere(rng, n), points // 2
    first = _draw_part(rng, pairs[:, 0], half, direction)
    second = _draw_part(rng, pairs[:, 1], half, -direction)
    order = rng.permuted(np.tile(np.arange(points), (n, 1)), axis=1)
    clouds = np.take_along_axis(np.concatenate([first, second], axis=1), order[:, :, None], axis=1)
    return _finish(rng, clouds), np.take_along_axis(pairs.repeat(half, axis=1), order, axis=1)


def _own_clouds(name: str, source: str | None, labels: str) -> PointClouds:
    layout = {"train_points": "(n, N, 3) float32", "train_labels": f"{labels} int64"}
    layout |= {field.replace("train", "test"): shape.replace("n,", "m,") for field, shape in layout.items()}
    arrays = read_npz(name, source, layout)
    return PointClouds(**arrays, classes=int(arrays["train_labels"].max()) + 1)


def shapes_3d(seed: int, scale: str, source: str | None = None) -> PointClouds:
    """Ten surfaces, to be told apart: 200 + 100 clouds of 32 points at smoke, 1500 + 500 of 64 at small.

    Area-uniform points of a surface, scaled by U[0.7, 1.3] along each axis, turned about z by U[0, 2 pi),
    jittered by N(0, 0.02), centred, scaled to the unit ball. Classes are balanced; training and test clouds
    are separate draws.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small", or "full", which needs `source`.
        source: path of an .npz with train_points, train_labels, test_points and test_labels, used at any
            scale (ModelNet40 at full).

    Raises:
        ValueError: scale "full" without `source`.
    """
    if source is not None or scale == "full":
        return _own_clouds("shapes-3d", source, "(n,)")
    rng = generator(seed, "shapes-3d")
    train, test, points = SHAPE_SIZES[scale]
    return PointClouds(
        *_draw_shapes(rng, train, points),
        *_draw_shapes(rng, test, points),
        classes=len(SURFACES),
    )


def composite_parts(seed: int, scale: str, source: str | None = None) -> PointClouds:
    """Two touching primitives a cloud; a point's label tells which of five kinds (`SUPPORTS`) it comes from.

    150 + 80 clouds of 32 points at smoke, 1000 + 300 of 128 at small; half of the points on each primitive.
    The two kinds differ and their ten pairs are balanced. Each primitive is scaled by U[0.7, 1.3] along each
    axis and turned about z by U[0, 2 pi); the second one is put where it touches the first, on the far side
    of a common tangent plane whose normal is uniform over the sphere (so a cube touches with a corner). The
    cloud is jittered by N(0, 0.02), centred, scaled to the unit ball.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small", or "full", which needs `source`.
        source: path of an .npz with train_points, train_labels (n, N), test_points and test_labels (m, N),
            used at any scale (ShapeNet-Part at full).

    Raises:
        ValueError: scale "full" without `source`.
    """
    if source is not None or scale == "full":
        return _own_clouds("composite-parts", source, "(n, N)")
    rng = generator(seed, "composite-parts")
    train, test, points = PART_SIZES[scale]
    return PointClouds(
        *_draw_parts(rng, train, points),
        *_draw_parts(rng, test, points),
        classes=len(SUPPORTS),
    )
