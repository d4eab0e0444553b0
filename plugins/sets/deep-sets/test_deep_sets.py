"""Deep Sets: pooling, the equivariant layer, and lemma 3 on maps that commute with permutations."""

import pytest
import torch
from assay_deep_sets import DeepSets, DeepSetsClouds, Equivariant, commutant, layer_gap, outside


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


def sets(n=7, inputs=3):
    """Four sets of n elements, the last two of them padding."""
    mask = torch.arange(n).expand(4, n) < n - 2
    return torch.randn(4, n, inputs, generator=torch.Generator().manual_seed(0)).double(), mask


@pytest.mark.parametrize("pool", ["sum", "mean", "max"])
def test_order_of_elements_does_not_matter(pool):
    x, mask = sets()
    net, order = DeepSets(3, 1, pool).double(), torch.tensor([4, 2, 0, 6, 1, 5, 3])
    torch.testing.assert_close(net(x[:, order], mask[:, order]), net(x, mask), rtol=0, atol=1e-12)


@pytest.mark.parametrize("pool", ["sum", "mean", "max"])
def test_padding_does_not_matter(pool):
    x, mask = sets()
    net = DeepSets(3, 1, pool).double()
    cut = net(x[:, :5], mask[:, :5])
    torch.testing.assert_close(net(x, mask), cut, rtol=0, atol=1e-12)


def test_sum_pooling_counts_elements_and_mean_pooling_does_not():
    x, mask = sets()
    twice, both = torch.cat([x, x], 1), torch.cat([mask, mask], 1)
    for pool, same in (("sum", False), ("mean", True), ("max", True)):
        net = DeepSets(3, 1, pool).double()
        assert torch.allclose(net(twice, both), net(x, mask)) == same


@pytest.mark.parametrize("pool", ["sum", "max"])
def test_the_equivariant_layer_commutes_with_permutations(pool):
    x, _ = sets()
    layer, order = Equivariant(3, 5, pool).double(), torch.tensor([4, 2, 0, 6, 1, 5, 3])
    torch.testing.assert_close(layer(x[:, order]), layer(x)[:, order], rtol=0, atol=1e-12)


def test_clouds_of_any_size_get_logits():
    net = DeepSetsClouds(3, 10).eval()
    assert net(torch.randn(2, 9, 3)).shape == net(torch.randn(2, 64, 3)).shape == (2, 10)


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_maps_that_commute_with_permutations_are_two_dimensional(n):
    assert commutant(n).shape == (n * n, 2)
    assert outside(commutant(n), n) < 1e-12
    assert layer_gap(n) < 1e-6


def test_a_map_that_does_not_commute_lies_outside():
    shift = torch.eye(4, dtype=torch.float64).roll(1, 0).reshape(16, 1)
    assert outside(shift, 4) > 0.5


@pytest.mark.peer
def test_commutant_agrees_with_scipy():
    linalg = pytest.importorskip("scipy.linalg")
    eye = torch.eye(4, dtype=torch.float64)
    swap, cycle = eye[[1, 0, 2, 3]], eye.roll(1, 0)
    equations = torch.cat([torch.kron(p.T.contiguous(), eye) - torch.kron(eye, p) for p in (swap, cycle)])
    theirs, ours = torch.tensor(linalg.null_space(equations.numpy())), commutant(4)
    torch.testing.assert_close(theirs @ theirs.T, ours @ ours.T)


@pytest.mark.peer
def test_pooling_agrees_with_torch_geometric():
    aggr = pytest.importorskip("torch_geometric.nn.aggr")
    from assay_sets.baselines import pooled

    x, mask = sets()
    rows = mask.nonzero()[:, 0]
    for how, theirs in (
        ("sum", aggr.SumAggregation()),
        ("mean", aggr.MeanAggregation()),
        ("max", aggr.MaxAggregation()),
    ):
        torch.testing.assert_close(pooled(x, mask, how), theirs(x[mask], rows))
