"""The survey's poolings: what each computes on sets of any size, with padding."""

import pytest
import torch
from assay_set_function_survey import POOLS, FSPool, GatedAttention, Pooling, PowerMean


def sets(n=7, width=4):
    mask = torch.arange(n).expand(3, n) < n - 2
    return torch.randn(3, n, width, generator=torch.Generator().manual_seed(0)).double(), mask


@pytest.mark.parametrize("pool", POOLS)
def test_neither_order_nor_padding_matters(pool):
    torch.manual_seed(0)
    (x, mask), order = sets(), torch.tensor([4, 2, 0, 6, 1, 5, 3])
    net = Pooling(4, 1, pool=pool).double()
    if pool == "fspool":
        torch.nn.init.normal_(net.pool.knots)
    expected = net(x[:, :5], mask[:, :5])
    torch.testing.assert_close(net(x[:, order], mask[:, order]), expected, rtol=0, atol=1e-10)


def test_fspool_with_equal_weights_is_the_sum_and_with_the_first_alone_the_maximum():
    (x, mask), pool = sets(), FSPool(4).double()
    torch.testing.assert_close(pool(x, mask), POOLS["sum"](4)(x, mask))
    pool.knots.data.zero_()[0] = 1
    torch.testing.assert_close(pool(x[:, :5], mask[:, :5]), x[:, :5].amax(1))


def test_fspool_interpolates_weights_between_knots():
    pool = FSPool(1).double()
    pool.knots.data = torch.linspace(1, 0, 20)[:, None].double()
    weights = pool.weights(torch.tensor([[True, True, True, True, False]]))[0, :, 0]
    torch.testing.assert_close(weights, torch.tensor([1, 2 / 3, 1 / 3, 0, 0]).double())


def test_fspool_accepts_sets_of_one_element():
    x = torch.randn(2, 1, 4)
    assert torch.equal(FSPool(4)(x, torch.ones(2, 1, dtype=torch.bool)), x[:, 0])


def test_the_power_mean_runs_from_mean_to_maximum():
    (x, mask), pool = sets(), PowerMean(4).double()
    positive = torch.nn.functional.softplus(x[:, :5])
    for raw, expected in ((-50.0, positive.mean(1)), (500.0, positive.amax(1))):
        torch.nn.init.constant_(pool.raw, raw)
        torch.testing.assert_close(pool(x, mask), expected, atol=0.02, rtol=0)


def test_gated_attention_is_a_weighted_mean():
    (x, mask), pool = sets(), GatedAttention(4).double()
    y, real = pool(x, mask), x[:, :5]
    assert ((y >= real.amin(1)) & (y <= real.amax(1))).all()


@pytest.mark.peer
def test_poolings_agree_with_torch_geometric():
    aggr = pytest.importorskip("torch_geometric.nn.aggr")
    (x, mask), rows = sets(), sets()[1].nonzero()[:, 0]
    power, theirs = PowerMean(4).double(), aggr.PowerMeanAggregation(channels=4, learn=True).double()
    theirs.p.data = 1 + torch.nn.functional.softplus(power.raw.data)
    torch.testing.assert_close(power(x, mask), theirs(torch.nn.functional.softplus(x[mask]), rows), atol=1e-6, rtol=0)
    gated = GatedAttention(4).double()
    attention = aggr.AttentionalAggregation(Gate(gated))
    torch.testing.assert_close(gated(x, mask), attention(x[mask], rows))


class Gate(torch.nn.Module):
    """The scores of a gated attention, as a module."""

    def __init__(self, pool):
        super().__init__()
        self.pool = pool

    def forward(self, h):
        return self.pool.w(self.pool.v(h).tanh() * self.pool.u(h).sigmoid())

    def reset_parameters(self):
        """Keep the weights."""
