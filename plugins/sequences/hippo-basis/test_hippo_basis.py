"""How to train your HiPPO: the bases of LegS and FouT, and layers that are convolutions with them."""

import numpy as np
import pytest
import torch
from assay_hippo_basis import (
    SIZES,
    BasisSSM,
    classifier,
    fout,
    legs_basis,
    mass_after_window,
    random_matrix,
    warped_legendre,
)
from assay_sequences.kit import hippo_legs
from scipy.linalg import expm
from scipy.signal import cont2discrete


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


def test_warped_legendre_functions_are_orthonormal():
    nodes, weights = np.polynomial.legendre.leggauss(20)
    basis = warped_legendre(-np.log((nodes + 1) / 2), 8)  # e^-t dt = dz on [0, 1]
    np.testing.assert_allclose(basis * weights / 2 @ basis.T, np.eye(8), atol=1e-12)


def test_legs_has_the_kernels_and_remembers_the_signal_and_a_random_matrix_does_not():
    legs, other = (legs_basis(np.random.default_rng(0), 16, matrix) for matrix in ("legs", "random"))
    assert max(legs.values()) < 1e-11
    assert min(other.values()) > 0.1


def test_a_sign_that_is_wrong_is_seen():
    a, b = hippo_legs(8)
    a[3, 2] *= -1
    kernel = expm(a) @ b
    assert np.abs(kernel - warped_legendre(np.ones(1), 8)[:, 0] * np.exp(-1)).max() > 0.01


@pytest.mark.parametrize("n", [33, 129])
def test_fout_has_sines_and_cosines_on_the_window_and_nothing_after(n):
    a, b = fout(n)
    t = np.array([0.2, 0.37, 0.8])
    kernel = np.stack([expm(each * a) @ b for each in t], 1)[:5]
    waves = [t**0, *(2**0.5 * f(2 * np.pi * k * t) for k in (1, 2) for f in (np.cos, np.sin))]
    np.testing.assert_allclose(kernel, np.stack(waves), atol=6 / n)
    assert np.abs((expm(1.5 * a) @ b)[:5]).max() < 6 / n


def test_the_energy_after_the_window_vanishes_with_more_states():
    after = [mass_after_window(np.random.default_rng(0), n)["gap"] for n in SIZES]
    assert (np.divide(after[:-1], after[1:]) > 2.5).all()
    assert mass_after_window(np.random.default_rng(0), 65, "legs")["gap"] > 20 * after[2]


def test_the_energy_is_that_of_a_sum_over_time():
    a, b = fout(17)
    c = np.append(np.random.default_rng(0).standard_normal(9), np.zeros(8))
    step, state, energy = expm(0.0005 * a), expm(0.00025 * a) @ b, []
    for _ in range(12_000):
        energy.append((c @ state) ** 2)
        state = step @ state
    share = sum(energy[2000:]) / sum(energy)
    assert mass_after_window(np.random.default_rng(0), 17)["gap"] == pytest.approx(share, rel=1e-3)


@pytest.mark.peer
@pytest.mark.parametrize("matrix", ["legs", "fout", "random"])
def test_the_layer_is_the_recurrence_that_scipy_discretises(matrix):
    layer, u = BasisSSM(1, 12, matrix, n=8).requires_grad_(False), torch.randn(1, 12, 1)
    torch.manual_seed(0)
    a, b = {"legs": hippo_legs, "fout": lambda n: fout(n + 1), "random": random_matrix}[matrix](8)
    dt = float(10 ** torch.rand(1, dtype=torch.float64)) / 12
    step, into, *_ = cont2discrete((a, b[:, None], np.eye(len(a)), np.zeros((len(a), 1))), dt, "zoh")
    state, c = np.zeros(len(a)), layer.c[0].numpy()
    for t in range(12):
        state = step @ state + into[:, 0] * float(u[0, t, 0])
        expected = c @ state / dt**0.5 + float(layer.skip[0]) * float(u[0, t, 0])
        assert float(layer(u)[0, t, 0]) == pytest.approx(expected, abs=1e-4)


def test_the_layer_is_causal_and_gives_logits():
    layer, u = BasisSSM(4, 12), torch.randn(2, 12, 4)
    changed = u.clone()
    changed[:, 7:] += 1
    torch.testing.assert_close(layer(changed)[:, :7], layer(u)[:, :7], atol=1e-5, rtol=1e-4)
    assert classifier(1, 8, 12)(torch.randn(2, 12, 1)).shape == (2, 8)


def test_the_window_divides_timescales_and_leaves_the_rest():
    slow, fast = (torch.manual_seed(0) and BasisSSM(4, 64, window=window) for window in (1.0, 0.1))
    torch.testing.assert_close(slow.c, fast.c)
    late = [layer.basis[..., -1].abs().sum() / layer.basis.abs().sum() for layer in (slow, fast)]
    assert late[1] < late[0] / 10


def test_fout_without_what_leaves_the_window_turns_at_whole_frequencies():
    a, b = fout(9)
    turning = a + np.outer(b, b) / 2
    np.testing.assert_allclose(turning, -turning.T, atol=1e-12)
    np.testing.assert_allclose(np.sort(np.linalg.eigvals(turning).imag), 2 * np.pi * np.arange(-4, 5), atol=1e-9)
