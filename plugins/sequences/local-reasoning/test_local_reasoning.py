"""Local reasoning: what the strings show, what a trace reads, and that exact steps give exact answers."""

import numpy as np
import pytest
import torch
from assay_local_reasoning import Reasoner
from assay_sequences.joints import bayes_chain, bayes_chain_wrong

DATA = bayes_chain(0, "smoke")
NODES = 5


class Exact(Reasoner):
    """A reasoner whose network is replaced by the locally optimal answers: neighbours' conditionals, else the marginal."""

    def __init__(self, steps="scaffold", samples=2_000, data=DATA):
        super().__init__(NODES, 2, steps, samples, relabel=False)
        self.data, self.order, self.seed, self.window = data, data.order, 0, 1
        self.shift = np.zeros(NODES, dtype=np.int64)

    def next_token(self, context, length, name=None):
        last, value = context[:, 0, 0], context[:, 0, 1] - self.variables
        if name is None:
            near = [[float((min(a, b), max(a, b)) in PAIRS) for b in range(NODES)] for a in last]
            return np.array(near) / np.sum(near, 1, keepdims=True)
        observed = np.full((len(name), NODES), -1)
        for row, (a, v, b) in enumerate(zip(last, value, name, strict=True)):
            if (min(a, b), max(a, b)) in PAIRS:
                observed[row, a] = v
        return self.data.joint.conditional(observed, name)


PAIRS = {tuple(sorted(pair)) for pair in DATA.neighbours}


def error(steps):
    return np.mean((Exact(steps).conditional(DATA.observed, DATA.query) - DATA.truth) ** 2)


def test_exact_steps_over_the_variables_between_give_the_exact_answer():
    assert error("scaffold") < 5e-4


def test_a_pair_never_seen_together_has_the_marginal_as_its_direct_answer():
    direct = Exact("direct").conditional(DATA.observed, DATA.query)
    np.testing.assert_allclose(direct, DATA.marginals[DATA.query], atol=1e-12)


def test_free_steps_lie_between_and_irrelevant_ones_are_no_better_than_none():
    assert error("scaffold") < error("free") < error("direct")
    assert error("negative") > 0.5 * error("direct")


def test_scaffolds_are_the_variables_between():
    model = Exact()
    plan = model._plan(np.array([[1, -1, -1, -1, -1], [-1, -1, -1, -1, 0], [-1, 1, -1, -1, -1]]), np.array([3, 2, 2]))
    assert plan.tolist() == [[1, 2], [3, 2], [2, 2]]  # y itself fills up


@pytest.mark.parametrize(("data", "shown"), [(DATA, PAIRS), (bayes_chain_wrong(0, "smoke"), None)])
def test_strings_name_the_variables_shown_and_no_pair_asked_for(data, shown):
    rows = torch.tensor(data.train)
    tokens = Reasoner(NODES, 2).strings(rows, torch.rand(rows.shape))[:, 1:].reshape(len(rows), NODES, 2)
    assert (tokens[:, 2:] == -1).all()
    seen = {tuple(sorted(pair)) for pair in tokens[:, :2, 0].tolist()}
    known = np.argwhere(data.observed >= 0)[:, 1]
    assert not seen & {tuple(sorted(pair)) for pair in zip(known.tolist(), data.query.tolist(), strict=True)}
    assert shown is None or seen == shown
    values = rows.gather(1, tokens[:, :2, 0])
    assert (tokens[:, :2, 1] == values + NODES).all()
    assert len({tuple(pair) for pair in tokens[:, :2, 0].tolist()}) == 2 * len(seen)  # either may come first


def test_the_context_keeps_the_last_variables():
    model = Reasoner(4, 2)
    model.window = 2
    context, length = model._begin(np.array([[0, 1, -1, 1], [-1, -1, 1, -1]]))
    assert length.tolist() == [2, 1]
    assert context.tolist() == [[[1, 5], [3, 5]], [[2, 5], [0, 0]]]


def test_what_lies_behind_the_place_asked_does_not_matter():
    model = Reasoner(NODES, 2)
    context = np.array([[[1, 6], [2, 5]], [[1, 6], [3, 6]]])
    found = model.next_token(context, np.array([1, 1]), np.array([2, 2]))
    np.testing.assert_allclose(found[0], found[1], atol=1e-7)
    assert model.next_token(context, np.array([1, 1])).shape == (2, NODES)


def test_renaming_values_is_undone():
    model = Exact("direct")
    plain = model.conditional(DATA.observed, DATA.query)
    model.shift = np.array([1, 0, 1, 1, 0])
    model.next_token = lambda context, length, name=None: plain_answers(model, context, name)
    np.testing.assert_allclose(model.conditional(DATA.observed, DATA.query), plain, atol=1e-12)


def plain_answers(model, context, name):
    """Exact answers of a network that reads and writes renamed values."""
    last = context[:, 0, 0]
    back = np.stack([last, (context[:, 0, 1] - NODES - model.shift[last]) % 2 + NODES], 1)[:, None]
    exact = Exact.next_token(model, back, None, name)
    return np.take_along_axis(exact, (np.arange(2) - model.shift[name, None]) % 2, 1)


@pytest.mark.peer
def test_the_truth_is_that_of_variable_elimination():
    models = pytest.importorskip("pgmpy.models")
    cpds = pytest.importorskip("pgmpy.factors.discrete")
    inference = pytest.importorskip("pgmpy.inference")
    net = getattr(models, "DiscreteBayesianNetwork", None) or models.BayesianNetwork
    chain = net([(f"x{i}", f"x{i + 1}") for i in range(NODES - 1)])
    chain.add_cpds(cpds.TabularCPD("x0", 2, DATA.joint.start[:, None]))
    for i, step in enumerate(DATA.joint.steps):
        chain.add_cpds(cpds.TabularCPD(f"x{i + 1}", 2, step.T, [f"x{i}"], [2]))
    ask = inference.VariableElimination(chain)
    for row, y, truth in zip(DATA.observed, DATA.query, DATA.truth, strict=True):
        evidence = {f"x{i}": int(v) for i, v in enumerate(row) if v >= 0}
        np.testing.assert_allclose(ask.query([f"x{y}"], evidence, show_progress=False).values, truth, atol=1e-9)
