"""Learning to Relax: the bandits and Young's formula on cases that can be worked out."""

import numpy as np
import pytest
from assay_learning_to_relax import ChebCB, TsallisINF, best_omega, dense_radius, jacobi_radius, sor_radius
from assay_numerics.linear_stream import TOLERANCE, coupling, sor_iterations
from scipy.sparse import csr_matrix

OMEGAS = np.linspace(1, 1.9, 5)


def play(policy, costs, contexts):
    """Costs (T, d) of arms -> the arms played."""
    arms = []
    for row, context in zip(costs, contexts, strict=True):
        arms.append(policy.choose(context))
        policy.update(arms[-1], row[arms[-1]])
    return np.array(arms)


def test_tsallis_inf_settles_on_the_cheapest_arm():
    costs = np.tile([90, 40, 80, 100, 70], (3000, 1))
    arms = play(TsallisINF(OMEGAS, (0, 1), 8, np.random.default_rng(0)), costs, np.zeros(3000))
    assert sorted(arms[:5]) == [0, 1, 2, 3, 4]  # each arm once, to learn the scale
    assert (arms[-500:] == 1).mean() > 0.8


def test_tsallis_inf_probabilities_solve_their_equation():
    policy = TsallisINF(OMEGAS, (0, 1), 8, np.random.default_rng(0))
    play(policy, np.tile([9, 4, 8, 10, 7], (200, 1)), np.zeros(200))
    policy.choose(0.0)
    eta = 2 / np.sqrt(policy.round)
    offsets = 2 / np.sqrt(policy.p) / eta
    np.testing.assert_allclose(np.ptp(policy.losses - offsets), 0, atol=1e-5)
    assert policy.p.sum() == pytest.approx(1)


def test_chebcb_learns_which_arm_each_context_wants_and_a_blind_one_cannot():
    rng = np.random.default_rng(0)
    contexts = rng.uniform(0, 1, 4000)
    best = 1 + 0.9 * contexts
    costs = 50 + 400 * (OMEGAS - best[:, None]) ** 2
    paid = {}
    for degree in (0, 6):
        arms = play(ChebCB(OMEGAS, (0, 1), 8, np.random.default_rng(1), degree), costs, contexts)
        paid[degree] = costs[np.arange(4000), arms][-1000:].mean()
    assert paid[6] < 60 < paid[0]


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("omega", [1.0, 1.3, 1.7, 1.95])
def test_young_formula_is_the_spectral_radius(shift, omega):
    beta = jacobi_radius(6, shift)
    assert dense_radius(6, shift, omega) == pytest.approx(sor_radius(omega, beta), abs=1e-9)


def test_no_omega_converges_faster_than_youngs():
    beta = jacobi_radius(20, 0.1)
    star = sor_radius(best_omega(beta) + 1e-12, beta)
    assert all(sor_radius(w, beta) >= star - 1e-9 for w in np.linspace(1, 1.99, 200))


@pytest.mark.peer
@pytest.mark.parametrize("omega", [1.0, 1.5, 1.9])
def test_sweeps_agree_with_pyamg(omega):
    relaxation = pytest.importorskip("pyamg.relaxation.relaxation")
    side, shift, rng = 6, 0.1, np.random.default_rng(0)
    to_red, red, black = coupling(side)
    a = (4 + shift) * np.eye(side * side)
    a[np.ix_(red, black)] -= to_red.toarray()
    a[np.ix_(black, red)] -= to_red.toarray().T
    order = np.concatenate([red, black])
    p, b = csr_matrix(a[np.ix_(order, order)]), rng.standard_normal(side * side)
    x, sweeps = np.zeros(side * side), 0
    while np.linalg.norm(b[order] - p @ x) > TOLERANCE * np.linalg.norm(b):
        relaxation.sor(p, x, b[order], omega)
        sweeps += 1
    assert sor_iterations(np.array([shift]), b[None], omega)[0] == sweeps
