"""MBAT with orthogonal matrices: exact inverses, order, and soft leaves."""

import numpy as np
import pytest
from assay_mbat_json import BINDINGS, SoftAtoms, codec, hadamard
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import hadamard as hadamard_matrix

KEYS = ["a", "b", "c"]


def built(rotations="dense", dimension=256, soft=True):
    return codec(dimension, KEYS, np.random.default_rng(0), rotations, soft)


def test_fast_transform_is_the_hadamard_matrix():
    v = np.random.default_rng(1).standard_normal(64)
    np.testing.assert_allclose(hadamard(v), hadamard_matrix(64) @ v / 8, atol=1e-12)


@pytest.mark.parametrize("rotations", BINDINGS)
def test_bindings_keep_lengths_and_are_undone_exactly(rotations):
    binding = BINDINGS[rotations](256, KEYS, np.random.default_rng(0))
    v = np.random.default_rng(1).standard_normal(256)
    assert np.linalg.norm(binding.bind("a", v)) == pytest.approx(np.linalg.norm(v))
    np.testing.assert_allclose(binding.unbind("a", binding.bind("a", v)), v, atol=1e-10)
    assert abs(binding.bind("a", v) @ binding.bind("b", v)) < 0.3 * (v @ v)


@pytest.mark.parametrize("rotations", BINDINGS)
def test_a_value_is_read_back_through_objects_and_lists(rotations):
    made = built(rotations, soft=False)
    document = {"a": {"b": ["one", "two", "three"]}, "c": "four"}
    found = made.query(made.encode(document), ("a", "b", 1))
    cosines = {word: found @ made.encode(word) for word in ("one", "two", "three", "four")}
    assert max(cosines, key=cosines.get) == "two"


def test_nesting_order_and_list_order_change_the_vector():
    made = built(soft=False)
    assert abs(made.encode({"a": {"b": 1}}) @ made.encode({"b": {"a": 1}})) < 0.3
    assert made.encode(["x", "y"]) @ made.encode(["y", "x"]) < 0.3
    np.testing.assert_allclose(made.encode({"a": 1, "b": 2}), made.encode({"b": 2, "a": 1}), atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.floats(10, 1e5))
def test_near_numbers_have_near_vectors_and_far_ones_have_not(x):
    atoms = SoftAtoms(512, np.random.default_rng(0))
    assert atoms(x) @ atoms(x * 1.05) > 0.99
    assert atoms(x) @ atoms(-1000.0 * (1 + x)) < 0.7


def test_a_typo_moves_a_string_less_than_another_word():
    atoms = SoftAtoms(512, np.random.default_rng(0))
    assert atoms("kilometre") @ atoms("kilometer") > atoms("kilometre") @ atoms("potato") + 0.2


@pytest.mark.peer
def test_bundles_are_cleaned_up_as_by_torchhd():
    torchhd = pytest.importorskip("torchhd")
    made, torch = built(soft=False), pytest.importorskip("torch")
    leaves = np.stack([made.encode(word) for word in ("one", "two", "three", "four", "five")])
    bundle = made.encode({"a": "two", "b": "five"})
    theirs = torchhd.bundle(*(torch.tensor(made.bind(k, leaves[i])) for k, i in (("a", 1), ("b", 4))))
    np.testing.assert_allclose(bundle, theirs / theirs.norm(), atol=1e-9)
    found = torchhd.cosine_similarity(torch.tensor(made.query(bundle, ("b",))), torch.tensor(leaves))
    assert int(found.argmax()) == int((leaves @ made.query(bundle, ("b",))).argmax()) == 4
