"""PointNet: the shared point network, the alignment, and theorem 2 on critical sets."""

import pytest
import torch
from assay_pointnet import PointMLP, PointNet, PointNetParts, TNet


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


def clouds(n=40):
    return torch.randn(3, n, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("pool", ["max", "mean", "attention"])
def test_order_of_points_does_not_matter(pool):
    net, x = PointNet(3, 10, pool).double().eval(), clouds().double()
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(x[:, order]), net(x), rtol=0, atol=1e-12)


def test_labels_of_points_move_with_them_and_see_the_whole_cloud():
    net, x = PointNetParts(3, 5).double().eval(), clouds().double()
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(x[:, order]), net(x)[:, order], rtol=0, atol=1e-12)
    assert not torch.allclose(net(x[:, :20]), net(x)[:, :20])


def test_the_alignment_is_the_identity_at_first():
    assert torch.equal(TNet(3).eval()(clouds()), torch.eye(3).expand(3, 3, 3))


def test_critical_points_alone_decide():
    """f(C_S) = f(S): all points that attain no channel's maximum can go; dropping every other critical one is seen."""
    net, x = PointNet(3, 10, tnet=False).double().eval(), clouds(400)[:1].double()
    critical = net.features(x)[0].argmax(0).unique()
    assert len(critical) <= min(256, 399)
    torch.testing.assert_close(net(x[:, critical]), net(x), rtol=0, atol=1e-12)
    assert (net(x[:, critical[::2]]) - net(x)).abs().max() > 1e-6


def test_points_below_the_pooled_features_change_nothing():
    """f(T) = f(S) for S within T within N_S."""
    net, x = PointNet(3, 10, tnet=False).double().eval(), clouds(400)[:1].double()
    more = x + 0.01 * torch.randn(x.shape, generator=torch.Generator().manual_seed(2)).double()
    admitted = (net.features(more) <= net.features(x).amax(1, keepdim=True)).all(-1)[0]
    assert admitted.any()
    assert not admitted.all()
    torch.testing.assert_close(net(torch.cat([x, more[:, admitted]], 1)), net(x), rtol=0, atol=1e-12)


def test_mean_pooling_has_no_critical_set():
    net, x = PointNet(3, 10, "mean", tnet=False).double().eval(), clouds(400)[:1].double()
    critical = net.features(x)[0].argmax(0).unique()
    assert not torch.allclose(net(x[:, critical]), net(x))


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match="max, mean or attention"):
        PointNet(3, 10, "median")


@pytest.mark.peer
def test_the_network_agrees_with_torch_geometric():
    """A point network and global_max_pool of PyTorch Geometric with copied weights."""
    geometric = pytest.importorskip("torch_geometric.nn")
    ours, x = PointMLP(3, 16, 32), clouds()
    theirs = geometric.MLP([3, 16, 32], act="relu", plain_last=False)
    for ours_layer, linear, norm in zip((0, 3), theirs.lins, theirs.norms, strict=True):
        linear.weight.data, linear.bias.data = ours.net[ours_layer].weight.data[..., 0], ours.net[ours_layer].bias.data
        norm.module.load_state_dict(ours.net[ours_layer + 1].state_dict())
    ours.eval()
    theirs.eval()
    batch = torch.arange(3).repeat_interleave(40)
    expected = geometric.global_max_pool(theirs(x.flatten(0, 1)), batch)
    torch.testing.assert_close(ours(x).amax(1), expected)
