"""Ten surfaces to draw points from, and the farthest points of five of them.

A surface is a function of (generator, n) that draws n points (n, 3) float64, independent and
uniform over its area.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _polar(rng: Generator, radius: Array, z: Array) -> Array:
    """Points at distance `radius` from the z axis and height z, at uniform azimuths."""
    azimuth = rng.uniform(0, 2 * np.pi, len(z))
    return np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth), z], axis=-1)


def _sign(rng: Generator, n: int) -> Array:
    return rng.choice([-1.0, 1.0], n)


def sphere(rng: Generator, n: int) -> Array:
    """Sphere of radius 1: z is uniform in [-1, 1] (Archimedes)."""
    z = rng.uniform(-1, 1, n)
    return _polar(rng, np.sqrt(1 - z**2), z)


def cube(rng: Generator, n: int) -> Array:
    """Cube max(|x|, |y|, |z|) = 0.6."""
    points = rng.uniform(-0.6, 0.6, (n, 3))
    points[np.arange(n), rng.integers(3, size=n)] = 0.6 * _sign(rng, n)
    return points


def cylinder(rng: Generator, n: int, radius: float = 0.6, half: float = 0.8) -> Array:
    """Closed cylinder about z, |z| <= half: side 4 pi radius half, caps 2 pi radius^2."""
    on_side = rng.random(n) < 2 * half / (2 * half + radius)
    distance = np.where(on_side, radius, radius * np.sqrt(rng.random(n)))
    z = np.where(on_side, rng.uniform(-half, half, n), half * _sign(rng, n))
    return _polar(rng, distance, z)


def cone(rng: Generator, n: int, radius: float = 0.8, half: float = 0.7) -> Array:
    """Closed cone, apex at z = half and base at z = -half: side pi radius slant, base pi radius^2."""
    slant = np.hypot(radius, 2 * half)
    on_side = rng.random(n) < slant / (slant + radius)
    # radius / the base's radius: on both parts, the area within it grows as its square
    width = np.sqrt(rng.random(n))
    return _polar(rng, radius * width, np.where(on_side, half - 2 * half * width, -half))


def _tube_angle(rng: Generator, n: int, bend: float) -> Array:
    """Angles in [0, 2 pi) of density (1 + bend cos v) / 2 pi, bend = tube radius x curvature of its axis.

    v is kept with probability (1 + bend cos v) / 2 and mirrored to pi - v otherwise, which is exact since
    cos(pi - v) = -cos v.
    """
    v = rng.uniform(0, 2 * np.pi, n)
    return np.where(rng.random(n) < (1 + bend * np.cos(v)) / 2, v, (np.pi - v) % (2 * np.pi))


def torus(rng: Generator, n: int, ring: float = 0.7, tube: float = 0.3) -> Array:
    """Torus (sqrt(x^2 + y^2) - ring)^2 + z^2 = tube^2; its area element is tube (ring + tube cos v) du dv."""
    v = _tube_angle(rng, n, tube / ring)
    return _polar(rng, ring + tube * np.cos(v), tube * np.sin(v))


def pyramid(rng: Generator, n: int, side: float = 0.7, half: float = 0.6) -> Array:
    """Closed square pyramid, apex at z = half, base |x|, |y| <= side at z = -half.

    The four faces have area 4 side slant, the base 4 side^2. The base, too, is four triangles (about its
    centre), so that both are drawn as one triangle turned by quarters.
    """
    slant = np.hypot(side, 2 * half)
    on_side = rng.random(n) < slant / (slant + side)
    width = np.sqrt(rng.random(n))
    out, along = side * width, side * width * rng.uniform(-1, 1, n)
    z = np.where(on_side, half - 2 * half * width, -half)
    quarter = np.pi / 2 * rng.integers(4, size=n)
    cos, sin = np.cos(quarter), np.sin(quarter)
    return np.stack([cos * out - sin * along, sin * out + cos * along, z], axis=-1)


def disc(rng: Generator, n: int) -> Array:
    """Flat disc x^2 + y^2 <= 1, z = 0."""
    return _polar(rng, np.sqrt(rng.random(n)), np.zeros(n))


def capsule(rng: Generator, n: int, radius: float = 0.4, half: float = 0.6) -> Array:
    """Points at distance `radius` of the segment |z| <= half: side 4 pi radius half, caps one sphere."""
    on_side = rng.random(n) < half / (half + radius)
    ball = radius * sphere(rng, n)
    ball[:, 2] += half * np.sign(ball[:, 2])
    side = _polar(rng, np.full(n, radius), rng.uniform(-half, half, n))
    return np.where(on_side[:, None], side, ball)


def helix_tube(rng: Generator, n: int, ring: float = 0.7, tube: float = 0.15, half: float = 0.8) -> Array:
    """Tube, open at its ends, around two turns of the helix (ring cos t, ring sin t, pitch t), |t| <= 2 pi.

    pitch = half / 2 pi. Its area element is tube (1 - curvature tube cos v) dv ds, v from the inward normal.
    """
    pitch = half / (2 * np.pi)
    speed = np.hypot(ring, pitch)
    t = rng.uniform(-2 * np.pi, 2 * np.pi, n)
    v = _tube_angle(rng, n, tube * ring / speed**2)  # from the outward normal
    cos, sin, zero = np.cos(t), np.sin(t), np.zeros(n)
    curve = np.stack([ring * cos, ring * sin, pitch * t], axis=-1)
    outward = np.stack([cos, sin, zero], axis=-1)
    binormal = np.stack([pitch * sin, -pitch * cos, zero + ring], axis=-1) / speed
    return curve + tube * (np.cos(v)[:, None] * outward + np.sin(v)[:, None] * binormal)


def two_spheres(rng: Generator, n: int) -> Array:
    """Two spheres of radius 0.5 that touch at the origin, centres on the z axis."""
    points = 0.5 * sphere(rng, n)
    points[:, 2] += 0.5 * _sign(rng, n)
    return points


SURFACES: dict[str, Callable[[Generator, int], Array]] = {
    "sphere": sphere,
    "cube": cube,
    "cylinder": cylinder,
    "cone": cone,
    "torus": torus,
    "pyramid": pyramid,
    "disc": disc,
    "capsule": capsule,
    "helix-tube": helix_tube,
    "two-spheres": two_spheres,
}
"""Classes of `shapes-3d`, in the order of their labels."""


def _rim(d: Array, radius: float) -> Array:
    """Farthest points along directions d (n, 3) of a circle about z, in the plane z = 0."""
    return d * [1, 1, 0] * (radius / np.linalg.norm(d[:, :2], axis=1, keepdims=True))


def _cone_support(d: Array) -> Array:
    base, apex = _rim(d, 0.8) - [0, 0, 0.7], np.array([0, 0, 0.7])
    return np.where(((d * base).sum(1) > d @ apex)[:, None], base, apex)


SUPPORTS: dict[str, Callable[[Array], Array]] = {
    "sphere": lambda d: d / np.linalg.norm(d, axis=1, keepdims=True),
    "cube": lambda d: 0.6 * np.sign(d),
    "cylinder": lambda d: _rim(d, 0.6) + 0.8 * np.sign(d) * [0, 0, 1],
    "cone": _cone_support,
    "torus": lambda d: _rim(d, 0.7) + 0.3 * d / np.linalg.norm(d, axis=1, keepdims=True),
}
"""Primitives of `composite-parts` in the order of their labels: d (n, 3) -> the point farthest along d."""


def _in_torus(p: Array) -> NDArray[np.bool_]:
    return (np.hypot(p[:, 0], p[:, 1]) - 0.7) ** 2 + p[:, 2] ** 2 <= 0.3**2


def _in_helix(p: Array) -> NDArray[np.bool_]:
    t = np.linspace(-2 * np.pi, 2 * np.pi, 200)
    curve = np.stack([0.7 * np.cos(t), 0.7 * np.sin(t), 0.8 * t / (2 * np.pi)], -1)
    squares = (p**2).sum(1)[:, None] + (curve**2).sum(1) - 2 * p @ curve.T
    return squares.min(1) <= 0.15**2


def _radius(p: Array) -> Array:
    return np.hypot(p[:, 0], p[:, 1])


SOLIDS: dict[str, Callable[[Array], NDArray[np.bool_]]] = {
    "sphere": lambda p: (p**2).sum(1) <= 1,
    "cube": lambda p: np.abs(p).max(1) <= 0.6,
    "cylinder": lambda p: (_radius(p) <= 0.6) & (np.abs(p[:, 2]) <= 0.8),
    "cone": lambda p: (_radius(p) <= 0.8 * (0.7 - p[:, 2]) / 1.4) & (p[:, 2] >= -0.7),
    "torus": _in_torus,
    "pyramid": lambda p: (np.abs(p[:, :2]).max(1) <= 0.7 * (0.6 - p[:, 2]) / 1.2) & (p[:, 2] >= -0.6),
    "disc": lambda p: np.zeros(len(p), bool),
    "capsule": lambda p: np.hypot(_radius(p), np.maximum(np.abs(p[:, 2]) - 0.6, 0)) <= 0.4,
    "helix-tube": _in_helix,
    "two-spheres": lambda p: _radius(p) ** 2 + (np.abs(p[:, 2]) - 0.5) ** 2 <= 0.5**2,
}
"""Whether points (n, 3) lie within the solid that a surface of `SURFACES` bounds; the disc has no inside."""
