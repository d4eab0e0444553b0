"""The kit is exact: scans are recurrences, caches and packing change nothing, nothing looks ahead, padding is not read."""

import math

import numpy as np
import pytest
import torch
from assay import Context
from assay.context import PinnedThreads
from assay.spec import Cell
from assay_sequences import kit
from assay_sequences.mixers import GRU, GatedLinearRNN, LinearAttention, SoftmaxAttention
from torch import nn

MIXERS = [SoftmaxAttention, LinearAttention, GatedLinearRNN, GRU]


@pytest.fixture(autouse=True)
def _as_in_a_cell():
    torch.manual_seed(0)
    with PinnedThreads():
        yield


def double(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def budget(**values):
    """A context of seed 0 with this budget."""
    return Context(Cell("sequences/t", "sequences/d", "m", (), 0, "smoke"), values)


# --- scans --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 3, 7, 16, 33])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_the_scan_is_the_recurrence(length, dtype):
    a, b = torch.randn(2, length, 3, dtype=dtype) / 2, torch.randn(2, length, 3, dtype=dtype)
    torch.testing.assert_close(kit.scan(a, b), kit.recurrence(a, b), rtol=0, atol=1e-12)


def test_the_scan_goes_on_from_a_state():
    a, b = double(2, 9, 3) / 2, double(2, 9, 3)
    first = kit.scan(a[:, :4], b[:, :4])
    rest = kit.scan(a[:, 4:], b[:, 4:], first[:, -1])
    torch.testing.assert_close(torch.cat([first, rest], 1), kit.recurrence(a, b))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_the_scans_gradients_are_right(dtype):
    a, b = (torch.randn(2, 5, 3, dtype=dtype, requires_grad=True) for _ in range(2))
    start = torch.randn(2, 3, dtype=dtype, requires_grad=True)
    assert torch.autograd.gradcheck(kit.scan, (a, b))
    assert torch.autograd.gradcheck(kit.scan, (a, b, start))


def test_the_scan_refuses_other_shapes():
    with pytest.raises(ValueError, match="one shape"):
        kit.scan(torch.zeros(2, 3, 4), torch.zeros(2, 3, 1))


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("begun", [False, True])
def test_the_delta_rule_is_its_recurrence(every, begun):
    q, k, v, beta = double(2, 12 // every, 4), double(2, 12, 4), double(2, 12, 5), torch.rand(2, 12).double()
    k, initial = nn.functional.normalize(k, dim=-1), double(2, 4, 5) if begun else None
    theirs = kit.delta_recurrence(q, k, v, beta, every, initial)
    torch.testing.assert_close(kit.delta_rule(q, k, v, beta, every, initial), theirs, rtol=0, atol=1e-12)


def test_the_ut_transform_is_the_product_of_reflections():
    w, beta = nn.functional.normalize(double(9, 4), dim=-1), 2 * torch.rand(9).double()
    product = torch.eye(4).double()
    for row, size in zip(w, beta, strict=True):
        product = (torch.eye(4) - size * row[:, None] * row) @ product
    torch.testing.assert_close(torch.eye(4) - w.T @ kit.ut_transform(w, beta) @ w, product)


@pytest.mark.parametrize("pairs", [True, False])
def test_the_diagonal_layer_is_its_recurrence(pairs):
    a = torch.complex(-torch.rand(4) - 0.1, torch.randn(4))
    layer, u = kit.DiagonalSSM(3, a, pairs=pairs, steps=(0.1, 0.5)).double(), double(2, 20, 3)
    stepped, into, out = (part.to(torch.complex128) for part in layer.discrete())
    states = kit.recurrence(stepped.expand(2, 20, 3, 4), into * u[..., None])
    read = (states * out).sum(-1).real * (2 if pairs else 1) + layer.skip * u
    torch.testing.assert_close(layer(u), read, rtol=0, atol=1e-6)


def test_the_kernel_is_that_of_scipys_system():
    from scipy.signal import cont2discrete

    a = torch.complex(-torch.rand(4) - 0.1, torch.randn(4))
    layer = kit.DiagonalSSM(1, a, pairs=False, steps=(0.2, 0.3)).double()
    dense = (np.diag(torch.complex(-layer.log_decay.exp(), layer.frequency)[0].detach().numpy()), np.ones((4, 1)))
    out = torch.view_as_complex(layer.c.detach())[0].numpy()[None]
    ad, bd, *_ = cont2discrete((*dense, out, np.zeros((1, 1))), float(layer.log_dt.exp()), "zoh")
    states = np.stack([np.linalg.matrix_power(ad, t) @ bd[:, 0] for t in range(16)])
    np.testing.assert_allclose(layer.kernel(16)[0].detach().numpy(), (states @ out[0]).real, atol=1e-6)


def test_the_normal_part_of_legs_is_diagonalised():
    a, b = kit.hippo_legs(16)
    assert (
        a[3, 1] == pytest.approx(-np.sqrt(7 * 3))
        and a[2, 2] == -3
        and a[1, 3] == 0
        and b[2] == pytest.approx(np.sqrt(5))
    )
    values, vectors = kit.legs_normal(16)
    p = np.sqrt(np.arange(16) + 0.5)
    np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.conj().T, a + np.outer(p, p), atol=1e-10)
    np.testing.assert_allclose(vectors.conj().T @ vectors, np.eye(16), atol=1e-12)


def test_a_growing_state_is_refused():
    with pytest.raises(ValueError, match="negative real parts"):
        kit.DiagonalSSM(2, torch.tensor([0.1 + 1j]))


# --- models -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mixer", MIXERS)
def test_nothing_looks_ahead(mixer):
    model = kit.SequenceModel(7, 16, [mixer(16, 2, 12) for _ in range(2)], places=12).double().eval()
    assert kit.looks_ahead(model, torch.randint(7, (3, 12)), 7) < 1e-12


def test_looking_ahead_is_noticed():
    model = kit.decoder(7, 12, width=16, causal=False)
    assert kit.looks_ahead(model, torch.randint(7, (3, 12)), 7) > 1e-3


@pytest.mark.parametrize("positions", ["learned", "rope", "none"])
@pytest.mark.parametrize("chunks", [(5, 1, 1, 1), (3, 2, 3), (8,)])
def test_a_cache_changes_nothing(positions, chunks):
    model, tokens = kit.decoder(7, 8, width=16, positions=positions).double().eval(), torch.randint(7, (3, 8))
    cache = model.new_cache()
    parts = [model(part, cache) for part in tokens.split(chunks, 1)]
    torch.testing.assert_close(torch.cat(parts, 1), model(tokens), rtol=0, atol=1e-12)


@pytest.mark.parametrize("positions", ["learned", "rope", "none"])
def test_greedy_decoding_with_and_without_a_cache_agree(positions):
    model, prompts = kit.decoder(7, 12, width=16, positions=positions).double().eval(), torch.randint(7, (5, 4))
    assert torch.equal(kit.greedy(model, prompts, 8), kit.greedy(lambda tokens: model(tokens), prompts, 8))


@pytest.mark.parametrize("positions", ["learned", "rope", "none"])
def test_packed_sequences_are_read_each_on_its_own(positions):
    model = kit.decoder(7, 10, width=16, positions=positions).double().eval()
    sequences = [torch.randint(7, (n,)) for n in (4, 6, 3, 10, 2)]
    tokens, segments = kit.pack(sequences, 10)
    assert tokens.shape == (3, 10)
    logits = model(tokens, segments=segments)
    found = [logits[r][segments[r] == s] for r in range(3) for s in segments[r].unique() if s > 0]
    alone = [model(sequence[None])[0] for sequence in sequences]
    for one in alone:
        assert any(one.shape == other.shape and torch.allclose(one, other, atol=1e-12) for other in found)


def test_what_fills_a_packed_row_is_not_read():
    model, sequences = kit.decoder(7, 8, width=16).double().eval(), [torch.randint(7, (5,))]
    (tokens, segments), (other, _) = kit.pack(sequences, 8), kit.pack(sequences, 8, fill=6)
    torch.testing.assert_close(model(tokens, segments=segments)[:, :5], model(other, segments=segments)[:, :5])


def test_a_sequence_too_long_for_a_row_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        kit.pack([torch.zeros(9, dtype=torch.int64)], 8)


def test_rotary_scores_depend_on_distance_alone():
    q, k = double(1, 4).expand(6, 4), double(1, 4).expand(6, 4)
    places = torch.arange(6)
    scores = kit.rotate(q, places) @ kit.rotate(k, places).T
    torch.testing.assert_close(scores[:-1, :-1], scores[1:, 1:])


def test_attention_is_the_textbook_formula():
    layer, x = kit.Attention(8, 2).double(), double(2, 5, 8)
    q, k, v = layer.qkv(x).chunk(3, -1)
    heads = []
    for h in (slice(0, 4), slice(4, 8)):
        scores = q[..., h] @ k[..., h].mT / 2
        weights = scores.masked_fill(torch.ones(5, 5).triu(1).bool(), -torch.inf).softmax(-1)
        heads.append(weights @ v[..., h])
    torch.testing.assert_close(layer(x), layer.out(torch.cat(heads, -1)))


def test_linear_attention_is_its_recurrence():
    layer, x = LinearAttention(4, 1, 9).double(), double(2, 9, 4)
    q, k, v = layer.qkv(x).chunk(3, -1)
    q, k = nn.functional.elu(q) + 1, nn.functional.elu(k) + 1
    state, total, read = double(2, 4, 4) * 0, double(2, 4) * 0, []
    for t in range(9):
        state, total = state + v[:, t, :, None] * k[:, t, None, :], total + k[:, t]
        read.append((state @ q[:, t, :, None]).squeeze(-1) / (1 + (total * q[:, t]).sum(-1, keepdim=True)))
    torch.testing.assert_close(layer(x), layer.out(torch.stack(read, 1)))


def test_what_is_carried_goes_from_layer_to_layer():
    class Counts(nn.Module):
        carries = True

        def forward(self, x, carry):
            return torch.zeros_like(x), (carry or 0) + 1

    model = kit.SequenceModel(3, 8, [Counts(), Counts(), Counts()])
    x, carry = torch.zeros(1, 2, 8), None
    for block in model.blocks:
        x, carry = block(x, carry)
    assert carry == 3
    assert model(torch.zeros(1, 2, dtype=torch.int64)).shape == (1, 2, 3)


# --- training -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", ["one-cycle", "warmup-cosine", "constant"])
def test_rates_are_shares_of_the_top(schedule):
    rates = [kit.rate(schedule, p) for p in np.linspace(0, 1, 101)]
    assert min(rates) >= 0
    assert max(rates) == pytest.approx(1, abs=0.01)
    if schedule != "constant":
        assert rates[0] < 0.1 and rates[-1] < 1e-9


def test_an_unknown_schedule_is_named():
    with pytest.raises(ValueError, match="warmup-cosine"):
        kit.rate("linear", 0.5)


def test_marked_parameters_have_their_own_rate_and_no_decay():
    model = nn.Sequential(nn.Embedding(3, 4), nn.Linear(4, 4))
    kit.slowly(model[1].weight, 1e-4)
    groups = {id(p): g for g in kit.optimiser(model, 1e-2, 0.1).param_groups for p in g["params"]}
    found = [(groups[id(p)]["lr"], groups[id(p)]["weight_decay"]) for p in model.parameters()]
    assert found == [(1e-2, 0.0), (1e-4, 0.0), (1e-2, 0.0)]


def test_training_lowers_the_loss_and_stops_when_told():
    model, x = nn.Linear(4, 1), torch.randn(32, 4)
    ctx = budget(steps=200, lr=1e-2)

    def loss(_):
        return (model(x) - x.sum(1, keepdim=True)).square().mean()

    before = loss(0).item()
    assert kit.train(model, loss, ctx) == 200
    assert loss(0).item() < 0.1 * before
    assert ctx.costs["fit_seconds"] > 0
    assert kit.train(model, loss, ctx, watch=lambda done: done >= 60, every=20) == 60


def test_a_decoder_learns_to_copy():
    """A thousand parameters and a second: the recipe trains."""
    model, ctx = kit.decoder(6, 8, width=16, positions="rope"), budget(steps=150, lr=1e-2)

    def loss(_):
        word = torch.randint(1, 6, (32, 4))
        tokens = torch.cat([word, word], 1)
        return kit.cross_entropy(model(tokens[:, :-1])[:, 3:], tokens[:, 4:])

    kit.train(model, loss, ctx)
    words = torch.randint(1, 6, (100, 4))
    found = kit.greedy(model, torch.cat([words, words[:, :1]], 1), 3)
    assert (found == words[:, 1:]).float().mean() > 0.8


def test_batches_visit_every_sample_once_an_epoch():
    stream = kit.batches(10, 3, budget())
    epoch = torch.cat([next(stream) for _ in range(3)])
    assert len(epoch.unique()) == 9
    assert torch.equal(next(kit.batches(10, 3, budget())), next(kit.batches(10, 3, budget())))


def test_unmarked_targets_do_not_count():
    logits, targets = torch.randn(2, 3, 5), torch.tensor([[1, -100, 2], [-100, -100, 4]])
    marked = torch.stack([logits[0, 0], logits[0, 2], logits[1, 2]]).log_softmax(-1)
    expected = -(marked[0, 1] + marked[1, 2] + marked[2, 4]) / 3
    torch.testing.assert_close(kit.cross_entropy(logits, targets), expected)
    assert math.isfinite(float(expected))
