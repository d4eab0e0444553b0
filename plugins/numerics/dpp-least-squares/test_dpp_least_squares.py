"""Determinantal least squares: the samplers against densities enumerated on a few nodes."""

from itertools import permutations, product

import numpy as np
import pytest
from assay_dpp_least_squares import Sampler, lowest, projection_dpp, volume
from assay_numerics.point_sampling import christoffel, solve

NODES, DIM = 6, 2


@pytest.fixture
def phi():
    q, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((NODES, DIM)))
    return q * np.sqrt(NODES)


def test_projection_dpp_has_the_density_of_squared_determinants(phi):
    drawn = projection_dpp(phi, 40_000, np.random.default_rng(0))
    for pair in permutations(range(NODES), DIM):
        expected = np.linalg.det(phi[list(pair)]) ** 2 / NODES**DIM / 2  # det K / (m! N^m)
        assert abs((drawn == pair).all(1).mean() - expected) < 0.01


def test_a_projection_dpp_never_draws_a_node_twice(phi):
    drawn = projection_dpp(phi, 2000, np.random.default_rng(1))
    assert all(len(set(row)) == DIM for row in drawn.tolist())


def exact_mean(phi, target, n, density):
    """E[uhat] over all tuples of n nodes, by their density with respect to i.i.d. Christoffel points."""
    w, total, mass = christoffel(phi), np.zeros(DIM), 0.0
    for nodes in product(range(NODES), repeat=n):
        index = np.array([nodes])
        coefficients, gram = solve(phi, target[None], index, 1 / w[index])
        chance = np.prod(w[index]) / NODES**n * density(gram[0])
        total, mass = total + chance * coefficients[0, 0], mass + chance
    return total / mass


def test_volume_rescaling_is_unbiased_and_independent_points_are_not(phi):
    """The theorem itself, by enumeration: density proportional to det G."""
    target = np.random.default_rng(5).standard_normal(NODES)
    truth = target @ phi / NODES
    np.testing.assert_allclose(exact_mean(phi, target, 3, np.linalg.det), truth, atol=1e-9)
    assert np.abs(exact_mean(phi, target, 3, lambda gram: 1.0) - truth).max() > 1e-3


def test_the_volume_sampler_has_that_density(phi):
    """Unordered triples by frequency against det G times the Christoffel density, enumerated."""
    w = christoffel(phi)
    drawn = np.sort(volume(phi, 3, 60_000, np.random.default_rng(0)), axis=1)
    expected = {}
    for nodes in product(range(NODES), repeat=3):
        rows = phi[list(nodes)] / np.sqrt(w[list(nodes)])[:, None]
        chance = np.linalg.det(rows.T @ rows) * np.prod(w[list(nodes)])
        expected[tuple(sorted(nodes))] = expected.get(tuple(sorted(nodes)), 0) + chance
    mass = sum(expected.values())
    for nodes, chance in expected.items():
        assert abs((drawn == nodes).all(1).mean() - chance / mass) < 0.008


def test_conditioned_draws_are_stable(phi):
    index, weight = Sampler("repeated", conditioned=True).sample(phi, 8, 500, np.random.default_rng(0))
    assert lowest(phi, christoffel(phi), index).min() >= 0.5
    np.testing.assert_allclose(weight, 1 / christoffel(phi)[index])


@pytest.mark.peer
def test_marginals_agree_with_dppy(phi):
    dpps = pytest.importorskip("dppy.finite_dpps")
    dpp = dpps.FiniteDPP("correlation", projection=True, K=phi @ phi.T / NODES)
    rng = np.random.RandomState(0)
    theirs = np.bincount(np.concatenate([dpp.sample_exact(random_state=rng) for _ in range(4000)]), minlength=NODES)
    ours = np.bincount(projection_dpp(phi, 4000, np.random.default_rng(0)).ravel(), minlength=NODES)
    np.testing.assert_allclose(ours / 4000, theirs / 4000, atol=0.04)
