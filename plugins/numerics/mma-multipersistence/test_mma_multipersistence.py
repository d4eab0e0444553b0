"""MMA: the vineyard against a reduction from scratch on every line, and rectangles that cross."""

import numpy as np
import pytest
from assay_mma_multipersistence import MMA, Vineyard
from assay_numerics.bifiltrations import (
    Bifiltration,
    Work,
    barcode,
    bottleneck,
    clean,
    density_rips,
    density_rips_loops,
    grid,
    perturbed,
    rectangle_modules,
)
from hypothesis import given, settings
from hypothesis import strategies as st


def as_sorted(bars):
    return sorted(map(tuple, bars.round(12)))


@pytest.mark.parametrize("load", [rectangle_modules, density_rips, density_rips_loops])
@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000), st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=6))
def test_the_vineyard_has_the_true_barcode_on_every_line(load, seed, offsets):
    data = load(seed, "smoke")
    vineyard = Vineyard(data, 0.0, Work())
    for offset in offsets:
        vineyard.move(offset)
        bars = vineyard.bars(offset)
        assert as_sorted(clean(bars[~np.isnan(bars).any(1)])) == as_sorted(barcode(data, offset, Work()))


def test_one_rectangle_is_found_exactly():
    data = rectangle_modules(0, "smoke")
    alone = Bifiltration((data.faces[0][:2], data.faces[1][:2]), (data.grades[0][:2], data.grades[1][:2]), 0)
    corners = MMA().approximate(alone, grid(0.02), Work()).corners()
    np.testing.assert_allclose(corners, data.rectangles[:1], atol=1e-12)


def crossing():
    """Two rectangles whose births change order from line to line: [.1, .9) x [.5, .7) and [.5, .7) x [.1, .9)."""
    a, b = np.array([[0.1, 0.5], [0.5, 0.1]]), np.array([[0.9, 0.7], [0.7, 0.9]])
    vertices = np.concatenate([np.zeros((1, 2)), a])
    edges = np.array([[b[0, 0], a[0, 1]], [a[0, 0], b[0, 1]], [b[1, 0], a[1, 1]], [a[1, 0], b[1, 1]]])
    return Bifiltration((((),) * 3, ((0, 1), (0, 1), (0, 2), (0, 2))), (vertices, edges), 0), np.stack([a, b], 1)


def test_crossing_rectangles_are_kept_apart():
    data, true = crossing()
    corners = MMA().approximate(data, grid(0.05), Work()).corners()
    np.testing.assert_allclose(corners[np.argsort(corners[:, 0, 0])], true, atol=1e-12)


def test_bottleneck_distance_of_small_barcodes():
    a, b = np.array([[0.0, 1.0], [0.2, 0.3]]), np.array([[0.1, 1.0]])
    assert bottleneck(a, b) == pytest.approx(0.1)
    assert bottleneck(a, np.empty((0, 2))) == pytest.approx(0.5)
    assert bottleneck(np.array([[0.0, np.inf]]), np.array([[0.3, np.inf]])) == pytest.approx(0.3)
    assert bottleneck(np.array([[0.0, np.inf]]), b) == np.inf


def test_true_barcodes_are_stable():
    data = density_rips(1, "smoke")
    moved = perturbed(data, 0.03, np.random.default_rng(0))
    for offset in np.linspace(-0.5, 0.5, 21):
        assert bottleneck(barcode(data, offset, Work()), barcode(moved, offset, Work())) <= 0.03 + 1e-12


@pytest.mark.peer
def test_barcode_agrees_with_gudhi():
    gudhi = pytest.importorskip("gudhi")
    data = density_rips(3, "smoke")
    tree = gudhi.SimplexTree()
    for q in (0, 1):
        for faces, grade in zip(data.faces[q], data.grades[q], strict=True):
            simplex = list(faces) if q else [len(list(tree.get_skeleton(0)))]
            tree.insert(simplex, filtration=max(grade))
    tree.compute_persistence(persistence_dim_max=True)
    assert bottleneck(clean(tree.persistence_intervals_in_dimension(0)), barcode(data, 0.0, Work())) < 1e-9
