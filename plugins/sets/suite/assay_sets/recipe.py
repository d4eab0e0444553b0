"""The one way in which entrants of this family are trained and asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from assay import Context
from torch import Tensor, nn


def train(module: nn.Module, loss: Callable[[int], Tensor], ctx: Context, *, clip: float | None = None) -> None:
    """Minimise `loss(step)` for `ctx.budget["steps"]` steps: Adam, learning rate from 1e-3 by a cosine to 0.

    `clip` bounds the gradient's norm. The loss is logged twenty times. Time goes to the cost `fit_seconds`.
    """
    steps = ctx.budget["steps"]
    optimiser = torch.optim.Adam((p for p in module.parameters() if p.requires_grad), lr=ctx.budget.get("lr", 1e-3))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    module.train()
    with ctx.timer("fit"):
        for step in range(steps):
            with ctx.backend.autocast():
                value = loss(step)
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(module.parameters(), clip)
            optimiser.step()
            schedule.step()
            if step % max(1, steps // 20) == 0 or step == steps - 1:
                ctx.log(step, loss=value.item())
    module.eval()


def generator(ctx: Context, stream: str) -> torch.Generator:
    """Return a torch generator for a named use: the same for all entrants of a data set and seed."""
    return torch.Generator().manual_seed(int(ctx.rng(stream).integers(2**62)))


def batches(samples: int, ctx: Context) -> Iterator[Tensor]:
    """Yield index tensors (batch,) for ever, epoch after epoch of a fresh order, dropping the rest of an epoch."""
    draw, size = generator(ctx, "batches"), min(ctx.budget["batch"], samples)
    while True:
        order = torch.randperm(samples, generator=draw)
        yield from order[: samples - samples % size].split(size)


def shuffled(x: Tensor, mask: Tensor, draw: torch.Generator) -> Tensor:
    """Return each set of x (B, N, D) in a random order; real elements (mask (B, N) True) stay first."""
    keys = torch.rand(mask.shape, generator=draw).masked_fill(~mask.cpu(), 2.0)
    return torch.take_along_dim(x, keys.argsort(1)[..., None].to(x.device), 1)


@torch.no_grad()
def predict(module: nn.Module, *inputs: Tensor, batch: int = 250) -> Tensor:
    """Return the module's output on inputs (M, ...), on the CPU in float32, computed a batch at a time."""
    parts = zip(*(tensor.split(batch) for tensor in inputs), strict=True)
    return torch.cat([module(*part).float().cpu() for part in parts])
