"""The suite's processes are what they say: brute-force truth for each, and what a task refuses."""

from itertools import product

import assay
import numpy as np
import pytest
import torch
from assay import AssayError
from assay_sequences import (
    icl_classes,
    icl_labels,
    icl_processes,
    icl_regression,
    integer_problems,
    joints,
    property_strings,
    recall_text,
    signals,
    state_words,
    stochastic_prediction,
    token_models,
    unaligned_transduction,
)
from torch import nn

RNG = np.random.default_rng


# --- tokens -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "order"), [("s3", 6), ("s4", 24), ("a5", 60), ("s5", 120)])
def test_group_tables_are_groups(name, order):
    table = state_words.group(name)
    assert table.shape == (order, order)
    assert (table[0] == np.arange(order)).all() and (table[:, 0] == np.arange(order)).all()
    a, b, c = RNG(0).integers(order, size=(3, 200))
    assert (table[table[a, b], c] == table[a, table[b, c]]).all()
    assert (np.sort(table, 1) == np.arange(order)).all()


def test_words_are_products_from_the_left_and_parity_is_a_sum():
    table = state_words.group("s3")
    tokens, targets = state_words.s3_word(0, "smoke").train[0]
    for row, found in zip(tokens[:20], targets[:20], strict=True):
        state = 0
        for t, token in enumerate(row):
            state = table[token, state]
            assert found[t] == state
    tokens, targets = state_words.parity(0, "smoke").tests["long"]
    assert (targets == tokens.cumsum(1) % 2).all()


@pytest.mark.parametrize("ignore", [0.1, 0.8, 0.98])
def test_a_flip_flop_reads_what_was_written_last(ignore):
    tokens, targets = state_words.flip_flops(RNG(0), 200, 12, ignore)
    for row, asked in zip(tokens, targets, strict=True):
        kept = None
        for what, bit, answer in zip(row[::2], row[1::2], asked[::2], strict=True):
            kept = bit if what == state_words.WRITE else kept
            assert answer == (kept if what == state_words.READ else -100)
            assert what != state_words.READ or bit == kept
    assert (tokens[:, 0] == state_words.WRITE).all() and (tokens[:, -2] == state_words.READ).all()
    assert (targets[:, 1::2] == -100).all()


def test_recall_asks_for_the_value_that_stood_behind_the_key():
    tokens, targets = recall_text.recall(RNG(0), 50, 5)
    for row, asked in zip(tokens, targets, strict=True):
        pairs = dict(zip(row[:10:2], row[1:10:2], strict=True))
        assert len(pairs) == 5
        assert [pairs[k] for k in row[10::2]] == asked[10::2].tolist() == row[11::2].tolist()
    assert (targets != -100).sum() == 250


def test_no_predictor_beats_the_entropy_rate():
    rng = RNG(0)
    matrix = recall_text.markov_chain(rng)
    walk = recall_text.walks(rng, matrix, 400, 65)
    likely = matrix[walk[:, :-1], walk[:, 1:]]
    assert -np.log2(likely).mean() == pytest.approx(recall_text.entropy_rate(matrix), abs=0.03)
    np.testing.assert_allclose(recall_text.stationary(matrix) @ matrix, recall_text.stationary(matrix), atol=1e-9)


def test_the_bible_is_in_32_symbols_and_nothing_tested_is_trained_on():
    data = recall_text.kjv_bytes(0, "smoke")
    train, test = (
        "".join(recall_text.ALPHABET[i] for i in part[0].ravel()) for part in (data.train[0], data.tests["same"])
    )
    assert " the " in train and " the " in test
    assert test[40:60] not in train
    assert recall_text.letters("Hark! \N{EM DASH} \u00c6sop's").tolist() == [
        recall_text.ALPHABET.index(c) for c in "hark. aesop's"
    ]


class Ahead(nn.Module):
    """Mixes the next state in: not causal."""

    def __init__(self, d_model, n_heads, max_len):
        super().__init__()
        self.out = nn.Linear(d_model, d_model)

    def forward(self, x):
        return self.out(x.roll(-1, 1))


def test_a_mixer_that_looks_ahead_is_refused(tmp_path):
    done = assay.run(
        "sequences/token-models",
        models={"ahead": Ahead},
        datasets=["parity"],
        seeds=1,
        scale="smoke",
        store=str(tmp_path / "r.db"),
    )
    assert "not causal" in done.failed[0].reason


def test_the_last_marked_places_are_counted_from_the_end():
    class Oracle(nn.Module):
        def forward(self, tokens):
            return nn.functional.one_hot(tokens, 5).float()

    tokens = torch.tensor([[1, 2, 3, 4, 0, 1]])
    targets = torch.tensor([[0, 2, -100, 4, 0, -100]])
    found = token_models.scored(Oracle(), tokens, targets, type("Ctx", (), {"device": "cpu"}))
    assert found["correct"].tolist() == [False, True, True, True]
    found = token_models.scored(
        Oracle(), tokens, torch.tensor([[0, 2, 3, 4, 0, 0]]), type("Ctx", (), {"device": "cpu"})
    )
    assert found["last"].tolist() == [True, True, True, False]


# --- signals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [signals.smnist_196, signals.mnist1d, signals.first_mark])
def test_signals_are_split_by_the_seed(load):
    data, other = load(0, "smoke"), load(1, "smoke")
    assert data.train_x.dtype == np.float32 and data.train_x.ndim == 3
    assert not np.array_equal(data.train_x, other.train_x)
    rows = {row.tobytes() for row in data.train_x}
    assert not any(row.tobytes() in rows for row in data.test_x)


def test_the_mark_is_in_the_first_sixteen_steps_alone():
    data = signals.first_mark(0, "small")
    power = (data.train_x[..., 0] ** 2).mean(0)
    assert power[:16].min() > 2.5 and power[16:].max() < 1.3


# --- integers -----------------------------------------------------------------------------------------------

PROBLEMS = [
    integer_problems.gcd,
    integer_problems.gcd_log,
    integer_problems.sparse_parity,
    integer_problems.inverse_permutation,
    integer_problems.add3,
    integer_problems.add_lengths,
    integer_problems.running_sum,
    integer_problems.sort_median,
]


@pytest.mark.parametrize("load", PROBLEMS)
def test_fresh_examples_are_not_in_the_test(load):
    problem, rng = load(0, "smoke"), RNG(1)
    known = {(len(row), row.tobytes()) for x, _ in problem.tests.values() for row in x}
    for _ in range(20):
        prompts, answers = problem.fresh(rng, 16)
        assert len(prompts) == len(answers) == 16
        assert not any((len(row), row.tobytes()) in known for row in prompts)
        assert max(prompts.max(), answers.max()) < problem.blank


def number(row):
    return int("".join(map(str, row)))


def test_answers_are_right():
    prompts, answers = integer_problems.gcd(0, "small").tests["same"]
    assert all(number(a) == np.gcd(number(p[:3]), number(p[4:7])) for p, a in zip(prompts, answers, strict=True))
    prompts, answers = integer_problems.add3(0, "small").tests["same"]
    assert all(number(a[::-1]) == number(p[:3]) + number(p[4:7]) for p, a in zip(prompts, answers, strict=True))
    prompts, answers = integer_problems.inverse_permutation(0, "small").tests["same"]
    assert (np.take_along_axis(answers, prompts[:, :5], 1) == prompts[:, 5:]).all()
    prompts, answers = integer_problems.running_sum(0, "small").tests["same"]
    assert (answers[:, -1] == prompts[:, :6].sum(1) % 10).all()
    assert (answers[:, 0:12:2] == prompts[:, :6]).all()
    prompts, answers = integer_problems.sort_median(0, "small").tests["same"]
    assert (answers[:, -1] == np.median(prompts[:, :5], axis=1)).all()
    assert (np.sort(answers[:, :5]) == np.sort(prompts[:, :5])).all()


def test_a_corrupted_state_lives_on_in_the_trace():
    trace = integer_problems.RunningSum(3).trace(np.array([[1, 2, 3]]), lambda state: (state + 1) % 10)
    assert trace.tolist() == [[1, 2, 2, 5, 3, 9, 9]]


# --- learning in context ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "process",
    [icl_processes.LinearNIG(2), icl_processes.LinearMixture(2), icl_processes.Fourier((1, 2, 3))],
)
def test_the_bayes_rule_is_that_of_importance_sampling(process):
    """300,000 functions from the prior, weighed by the likelihood of what was seen."""
    rng, seen = RNG(0), 3
    x, y, _ = process.draw(rng, 1, seen + 1)
    mean, variance = (v[0, seen] for v in process.bayes(x, y))
    n = 300_000
    if isinstance(process, icl_processes.LinearNIG):
        s2 = 1 / rng.gamma(3.0, 1.0, n)
        f = np.einsum("td,nd->nt", x[0], rng.standard_normal((n, 2)) * np.sqrt(s2)[:, None])
    elif isinstance(process, icl_processes.LinearMixture):
        w = 0.5 * rng.standard_normal((n, 2)) + 3 * rng.choice([-1, 1], (n, 1)) * [1, 0]
        f, s2 = np.einsum("td,nd->nt", x[0], w), np.full(n, 0.3**2)
        process = icl_processes.LinearMixture(2, noise=0.3)  # so that the weights are not all on one sample
        mean, variance = (v[0, seen] for v in process.bayes(x, y))
    else:
        degree, k = rng.choice(process.degrees, n), np.arange(1, 4)
        scale = np.where(k <= degree[:, None], degree[:, None] ** -0.5, 0.0)
        a, b = (rng.standard_normal((n, 3)) * scale for _ in range(2))
        f, s2 = a @ np.cos(x[0] * k).T + b @ np.sin(x[0] * k).T, np.full(n, 0.3**2)
        mean, variance = (v[0, seen] for v in icl_processes.Fourier((1, 2, 3), noise=0.3).bayes(x, y))
    logs = -0.5 * ((y[0, :seen] - f[:, :seen]) ** 2 / s2[:, None] + np.log(s2)[:, None]).sum(1)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    found = weights @ f[:, seen]
    spread = weights @ (s2 + (f[:, seen] - found) ** 2)
    assert found == pytest.approx(mean, abs=0.05)
    assert spread == pytest.approx(variance, rel=0.1)


def test_the_transformer_does_not_see_what_it_predicts():
    torch.manual_seed(0)
    net, x, y = icl_regression.IclTransformer(2, 6), torch.randn(3, 6, 2), torch.randn(3, 6)
    other = y.clone()
    other[:, 3] += 1
    before, after = net(x, y), net(x, other)
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert (before[:, 4:] - after[:, 4:]).abs().max() > 1e-3


def test_bursty_sequences_hold_the_querys_class_three_times():
    world = icl_classes.gaussian_classes(0, "smoke")
    regime = icl_classes.Regime(burstiness=1.0, n_classes=64, within=0.0)
    items, labels, query = world.draw(RNG(0), 200, regime)
    same = (np.abs(items[:, :-1] - items[:, -1:]).max(-1) < 1e-6).sum(1)
    assert (same >= 3).all() and same.mean() < 3.2
    assert (
        np.take_along_axis(labels, np.abs(items[:, :-1] - items[:, -1:]).max(-1).argmin(1)[:, None], 1)[:, 0] == query
    ).all()


def test_the_context_tells_the_label_of_new_classes_and_not_that_of_absent_ones():
    world, regime = icl_classes.gaussian_classes(0, "smoke"), icl_classes.Regime(n_classes=64, within=0.0)
    items, labels, query = world.in_context(RNG(0), 100, regime)
    nearest = np.abs(items[:, :-1] - items[:, -1:]).max(-1).argmin(1)
    assert (labels[np.arange(100), nearest] == query).all()
    assert (labels.sum(1) == 4).all()
    items, _, query = world.in_weights(RNG(0), 100, regime)
    assert np.abs(items[:, :-1] - items[:, -1:]).max(-1).min() > 0.05
    assert query.max() < icl_classes.LABELS


def test_more_classes_than_there_are_is_an_error():
    with pytest.raises(AssayError, match="64 classes"):
        icl_classes.gaussian_classes(0, "smoke").draw(RNG(0), 4, icl_classes.Regime(n_classes=100))


def test_labels_are_two_by_random_when_asked_for():
    world = icl_classes.gaussian_classes(0, "smoke")
    _, labels, query = world.draw(RNG(0), 200, icl_classes.Regime(1.0, 64, context=2, labels="random"))
    assert set(labels.ravel()) == {0, 1} and (labels.sum(1) == 1).all()
    assert 0.4 < query.mean() < 0.6
    net = type("Two", (icl_labels.LabelTransformer,), {"regime": icl_classes.Regime(context=2)})()
    assert net(torch.randn(4, 3, 32), torch.zeros(4, 2, dtype=torch.int64)).shape == (4, 32)


# --- joints, strings, frames, machines ----------------------------------------------------------------------


def test_conditionals_of_chains_and_tables_are_those_of_the_whole_joint():
    rng = RNG(0)
    chain = joints.Chain(rng.dirichlet([1, 1]), rng.dirichlet([1, 1], size=(4, 2)))
    whole = np.zeros((2,) * 5)
    for row in product((0, 1), repeat=5):
        whole[row] = chain.start[row[0]] * np.prod([chain.steps[t, row[t], row[t + 1]] for t in range(4)])
    table = joints.Table(whole)
    observed = np.where(rng.random((60, 5)) < 0.5, rng.integers(2, size=(60, 5)), -1)
    query = rng.integers(5, size=60)
    observed[np.arange(60), query] = -1
    np.testing.assert_allclose(chain.conditional(observed, query), table.conditional(observed, query), atol=1e-12)


def test_no_question_about_a_chain_is_about_two_seen_together():
    for load in (joints.bayes_chain, joints.bayes_chain_wrong):
        data = load(0, "small")
        assert ((data.train >= 0).sum(1) == 2).all()
        together = {frozenset(np.flatnonzero(row >= 0)) for row in data.train[:2_000]}
        asked = {
            frozenset((int(np.flatnonzero(o >= 0)[0]), int(q))) for o, q in zip(data.observed, data.query, strict=True)
        }
        assert len(together) == 7
        assert not together & asked
        assert np.abs(data.truth[:, 1] - data.marginals[data.query, 1]).mean() > 0.2  # far pairs still depend


def test_the_property_is_the_mean_of_the_published_values():
    data = property_strings.boman_peptides(0, "smoke")
    row = data.test[0][data.test[0] >= 0]
    mean = np.mean([property_strings.BOMAN[property_strings.RESIDUES[i]] for i in row])
    assert data.test_property[0] * data.scale + data.offset == pytest.approx(mean)
    assert abs(data.train_property.mean()) < 1e-9 and data.train_property.std() == pytest.approx(1)
    assert set(property_strings.BOMAN) == set(property_strings.RESIDUES)


def test_edits_are_levenshteins():
    for found, truth, count in (("kitten", "sitting", 3), ("", "abc", 3), ("abc", "abc", 0), ("abcd", "acbd", 2)):
        assert unaligned_transduction.edits([*map(ord, found)], [*map(ord, truth)]) == count


def test_paths_collapse_as_in_ctc():
    assert unaligned_transduction.collapsed([0, 1, 1, 0, 1, 2, 2, 0]) == [0, 0, 1]


def test_the_encoder_does_not_read_behind_the_end():
    torch.manual_seed(0)
    encoder, frames, lengths = unaligned_transduction.Encoder(8), torch.randn(3, 9, 8), torch.tensor([4, 9, 6])
    other = frames.clone()
    other[0, 4:] += 1
    torch.testing.assert_close(encoder(frames, lengths), encoder(other, lengths))


def test_two_symbols_look_alike_and_long_strings_exceed_their_frames():
    data = unaligned_transduction.stretched_tokens(0, "smoke")
    assert (data.templates[0] == data.templates[1]).all()
    assert (data.train[1] >= 2 * (data.train[2] >= 0).sum(1)).all()
    long = unaligned_transduction.stretched_long(0, "smoke")
    assert (2 * long.train[1] == (long.train[2] >= 0).sum(1)).all()


def test_grams_are_those_of_many_strings():
    strings = stochastic_prediction.machine(RNG(0), 20_000, 16, 0.3)
    windows = np.lib.stride_tricks.sliding_window_view(strings, 4, axis=1).reshape(-1, 4)
    counts = np.zeros((2,) * 4)
    np.add.at(counts, tuple(windows.T), 1 / len(windows))
    np.testing.assert_allclose(counts, stochastic_prediction.exact_grams(16, 0.3), atol=0.003)


def test_symbols_are_read_back_from_the_drawing():
    data = stochastic_prediction.pfsm(0, "small")
    found = stochastic_prediction.symbols_of(data.test, data.shapes)
    assert (found[:, 0::4] == 0).all() and (found[:, 1::4] == 0).all() and (found[:, 2::4] == 1).all()
    assert (found[:, 3::4] == 0).mean() == pytest.approx(0.3, abs=0.07)


def test_own_sequences_are_run_from_a_file(tmp_path):
    rng = RNG(0)
    tokens = rng.integers(4, size=(60, 10))
    np.savez(tmp_path / "own.npz", tokens=tokens, targets=tokens.cumsum(1) % 4)
    done = assay.run(
        "sequences/token-models",
        entrants=["gru"],
        data={"mine": str(tmp_path / "own.npz")},
        seeds=1,
        scale="smoke",
        store=str(tmp_path / "r.db"),
    )
    assert 0 <= done.records[0].metrics["accuracy"] <= 1


@pytest.mark.slow
def test_every_baseline_runs_at_smoke_on_every_data_set(tmp_path):
    done = assay.run("sequences/*", seeds=1, scale="smoke", store=str(tmp_path / "r.db"))
    assert not done.failed
