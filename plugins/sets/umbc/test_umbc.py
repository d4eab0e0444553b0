"""UMBC: consistency over chunks, and the unbiased gradient from one of them."""

from functools import reduce

import pytest
import torch
from assay_umbc import UMBC, ChunkAveraged
from torch import nn


def network(kind=UMBC, **params):
    torch.manual_seed(0)
    return kind(3, 5, **params).double().eval()


def clouds(n=24):
    return torch.randn(4, n, 3, generator=torch.Generator().manual_seed(1)).double()


def in_chunks(net, points, sizes):
    return net.finish(reduce(net.merge, (net.partial(chunk) for chunk in points.split(sizes, 1))))


@pytest.mark.parametrize("sizes", [[24], [1, 23], [8, 8, 8], [3, 5, 7, 9]])
def test_any_partition_gives_the_same_output(sizes):
    net = network()
    torch.testing.assert_close(in_chunks(net, clouds(), sizes), net(clouds()), rtol=0, atol=1e-12)


def test_averaged_set_transformers_depend_on_the_partition():
    net = network(ChunkAveraged)
    assert torch.equal(in_chunks(net, clouds(), [24]), net(clouds()))
    assert (in_chunks(net, clouds(), [8, 8, 8]) - net(clouds())).abs().max() > 1e-3


def test_an_elements_weights_do_not_know_the_other_elements():
    """Weights over slots sum to one an element, whatever else is in the chunk: denominators add up to N."""
    _, denominator = network().partial(clouds())
    torch.testing.assert_close(denominator.sum(2), torch.full_like(denominator.sum(2), 24))


def gradients(net, logits):
    loss = nn.functional.cross_entropy(logits, torch.arange(4))
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(net.parameters()))])


@pytest.mark.parametrize(("gradient", "unbiased"), [("unbiased", True), ("biased", False)])
def test_the_mean_gradient_over_chunks_is_that_of_the_whole_set(gradient, unbiased):
    net, x = network(gradient=gradient), clouds()
    true = gradients(net, net(x))
    mean = torch.stack([gradients(net, net.estimate(x, chunk)) for chunk in torch.arange(24).view(4, 6)]).mean(0)
    assert (((mean - true).norm() / true.norm()) < 1e-10) == unbiased


def test_in_training_the_value_is_the_whole_sets():
    net = network()
    torch.testing.assert_close(net.train()(clouds()), net.eval()(clouds()))


def test_an_unknown_gradient_is_refused():
    with pytest.raises(ValueError, match="unbiased or biased"):
        UMBC(3, 5, gradient="full")
