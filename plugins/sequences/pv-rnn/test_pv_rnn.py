"""PV-RNN: its divergence and dynamics, which way the meta-prior pulls, and what error regression may see."""

import numpy as np
import pytest
import torch
from assay import Context
from assay.spec import Cell
from assay_pv_rnn import LATENT, PVRNN, WINDOW
from assay_sequences.stochastic_prediction import pfsm
from torch.distributions import Normal, kl_divergence


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


def unrolled(model, a, noise):
    """The same dynamics and divergence, step by step from the paper's definitions."""
    weights, biases = model.from_d.weight, model.from_d.bias
    h, states, divergences = torch.zeros(len(a), 30, dtype=a.dtype), [], []
    for t in range(a.shape[1]):
        d = h.tanh()
        parts = (d @ weights.T + biases).split([30, 3, 3, 3, 3], 1)
        prior = Normal(parts[1].tanh(), parts[2].exp()) if t else Normal(torch.zeros_like(parts[1]), 1.0)
        posterior = Normal((parts[3] + a[:, t, :3]).tanh(), (parts[4] + a[:, t, 3:]).exp())
        z = posterior.mean + posterior.stddev * noise[:, t]
        tau = torch.tensor([2.0] * 20 + [8.0] * 10, dtype=a.dtype)
        h = (1 - 1 / tau) * h + (parts[0] + z @ model.from_z.weight.T) / tau
        states.append(h)
        divergences.append(kl_divergence(posterior, prior).sum(-1))
    return torch.stack(states, 1), torch.stack(divergences, 1)


def test_states_and_divergence_are_those_of_the_definitions():
    model = PVRNN(2).double()
    a, noise = torch.randn(3, 7, 2 * LATENT).double(), torch.randn(3, 7, LATENT).double()
    for found, expected in zip(model.posterior(model.start(3), a, noise, True), unrolled(model, a, noise), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_without_vectors_and_with_equal_maps_posterior_and_prior_agree():
    model = PVRNN(2)
    with torch.no_grad():
        for part in (model.from_d.weight, model.from_d.bias):
            part[36:42] = part[30:36]
    _, kl = model.posterior(model.start(2), torch.zeros(2, 5, 6), torch.randn(2, 5, 3), False)
    torch.testing.assert_close(kl, torch.zeros(2, 5), atol=1e-6, rtol=0)


def test_regression_begins_where_nothing_but_the_prior_is_expected():
    model = PVRNN(2)
    a = model.expected(model.start(2), 6, True)
    states, kl = model.posterior(model.start(2), a, torch.zeros(2, 6, 3), True)
    torch.testing.assert_close(kl, torch.zeros(2, 6), atol=1e-5, rtol=0)

    class Mean:
        def standard_normal(self, shape):
            return np.zeros(shape)

    dream, _ = model.roll(model.start(2), 6, Mean(), True)
    torch.testing.assert_close(model.out(states.tanh()), torch.tensor(dream), atol=1e-5, rtol=0)


def test_the_meta_prior_weighs_the_divergence():
    x, states, kl = torch.randn(2, 5, 2), torch.randn(2, 5, 30), torch.rand(2, 5)
    low, high = (PVRNN(2, w) for w in (0.5, 2.0))
    high.load_state_dict(low.state_dict())
    torch.testing.assert_close(high.bound(x, states, kl) - low.bound(x, states, kl), 1.5 * kl.mean())


def test_nothing_of_the_training_s_vectors_is_generated():
    model = PVRNN(2)
    rng = [np.random.default_rng(0) for _ in range(2)]
    before = model.generate(4, 6, rng[0])
    model.a = torch.nn.Parameter(torch.randn(4, 6, 6))
    np.testing.assert_array_equal(model.generate(4, 6, rng[1]), before)


def test_vectors_of_one_step_do_not_reach_back():
    model, a, noise = PVRNN(2), torch.randn(2, 6, 6), torch.randn(2, 6, 3)
    changed = a.clone()
    changed[:, 4] += 1
    (first, _), (second, _) = (model.posterior(model.start(2), part, noise, True) for part in (a, changed))
    assert torch.equal(first[:, :4], second[:, :4])
    assert (first[:, 4] != second[:, 4]).any()


def test_error_regression_explains_the_past_and_sees_no_future():
    model, data = PVRNN(2, 1e-4), pfsm(0, "smoke")
    x = torch.tensor(data.test[:6, : 2 * WINDOW])
    with torch.no_grad():
        model.from_z.weight.mul_(4)
    longer = x.clone()
    longer[:, WINDOW:] = 0
    first, second = (model.recognised(part[:, :WINDOW], np.random.default_rng(0)) for part in (x, longer))
    assert torch.equal(first, second)
    with torch.no_grad():
        told = (model.out(first.tanh()) - x[:, WINDOW - 1]).square().mean()
        dream = model.roll(model.start(6), WINDOW, np.random.default_rng(0), True)[0]
    assert float(told) < 0.7 * float(((dream[:, -1] - x[:, WINDOW - 1].numpy()) ** 2).mean())


def test_weights_stay_while_vectors_are_regressed():
    model = PVRNN(2)
    before = [p.clone() for p in model.parameters()]
    model.predict(pfsm(0, "smoke").test[:3, :WINDOW], 4, 2, np.random.default_rng(0))
    assert all(torch.equal(p, q) and p.grad is None for p, q in zip(model.parameters(), before, strict=True))


def test_training_lowers_the_bound():
    model, data = PVRNN(2), pfsm(0, "smoke")
    ctx = Context(Cell("sequences/t", "sequences/pfsm", "m", (), 0, "smoke"), {"steps": 30, "lr": 1e-2})
    x = data.train[:, :24]
    model.fit(x, ctx)
    assert ctx.curve[-1]["loss"] < 0.9 * ctx.curve[0]["loss"]
    assert model.a.abs().max() > 0
