"""The Hilbert curve, and a network along it."""

from itertools import product

import pytest
import torch
from assay_point2point import (
    Point2Point,
    Point2PointParts,
    arranged,
    consecutive_distance,
    hilbert,
    interleaved,
    on_grid,
)


@pytest.mark.parametrize(("bits", "dims"), [(1, 2), (2, 2), (1, 3), (2, 3), (3, 3)])
def test_the_curve_visits_every_cell_by_single_steps(bits, dims):
    """What makes it a Hilbert curve, in its first approximations."""
    cells = torch.tensor(list(product(range(2**bits), repeat=dims)))
    places = hilbert(cells, bits)
    assert places.sort().values.tolist() == list(range(2 ** (bits * dims)))
    steps = cells[places.argsort()].diff(dim=0).abs().sum(1)
    assert (steps == 1).all()


def test_coarse_curves_are_prefixes_of_fine_ones():
    """A cell's place among 2^(2 D) cells begins with its place among 2^D: the curve is self-similar, corner apart."""
    cells = torch.tensor(list(product(range(8), repeat=3)))
    blocks = hilbert(cells, 3) >> 6
    for block in range(8):
        inside = cells[blocks == block] >> 2
        assert (inside == inside[0]).all()


def test_morton_interleaves_bits():
    assert interleaved(torch.tensor([0b10, 0b11]), 2) == 0b1101


def test_the_grid_has_fixed_bounds():
    assert on_grid(torch.tensor([-1.0, 0.0, 1.0, 2.0])).tolist() == [0, 128, 255, 255]


@pytest.mark.parametrize("curve", ["hilbert", "morton", "lexicographic"])
def test_the_order_depends_on_the_set_alone(curve):
    """Also where many points share a cell and some coordinates."""
    points = torch.randint(-1, 2, (4, 30, 3)) / 1000
    other = points[:, torch.randperm(30)]
    first, second = (torch.take_along_dim(p, arranged(p, curve)[..., None], 1) for p in (points, other))
    assert torch.equal(first, second)


def test_features_stay_with_their_points():
    net, points = Point2Point(3, 5).double().eval(), torch.rand(2, 21, 3).double()
    order = torch.randperm(21)
    torch.testing.assert_close(net.features(points[:, order]), net.features(points)[:, order])
    torch.testing.assert_close(net(points[:, order]), net(points))


def test_labels_move_with_their_points_unless_the_order_is_the_given_one():
    points, order = torch.rand(2, 21, 3).double(), torch.randperm(21)
    net, given = (Point2PointParts(3, 5, curve).double().eval() for curve in ("hilbert", "given"))
    torch.testing.assert_close(net(points[:, order]), net(points)[:, order])
    assert not torch.allclose(given(points[:, order]), given(points)[:, order])


def test_paths_are_measured_step_by_step():
    path = torch.tensor([[[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]]])
    assert consecutive_distance({"path": path}) == 3.0


@pytest.mark.peer
def test_places_agree_with_hilbertcurve():
    hilbertcurve = pytest.importorskip("hilbertcurve.hilbertcurve")
    cells = torch.randint(0, 256, (200, 3))
    peer = hilbertcurve.HilbertCurve(8, 3).distances_from_points(cells.tolist())
    assert hilbert(cells, 8).tolist() == list(peer)
