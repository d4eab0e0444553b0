"""RNN transducer: its recursion, its gradient, and what decoding may emit."""

import numpy as np
import pytest
import torch
from assay_rnn_transducer import CAP, Transducer, all_alignments, every_alignment, log_likelihood


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


def test_the_recursion_sums_all_alignments():
    torch.set_default_dtype(torch.float64)
    try:
        found = every_alignment(np.random.default_rng(0), frames=3, longest=2)
    finally:
        torch.set_default_dtype(torch.float32)
    assert found["max_error"] < 1e-12
    assert found["gap"] == 0.0


def test_the_gradient_is_that_of_the_sum_over_alignments():
    scores = torch.randn(1, 4, 4, 6, dtype=torch.float64, requires_grad=True)
    logs, labels = scores.log_softmax(-1), torch.tensor([2, 2, 5])
    blank, emit = logs[..., 0], logs[:, :, range(3), labels]
    ours = log_likelihood(blank, emit, torch.tensor([4]), torch.tensor([3]))[0]
    theirs = all_alignments(blank[0], emit[0])
    gradients = [torch.autograd.grad(x, scores, retain_graph=True)[0] for x in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


def test_without_the_last_blank_the_probabilities_exceed_one():
    model, lengths = Transducer(3, 2).double(), torch.tensor([2])
    frames, total, short = torch.randn(1, 2, 3).double(), 0.0, 0.0
    for labels in ([], [0], [1], [0, 0], [0, 1], [1, 0], [1, 1]):
        string = torch.tensor([labels], dtype=torch.long).reshape(1, -1)
        blank, emit = model.lattice(frames, lengths, string)
        found = log_likelihood(blank, emit, lengths, torch.tensor([len(labels)]))
        total += found.exp().item()
        short += (found - blank[:, -1, -1]).exp().item()
    assert total < 1 < short


def test_what_lies_behind_a_string_and_its_frames_does_not_count():
    model = Transducer(3, 4).double()
    frames, labels = torch.randn(1, 5, 3).double(), torch.tensor([[1, 2]])
    alone = model.loss(frames, torch.tensor([5]), labels)
    padded = torch.cat([frames, torch.zeros(1, 2, 3).double()], 1)
    wide = torch.tensor([[1, 2, -1]])
    torch.testing.assert_close(model.loss(padded, torch.tensor([5]), wide), alone)


def test_only_history_tells_prefixes_of_one_length_apart():
    frames, lengths = torch.randn(2, 4, 3)[:1].expand(2, -1, -1), torch.tensor([4, 4])
    labels = torch.tensor([[0, 2], [1, 2]])
    for history in (True, False):
        blank, _ = Transducer(3, 4, history).lattice(frames, lengths, labels)
        assert torch.allclose(blank[0, :, 1], blank[1, :, 1]) is not history


def test_decoding_stops_at_the_cap():
    model = Transducer(3, 4)
    torch.nn.init.constant_(model.head.bias, 0.0)
    model.head.bias.data[0] = -100.0  # never a blank
    strings = model.decode(torch.randn(2, 3, 3), torch.tensor([3, 2]))
    assert [len(s) for s in strings] == [3 * CAP, 2 * CAP]


@pytest.mark.peer
def test_value_and_gradient_agree_with_torchaudio():
    try:
        import torchaudio
    except (ImportError, OSError):  # absent, or built for another torch
        pytest.skip("pip install --no-deps torchaudio")
    scores = torch.randn(2, 5, 4, 6, requires_grad=True)
    labels, lengths, sizes = torch.randint(1, 6, (2, 3)), torch.tensor([5, 4]), torch.tensor([3, 2])
    theirs = torchaudio.functional.rnnt_loss(scores, labels.int(), lengths.int(), sizes.int(), blank=0, reduction="sum")
    logs = scores.log_softmax(-1)
    emit = logs[:, :, :-1].gather(-1, labels[:, None, :, None].expand(-1, 5, -1, 1))[..., 0]
    ours = -log_likelihood(logs[..., 0], emit, lengths, sizes).sum()
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(torch.autograd.grad(ours, scores)[0], torch.autograd.grad(theirs, scores)[0])
