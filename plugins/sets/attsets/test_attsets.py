"""AttSets: attention over views a channel, the identity for one view, and which weights each stage trains."""

import pytest
import torch
from assay_attsets import MANY, AttSets
from assay_sets.view_sets import WIDTH, ViewEncoder
from torch import nn


def network(**params):
    torch.manual_seed(0)
    return AttSets(ViewEncoder(), lambda width: nn.Linear(width, 5), **params).double()


def codes(views=4):
    return torch.randn(3, views, WIDTH, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("scalar", [False, True])
def test_a_single_view_passes_unchanged(scalar):
    assert torch.equal(network(scalar=scalar).aggregate(codes(1)), codes(1)[:, 0])


def test_weights_follow_the_formula_channel_by_channel():
    """s_n = exp(c_n) / sum_j exp(c_j) over views, c_n = W x_n; y = sum_n s_n x_n."""
    net, x = network(), codes()
    c = torch.einsum("bvd,ed->bve", x, net.attention.weight).exp()
    torch.testing.assert_close(net.aggregate(x), (c / c.sum(1, keepdim=True) * x).sum(1))


def test_the_result_lies_between_the_views_channel_by_channel():
    y, x = network().aggregate(codes()), codes()
    assert ((y >= x.amin(1)) & (y <= x.amax(1))).all()


def test_repeated_views_change_nothing_and_order_neither():
    net, x = network(), codes()
    torch.testing.assert_close(net.aggregate(torch.cat([x, x], 1)), net.aggregate(x))
    torch.testing.assert_close(net.aggregate(x.flip(1)), net.aggregate(x))


def test_each_stage_trains_its_part_alone():
    net, views = network(), torch.rand(2, 3, 1, 16, 16).double()
    for progress, views_allowed, base_learns in ((0.0, (1, 1), True), (0.49, (1, 1), True), (0.5, MANY, False)):
        assert net.stage(progress) == views_allowed
        net.zero_grad()
        net(views).sum().backward()
        assert all((p.grad is not None) == base_learns for p in net.base.parameters())
        assert (net.attention.weight.grad is not None) != base_learns


def test_joint_training_trains_all_from_several_views():
    net = network(schedule="joint")
    assert net.stage(0.0) == net.stage(0.9) == MANY
    assert all(p.requires_grad for p in net.parameters())


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="faset or joint"):
        network(schedule="both")


@pytest.mark.peer
def test_the_aggregation_agrees_with_torch_geometric():
    aggr = pytest.importorskip("torch_geometric.utils")
    net, x = network(), codes()
    rows = torch.arange(3).repeat_interleave(4)
    weights = aggr.softmax(net.attention(x).flatten(0, 1), rows)
    expected = aggr.scatter(weights * x.flatten(0, 1), rows, reduce="sum")
    torch.testing.assert_close(net.aggregate(x), expected)
