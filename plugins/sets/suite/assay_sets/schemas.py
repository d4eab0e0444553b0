"""What the datasets of the sets family return."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

SetBatch: TypeAlias = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]
"""Elements (n, Nmax, D) float32, mask (n, Nmax) bool (True = real element) and targets (n, 1) float32."""


@dataclass(frozen=True, eq=False)
class PointClouds:
    """Clouds of N points with a class for each cloud, or for each point.

    Attributes:
        train_points: (n, N, D) float32.
        train_labels: (n,) int64, or (n, N) int64 when every point has a label of its own; 0 <= label <
            classes.
        test_points: (m, N, D) float32.
        test_labels: (m,) or (m, N) int64, as train_labels.
        classes: number of classes.
    """

    train_points: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_points: NDArray[np.float32]
    test_labels: NDArray[np.int64]
    classes: int


@dataclass(frozen=True, eq=False)
class OrderedItems:
    """Sets of N items that have a right order; they are kept in it, the task shuffles them.

    Attributes:
        train: (n, N, P) float32.
        test: (m, N, P) float32.
    """

    train: NDArray[np.float32]
    test: NDArray[np.float32]


Hulls: TypeAlias = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Points (n, N, 2) float32 and the vertices of their convex hulls (n, N) int64.

Vertices are indices of points, counter-clockwise from the lowest index, then -1.
"""


@dataclass(frozen=True, eq=False)
class HullSets:
    """Planar points with their convex hulls.

    Attributes:
        train: points and hulls for each number of points.
        tests: the same, held out; `points` is the knob.
    """

    train: Mapping[int, Hulls]
    tests: Mapping[int, Hulls]


@dataclass(frozen=True, eq=False)
class SubsetChoices:
    """Ground sets of n elements and the subset of each that an oracle chose. The order of elements means nothing.

    Attributes:
        train_v: (k, n, D) float32.
        train_s: (k, n) bool, True = chosen; at least one is chosen in each set.
        test_v: (m, n, D) float32.
        test_s: (m, n) bool.
    """

    train_v: NDArray[np.float32]
    train_s: NDArray[np.bool_]
    test_v: NDArray[np.float32]
    test_s: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class BinarySamples:
    """Samples of a joint distribution of binary variables.

    Attributes:
        train: (n, V) float32 in {0, 1}.
        test: (m, V) float32 in {0, 1}.
    """

    train: NDArray[np.float32]
    test: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Multisets:
    """Multisets of N rows in R^D, and pairs of different multisets whose columns, each by itself, are the same.

    Attributes:
        draws: (k, N, D) float64 for each (N, D); rows may be equal.
        pairs: tuples of two arrays (N, D) float64.
        larger: one multiset (N, D) float64 for each N, at which the width of an embedding is measured.
    """

    draws: Mapping[tuple[int, int], NDArray[np.float64]]
    pairs: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]
    larger: Mapping[int, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class LabelledSets:
    """Sets of up to Nmax elements with one number to predict for each set.

    Real elements come first; padded elements are zeros.

    Attributes:
        train_x: (n, Nmax, D) float32.
        train_mask: (n, Nmax) bool, True = real element.
        train_y: (n, 1) float32.
        tests: x (m, N, D) float32, mask (m, N) bool and y (m, 1) float32 for each test set size N (knob
            `test_size`).
        loss: what training minimises; "poisson" takes y as a count and the prediction as its rate.
    """

    train_x: NDArray[np.float32]
    train_mask: NDArray[np.bool_]
    train_y: NDArray[np.float32]
    tests: Mapping[int, SetBatch]
    loss: Literal["mse", "l1", "poisson"]


@dataclass(frozen=True, eq=False)
class ViewSets:
    """Objects of which each is shown by V images from unknown places, with a class or a grid of voxels for each.

    Attributes:
        train_views: (n, V, 1, H, W) float32.
        train_targets: (n,) int64 classes, or (n, G, G, G) bool voxels.
        test_views: (m, V, 1, H, W) float32.
        test_targets: as train_targets.
        classes: number of classes, 0 when the targets are voxels.
    """

    train_views: NDArray[np.float32]
    train_targets: NDArray[np.int64] | NDArray[np.bool_]
    test_views: NDArray[np.float32]
    test_targets: NDArray[np.int64] | NDArray[np.bool_]
    classes: int


@dataclass(frozen=True, eq=False)
class PoseScenes:
    """Rigid scenes of K points, each seen by V cameras; point k is the same point in every view.

    Camera i maps its own coordinates to the world's by X = rotation_i x + centre_i; it looks along its z axis and its
    image is (x / z, y / z).

    Attributes:
        train_image: (n, V, K, 2) float32, with noise.
        train_rotation: (n, V, 3, 3) float32.
        train_centre: (n, V, 3) float32.
        train_local: (n, V, K, 3) float32, the points in each camera's coordinates.
        test_image, test_rotation, test_centre, test_local: likewise.
    """

    train_image: NDArray[np.float32]
    train_rotation: NDArray[np.float32]
    train_centre: NDArray[np.float32]
    train_local: NDArray[np.float32]
    test_image: NDArray[np.float32]
    test_rotation: NDArray[np.float32]
    test_centre: NDArray[np.float32]
    test_local: NDArray[np.float32]
