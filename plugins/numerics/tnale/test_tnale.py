"""TnALE: tensor rings against tensors contracted by hand, descent, and exhaustive search where it can be made."""

import contextlib
import itertools

import numpy as np
import pytest
from assay_numerics.discrete_search import Rings, Spent, c3_c4_free_graphs, planted_tensor_rings
from assay_numerics.tensor_rings import contract, cyclic_orders, parameters, planted, relative_error
from assay_tnale import TNLS, TnALE


def test_a_ring_is_the_trace_of_its_matrix_products():
    rng = np.random.default_rng(0)
    cores = [rng.standard_normal(shape) for shape in ((2, 3, 1), (1, 3, 3), (3, 3, 2))]
    ring = contract(cores)
    for i, j, k in itertools.product(range(3), repeat=3):
        product = cores[0][:, i] @ cores[1][:, j] @ cores[2][:, k]
        assert ring[i, j, k] == pytest.approx(np.trace(product))


def test_there_are_half_factorial_cyclic_orders():
    assert [len(cyclic_orders(n)) for n in (3, 4, 5, 6)] == [1, 3, 12, 60]


def test_least_squares_fits_the_planted_structure_and_not_smaller_ranks():
    tensor = planted((0, 2, 1, 3), (2, 1, 2, 2), np.random.default_rng(1))
    assert relative_error(tensor, (0, 2, 1, 3), (2, 2, 2, 2)) < 0.05
    assert relative_error(tensor, (0, 2, 1, 3), (1, 1, 1, 1)) > 0.2


def problem(budget=400):
    return Rings(4, (2, 1, 2, 2), 1, np.random.default_rng(3), budget)


def test_repeated_states_are_free_and_new_ones_beyond_the_budget_raise():
    made = problem(budget=1)
    made.objective((0, 1, 1, 1, 1))
    made.objective((0, 1, 1, 1, 1))
    assert made.evaluations == 1
    with pytest.raises(Spent):
        made.objective((0, 1, 1, 1, 2))


def test_shares_are_the_parameters_over_the_entries():
    made, state = problem(), (0, 2, 3, 1, 4)
    assert made.share(state) == parameters(state[1:]) / 81
    assert made.value(state) == pytest.approx(made.share(state) + 20 * made.error(state))


@pytest.mark.parametrize("searcher", [TnALE(), TnALE(interpolate=False), TNLS()])
def test_searchers_reach_the_planted_value_on_a_small_ring(searcher):
    made = problem()
    with contextlib.suppress(Spent):
        searcher.search(made, np.random.default_rng(0))
    assert made.best <= made.known + 1e-9
    assert max(getattr(searcher, "rises", [0.0])) <= 0


def test_problems_depend_on_the_seed_alone():
    first, again = (planted_tensor_rings(5, "smoke").make(4) for _ in range(2))
    np.testing.assert_array_equal(first.tensor, again.tensor)
    assert c3_c4_free_graphs(0, "smoke").make(8).known == -10


@pytest.mark.peer
def test_error_is_near_that_of_tensorly():
    tensorly = pytest.importorskip("tensorly.decomposition")
    tensor = planted((0, 1, 2, 3), (2, 2, 2, 2), np.random.default_rng(0))
    theirs = tensorly.tensor_ring_als(tensor, [2, 2, 2, 2, 2], n_iter_max=100, random_state=0)
    error = np.linalg.norm(theirs.to_tensor() - tensor)
    assert relative_error(tensor, (0, 1, 2, 3), (2, 2, 2, 2)) < error + 0.1
