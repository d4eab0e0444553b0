"""Symmetry breaking: what tells orders apart, and where states lie."""

import numpy as np
import pytest
import torch
from assay_sequences.kit import decoder
from assay_symmetry_breaking import Regime, alignment, invariance


@pytest.fixture(autouse=True)
def _double():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)


def gap(**how):
    return invariance(np.random.default_rng(0), **how)["invariance_error"]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_without_mask_and_positions_order_does_not_matter(depth):
    assert gap(causal=False, depth=depth) < 1e-12


@pytest.mark.parametrize(("depth", "symmetric"), [(1, True), (2, False), (3, False)])
def test_the_mask_breaks_the_symmetry_from_two_layers_on(depth, symmetric):
    assert (gap(depth=depth) < 1e-12) == symmetric


def test_positions_break_it_in_one_layer():
    assert gap(positions="learned", depth=1) > 1e-3
    assert gap(positions="learned", causal=False, depth=1) > 1e-3


def test_the_symmetry_does_not_need_residual_connections():
    assert gap(causal=False, depth=3, residual=False) < 1e-12


def test_states_that_are_the_embeddings_are_aligned():
    model = decoder(12, 8, width=16, heads=2, layers=1, positions="none")
    tokens = torch.stack([torch.randperm(12)[:8] for _ in range(16)])
    with torch.no_grad():
        for block in model.blocks:
            block.mixer.out.weight.zero_()
            block.mlp[-1].weight.zero_()
            block.mlp[-1].bias.zero_()
        kept = alignment(model, tokens)
        model.blocks[0].residual = False
        lost = alignment(model, tokens)
    assert kept > 0.9 and abs(lost) < 1e-9


def test_the_regime_sets_positions_and_residuals():
    assert Regime("learned").model(12, 8).places is not None
    model = Regime("none", residual=False).model(12, 8)
    assert model.places is None and not model.blocks[0].residual
