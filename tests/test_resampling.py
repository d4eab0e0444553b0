"""Seeds and examples as two sources of variance, told apart on data whose parts are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from assay import examples
from assay.resampling import bootstrap, difference, mcnemar, split


def nested(seed_sd, example_sd, seeds=200, size=50, start=0):
    rng = np.random.default_rng(start)
    return [shift + example_sd * rng.normal(size=size) for shift in seed_sd * rng.normal(size=seeds)]


def crossed(seed_sd, example_sd, noise_sd, seeds=40, size=400):
    rng = np.random.default_rng(0)
    shared = example_sd * rng.normal(size=size)
    return [s + shared + noise_sd * rng.normal(size=size) for s in seed_sd * rng.normal(size=seeds)]


def test_variance_of_fresh_test_sets_is_told_from_that_of_seeds():
    found = split(nested(0.3, 1.0), fixed=False)
    assert found.seeds * 200 == pytest.approx(0.09, rel=0.25)
    assert found.examples * 200 == pytest.approx(1 / 50, rel=0.1)


def test_variance_of_one_fixed_test_set_is_told_from_that_of_seeds():
    found = split(crossed(0.3, 2.0, 0.5), fixed=True)
    assert found.seeds * 40 == pytest.approx(0.09, rel=0.35)
    assert found.examples == pytest.approx(4 / 400 + 0.25 / 16000, rel=0.2)


def test_without_seed_variance_all_of_it_is_the_test_set():
    assert split(nested(0.0, 1.0, seeds=2000), fixed=False).share > 0.9


def test_one_seed_says_nothing_of_seeds():
    assert math.isnan(split(nested(1.0, 1.0, seeds=1), fixed=False).share)


def test_a_fixed_test_set_widens_what_seeds_alone_would_say():
    rows = crossed(0.05, 2.0, 0.1, seeds=10, size=100)
    found = difference("a", "b", dict(enumerate(rows)), {s: np.zeros(100) for s in range(10)}, fixed=True)

    def width(interval):
        return interval[1] - interval[0]

    assert width(found.over_both) > 3 * width(found.over_seeds)
    assert width(found.over_examples) == pytest.approx(width(found.over_both), rel=0.2)


@pytest.mark.parametrize("seeds", [False, True])
def test_bootstrap_intervals_have_the_width_that_theory_gives(seeds):
    rows = nested(0.5, 1.0, seeds=150, size=40)
    low, high = bootstrap(rows, seeds=seeds, fixed=False)
    variance = 1 / 40 / 150 + (0.25 / 150 if seeds else 0)
    assert (high - low) / (2 * 1.96 * variance**0.5) == pytest.approx(1.0, abs=0.25)


def test_the_hierarchical_bootstrap_covers_the_truth():
    covered = 0
    for start in range(60):
        low, high = bootstrap(nested(0.5, 1.0, seeds=15, size=20, start=start), seeds=True, fixed=False, resamples=300)
        covered += low <= 0 <= high
    assert covered / 60 >= 0.85


def test_pairing_by_example_sees_what_unpaired_scores_hide():
    rng = np.random.default_rng(0)
    hard = [5 * rng.normal(size=100) for _ in range(5)]
    a = {s: row + 0.2 + 0.1 * rng.normal(size=100) for s, row in enumerate(hard)}
    found = difference("a", "b", a, dict(enumerate(hard)), fixed=False)
    assert found.over_both[0] > 0.15


def test_mcnemar_is_the_exact_binomial_test_of_what_only_one_got_right():
    a, b = np.array([1.0] * 9 + [0.0] + [1.0] * 20), np.array([0.0] * 9 + [1.0] + [1.0] * 20)
    (found,) = mcnemar({0: a}, {0: b})
    assert (found.only_a, found.only_b) == (9, 1)
    assert found.p == pytest.approx(2 * (1 + 10) / 2**10)


@pytest.mark.peer
def test_mcnemar_agrees_with_statsmodels():
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    rng = np.random.default_rng(0)
    a, b = (rng.random((2, 80)) < [[0.8], [0.6]]).astype(float)
    (found,) = mcnemar({0: a}, {0: b})
    table = [[((a == x) & (b == y)).sum() for y in (1, 0)] for x in (1, 0)]
    assert found.p == pytest.approx(tables.mcnemar(table, exact=True).pvalue)


def test_graded_scores_have_no_mcnemar_test():
    assert mcnemar({0: np.array([0.5, 1.0])}, {0: np.array([1.0, 1.0])}) == ()


def test_a_fingerprint_is_that_of_the_test_data():
    data = {"train_x": np.zeros(3), "test_x": np.ones(3)}
    assert examples.fingerprint(data) == examples.fingerprint({**data, "train_x": np.ones(3)})
    assert examples.fingerprint(data) != examples.fingerprint({**data, "test_x": np.zeros(3)})


def test_kept_scores_are_read_again(tmp_path):
    examples.write(tmp_path, "d" * 32, {"mae[test_size=50]": np.array([0.5, 1.5])}, {"test": np.ones(2)})
    scores, _ = examples.read(tmp_path, "d" * 32, "mae[test_size=50]")
    assert list(scores) == [0.5, 1.5]
    assert examples.read(tmp_path, "d" * 32, "accuracy") is None
    assert examples.read(tmp_path, "e" * 32, "accuracy") is None
