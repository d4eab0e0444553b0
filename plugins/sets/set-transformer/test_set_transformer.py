"""Set Transformer: the attention block against its formula and peers, masks, and the cost of inducing points."""

import pytest
import torch
from assay_set_transformer import ENCODERS, MAB, PMA, SetTransformer
from torch import nn


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


def sets(n=6, width=8):
    mask = torch.arange(n).expand(3, n) < n - 2
    return torch.randn(3, n, width, generator=torch.Generator().manual_seed(0)).double(), mask


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("pool", ["pma", "mean"])
def test_neither_order_nor_padding_matters(encoder, pool):
    x, mask = sets(width=3)
    net, order = SetTransformer(3, 2, encoder=encoder, pool=pool).double(), torch.tensor([4, 2, 0, 1, 5, 3])
    expected = net(x[:, :4], mask[:, :4])
    torch.testing.assert_close(net(x[:, order], mask[:, order]), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("encoder", "reads"), [("isab", True), ("sab", True), ("rff", False)])
def test_attention_reads_the_other_elements(encoder, reads):
    x, mask = sets(width=3)
    net, other = SetTransformer(3, 2, encoder=encoder).double(), x.clone()
    other[:, 1] += 1
    changed = not torch.allclose(net.encode(x, mask)[:, 0], net.encode(other, mask)[:, 0])
    assert changed == reads


def test_inducing_points_and_seeds_are_learned_parameters():
    net, (x, mask) = SetTransformer(3, 2), sets(width=3)
    net(x.float(), mask).sum().backward()
    for parameter in (net.blocks[0].points, net.pool.seed):
        assert parameter.grad.abs().sum() > 0


def test_inducing_points_cost_linear_and_full_attention_quadratic_operations():
    isab, sab = (SetTransformer(3, 2, encoder=e) for e in ("isab", "sab"))
    ratio = [net.operations(4096) / net.operations(2048) for net in (isab, sab)]
    assert 1.9 < ratio[0] < 2.05
    assert 3.5 < ratio[1] <= 4


@pytest.mark.peer
@pytest.mark.parametrize("masked", [False, True])
def test_the_block_agrees_with_multihead_attention(masked):
    """`nn.MultiheadAttention` divides by sqrt(d / heads), the block by sqrt(d): its queries are scaled by the difference."""
    (x, mask), heads, width = sets(), 4, 8
    ours, theirs = (
        MAB(width, True, heads=heads).double(),
        nn.MultiheadAttention(width, heads, batch_first=True).double(),
    )
    theirs.in_proj_weight.data = torch.cat([ours.q.weight * heads**-0.5, ours.k.weight, ours.v.weight]).data
    theirs.in_proj_bias.data = torch.cat([ours.q.bias * heads**-0.5, ours.k.bias, ours.v.bias]).data
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = torch.eye(width).double(), torch.zeros(width).double()
    attended = theirs(x, x, x, key_padding_mask=~mask if masked else None)[0]
    h = ours.norm1(ours.q(x) + attended)
    torch.testing.assert_close(ours(x, x, mask if masked else None), ours.norm2(h + ours.ff(h).relu()))


@pytest.mark.peer
def test_pooling_agrees_with_torch_geometric():
    """PyTorch Geometric's block divides by sqrt(d / heads) and projects the result: the same with one head, identity."""
    blocks = pytest.importorskip("torch_geometric.nn.aggr.utils")
    (x, _), width = sets(), 8
    ours = PMA(width, True).double()
    ours.mab.heads = 1
    theirs = blocks.PoolingByMultiheadAttention(width, 1, heads=1, layer_norm=True).double()
    theirs.seed.data = ours.seed.data
    theirs.lin.load_state_dict(ours.ff.state_dict())
    mab, attention = theirs.mab, theirs.mab.attn
    names = ("q", "k", "v")
    attention.in_proj_weight.data = torch.cat([getattr(ours.mab, n).weight for n in names]).data
    attention.in_proj_bias.data = torch.cat([getattr(ours.mab, n).bias for n in names]).data
    attention.out_proj.weight.data, attention.out_proj.bias.data = (
        torch.eye(width).double(),
        torch.zeros(width).double(),
    )
    mab.lin.load_state_dict(ours.mab.ff.state_dict())
    found = theirs(x)
    assert found.shape == (3, 1, width)
    # their residual adds the unprojected seed, ours, as the authors' code, the projected one
    q = ours.mab.q(ours.seed)
    z = ours.ff(x).relu()
    attended = attention(ours.seed.expand(3, -1, -1), z, z)[0]
    h = mab.layer_norm1(ours.seed + attended)
    torch.testing.assert_close(found, mab.layer_norm2(h + mab.lin(h).relu()))
    h = ours.mab.norm1(q + attended)
    torch.testing.assert_close(ours(x), ours.mab.norm2(h + ours.mab.ff(h).relu())[:, 0])
