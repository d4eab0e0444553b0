"""In-context uncertainty: what a transformer may see, what its tasks are, and the Bayes rule that it is held against."""

import numpy as np
import pytest
import torch
from assay_icl_uncertainty import MOST_NOISE, OneVariance, UncertaintyTransformer
from assay_sequences.icl_processes import LinearNIG
from assay_sequences.icl_regression import PairTransformer, gaussian_nll
from scipy import integrate, stats


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


@pytest.mark.parametrize("build", [UncertaintyTransformer, OneVariance])
def test_a_prediction_sees_its_x_and_the_pairs_before_it(build):
    module, x, y = build(LinearNIG(2), 8), torch.randn(3, 8, 2), torch.randn(3, 8)
    before = module(x, y)
    assert before.shape == (3, 8, 2)
    later_y, later_x = y.clone(), x.clone()
    later_y[:, 4:], later_x[:, 5:] = 9.0, 9.0
    torch.testing.assert_close(module(later_x, later_y)[:, :5], before[:, :5])
    assert (module(x, later_y)[:, 5, 0] != before[:, 5, 0]).all()
    later_x[:, 4] = 9.0
    assert (module(later_x, y)[:, 4, 0] != before[:, 4, 0]).all()


def test_one_variance_is_the_same_for_all_and_is_learnt():
    module = OneVariance(LinearNIG(2), 8)
    output = module(torch.randn(3, 8, 2), torch.randn(3, 8))
    assert output[..., 1].unique().numel() == 1
    gaussian_nll(output, torch.randn(3, 8)).backward()
    assert module.log_variance.grad != 0


def test_shorter_prompts_are_read_too():
    assert PairTransformer(2, 8)(torch.randn(3, 1, 2), torch.randn(3, 1)).shape == (3, 1, 2)


@pytest.mark.parametrize("pool", [4, 32])
def test_prompts_come_from_the_tasks_of_the_pool(pool):
    module, rng = UncertaintyTransformer(LinearNIG(1), 6, pool), np.random.default_rng(0)
    slopes = [f / x[..., 0] for x, _, f in (module.draw(rng, 200, 6) for _ in range(2))]
    assert len(np.unique(np.concatenate(slopes).round(9))) == pool
    assert not hasattr(UncertaintyTransformer(LinearNIG(1), 6), "draw")


def test_the_pool_has_the_noise_of_its_tasks():
    module, rng = UncertaintyTransformer(LinearNIG(2), 4_000, 3), np.random.default_rng(0)
    _, y, f = module.draw(rng, 40, 4_000)
    found = (y - f).var(1)
    nearest = np.abs(found[:, None] / module.tasks[1] - 1).min(1)
    assert nearest.max() < 0.15


def test_mean_and_variance_of_the_posterior_make_the_loss_least():
    draws = torch.randn(1_000, dtype=torch.float64) * 3 + 1
    best = torch.stack([draws.mean(), draws.var(correction=0).log()]).requires_grad_()
    gaussian_nll(best.expand(1_000, 2), draws).backward()
    torch.testing.assert_close(best.grad, torch.zeros(2, dtype=torch.float64))


@pytest.mark.peer
def test_the_bayes_rule_is_the_integral_over_the_noise_and_the_cut_hardly_matters():
    process, rng = LinearNIG(2), np.random.default_rng(1)
    x, y, _ = process.draw(rng, 3, 8)
    mean, variance = process.bayes(x, y)
    for prompt in range(3):
        before, seen, query = x[prompt, :7], y[prompt, :7], x[prompt, 7]
        spread = np.eye(7) + before @ before.T

        def weight(s2, seen=seen, spread=spread):
            return stats.invgamma.pdf(s2, 3) * stats.multivariate_normal.pdf(seen, np.zeros(7), s2 * spread)

        solved = np.linalg.inv(np.eye(2) + before.T @ before)
        total, first, cut, first_cut = (
            integrate.quad(lambda s, p=p: s**p * weight(s), 0, top, limit=200, points=[0.3, 1.0] if top < 9 else None)[
                0
            ]
            for top in (np.inf, MOST_NOISE)
            for p in (0, 1)
        )
        assert mean[prompt, 7] == pytest.approx(query @ solved @ before.T @ seen, rel=1e-9)
        assert variance[prompt, 7] == pytest.approx(first / total * (1 + query @ solved @ query), rel=1e-6)
        assert first_cut / cut == pytest.approx(first / total, rel=0.02)
