"""S4D: its initialisations, the kernel against the discretised system, and the diagonal limit."""

import numpy as np
import pytest
import torch
from assay_s4d import S4D, eigenvalues, legs_gap, s4d, transfer
from assay_sequences.kit import DiagonalSSM, hippo_legs


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


@pytest.mark.parametrize("kind", ["lin", "inv", "legs", "random", "real"])
def test_every_initialisation_decays_and_gives_logits(kind):
    assert eigenvalues(kind, 32).shape == (16,)
    assert (eigenvalues(kind, 32).real < 0).all()
    assert s4d(1, 10, 20, kind)(torch.randn(2, 20, 1)).shape == (2, 10)


def test_frequencies_are_those_of_the_paper():
    k = np.arange(4)
    np.testing.assert_allclose(eigenvalues("lin", 8).imag, np.pi * k)
    np.testing.assert_allclose(eigenvalues("inv", 8).imag, 8 / np.pi * (8 / (2 * k + 1) - 1))
    assert (eigenvalues("real", 8).imag == 0).all()


def test_legs_has_the_eigenvalues_of_the_normal_part():
    a, _ = hippo_legs(16)
    p = np.sqrt(np.arange(16) + 0.5)
    theirs = np.linalg.eigvals(a + np.outer(p, p))
    np.testing.assert_allclose(eigenvalues("legs", 16).imag, np.sort(theirs.imag[theirs.imag > 0]), atol=1e-8)
    np.testing.assert_allclose(theirs.real, -0.5, atol=1e-8)


def test_the_normal_transfer_function_is_that_of_the_dense_matrix():
    a, b = hippo_legs(12)
    p = np.sqrt(np.arange(12) + 0.5)
    dense = np.linalg.solve(0.7j * np.eye(12) - a - np.outer(p, p), b / 2 + 0j)
    np.testing.assert_allclose(transfer(12, [0.7])[1][0], dense, atol=1e-10)


def test_the_gap_to_legs_halves_when_the_states_double():
    gaps = [legs_gap(np.random.default_rng(0), n)["gap"] for n in (64, 128, 256)]
    np.testing.assert_allclose(np.divide(gaps[:-1], gaps[1:]), 2, rtol=0.15)


@pytest.mark.parametrize("length", [1, 2, 16, 17, 50])
def test_the_kernel_in_blocks_is_the_plain_one(length):
    layer = S4D(3, eigenvalues("lin", 8)).double()
    torch.testing.assert_close(layer.kernel(length), DiagonalSSM.kernel(layer, length), rtol=0, atol=1e-10)


def test_the_layer_is_causal_and_sees_the_first_step_at_the_last():
    layer, u = S4D(3, eigenvalues("lin", 8)).double(), torch.randn(2, 40, 3).double()
    changed = torch.cat([u[:, :20], torch.randn(2, 20, 3).double()], 1)
    torch.testing.assert_close(layer(changed)[:, :20], layer(u)[:, :20], rtol=0, atol=1e-10)
    first = torch.cat([u[:, :1] + 1, u[:, 1:]], 1)
    assert (layer(first) - layer(u))[:, -1].abs().max() > 1e-6


def test_the_limit_needs_half_of_b():
    exact, normal = transfer(256, [1.0])
    assert np.abs(exact - 2 * normal)[0, :8].max() > 0.1


@pytest.mark.peer
def test_the_kernel_is_the_impulse_response_that_scipy_finds():
    signal = pytest.importorskip("scipy.signal")
    layer = S4D(1, eigenvalues("lin", 8)).double()
    stepped, into, out = (part.detach().numpy()[0] for part in layer.discrete())
    pulse = np.eye(1, 20)[0]
    step = np.diag(stepped)
    real = np.block([[step.real, -step.imag], [step.imag, step.real]])
    inputs = np.concatenate([into.real, into.imag])[:, None]
    output = 2 * np.concatenate([out.real, -out.imag])[None]
    # scipy's output lags by a step
    theirs = signal.dlsim((real, inputs, output, np.zeros((1, 1)), 1.0), np.append(pulse, 0.0))[1][1:, 0]
    np.testing.assert_allclose(layer.kernel(20).detach().numpy()[0], theirs, atol=1e-8)
