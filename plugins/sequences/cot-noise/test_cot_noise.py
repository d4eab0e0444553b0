"""Noise in chains of thought: what is redrawn, what follows from it, and what stays right."""

import numpy as np
import pytest
from assay_cot_noise import AnswerOnly, Traces, written
from assay_sequences.integer_problems import running_sum, sort_median

PROBLEMS = {"running-sum": running_sum, "sort-median": sort_median}


@pytest.fixture(params=PROBLEMS)
def problem(request):
    return PROBLEMS[request.param](0, "small")


def traces(problem, regime, size=2_000):
    """Prompts, what the regime makes of them, and their clean traces."""
    prompts, made = next(regime.batches(problem, 1, size, np.random.default_rng(0)))
    return prompts, made, problem.draw.trace(prompts[:, :-1])


@pytest.mark.parametrize("regime", [Traces(), Traces("static", p=0), Traces("dynamic", p=0), Traces("dynamic", eta=0)])
def test_without_noise_traces_are_clean(problem, regime):
    _, made, clean = traces(problem, regime)
    np.testing.assert_array_equal(made, clean)


def test_static_noise_redraws_states_alone_at_its_rate(problem):
    _, made, clean = traces(problem, Traces("static", eta=0.5))
    states = written(problem, clean.shape[1])
    assert (made == clean)[:, ~states].all()
    assert (made != clean)[:, states].mean() == pytest.approx(
        0.5 * 0.9, abs=0.02
    )  # one redraw in ten hits the old value


def test_operands_are_no_states():
    problem = running_sum(0, "small")
    assert written(problem, 13).tolist() == [False, True] * 6 + [False]
    assert written(sort_median(0, "small"), 16).tolist() == [True] * 15 + [False]


def test_dynamic_noise_goes_on_from_the_wrong_state():
    prompts, made, clean = traces(running_sum(0, "small"), Traces("dynamic", eta=0.3))
    digits, states = made[:, :-1:2], made[:, 1:-1:2]
    np.testing.assert_array_equal(digits, prompts[:, :-1])
    follows = (states[:, :-1] + digits[:, 1:]) % 10 == states[:, 1:]
    assert follows.mean() == pytest.approx(1 - 0.3 * 0.9, abs=0.02)
    np.testing.assert_array_equal(made[:, -1], states[:, -1])
    assert (made[:, -1] == clean[:, -1]).mean() < 0.3  # errors pile up


def test_a_sort_goes_on_from_the_wrong_list():
    _, made, clean = traces(sort_median(0, "small"), Traces("dynamic", eta=0.2))
    np.testing.assert_array_equal(made[:, -1], made[:, 12])  # the middle of the last list
    assert (made[:, -1] == clean[:, -1]).mean() < 0.8


def test_answer_noise_has_the_answers_of_dynamic_noise(problem):
    _, made, clean = traces(problem, Traces("answer", eta=0.2))
    _, spread, _ = traces(problem, Traces("dynamic", eta=0.2))
    np.testing.assert_array_equal(made[:, :-1], clean[:, :-1])
    np.testing.assert_array_equal(made[:, -1], spread[:, -1])


@pytest.mark.parametrize("p", [0.25, 0.75])
def test_a_share_of_the_traces_is_noised(problem, p):
    _, made, clean = traces(problem, Traces("dynamic", p=p, eta=0.9))
    assert (made != clean).any(1).mean() == pytest.approx(p, abs=0.05)


def test_without_a_chain_the_answer_is_all_there_is(problem):
    _, made, clean = traces(problem, AnswerOnly())
    np.testing.assert_array_equal(made, clean[:, -1:])
