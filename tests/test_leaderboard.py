"""Leaderboards: ranks and groups that claim no more than was found, the cost front, profiles and interquartile means."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from assay import AssayError, across, leaderboard
from assay.leaderboard import groups, leaderboards, with_front
from assay.spec import Cell, Record
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats


def records(values, *, dataset="toy/one", costs=None, failures=()):
    """Return a record for each entrant and seed."""
    for name, row in values.items():
        for seed, value in enumerate(row):
            cell = Cell("toy/arena", dataset, name, (), seed, "small")
            reason = "error: boom" if (name, seed) in failures else ""
            spent = {"fit_seconds": (costs or {}).get(name, 1.0), "flops": 10.0}
            yield Record(cell, f"{dataset}{name}{seed}", {} if reason else {"acc": value}, spent, reason=reason)


def board(values, metric="acc", direction="up", **options):
    (found,) = leaderboards(records(values, **options), metric, direction, "fraction")
    return found


CLEAR = {"best": [0.9, 0.91, 0.92, 0.9, 0.91], "worst": [0.5, 0.52, 0.51, 0.5, 0.49]}
LEVEL = np.array([0.1, 0.5, 0.9, 0.3, 0.7])


def test_entrants_that_differ_clearly_have_ranks_of_their_own():
    found = board(CLEAR)
    assert [(r.entrant, r.rank, r.groups) for r in found.rows] == [("best", 1, "a"), ("worst", 2, "b")]


def test_lower_is_better_turns_the_order_round():
    assert [r.entrant for r in board(CLEAR, direction="down").rows] == ["worst", "best"]


def test_entrants_that_are_not_told_apart_share_rank_and_letter():
    found = board({"a": [0.5, 0.6, 0.7], "b": [0.6, 0.5, 0.71]})
    assert {(r.rank, r.groups) for r in found.rows} == {(1, "a")}


def test_pairing_by_seed_tells_apart_what_seeds_would_hide():
    noise = np.array([0.0, 0.01, -0.01, 0.005, 0.0])
    found = board({"a": LEVEL + 0.1 + noise, "b": LEVEL})
    assert [r.rank for r in found.rows] == [1, 2]


def test_an_entrant_between_two_shares_a_letter_with_both():
    found = groups(["x", "y", "z"], {("x", "z")})
    assert found == [("x", "y"), ("y", "z")]


def test_an_entrant_that_always_crashed_has_no_rank():
    found = board(CLEAR, failures=[("best", seed) for seed in range(5)])
    last = found.rows[-1]
    assert (last.entrant, last.rank, last.groups) == ("best", None, "")
    assert len(last.failures) == 5


def test_a_count_without_chance_ranks_at_once():
    rows = records({"a": [0.5, 0.5], "b": [0.5, 0.5]})
    twice = [r if r.cell.model == "a" else Record(r.cell, r.digest, r.metrics, {"flops": 20.0}) for r in rows]
    (found,) = leaderboards(twice, "flops", "down", "FLOP")
    assert [(r.entrant, r.rank) for r in found.rows] == [("a", 1), ("b", 2)]


def test_pairwise_p_values_are_corrected_by_holm():
    """Three entrants, each pair of which is told apart alone but not all of them together."""
    rng = np.random.default_rng(4)
    values = {name: LEVEL + gain + 0.1 * rng.normal(size=5) for name, gain in (("a", 0.0), ("b", 0.25), ("c", 0.4))}
    pairs = list(itertools.combinations(values, 2))
    raw = np.array([scipy_stats.ttest_rel(values[a], values[b]).pvalue for a, b in pairs])
    order = np.argsort(raw)
    adjusted = np.maximum.accumulate(np.minimum(1, raw[order] * [3, 2, 1]))
    apart = {frozenset(pairs[i]) for i, p in zip(order, adjusted, strict=True) if p <= 0.05}
    assert 0 < len(apart) < (raw <= 0.05).sum()
    found = board(values)
    letters = {r.entrant: set(r.groups) for r in found.rows}
    assert {frozenset(p) for p in pairs if not letters[p[0]] & letters[p[1]]} == apart


names = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8, unique=True)


@given(names, st.data())
def test_groups_cover_every_pair_that_is_not_told_apart_and_no_other(entrants, data):
    pairs = list(itertools.combinations(entrants, 2))
    apart = set(data.draw(st.lists(st.sampled_from(pairs), unique=True))) if pairs else set()
    found = groups(entrants, apart)
    together = {frozenset(p) for group in found for p in itertools.combinations(group, 2)}
    assert together == {frozenset(p) for p in pairs} - {frozenset(p) for p in apart}
    assert set(itertools.chain(*found)) == set(entrants)


@pytest.mark.peer
@settings(deadline=None)
@given(names, st.data())
def test_groups_agree_with_networkx(entrants, data):
    networkx = pytest.importorskip("networkx")
    pairs = list(itertools.combinations(entrants, 2))
    apart = data.draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    graph = networkx.Graph()
    graph.add_nodes_from(entrants)
    graph.add_edges_from(set(pairs) - set(apart))
    assert {frozenset(g) for g in groups(entrants, apart)} == {frozenset(c) for c in networkx.find_cliques(graph)}


@pytest.mark.peer
def test_the_pairs_told_apart_agree_with_pingouin_and_scikit_posthocs():
    pandas = pytest.importorskip("pandas")
    pingouin, posthocs = pytest.importorskip("pingouin"), pytest.importorskip("scikit_posthocs")
    rng = np.random.default_rng(5)
    values = {
        name: LEVEL + shift + 0.05 * rng.normal(size=5)
        for name, shift in (("p", 0), ("q", 0.1), ("r", 0.12), ("s", 0.5))
    }
    long = pandas.DataFrame([{"e": name, "seed": i, "y": v} for name, row in values.items() for i, v in enumerate(row)])
    peer = pingouin.pairwise_tests(data=long, dv="y", within="e", subject="seed", padjust="holm")
    column = next(c for c in ("p_corr", "p-corr") if c in peer)
    matrix = pandas.DataFrame(1.0, index=list("pqrs"), columns=list("pqrs"))
    for _, row in peer.iterrows():
        matrix.loc[row["A"], row["B"]] = matrix.loc[row["B"], row["A"]] = row[column]
    signs = posthocs.sign_array(matrix, alpha=0.05)
    letters = {r.entrant: set(r.groups) for r in board(values).rows}
    ours = [[int(a != b and not letters[a] & letters[b]) for b in "pqrs"] for a in "pqrs"]
    assert (np.where(np.eye(4), 0, np.maximum(signs, 0)) == np.array(ours)).all()
    assert np.array(ours).any()


def test_the_front_keeps_who_nobody_beats_in_quality_and_cost():
    values = {"good": [0.9] * 3, "cheap": [0.5] * 3, "bad": [0.4] * 3, "twin": [0.9] * 3}
    found = with_front(board(values, costs={"good": 5.0, "cheap": 1.0, "bad": 2.0, "twin": 5.0}), "fit_seconds")
    assert {r.entrant: r.front for r in found.rows} == {"good": True, "cheap": True, "bad": False, "twin": True}


def test_a_cost_that_nobody_has_is_an_error():
    with pytest.raises(AssayError, match="did you mean 'fit_seconds'"):
        with_front(board(CLEAR), "fit_second")


def two(direction="up", **second):
    one = {"a": [0.8, 0.8], "b": [0.4, 0.4]}
    rows = [*records(one), *records({"a": [0.3, 0.3], "b": [0.6, 0.6], **second}, dataset="toy/two")]
    return leaderboards(rows, "acc", direction, "fraction")


def test_a_profile_counts_data_sets_within_a_factor_of_the_best():
    found = across.profile(two())
    at = dict(zip(found.taus, zip(*found.shares.values(), strict=True), strict=True))
    assert list(found.shares) == ["a", "b"]
    assert at[1.0] == (0.5, 0.5)
    assert at[1.5] == (0.5, 0.5)
    assert at[2.0] == (1.0, 1.0)


def test_a_profile_of_a_cost_divides_the_other_way():
    found = across.profile(two("down"))
    assert found.shares["b"] == tuple(float(tau >= 2) * 0.5 + 0.5 for tau in found.taus)


def test_an_entrant_missing_on_a_data_set_is_within_no_factor_of_it():
    assert max(across.profile(two(c=[0.9, 0.9])).shares["c"]) == 0.5


def test_a_profile_of_values_that_have_no_ratio_says_so():
    found = across.profile([board({"a": [0.0, 0.0], "b": [1.0, 1.0]})])
    assert "positive" in found.reason


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=20))
def test_the_interquartile_mean_is_scipys_trimmed_mean(values):
    peer = scipy_stats.trim_mean(values, 0.25)
    assert across.interquartile_mean(np.array(values)) == pytest.approx(peer)


def test_an_outlier_moves_the_mean_but_not_the_interquartile_mean():
    found = across.centres([board({"a": [0.5] * 7 + [100.0], "b": [0.4] * 8})])
    assert {row.entrant: row.mean for row in found.rows} == {"a": 0.5, "b": 0.4}


def test_over_several_data_sets_values_are_put_on_one_scale_first():
    found = across.centres(two(c=[0.9, 0.9]))
    assert found.scaled
    assert found.left_out == ("c",)
    assert {row.entrant: row.mean for row in found.rows} == pytest.approx({"a": 0.5, "b": 0.25})


def test_the_bootstrap_gives_the_same_interval_every_time():
    found = board({"a": list(np.random.default_rng(1).normal(size=10))})
    (first,), (second,) = across.centres([found]).rows, across.centres([found]).rows
    assert first == second
    assert first.low < first.mean < first.high


def test_only_records_of_the_newest_protocol_are_compared():
    old = [Record(r.cell, r.digest, r.metrics, protocol="old", finished=1.0) for r in records({"a": [0.5, 0.6]})]
    new = [Record(r.cell, r.digest, r.metrics, protocol="new", finished=2.0) for r in records({"b": [0.7, 0.8]})]
    (found,) = leaderboards([*old, *new], "acc", "up", "fraction")
    assert [r.entrant for r in found.rows] == ["b"]
    assert "older protocol: a" in found.notes[0]


def test_labels_tell_parameters_and_backends():
    record = Record(Cell("t/t", "t/d", "net", (("width", 3),), 0, "small", "cuda"), "x")
    assert leaderboard.label(record, backend=True) == "net(width=3) @cuda"
