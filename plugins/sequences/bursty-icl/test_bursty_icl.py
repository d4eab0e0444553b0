"""Bursty training: which sequences an entrant is trained on, and that both networks are as large."""

import numpy as np
import pytest
import torch
from assay_bursty_icl import BurstyGRU, BurstyTransformer
from assay_sequences.icl_classes import gaussian_classes


def drawn(module, size=400):
    """Labels (N, 8) of the context and (N,) of the query on the training distribution."""
    return gaussian_classes(0, "small").draw(np.random.default_rng(0), size, module.regime)[1:]


def shown(module):
    """Share of sequences whose context has the query's label three times."""
    labels, query = drawn(module)
    return ((labels == query[:, None]).sum(1) >= 3).mean()


@pytest.mark.parametrize("build", [BurstyTransformer, BurstyGRU])
@pytest.mark.parametrize("burstiness", [0.5, 0.9, 1.0])
def test_the_query_is_in_as_many_contexts_as_are_bursty(build, burstiness):
    assert shown(build(burstiness)) == pytest.approx(burstiness, abs=0.06)


def test_without_bursts_the_context_hardly_ever_helps():
    assert shown(BurstyTransformer(0.0)) < 0.01


def test_zipf_makes_classes_rare():
    items = gaussian_classes(0, "small").draw(np.random.default_rng(0), 400, BurstyTransformer(0.0, zipf=1.0).regime)[0]
    centres = gaussian_classes(0, "small").centres
    classes = (items @ centres.T).argmax(-1)
    assert 0.1 < (classes == 0).mean() < 0.17  # 1 / (1 + 1/2 + ... + 1/1024)
    assert (classes > 500).mean() > 0.05


@pytest.mark.parametrize("build", [BurstyTransformer, BurstyGRU])
def test_a_network_answers_with_a_label_and_reads_the_whole_context(build):
    torch.manual_seed(0)
    module, items, labels = build(), torch.randn(5, 9, 32), torch.randint(32, (5, 8))
    before = module(items, labels)
    assert before.shape == (5, 32)
    for place in (0, 7):
        other = labels.clone()
        other[:, place] = (other[:, place] + 1) % 32
        assert (module(items, other) != before).any(1).all()


def test_the_recurrent_network_has_about_as_many_parameters():
    sizes = [sum(p.numel() for p in build().parameters()) for build in (BurstyTransformer, BurstyGRU)]
    assert 0.75 < sizes[1] / sizes[0] < 1.35
