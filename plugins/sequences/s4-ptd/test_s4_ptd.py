"""S4-PTD: the perturbation's size, what it keeps of the system, and the layer that begins as it."""

import numpy as np
import pytest
import torch
from assay_s4_ptd import accuracy_modes, gap_to_hippo, layer, normal_part, perturbed, s4_ptd
from assay_sequences.kit import hippo_legs
from assay_sequences.signals import mnist1d


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


@pytest.mark.parametrize("eps", [0.01, 0.1, 1.0])
def test_the_diagonal_system_is_that_of_a_matrix_at_distance_eps(eps):
    values, vectors, into = perturbed(np.random.default_rng(0), 16, eps)
    a, b = hippo_legs(16)
    back = vectors * values @ np.linalg.inv(vectors)
    assert np.linalg.norm(back - a, 2) == pytest.approx(eps, rel=1e-6)
    np.testing.assert_allclose(vectors @ into, b, atol=1e-8)
    assert values.real.max() < eps - 0.5


def test_more_draws_are_better_conditioned():
    conditions = [np.linalg.cond(perturbed(np.random.default_rng(0), 16, 0.1, draws)[1]) for draws in (1, 64)]
    assert conditions[1] < conditions[0]


def test_the_normal_part_is_hippo_with_a_rank_one_matrix_more():
    values, vectors, into = normal_part(12)
    a, b = hippo_legs(12)
    np.testing.assert_allclose(vectors * values @ vectors.conj().T, a + np.outer(b, b) / 2, atol=1e-10)
    np.testing.assert_allclose(vectors @ into, b / 2, atol=1e-12)


@pytest.mark.parametrize("n", [16, 64])
def test_the_perturbed_system_is_close_everywhere_and_the_normal_part_is_not(n):
    gaps = [gap_to_hippo(np.random.default_rng(0), kind, n)["gap"] for kind in ("ptd", "normal")]
    assert gaps[0] < 0.01
    assert gaps[1] > 0.5


def test_without_the_perturbation_nothing_is_left_of_the_system():
    assert gap_to_hippo(np.random.default_rng(0), "ptd", 32, eps=0.0, draws=1)["gap"] > 100


def test_the_layer_begins_as_the_perturbed_recurrence():
    """The channels' kernels against powers of the matrix that is put together again from the layer's own poles."""
    made = layer(3, "ptd", 8, 1.0, 8)
    made.double()
    stepped, into, out = (part.detach().numpy() for part in made.discrete())
    kernel = np.array([[(out[c] * stepped[c] ** t * into[c]).sum() for t in range(20)] for c in range(3)])
    np.testing.assert_allclose(made.kernel(20).detach().numpy(), kernel.real, atol=1e-5)
    np.testing.assert_allclose(kernel.imag, 0, atol=1e-4 * np.abs(kernel).max())


@pytest.mark.parametrize("kind", ["ptd", "normal"])
def test_the_layer_is_causal(kind):
    made, u = layer(4, kind, 16, 1.0, 8), torch.randn(2, 12, 4)
    changed = u.clone()
    changed[:, 7:] += 1
    torch.testing.assert_close(made(changed)[:, :7], made(u)[:, :7], atol=1e-3, rtol=1e-3)


def test_report_has_a_row_a_mode():
    class Ctx:
        device = "cpu"

        def rng(self, name):
            return np.random.default_rng(0)

    data = mnist1d(0, "smoke")
    outcome = s4_ptd(1, 10, 40, n=8, draws=2).report(data, Ctx())
    assert outcome["correct_modes"].shape == (9, len(data.test_y))
    assert accuracy_modes(outcome) == pytest.approx(outcome["correct_modes"].double().mean().item())


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore:Badly conditioned")
def test_the_transfer_function_is_the_one_that_scipy_finds():
    signal = pytest.importorskip("scipy.signal")
    values, vectors, into = perturbed(np.random.default_rng(0), 16, 0.1)
    _, b = hippo_legs(16)
    c = np.random.default_rng(1).standard_normal(16)
    w = np.geomspace(0.1, 200, 50)
    dense = (vectors * values @ np.linalg.inv(vectors)).real
    theirs = signal.freqresp(signal.StateSpace(dense, b[:, None], c[None], np.zeros((1, 1))), w)[1]
    ours = ((c @ vectors) * into / (1j * w[:, None] - values)).sum(1)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
