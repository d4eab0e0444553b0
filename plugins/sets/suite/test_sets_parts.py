"""The arena of parts: its protocol, and its plain entrants."""

import numpy as np
import pytest
import torch
from assay import Context, Entrant, Model
from assay.spec import Cell
from assay_sets import point_parts
from assay_sets.baselines_parts import BoostedNeighbourhoods, PartsMLP
from assay_sets.metrics import accuracy, perm_gap
from assay_sets.schemas import PointClouds
from torch import nn


def split_clouds(samples, seed=0, points=32):
    """Clouds in a box whose points are labelled by the sign of x."""
    clouds = np.random.default_rng(seed).uniform(-1, 1, (samples, points, 3)).astype(np.float32)
    return clouds, (clouds[..., 0] > 0).astype(np.int64)


DATA = PointClouds(*split_clouds(40), *split_clouds(10, 1), classes=2)


def outcome_of(kind, steps=30):
    cell = Cell("sets/point-parts", "sets/own", kind.__name__, (), 0, "smoke")
    entrant = Entrant(kind.__name__, Model("own", "sets/point-parts", kind), {})
    return point_parts.run(entrant, DATA, Context(cell, {"steps": steps, "batch": 8}))


class Side(nn.Module):
    """Knows the answer, and notes the clouds that it is trained on."""

    def __init__(self, inputs, classes):
        super().__init__()
        self.scale, self.seen = nn.Parameter(torch.ones(())), []

    def forward(self, points):
        if self.training:
            self.seen.append(points)
        return torch.stack([-points[..., 0], points[..., 0]], -1) * self.scale


def test_labels_stay_with_their_points():
    outcome = outcome_of(Side, steps=3)
    assert accuracy(outcome) == 1.0
    assert outcome["module"].scale > 1  # the training labels agreed as well
    shown = outcome["inputs"][0]
    assert not torch.equal(shown, torch.tensor(DATA.test_points))
    assert torch.equal(shown.sort(1).values, torch.tensor(DATA.test_points).sort(1).values)


def test_each_step_draws_a_fresh_order():
    first, second = outcome_of(Side, steps=10)["module"].seen[::5]  # an epoch apart: the same clouds, other orders
    assert not any(torch.equal(a, b) for a in first for b in second)


@pytest.mark.parametrize("kind", [PartsMLP, BoostedNeighbourhoods])
def test_an_entrant_learns_and_its_labels_move_with_the_points(kind):
    outcome = outcome_of(kind, steps=100)
    assert accuracy(outcome) > 0.9
    assert perm_gap(outcome) < 1e-9


def test_a_network_that_reads_the_order_is_found_out():
    class Places(Side):
        def forward(self, points):
            return super().forward(points) + torch.arange(points.shape[1])[:, None] * torch.tensor([0.0, 1.0])

    assert perm_gap(outcome_of(Places, steps=2)) > 1e-3


def test_points_alone_are_blind_to_the_others():
    torch.manual_seed(0)
    points = torch.randn(2, 9, 3)
    other = torch.cat([points[:, :1], points[:, 1:].flip(0)], 1)
    alone, mean = PartsMLP(3, 2, pool="none"), PartsMLP(3, 2)
    assert torch.equal(alone(points)[:, 0], alone(other)[:, 0])
    assert not torch.allclose(mean(points)[:, 0], mean(other)[:, 0])


def test_a_flat_neighbourhood_has_no_spread_across_it():
    grid = torch.cartesian_prod(torch.arange(6.0), torch.arange(6.0), torch.zeros(1))[None]
    features = BoostedNeighbourhoods(3, 2).features(grid)
    assert features.shape == (1, 36, 21)
    assert features[0, :, 7].abs().max() < 1e-12  # the least eigenvalue among 8 neighbours
    torch.testing.assert_close(features[0, :, 11:14], torch.tensor([0.0, 0.0, 1.0]).double().expand(36, 3))
