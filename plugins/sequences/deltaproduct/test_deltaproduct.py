"""DeltaProduct: its parallel form, its eigenvalues, and permutations as reflections."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from assay_deltaproduct import DeltaProduct, permutations_by_reflections, reflections
from assay_sequences.kit import delta_recurrence


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


@pytest.mark.parametrize("householders", [1, 2, 3])
def test_the_parallel_form_is_the_recurrence(householders):
    layer, x = DeltaProduct(8, 2, 16, householders).double(), torch.randn(3, 7, 8).double()
    read = layer.norm(delta_recurrence(*layer.inputs(x), every=householders))
    torch.testing.assert_close(layer(x), layer.out(read.transpose(1, 2).reshape(x.shape)), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("top", "least"), [(2.0, -1.0), (1.0, 0.0)])
def test_the_eigenvalues_of_a_step_lie_above_one_minus_top(top, least):
    _, k, _, beta = DeltaProduct(8, 2, 16, top=top).double().inputs(torch.randn(3, 7, 8).double())
    steps = torch.eye(4) - beta[..., None, None] * k[..., :, None] * k[..., None, :]
    found = torch.linalg.eigvalsh(steps)
    assert found.min() >= least
    assert found.max() <= 1 + 1e-12


def test_swaps_make_the_permutation_and_are_fewer_than_its_points():
    rng = np.random.default_rng(0)
    for n in (2, 3, 5, 8):
        for _ in range(20):
            permutation = rng.permutation(n)
            matrix, swaps = np.eye(n), reflections(permutation)
            for a, b in swaps:
                u = (np.eye(n)[a] - np.eye(n)[b]) / np.sqrt(2)
                matrix = (np.eye(n) - 2 * np.outer(u, u)) @ matrix
            assert len(swaps) < n
            np.testing.assert_allclose(matrix, np.eye(n)[:, permutation], atol=1e-12)


@pytest.mark.parametrize("points", [3, 5])
def test_words_are_exact_in_double_precision_and_not_in_single(points):
    torch.set_default_dtype(torch.float64)
    try:
        assert permutations_by_reflections(np.random.default_rng(0), points)["max_error"] < 1e-12
    finally:
        torch.set_default_dtype(torch.float32)
    assert permutations_by_reflections(np.random.default_rng(0), points)["max_error"] > 1e-8


@pytest.mark.peer
@pytest.mark.parametrize("householders", [1, 2, 3])
def test_the_layer_agrees_with_flash_linear_attention(householders):
    """Its plain reference of the gated delta product, read from its file: the package itself imports only with a GPU."""
    package = importlib.util.find_spec("fla")
    if package is None:
        pytest.skip("pip install --no-deps fla-core")
    path = Path(package.submodule_search_locations[0]) / "ops" / "gated_delta_product" / "naive.py"
    found = importlib.util.spec_from_file_location("fla_naive", path)
    theirs = importlib.util.module_from_spec(found)
    found.loader.exec_module(theirs)
    layer, x = DeltaProduct(8, 2, 16, householders), torch.randn(3, 7, 8)
    q, k, v, beta = (part.transpose(1, 2) for part in layer.inputs(x))
    read, _ = theirs.naive_recurrent_gated_delta_product(q, k, v, None, beta, 1.0, num_householder=householders)
    torch.testing.assert_close(layer.out(layer.norm(read).reshape(x.shape)), layer(x))
