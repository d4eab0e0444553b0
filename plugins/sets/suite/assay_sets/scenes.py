"""Rigid scenes of matched points seen by several cameras, with every pose and depth known."""

import numpy as np
from numpy.random import Generator

from assay_sets.common import generator, read_npz
from assay_sets.schemas import PoseScenes
from assay_sets.surfaces import Array

POINTS, VIEWS, NOISE = 8, 4, 0.002
DEFORMATION = 0.1
# scale -> training scenes, test scenes
SIZES = {"smoke": (500, 100), "small": (20_000, 500)}


def _about(axis: int, angle: Array) -> Array:
    """Rotations (n, 3, 3) about an axis."""
    matrix = np.tile(np.eye(3), (len(angle), 1, 1))
    a, b = (axis + 1) % 3, (axis + 2) % 3
    matrix[:, a, a] = matrix[:, b, b] = np.cos(angle)
    matrix[:, b, a] = np.sin(angle)
    matrix[:, a, b] = -matrix[:, b, a]
    return matrix


def _cameras(rng: Generator, n: int) -> tuple[Array, Array]:
    """Rotations (n, 3, 3) and centres (n, 3), U[2, 3] from the origin, of cameras that look at it.

    Turned about the vertical by U[-60, 60], about the horizontal by U[-30, 30], rolled by N(0, 10) and off by N(0, 5)
    degrees about the other two axes.
    """
    around, above = rng.uniform(-np.pi / 3, np.pi / 3, n), rng.uniform(-np.pi / 6, np.pi / 6, n)
    place = _about(1, around) @ _about(0, above)
    centre = -place[:, :, 2] * rng.uniform(2, 3, (n, 1))
    tilt, pan, roll = np.radians(rng.normal(0, [[5], [5], [10]], (3, n)))
    return place @ _about(0, tilt) @ _about(1, pan) @ _about(2, roll), centre


def _draw(rng: Generator, template: Array, n: int) -> list[Array]:
    world = template + rng.normal(0, DEFORMATION, (n, 1, POINTS, 3))
    rotation, centre = _cameras(rng, n * VIEWS)
    rotation, centre = rotation.reshape(n, VIEWS, 3, 3), centre.reshape(n, VIEWS, 3)
    local = (world - centre[:, :, None]) @ rotation  # R^T (X - c), rows
    image = local[..., :2] / local[..., 2:] + rng.normal(0, NOISE, (n, VIEWS, POINTS, 2))
    return [a.astype(np.float32) for a in (image, rotation, centre, local)]


def synthetic_scenes(seed: int, scale: str, source: str | None = None) -> PoseScenes:
    """Eight points of a deformed object, matched over four views: 500 + 100 scenes at smoke, 20,000 + 500 at small.

    The object is of a kind: each point lies N(0, .1) about its place in a template U in a cube of side 1, drawn by seed.
    Cameras of focal length 1 stand U[2, 3] from the cube's centre, within 60 degrees to either side and 30 above or
    below, look at it but for N(0, 5) degrees about two axes, and roll by N(0, 10); image coordinates have noise
    N(0, .002). (Of points anywhere in the cube no entrant learns the poses in the budget of scale small.)

    Args:
        seed: the data depends on it (and on the scale) alone.
        scale: "smoke", "small", or "full", which needs `source`.
        source: path of an .npz with the fields of `PoseScenes`, used at any scale.

    Raises:
        ValueError: scale "full" without `source`.
    """
    if source is not None or scale == "full":
        shapes = {"image": "V, K, 2", "rotation": "V, 3, 3", "centre": "V, 3", "local": "V, K, 3"}
        layout = {f"{part}_{f}": f"(n, {s}) float32" for part in ("train", "test") for f, s in shapes.items()}
        return PoseScenes(**read_npz("synthetic-scenes", source, layout))
    rng = generator(seed, "synthetic-scenes")
    train, test = SIZES[scale]
    template = rng.uniform(-0.5, 0.5, (POINTS, 3))
    return PoseScenes(*_draw(rng, template, train), *_draw(rng, template, test))
