"""The Bayesian prism: what a transformer may see, its frequencies, and the posterior means that it is held against."""

import numpy as np
import pytest
import torch
from assay_bayesian_prism import FourierTransformer, PosteriorMean, SingleGaussian, frequency, spectrum
from assay_sequences.icl_processes import Fourier, LinearMixture


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


def test_a_prediction_sees_its_x_and_the_pairs_before_it():
    module, x, y = PosteriorMean(LinearMixture(2), 8), torch.randn(3, 8, 2), torch.randn(3, 8)
    before = module(x, y)
    assert before.shape == (3, 8, 1)
    later_x, later_y = x.clone(), y.clone()
    later_x[:, 5:], later_y[:, 4:] = 9.0, 9.0
    torch.testing.assert_close(module(later_x, later_y)[:, :5], before[:, :5])
    assert (module(x, later_y)[:, 5] != before[:, 5]).all()


def test_the_loss_is_least_at_the_posterior_mean():
    y = torch.randn(1_000, 1, dtype=torch.float64) + 2
    best = y.mean().clone().requires_grad_()
    PosteriorMean(LinearMixture(2), 4).loss(best.expand(1_000, 1, 1), y).backward()
    assert abs(best.grad.item()) < 1e-12


@pytest.mark.parametrize(("flat", "degrees"), [(False, {1, 2, 3}), (True, {3})])
def test_training_has_the_degrees_of_its_prior(flat, degrees):
    module = FourierTransformer(Fourier((1, 2, 3)), 64, flat)
    draw = getattr(module, "draw", module.prior.draw)
    x, _, f = draw(np.random.default_rng(0), 100, 64)
    found = set()
    for xs, fs in zip(x, f, strict=True):
        weights = np.linalg.lstsq(Fourier((3,)).features(xs, 3), fs, rcond=None)[0]
        found.add(1 + int(np.flatnonzero(np.abs(weights.reshape(2, 3)).max(0) > 1e-9).max()))
    assert found == degrees


@pytest.mark.parametrize("degree", [1, 2, 5])
def test_the_spectrum_finds_the_frequency_of_a_wave(degree):
    x, y = np.zeros((4, 3, 1)), np.zeros((4, 3))
    energies = spectrum(lambda x, _: np.cos(degree * x[..., 0] + 1), x, y)
    assert energies.shape == (33,)
    assert frequency(energies) == pytest.approx(degree)


def test_a_constant_does_not_count():
    energies = np.zeros(33)
    energies[[0, 1, 3]] = 100.0, 1.0, 1.0
    assert frequency(energies) == 2.0


def test_simple_functions_in_the_prior_lower_the_frequency_of_its_posterior_mean():
    x, y, _ = Fourier((1, 2, 3, 4, 5, 6)).draw(np.random.default_rng(0), 50, 3)
    mixed, flat = (
        frequency(spectrum(lambda x, y, p=p: p.bayes(x, y)[0], x, y))
        for p in (Fourier(tuple(range(1, 7))), Fourier((6,)))
    )
    assert mixed < 2.2
    assert flat > 3.0


def test_single_gaussian_is_the_best_linear_rule_and_worse_than_the_mixture():
    process, rng = LinearMixture(2), np.random.default_rng(0)
    x, y, f = process.draw(rng, 20_000, 3)
    output = SingleGaussian(process, 3)(torch.tensor(x), torch.tensor(y)).numpy()
    w = process.draw(rng, 200_000, 1)  # moments of w from a fresh sample of y at unit x
    assert np.mean(w[2] ** 2) == pytest.approx(9.25 + 0.25, rel=0.02)
    scale, covariance = np.array([9.25, 0.25]), process.noise**2 * np.eye(2)
    for row in range(5):  # E[f y] (E[y y^T])^-1 y with the second moments of w
        before = x[row, :2]
        weights = np.linalg.solve((before * scale) @ before.T + covariance, y[row, :2])
        assert output[row, 2, 0] == pytest.approx((x[row, 2] * scale) @ before.T @ weights, rel=1e-6)
    exact, single = (np.mean((mean - f)[:, 1:] ** 2) for mean in (process.bayes(x, y)[0], output[..., 0]))
    assert exact < 0.9 * single


@pytest.mark.peer
def test_the_posterior_mean_of_the_mixture_agrees_with_importance_sampling():
    process, rng = LinearMixture(2, noise=0.5), np.random.default_rng(3)
    x, y, _ = process.draw(rng, 3, 4)
    exact, _ = process.bayes(x, y)
    w = 0.5 * rng.standard_normal((400_000, 2))
    w[:, 0] += 3 * rng.choice([-1, 1], len(w))
    for row in range(3):
        logs = -0.5 * ((y[row, :3] - w @ x[row, :3].T) ** 2).sum(1) / process.noise**2
        weights = np.exp(logs - logs.max())
        assert exact[row, 3] == pytest.approx((weights @ w) @ x[row, 3] / weights.sum(), abs=0.02)
