"""Universal pre-training: the computers are LSTMs, the buffer is rewritten, and pretraining reads no data."""

import pytest
import torch
from assay import Context
from assay.spec import Cell
from assay_sequences.kit import SequenceModel, cross_entropy
from assay_universal_pretraining import Buffer, Computers, Pretrained
from torch import nn


def draw(seed=0):
    """A generator of computers."""
    return torch.Generator().manual_seed(seed)


def in_context_bits(rows, vocab):
    """Mean bits of an add-1/2 predictor of the next token from the counts of its sequence."""
    counts, total = torch.full((len(rows), vocab), 0.5), 0.0
    for t in range(rows.shape[1]):
        token = rows[:, t : t + 1]
        total -= (counts.gather(1, token) / counts.sum(1, keepdim=True)).log2().mean()
        counts.scatter_add_(1, token, torch.ones_like(token, dtype=counts.dtype))
    return float(total / rows.shape[1])


def test_a_computer_is_torch_s_lstm():
    computers, tokens = Computers(2, 5, draw(), size=6), torch.randint(5, (2, 3, 4), generator=draw())
    h = c = torch.zeros(2, 3, 6)
    for t in range(4):
        h, c = computers.step(tokens[..., t], h, c)
    order = [0, 1, 3, 2]  # torch's gates are i, f, g, o, ours i, f, o, g
    for group in range(2):
        cell = nn.LSTM(5, 6, batch_first=True)
        with torch.no_grad():
            for theirs, ours in (
                (cell.weight_ih_l0, computers.into[group].T),
                (cell.weight_hh_l0, computers.recur[group].T),
            ):
                theirs.copy_(ours.reshape(4, 6, -1)[order].reshape(24, -1))
            cell.bias_ih_l0.zero_()
            cell.bias_hh_l0.zero_()
            states, _ = cell(nn.functional.one_hot(tokens[group], 5).float())
        torch.testing.assert_close(h[group], states[:, -1], atol=1e-5, rtol=1e-4)


def test_a_turn_rewrites_sixty_four_rows_and_no_more():
    buffer = Buffer(32, 16, draw())
    before = buffer.rows.clone()
    buffer.turn()
    assert int((buffer.rows != before).any(1).sum()) == 64
    assert buffer.rows.min() >= 0
    assert buffer.rows.max() < 32


@pytest.mark.parametrize("reset", [0.01, 1.0])
def test_what_computers_write_is_partly_predictable_and_noise_is_not(reset):
    buffer = Buffer(32, 64, draw(), reset, rows=64)
    noise = in_context_bits(buffer.rows, 32)
    for _ in range(4):
        buffer.turn()
    assert in_context_bits(buffer.rows, 32) < noise - 0.2


def test_weak_computers_write_noise():
    rows = torch.randint(32, (8, 8, 64), generator=draw())
    weak, strong = (Computers(8, 32, draw(1), top=top).rewrite(rows).flatten(0, 1) for top in (1.0, 50.0))
    assert in_context_bits(weak, 32) > in_context_bits(strong, 32) + 0.2


def test_all_computers_differ():
    rows = torch.zeros(8, 8, 32, dtype=torch.int64)
    written = Computers(8, 32, draw()).rewrite(rows).flatten(1)
    assert len({tuple(row.tolist()) for row in written}) == 8


@pytest.mark.parametrize("source", ["iterated", "once", "noise"])
def test_pretraining_trains_the_whole_model_before_any_data(source):
    torch.manual_seed(0)
    model = SequenceModel(8, 16, [Pretrained(16, 2, 32, source) for _ in range(2)])
    before = [p.clone() for p in model.parameters()]
    ctx = Context(Cell("sequences/t", "sequences/d", "m", (), 0, "smoke"), {"batch": 8, "steps": 40, "lr": 5e-3})
    model.blocks[0].mixer.pretrain(model, 40, ctx, length=17)
    assert all((p != q).any() for p, q in zip(model.parameters(), before, strict=True))
    constant = torch.full((4, 17), 3)
    bits = cross_entropy(model(constant[:, :-1]), constant[:, 1:]).item() / 0.6931
    assert bits < 2.9 if source != "noise" else bits > 2.5
