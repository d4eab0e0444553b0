"""INSET's set function and its mean field."""

import itertools

import torch
from assay_inset import Inset


def random_set(n=5):
    return torch.randn(1, n, 3, generator=torch.Generator().manual_seed(0)).double()


def test_gains_are_differences_of_the_set_function():
    """F(S + i) - F(S - i) written out for one subset."""
    net, v = Inset(3).double(), random_set()
    phi, whole = net.phi(v)[0], net.theta(v).mean(1)
    subset = torch.tensor([True, False, True, False, False])

    def value(s):
        return net.rho(torch.cat([phi[s].sum(0), whole[0]]))

    gains = net.gains(phi[None], whole, subset.double()[None, None])[0, 0]
    for i in range(5):
        with_i, without_i = subset.clone(), subset.clone()
        with_i[i], without_i[i] = True, False
        torch.testing.assert_close(gains[i : i + 1], value(with_i) - value(without_i))


def test_samples_average_to_the_mean_field():
    """The expectation over subsets of independent elements, enumerated, is what training's samples estimate."""
    net, v = Inset(3).double(), random_set(3)
    features, whole = net.phi(v), net.theta(v).mean(1)
    psi = torch.tensor([[0.2, 0.5, 0.9]]).double()
    subsets = torch.tensor(list(itertools.product([0.0, 1.0], repeat=3))).double()
    chance = torch.where(subsets > 0, psi, 1 - psi).prod(1)
    exact = (chance[:, None] * net.gains(features, whole, subsets[None])[0]).sum(0)
    torch.manual_seed(0)
    drawn = torch.stack([net.train().refined(features, whole, psi)[0] for _ in range(800)])
    assert ((drawn.mean(0) - exact).abs() < 5 * drawn.std(0) / 800**0.5 + 1e-9).all()


def test_the_choice_follows_the_elements():
    net, v = Inset(3).double().eval(), random_set()
    order = torch.tensor([2, 4, 0, 1, 3])
    torch.testing.assert_close(net(v[:, order]), net(v)[:, order])
    assert torch.equal(net(v), net(v))


def test_only_with_the_superset_does_an_unchosen_element_matter():
    """What lies outside S and is not i changes F(S + i) - F(S - i) through theta alone."""
    v = random_set()
    other = v.clone()
    other[0, 4] += 1
    subset = torch.tensor([[[1.0, 0, 1, 0, 0]]]).double()
    for superset in (True, False):
        net = Inset(3, superset=superset).double()
        wholes = [net.theta(x).mean(1) * superset for x in (v, other)]
        a, b = (net.gains(net.phi(x), w, subset)[0, 0, 1] for x, w in zip((v, other), wholes, strict=True))
        assert torch.equal(a, b) != superset
