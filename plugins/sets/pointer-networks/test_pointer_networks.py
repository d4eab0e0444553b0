"""Pointer networks: what they point at, and what ends a sequence."""

import torch
from assay_pointer_networks import HullPointer, OrderPointer
from assay_sets.convex_hull import PAD, STOP


def test_the_choices_grow_with_the_input():
    net = HullPointer()
    for n in (4, 9):
        logits, choices = net.point(torch.rand(3, n, 2), 5)
        assert logits.shape == (3, 5, n + 1) and choices.max() <= n


def test_the_scores_are_those_of_the_equation():
    """u_j = v . tanh(W1 e_j + W2 d), by hand for the first step."""
    net = HullPointer(width=4)
    x = torch.rand(1, 3, 2)
    states, (h, c) = net.encoder(x)
    d, _ = net.decoder(net.start[None], (h[0], c[0]))
    states = torch.cat([states[0], net.stop[None]])
    w1, w2, v = net.attention.states.weight, net.attention.query.weight, net.attention.score.weight[0]
    by_hand = torch.tanh(states @ w1.T + d @ w2.T) @ v
    torch.testing.assert_close(net.point(x, 1)[0][0, 0], by_hand)


def test_what_follows_the_stop_does_not_count():
    """Targets behind the stop are ignored: the loss of a padded batch is the mean over real steps."""
    net, x = HullPointer(), torch.rand(1, 4, 2)
    target = torch.tensor([[0, 2, 3, STOP, PAD]])
    logits, _ = net.point(x, 4, torch.tensor([[0, 2, 3, 4]]))
    by_hand = torch.nn.functional.cross_entropy(logits[0], torch.tensor([0, 2, 3, 4]))
    torch.testing.assert_close(net.loss(x, target), by_hand)


def test_decoding_ends_with_stop():
    net, x = HullPointer(), torch.rand(2, 4, 2)
    net.point = lambda x, length: (None, torch.tensor([[1, 0, 4, 2, 2], [3, 4, 4, 4, 4]]))
    assert net.decode(x).tolist() == [[1, 0, STOP, 2, 2], [3, STOP, STOP, STOP, STOP]]


def test_orders_are_permutations_and_the_taught_loss_is_finite():
    net, x = OrderPointer(5, 3), torch.rand(6, 5, 3)
    assert net.predict(x).sort(1).values.tolist() == [[0, 1, 2, 3, 4]] * 6
    assert torch.isfinite(net.loss(x, torch.rand(6, 5).argsort(1)))
