"""A claim must be refutable: exchanged, broken or shuffled entrants may not leave its verdict at `holds`."""

from __future__ import annotations

import numpy as np
from assay import Claim, score, slope, within, worst
from assay.falsify import broken, extremes, shuffled, swapped
from assay.verdicts import Sample, judge

acc = score("accuracy", task="sets/point-clouds")
A, B = acc("a"), acc("b")
BEATS = Claim("beats", A - B > 0.05, says="a beats b")
SAMPLES = {
    A: Sample(dict(enumerate([0.9, 0.8, 0.95, 0.85, 0.9])), bounds=(0.0, 1.0)),
    B: Sample(dict(enumerate([0.7, 0.62, 0.73, 0.66, 0.71])), bounds=(0.0, 1.0)),
}


def outcomes(claim, samples, others=None):
    assert judge([claim], {claim.id: samples})[0].outcome == "holds"
    return {b.how: b.outcome for b in broken(claim, samples, others)}


def test_exchanged_entrants_refute_a_difference():
    assert outcomes(BEATS, SAMPLES)["a and b exchanged"] == "fails"


def test_shuffled_labels_leave_no_difference():
    assert outcomes(BEATS, SAMPLES)["labels shuffled"] == "inconclusive"


def test_an_ablation_in_the_entrants_place_refutes_what_its_mechanism_is_for():
    ablation = {**SAMPLES, A: SAMPLES[B]}
    found = outcomes(BEATS, SAMPLES, {"its ablation c in place of a": ablation})
    assert found["its ablation c in place of a"] == "inconclusive"


def test_exchanged_levels_refute_an_exponent():
    sizes = (10, 100, 1000)
    claim = Claim("linear", within(slope(acc("a"), over="n", at=sizes), 0.2, of=1.0), says="O(n)")
    samples = {acc("a", n=n): Sample({0: float(n), 1: 1.1 * n, 2: 0.9 * n}, exact=True) for n in sizes}
    assert outcomes(claim, samples)["accuracy(a, n=10) and accuracy(a, n=1000) exchanged"] == "fails"


def test_a_bound_on_one_entrant_is_refuted_by_the_metrics_other_end():
    claim = Claim("invariant", worst(A) <= 1e-5, says="invariant")
    found = outcomes(claim, {A: Sample({0: 0.0, 1: 1e-9}, bounds=(0.0, np.inf))})
    assert found == {"accuracy(a) at its lowest": "holds", "accuracy(a) at its highest": "fails"}


def test_a_claim_that_the_metric_cannot_break_is_found_out():
    vacuous = Claim("vacuous", worst(A) <= 1.0, says="an accuracy is at most 1")
    assert set(outcomes(vacuous, {A: SAMPLES[A]}).values()) == {"holds"}


def test_breaking_leaves_the_samples_themselves_alone():
    before = {s: dict(sample.values) for s, sample in SAMPLES.items()}
    for make in (swapped, shuffled, extremes):
        list(make(SAMPLES))
    assert {s: dict(sample.values) for s, sample in SAMPLES.items()} == before
