"""TAPE: positions as RoPE to begin with, their update, and the symmetries that it keeps."""

import numpy as np
import pytest
import torch
from assay_sequences.integer_problems import add_lengths
from assay_sequences.kit import Attention, SequenceModel, looks_ahead
from assay_tape import Tape, TapeStream, rotations, symmetries, without_update_is_rope


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_positions_begin_as_rotations_that_compose():
    e = rotations(torch.arange(6).double(), 3)
    torch.testing.assert_close(e @ e.mT, torch.eye(2).expand(6, 3, 2, 2))
    torch.testing.assert_close(e[2] @ e[3], e[5])


def test_without_the_update_it_is_rope():
    assert without_update_is_rope(np.random.default_rng(0))["max_error"] < 1e-13


def test_the_update_begins_as_none():
    tape, x = Tape(16, 2, 9), torch.randn(2, 9, 16)
    rope = Attention(16, 2, "rope")
    rope.load_state_dict({name: tape.state_dict()[name] for name in rope.state_dict()})
    out, e = tape(x, None)
    torch.testing.assert_close(out, rope(x))
    torch.testing.assert_close(e[0, 0], rotations(torch.arange(9).double(), 4))


def test_the_layer_is_what_its_equations_say():
    tape, x, e = Tape(8, 1, 5, rank=3), torch.randn(1, 5, 8), torch.randn(1, 1, 5, 4, 2, 2)
    torch.nn.init.normal_(tape.w2)
    out, new = tape(x, e)
    q, k, v = (tape.qkv(x)[0, :, i * 8 : (i + 1) * 8].detach() for i in range(3))
    for i in range(5):
        logits = []
        for j in range(i + 1):
            blocks = [q[i, [m, m + 4]] @ e[0, 0, i, m] @ e[0, 0, j, m].T @ k[j, [m, m + 4]] for m in range(4)]
            logits.append(sum(blocks) / 8**0.5)
        weights = torch.stack(logits).softmax(0)
        expected = tape.out(weights @ v[: i + 1])
        torch.testing.assert_close(out[0, i], expected)
        mixed = (weights[:, None, None] * e[0, 0, : i + 1].reshape(i + 1, 8, 2)).sum(0)
        scale = torch.diag(tape.psi(x[0, i] + expected))
        torch.testing.assert_close(
            new[0, 0, i].reshape(8, 2), e[0, 0, i].reshape(8, 2) + tape.w2[0] @ scale @ tape.w1[0].T @ mixed
        )


def test_symmetries_hold_and_an_update_that_mixes_columns_breaks_them():
    assert symmetries(np.random.default_rng(0))["invariance_error"] < 1e-12
    assert symmetries(np.random.default_rng(0), columns=True)["invariance_error"] > 0.01


def test_the_second_layer_reads_the_positions_that_the_first_has_updated():
    x, first, second = torch.randn(2, 9, 16), Tape(16, 2, 9), Tape(16, 2, 9)
    plain = second(x, first(x, None)[1])[0]
    torch.nn.init.normal_(first.w2)
    assert not torch.allclose(second(x, first(x, None)[1])[0], plain)


def test_a_model_of_it_is_causal():
    model = SequenceModel(7, 16, [Tape(16, 2, 12) for _ in range(2)])
    for block in model.blocks:
        torch.nn.init.normal_(block.mixer.w2)
    assert looks_ahead(model, torch.randint(7, (4, 12)), 7) < 1e-12


def test_the_regime_trains_a_decoder_on_clean_examples():
    regime, problem = TapeStream(), add_lengths(0, "smoke")
    prompts, answers = next(regime.batches(problem, 1, 8, np.random.default_rng(0)))
    logits = regime.model(problem.vocab, 20)(torch.tensor(np.hstack([prompts, answers])))
    assert logits.shape == (8, prompts.shape[1] + answers.shape[1], problem.vocab)


def test_later_places_change_nothing_without_the_update_and_something_with_it():
    x = torch.randn(2, 9, 16)
    here, later = (rotations(torch.arange(9).double() + n, 4).expand(2, 2, 9, 4, 2, 2) for n in (0, 7))
    first, second = Tape(16, 2, 9), Tape(16, 2, 9)

    def change() -> float:
        out, moved = (second(*first(x, e))[0] for e in (here, later))
        return float((moved - out).detach().abs().max())

    assert change() < 1e-12
    torch.nn.init.normal_(first.w2)
    assert change() > 1e-4
