"""Sigma-GPT: what a slot sees, orders undone, and bursts against one token a pass."""

import numpy as np
import pytest
import torch
from assay_sequences.joints import Chain, first_order_text
from assay_sigma_gpt import SigmaGPT

PLACES, VALUES = 6, 3


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


def model(**params):
    made = SigmaGPT(PLACES, VALUES, **params).double().eval()
    made.seed = 0
    return made


def rows(count=4):
    return torch.randint(VALUES, (count, PLACES)), torch.rand(count, PLACES).argsort(1)


def test_a_slot_reads_no_value_of_its_own_or_of_later_slots():
    net, (x, order) = model(), rows()
    before = net(x, order)
    for slot in range(PLACES):
        changed = x.clone()
        changed[:, slot:] = (changed[:, slot:] + 1) % VALUES
        torch.testing.assert_close(net(changed, order)[:, : slot + 1], before[:, : slot + 1])


@pytest.mark.parametrize(("target", "same"), [(True, False), (False, True)])
def test_the_place_asked_for_changes_the_answer_unless_its_code_is_left_out(target, same):
    net, (x, order) = model(target=target), rows()
    swapped = order.clone()
    swapped[:, [3, 4]] = order[:, [4, 3]]
    first, second = net(x, order)[:, 3], net(x, swapped)[:, 3]
    assert torch.allclose(first, second) == same


@pytest.mark.parametrize("known", [0, 2, 5])
def test_drafts_are_the_conditionals_given_what_is_accepted(known):
    net, (x, order) = model(), rows()
    drafted = net(x, order, torch.full((len(x),), known))
    for slot in range(known, PLACES):
        asked = order.clone()
        asked[:, [known, slot]] = order[:, [slot, known]]
        torch.testing.assert_close(drafted[:, slot], net(x, asked)[:, known])
    torch.testing.assert_close(drafted[:, :known], net(x, order)[:, :known])


def test_a_question_is_one_pass_with_the_known_places_first():
    net = model()
    observed = np.array([[-1, 2, -1, 0, -1, -1], [1, -1, -1, -1, -1, -1], [-1] * 6])
    found = net.conditional(observed, np.array([0, 3, 5]))
    single = torch.tensor([5, 0, 1, 2, 3, 4])
    alone = net(torch.zeros(1, 6, dtype=torch.long), single[None])[0, 0].softmax(-1)
    np.testing.assert_allclose(found[2], alone.detach().numpy(), atol=1e-6)
    x, order = torch.tensor([[1, 0, 0, 0, 0, 0]]), torch.tensor([[0, 3, 1, 2, 4, 5]])
    np.testing.assert_allclose(found[1], net(x, order)[0, 1].softmax(-1).detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("orders", [0, 1, 5])
def test_samples_keep_what_was_observed_at_its_place(orders):
    net = model(orders=orders)
    observed = np.array([[-1, 2, -1, 0, -1, 1], [1, -1, -1, -1, 0, -1]] * 10)
    drawn = net.sample(observed, np.random.default_rng(0))
    assert ((drawn == observed) | (observed < 0)).all()
    assert set(np.unique(drawn)) <= set(range(VALUES))
    assert 0 < net.calls <= 2 * PLACES


class Known(SigmaGPT):
    """A sigma-GPT that answers with the exact conditionals of a chain in place of its network."""

    def __init__(self, joint, places, orders):
        super().__init__(places, joint.values, orders)
        self.joint = joint

    def forward(self, x, order, accepted=None):
        logits = torch.zeros(*x.shape, self.values)
        for slot in range(x.shape[1]):
            known = np.full((len(x), self.variables), -1)
            for t in range(slot):
                given = t < accepted if accepted is not None else torch.ones(len(x), dtype=torch.bool)
                row = np.flatnonzero(given.numpy())
                known[row, order[row, t].numpy()] = x[row, t].numpy()
            found = self.joint.conditional(known, order[:, slot].numpy())
            logits[:, slot] = torch.tensor(found).clamp(min=1e-9).log().float()
        return logits


def chain(step, places):
    start = np.linalg.matrix_power(step, 64)[0]
    return Chain(start, np.repeat(step[None], places - 1, 0))


def pair_law(orders, count=20_000):
    """Return the drawn and the true law (9,) of two places, the passes, and what one order makes of that law."""
    joint = chain(np.array([[0.6, 0.3, 0.1], [0.2, 0.6, 0.2], [0.3, 0.1, 0.6]]), 2)
    net = Known(joint, 2, orders)
    drawn = net.sample(np.full((count, 2), -1), np.random.default_rng(1))
    truth = joint.start[:, None] * joint.steps[0]
    law = np.zeros((3, 3))
    for table in (truth, truth.T):  # the first place is drawn from its marginal, the second drafted from its own
        first, q = table.sum(1, keepdims=True), table.sum(0, keepdims=True)
        p = table / first
        low = np.minimum(p, q)
        half = first * (low + p * (q - low).sum(1, keepdims=True)) / 2
        law += half if table is truth else half.T
    return np.bincount(drawn[:, 0] * 3 + drawn[:, 1], minlength=9) / count, truth.ravel(), net.calls, law.ravel()


def distance(a, b):
    return np.abs(a - b).sum() / 2


def test_one_place_a_pass_keeps_the_law():
    drawn, truth, calls, _ = pair_law(0)
    assert distance(drawn, truth) < 0.015
    assert calls == 2


def test_bursts_blur_the_law_as_computed_and_more_so_under_more_orders():
    drawn, truth, calls, law = pair_law(1)
    assert distance(drawn, law) < 0.015
    assert distance(law, truth) > 0.05
    more, _, fewer, _ = pair_law(5)
    assert distance(more, truth) > distance(drawn, truth) + 0.03
    assert 2 < fewer < calls < 4


def test_independent_places_are_drawn_in_a_single_round():
    net = Known(chain(np.full((3, 3), 1 / 3), 4), 4, 5)
    net.sample(np.full((200, 4), -1), np.random.default_rng(1))
    assert net.calls == pytest.approx(2)


@pytest.mark.peer
def test_the_truth_is_that_of_an_independent_forward_backward():
    hmm = pytest.importorskip("hmmlearn.hmm")
    data = first_order_text(0, "smoke")
    peer = hmm.CategoricalHMM(n_components=8)
    peer.startprob_, peer.transmat_ = data.joint.start, data.joint.steps[0]
    peer.emissionprob_ = np.concatenate([np.eye(8) / 2, np.full((8, 1), 0.5)], 1)  # symbol 8 is "not observed"
    for row, query, truth in zip(data.observed[:20], data.query, data.truth, strict=False):
        posterior = peer.predict_proba(np.where(row < 0, 8, row)[:, None])
        np.testing.assert_allclose(posterior[query], truth, atol=1e-9)
