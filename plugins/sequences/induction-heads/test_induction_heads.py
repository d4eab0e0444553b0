"""Induction heads: that clamps hold what they say, that silencing silences, and the circuit set by hand."""

import numpy as np
import pytest
import torch
from assay_induction_heads import (
    HEADS,
    InductionTransformer,
    PatternAttention,
    hand_set,
    induction_strengths,
)
from assay_sequences.icl_classes import World
from assay_sequences.icl_labels import tensors
from assay_sequences.kit import Attention


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


def drawn(module, size=64):
    """Sequences of two new classes: items, labels, the query's label."""
    return tensors(World(np.zeros((1, 32))).in_context(np.random.default_rng(0), size, module.regime))


def patterns(clamp, detours=True):
    """The patterns of both layers on some sequences, and these."""
    module = InductionTransformer(clamp, detours)
    batch = drawn(module)
    module(*batch[:2])
    return *(block.mixer.pattern for block in module.blocks), batch


def test_attention_is_the_kits():
    ours, theirs, x = PatternAttention(16, 4), Attention(16, 4, "rope"), torch.randn(3, 5, 16)
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(x), theirs(x))


def test_each_layer_is_causal_when_free():
    first, second, _ = patterns("none")
    for pattern in (first, second):
        assert (pattern.triu(1) == 0).all()
        torch.testing.assert_close(pattern.sum(-1), torch.ones(64, HEADS, 5))


def test_clamping_the_previous_token():
    first, _, _ = patterns("previous")
    assert (first[:, :, range(1, 4), range(3)] == 1).all()
    assert (first[:, :, 4, 4] == 1).all()


def test_attention_to_the_own_token_alone_carries_nothing_over():
    module = InductionTransformer("self")
    items, labels, _ = drawn(module)
    x = module.blocks[0](module.tokens(items, labels))[0]
    module(items, labels)
    before = module.blocks[0](module.tokens(items, labels))[0]
    items[:, 0] = 9.0
    after = module.blocks[0](module.tokens(items, labels))[0]
    torch.testing.assert_close(after[:, 1:], before[:, 1:])
    assert (x[:, 1:] != before[:, 1:]).any()


def test_clamping_the_match_attends_to_the_right_label():
    _, second, (_, labels, query) = patterns("match")
    torch.testing.assert_close(induction_strengths(second, labels, query), torch.ones(HEADS))


def test_strength_is_right_less_wrong():
    pattern = torch.tensor([0.1, 0.5, 0.1, 0.2, 0.1]).expand(1, 1, 5, 5)
    for labels, strength in (([[0, 1]], 0.3), ([[1, 0]], -0.3)):
        found = induction_strengths(pattern, torch.tensor(labels), torch.tensor([0]))
        torch.testing.assert_close(found, torch.tensor([strength]))


def test_all_heads_silenced_leave_the_first_layer():
    module = InductionTransformer()
    items, labels, _ = drawn(module)
    second = module.blocks[1].mixer
    second.keep = torch.zeros(HEADS)
    logits = module(items, labels)
    x = module.blocks[0](module.tokens(items, labels))[0]
    torch.testing.assert_close(logits, module.head(module.norm(x[:, -1])))


@pytest.mark.parametrize("context", [2, 8, 32])
def test_the_circuit_set_by_hand_needs_the_token_before(context):
    torch.set_default_dtype(torch.float64)
    try:
        assert hand_set(np.random.default_rng(0), context=context)["max_error"] < 1e-6
        assert hand_set(np.random.default_rng(0), previous=False, context=context)["max_error"] > 0.4
    finally:
        torch.set_default_dtype(torch.float32)


def test_closed_detours_leave_the_query_its_own_token_and_then_the_labels():
    first, second, _ = patterns("none", detours=False)
    assert (first[:, :, -1, -1] == 1).all()
    assert (second[:, :, -1, ::2] == 0).all()
    torch.testing.assert_close(second[:, :, -1, 1::2].sum(-1), torch.ones(64, HEADS))
    assert (first[:, :, 1, 0] > 0).all()


def test_without_detours_and_without_the_token_before_the_items_do_not_matter():
    module = InductionTransformer("self")
    items, labels, _ = drawn(module)
    torch.testing.assert_close(module(items[:, [1, 0, 2]], labels), module(items, labels))


def test_two_items_and_two_labels_are_answered_by_two_heads_of_one_layer():
    """The detour: a head whose attention to the first label falls when the first item matches, against one that stays."""
    items, labels, query = drawn(InductionTransformer(), 2_000)
    match = (items[:, 0] * items[:, 2]).sum(-1)
    falls = torch.stack([100 * (match - 0.5), torch.zeros_like(match)], -1).softmax(-1)[:, 1]
    first = 2.0 * labels[:, 0] - 1
    logit = 0.5 * first - falls * first
    assert ((logit > 0) == (query == 1)).float().mean() > 0.97
