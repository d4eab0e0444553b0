"""VSFormer: invariance to the views' order, the two-way pooling, and the ablations."""

import pytest
import torch
from assay_sets.view_sets import WIDTH, ViewEncoder
from assay_vsformer import VSFormer
from torch import nn


def network(**params):
    torch.manual_seed(0)
    return VSFormer(ViewEncoder(), lambda width: nn.Linear(width, 5), **params).double().eval()


def codes(views=6):
    return torch.randn(3, views, WIDTH, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize(("params", "free"), [({}, True), ({"token": True}, True), ({"position": True}, False)])
def test_only_positional_codes_make_order_matter(params, free):
    net = network(**params)
    change = (net.describe(codes().flip(1)) - net.describe(codes())).abs().max()
    assert (change < 1e-12) == free


def test_without_blocks_the_descriptor_is_max_and_mean():
    expected = torch.cat([codes().amax(1), codes().mean(1)], -1)
    torch.testing.assert_close(network(blocks=0).describe(codes()), expected)


def test_attention_correlates_pairs_of_views():
    """Changing one view changes the codes of the others."""
    net, x, y = network(), codes(), codes()
    y[:, 0] *= -1
    tokens = [block_output(net, z)[:, 1:] for z in (x, y)]
    assert (tokens[0] - tokens[1]).abs().max() > 1e-3


def block_output(net, x):
    """Codes after the attention blocks."""
    for block in net.blocks:
        x = block(x)
    return x


def test_more_views_than_ever_listed_are_accepted():
    views = torch.rand(2, 30, 1, 16, 16).double()
    assert network(position=True)(views).shape == (2, 5)


@pytest.mark.peer
def test_the_encoder_agrees_with_a_stacked_transformer_encoder():
    net = network()
    layer = nn.TransformerEncoderLayer(WIDTH, 4, 2 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
    stacked = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).double().eval()
    stacked.layers.load_state_dict(net.blocks.state_dict())
    expected = stacked(codes())
    torch.testing.assert_close(net.describe(codes()), torch.cat([expected.amax(1), expected.mean(1)], -1))
