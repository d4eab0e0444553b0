"""Never train from scratch: what each objective hides, and whose inputs pretraining reads."""

import pytest
import torch
from assay import Context
from assay.spec import Cell
from assay_never_from_scratch import (
    PATCH,
    S4D,
    FillIn,
    Foretell,
    PretrainedS4D,
    PretrainedTransformer,
    ScratchTransformer,
    shuffled,
)

LENGTH = 6 * PATCH


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


def draw(seed=0):
    """A generator of masks."""
    return torch.Generator().manual_seed(seed)


def context(steps=30):
    """A cell that never was."""
    return Context(Cell("sequences/t", "sequences/d", "m", (), 0, "smoke"), {"batch": 8, "steps": steps, "lr": 4e-3})


def test_what_is_masked_does_not_reach_the_reconstruction():
    """The error is quadratic in hidden patches' values and is least where they equal what the rest foretells."""
    model, x = FillIn(ScratchTransformer(1, 10, LENGTH), 1), torch.randn(4, LENGTH, 1)
    hidden = torch.rand(4, 6, generator=draw()) < 0.5
    shift = hidden.repeat_interleave(PATCH, 1)[..., None] * 10.0
    first, second, third = (float(model(x + k * shift, draw()).detach()) for k in (-1, 0, 1))
    assert first + third - 2 * second == pytest.approx(200, rel=1e-4)


def test_only_masked_patches_count():
    model, x = FillIn(ScratchTransformer(1, 10, LENGTH), 1), torch.randn(4, LENGTH, 1)
    hidden = torch.rand(4, 6, generator=draw()) < 0.5
    seen = torch.where(hidden[..., None], model.mask, x.unflatten(1, (6, PATCH)).squeeze(-1))
    gap = (model.fill(model.body.states(seen)) - x.unflatten(1, (6, PATCH)).squeeze(-1))[hidden]
    torch.testing.assert_close(model(x, draw()), gap.square().mean())


def test_the_state_space_body_predicts_from_the_past_alone():
    model, x = S4D(1, 10, LENGTH), torch.randn(2, LENGTH, 1)
    changed = x.clone()
    changed[:, -2 * PATCH : -PATCH] += 1
    states = [model.states(model.into(part.unflatten(1, (6, PATCH)).squeeze(-1))) for part in (x, changed)]
    torch.testing.assert_close(states[0][:, :4], states[1][:, :4], atol=1e-5, rtol=0)
    assert (states[0][:, 4] - states[1][:, 4]).abs().max() > 1e-3


def test_shuffling_keeps_each_signal_s_values_and_not_their_order():
    x = torch.randn(3, 40, 1)
    mixed = shuffled(x, draw())
    torch.testing.assert_close(mixed.sort(1).values, x.sort(1).values)
    assert (mixed != x).float().mean() > 0.8
    same = x[:1].expand(2, -1, -1)
    assert (shuffled(same, draw())[0] != shuffled(same, draw())[1]).any()


@pytest.mark.parametrize(("build", "denoiser"), [(PretrainedTransformer, FillIn), (PretrainedS4D, Foretell)])
def test_pretraining_lowers_its_error_on_structure_and_leaves_only_the_body(build, denoiser):
    phase = torch.rand(64, 1) * 6
    x = torch.sin(phase + 0.3 * torch.arange(LENGTH))[..., None]
    model, before, ctx = build(1, 10, LENGTH), x.clone(), context()
    names = set(model.state_dict())
    start = float(denoiser(model, 1)(x, draw()).detach())
    head = model.head.weight.clone()
    model.pretrain(x, 60, ctx)
    assert ctx.curve[-1]["denoising"] < 0.7 * start
    assert set(model.state_dict()) == names
    assert torch.equal(model.head.weight, head)
    assert torch.equal(x, before)


def test_those_from_scratch_get_the_steps_instead():
    assert ScratchTransformer(1, 10, LENGTH).extra_steps
    assert not ScratchTransformer(1, 10, LENGTH, extra=False).extra_steps
    assert S4D.extra_steps
    assert not PretrainedTransformer(1, 10, LENGTH).extra_steps
    assert not PretrainedS4D.extra_steps
    assert not hasattr(S4D, "pretrain")
    assert not hasattr(ScratchTransformer, "pretrain")
