"""Views of objects: rendered solids with a class or with their voxels, and glimpses of real digits."""

import assay_data_mnist10k
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.random import Generator
from numpy.typing import NDArray

from assay_sets.common import generator, read_npz
from assay_sets.schemas import ViewSets
from assay_sets.surfaces import SOLIDS, SURFACES, Array

PIXELS, VOXELS, POINTS, VIEWS = 16, 12, 256, 16
SPLAT = 0.6
"""Standard deviation of a point's Gaussian, in pixels."""
# scale -> training objects, test objects
SIZES = {"smoke": (150, 60), "small": (800, 200)}
GLIMPSE_SIZES = {"smoke": (300, 100), "small": (2000, 500)}


def _objects(rng: Generator, n: int) -> tuple[Array, NDArray[np.bool_], NDArray[np.int64]]:
    """Draw n objects: points (n, POINTS, 3) in the unit ball, voxels (n, VOXELS^3) and classes (n,), balanced.

    Surfaces are scaled by U[0.7, 1.3] along their own axes, centred and scaled to the unit ball, upright and not turned.
    A voxel of [-1, 1]^3 is filled when its centre lies in the solid or the surface passes through it (4096 points).
    """
    kinds = rng.permutation(np.arange(n) % len(SURFACES))
    stretch = rng.uniform(0.7, 1.3, (n, 1, 3))
    axis = (np.arange(VOXELS) + 0.5) * 2 / VOXELS - 1
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    points, voxels = np.empty((n, POINTS, 3)), np.zeros((n, len(grid)), bool)
    for i, name in enumerate(np.array(list(SURFACES))[kinds]):
        surface = SURFACES[name](rng, 4096) * stretch[i]
        centre = (surface.max(0) + surface.min(0)) / 2
        size = np.linalg.norm(surface - centre, axis=1).max()
        surface = (surface - centre) / size
        points[i] = surface[:POINTS]
        cell = np.minimum(((surface + 1) * VOXELS / 2).astype(int), VOXELS - 1)
        voxels[i, np.ravel_multi_index(cell.T, (VOXELS,) * 3)] = True
        voxels[i] |= SOLIDS[name]((grid * size + centre) / stretch[i])
    return points, voxels.reshape(n, *(VOXELS,) * 3), kinds


def render(points: Array, azimuth: Array, elevation: Array) -> NDArray[np.float32]:
    """Return orthographic images (n, V, 1, 16, 16) in [0, 1] of points (n, P, 3) from azimuths and elevations (n, V).

    A pixel is the maximum over points of a Gaussian of .6 pixels around the point's place, as bright as it is near: a
    silhouette with depth shading. The square shows [-1.1, 1.1].
    """
    x, y, z = (points[:, None, :, axis] for axis in range(3))
    cos, sin = np.cos(azimuth)[..., None], np.sin(azimuth)[..., None]
    up, out = np.cos(elevation)[..., None], np.sin(elevation)[..., None]
    along, right = cos * x + sin * y, cos * y - sin * x
    across, near = up * z - out * along, up * along + out * z
    width = 2.2 / PIXELS
    place = ((np.arange(PIXELS) + 0.5 - PIXELS / 2) / (2**0.5 * SPLAT)).astype(np.float32)
    column, row = (v.astype(np.float32)[..., None] / np.float32(2**0.5 * SPLAT * width) for v in (right, -across))
    shade = (0.65 + 0.35 * near).astype(np.float32)[..., None]
    images = np.empty((*azimuth.shape, 1, PIXELS, PIXELS), np.float32)
    for i in range(len(points)):
        columns, rows = np.exp(-((column[i] - place) ** 2)), shade[i] * np.exp(-((row[i] - place) ** 2))
        for k in range(len(columns)):
            images[i, k, 0] = (rows[k, :, :, None] * columns[k, :, None, :]).max(0)
    return images


def _shapes(name: str, seed: int, scale: str, source: str | None, *, voxels: bool) -> ViewSets:
    if source is not None or scale == "full":
        layout = {f"{part}_views": "(n, V, 1, H, W) float32 in [0, 1]" for part in ("train", "test")}
        target = "(n, G, G, G) bool" if voxels else "(n,) int64"
        arrays = read_npz(name, source, {**layout, "train_targets": target, "test_targets": target})
        return ViewSets(**arrays, classes=0 if voxels else int(arrays["train_targets"].max()) + 1)
    rng = generator(seed, "shape-views")
    parts = []
    for n in SIZES[scale]:
        points, filled, kinds = _objects(rng, n)
        azimuth = rng.uniform(0, 2 * np.pi, (n, VIEWS))
        elevation = np.broadcast_to(np.radians(rng.uniform(0, 40, (n, 1))), azimuth.shape)
        parts += [render(points, azimuth, elevation), filled if voxels else kinds]
    return ViewSets(*parts, classes=0 if voxels else len(SURFACES))


def shape_views(seed: int, scale: str, source: str | None = None) -> ViewSets:
    """Ten solids seen from 16 unknown azimuths, to be told apart: 150 + 60 objects at smoke, 800 + 200 at small.

    Objects of `shapes-3d` (each axis scaled by U[0.7, 1.3]), 256 points of the surface splatted on 16 x 16 pixels,
    azimuth U[0, 2 pi) a view, elevation U[0, 40] degrees an object.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small", or "full", which needs `source`.
        source: path of an .npz with train_views, train_targets, test_views and test_targets, used at any scale
            (20-view renders of ModelNet40 at full).

    Raises:
        ValueError: scale "full" without `source`.
    """
    return _shapes("shape-views", seed, scale, source, voxels=False)


def shape_voxels(seed: int, scale: str, source: str | None = None) -> ViewSets:
    """The same views of the same objects as `shape_views`, to be turned into the object's 12^3 voxels, upright.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small", or "full", which needs `source`.
        source: path of an .npz with train_views, train_targets (n, G, G, G) bool, test_views and test_targets, used at
            any scale (ShapeNet R2N2 at full).

    Raises:
        ValueError: scale "full" without `source`.
    """
    return _shapes("shape-voxels", seed, scale, source, voxels=True)


def digit_glimpses(seed: int, scale: str, source: str | None = None) -> ViewSets:
    """MNIST digits of which each view shows a window of 16 x 16 of the 28 x 28 pixels, at an unknown place.

    300 + 100 digits at smoke, 2,000 + 500 at small, 16 glimpses each; training and test digits are disjoint.

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small", or "full", which takes all 8,000 + 2,000 digits.
        source: not used; the digits are bundled.

    Raises:
        ValueError: `source` was given.
    """
    if source is not None:
        raise ValueError(
            f"digit-glimpses shows the bundled digits, it reads no file: leave out source (got {source!r})"
        )
    images, labels = assay_data_mnist10k.load()
    rng = generator(seed, "digit-glimpses")
    order = rng.permutation(len(labels))
    parts = []
    for chosen, limit in zip((order[:8000], order[8000:]), GLIMPSE_SIZES.get(scale, (8000, 2000)), strict=True):
        chosen = chosen[:limit]
        windows = sliding_window_view(images[chosen], (PIXELS, PIXELS), axis=(1, 2))
        row, column = rng.integers(windows.shape[1], size=(2, len(chosen), VIEWS))
        glimpses = windows[np.arange(len(chosen))[:, None], row, column][:, :, None]
        parts += [(glimpses / 255).astype(np.float32), labels[chosen]]
    return ViewSets(*parts, classes=10)
