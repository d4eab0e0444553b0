"""Rigid scenes of matched points seen by several cameras, with every pose and depth known."""

import numpy as np
from numpy.random import Generator

from assay_sets.common import generator, read_npz
from assay_sets.schemas import PoseScenes
from assay_sets.surfaces import Array, sphere

POINTS, VIEWS, NOISE = 12, 4, 0.002
# scale -> training scenes, test scenes
SIZES = {"smoke": (500, 100), "small": (20_000, 500)}


def _cameras(rng: Generator, n: int) -> tuple[Array, Array]:
    """Rotations (n, 3, 3) and centres (n, 3): U[2, 3] from the origin, looking at it but for N(0, 5 deg), any roll."""
    centre = sphere(rng, n) * rng.uniform(2, 3, (n, 1))
    ahead = -centre / np.linalg.norm(centre, axis=1, keepdims=True)
    side = np.cross(ahead, rng.normal(size=(n, 3)))  # a random direction across: the roll
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    looking = np.stack([side, np.cross(ahead, side), ahead], -1)
    a, b = np.radians(rng.normal(0, 5, (2, n)))
    tilt, pan = (np.tile(np.eye(3), (n, 1, 1)) for _ in range(2))
    tilt[:, 1, 1], tilt[:, 1, 2], tilt[:, 2, 1], tilt[:, 2, 2] = np.cos(a), -np.sin(a), np.sin(a), np.cos(a)
    pan[:, 0, 0], pan[:, 0, 2], pan[:, 2, 0], pan[:, 2, 2] = np.cos(b), np.sin(b), -np.sin(b), np.cos(b)
    return looking @ tilt @ pan, centre


def _draw(rng: Generator, n: int) -> list[Array]:
    world = rng.uniform(-0.5, 0.5, (n, 1, POINTS, 3))
    rotation, centre = _cameras(rng, n * VIEWS)
    rotation, centre = rotation.reshape(n, VIEWS, 3, 3), centre.reshape(n, VIEWS, 3)
    local = (world - centre[:, :, None]) @ rotation  # R^T (X - c), rows
    image = local[..., :2] / local[..., 2:] + rng.normal(0, NOISE, (n, VIEWS, POINTS, 2))
    return [a.astype(np.float32) for a in (image, rotation, centre, local)]


def synthetic_scenes(seed: int, scale: str, source: str | None = None) -> PoseScenes:
    """Twelve points U in a cube of side 1, matched over four views: 500 + 100 scenes at smoke, 20,000 + 500 at small.

    Cameras of focal length 1 stand U[2, 3] from the cube's centre in any direction, look at it but for N(0, 5 degrees)
    about two axes, and roll freely; image coordinates have noise N(0, .002).

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
    return PoseScenes(*_draw(rng, train), *_draw(rng, test))
