"""The one recipe of this family: AdamW, clipped gradients, a schedule over a fixed number of steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from assay import Context
from torch import Tensor, nn

SCHEDULES = ("one-cycle", "warmup-cosine", "constant")


def rate(schedule: str, progress: float) -> float:
    """Return the share of the top learning rate at a progress in [0, 1].

    "one-cycle": from 1/25 up to 1 over the first 30 % and down to 0 by cosines (Smith 2018); "warmup-cosine": up in a line
    over the first 5 %, down to 0 by a cosine; "constant": 1.
    """
    if schedule == "constant":
        return 1.0
    if schedule == "one-cycle":
        if progress < 0.3:
            return 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * progress / 0.3))
        return 0.5 * (1 + math.cos(math.pi * (progress - 0.3) / 0.7))
    if schedule == "warmup-cosine":
        if progress < 0.05:
            return (progress + 1e-3) / (0.05 + 1e-3)
        return 0.5 * (1 + math.cos(math.pi * (progress - 0.05) / 0.95))
    raise ValueError(f"schedule {schedule!r}: it is one of {', '.join(SCHEDULES)}")


def slowly(parameter: nn.Parameter, lr: float) -> nn.Parameter:
    """Mark a parameter for a learning rate of its own, without weight decay, as state-space matrices need; return it."""
    parameter.own_lr = lr  # type: ignore[attr-defined]
    return parameter


def optimiser(module: nn.Module, lr: float, weight_decay: float = 0.01) -> torch.optim.AdamW:
    """Return AdamW (betas .9, .95) over what is trained. Weight decay falls on matrices that are not embeddings alone."""
    tables = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in module.parameters():
        if parameter.requires_grad:
            own = getattr(parameter, "own_lr", None)
            decays = own is None and parameter.ndim >= 2 and id(parameter) not in tables
            groups.setdefault((own or lr, weight_decay if decays else 0.0), []).append(parameter)
    listed = [{"params": ps, "lr": rate_, "top": rate_, "weight_decay": decay} for (rate_, decay), ps in groups.items()]
    return torch.optim.AdamW(listed, betas=(0.9, 0.95), fused=True)


def train(
    module: nn.Module,
    loss: Callable[[int], Tensor],
    ctx: Context,
    *,
    steps: int | None = None,
    lr: float | None = None,
    schedule: str | None = None,
    clip: float = 1.0,
    watch: Callable[[int], bool] | None = None,
    every: int = 100,
) -> int:
    """Minimise `loss(step)`; return the number of steps taken. Time goes to the cost `fit_seconds`, evaluation mode after it.

    `steps`, `lr` and `schedule` are those of the budget where they are not given. The loss is logged twenty times.
    `watch(done)` is called before the first step and each `every` steps, in evaluation mode and without gradients; True ends
    the training.
    """
    steps = ctx.budget["steps"] if steps is None else steps
    top = lr or ctx.budget.get("lr", 2e-3)
    plan = schedule or ctx.budget.get("schedule", "one-cycle")
    adam, trained = optimiser(module, top), [p for p in module.parameters() if p.requires_grad]
    done = 0
    with ctx.timer("fit"):
        module.train()
        while done < steps:
            if watch is not None and done % every == 0:
                module.eval()
                with torch.no_grad():
                    stop = watch(done)
                module.train()
                if stop:
                    break
            for group in adam.param_groups:
                group["lr"] = group["top"] * rate(plan, done / steps)
            with ctx.backend.autocast():
                value = loss(done)
            adam.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(trained, clip, foreach=True)
            adam.step()
            if done % max(1, steps // 20) == 0 or done == steps - 1:
                ctx.log(done, loss=value.item())
            done += 1
    module.eval()
    return done


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy of logits (..., V) where targets (...) are marked: not -100."""
    return nn.functional.cross_entropy(logits.flatten(0, -2), targets.flatten())


def generator(ctx: Context, stream: str) -> torch.Generator:
    """Return a torch generator for a named use: the same for all entrants of a data set and seed."""
    return torch.Generator().manual_seed(int(ctx.rng(stream).integers(2**62)))


def batches(samples: int, size: int, ctx: Context, stream: str = "batches") -> Iterator[Tensor]:
    """Yield index tensors (batch,) for ever, epoch after epoch of a fresh order, dropping the rest of an epoch."""
    draw, size = generator(ctx, stream), min(size, samples)
    while True:
        order = torch.randperm(samples, generator=draw)
        yield from order[: samples - samples % size].split(size)


@torch.no_grad()
def predict(module: Callable[..., Any], *inputs: Tensor, batch: int = 256) -> Tensor:
    """Return the module's output on inputs (M, ...), on the CPU, computed a batch at a time."""
    parts = zip(*(tensor.split(batch) for tensor in inputs), strict=True)
    return torch.cat([module(*part).float().cpu() for part in parts])
