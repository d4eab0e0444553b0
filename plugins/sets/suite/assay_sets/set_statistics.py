"""Task sets/set-statistics: predict a number from a set, also for sets larger than any seen in training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from assay import Context, Entrant, Probe, Schema, Task
from torch import Tensor, nn

from assay_sets.common import held_out
from assay_sets.recipe import batches, generator, predict, shuffled, train
from assay_sets.schemas import LabelledSets

TEST_SIZES = (10, 20, 50, 100, 200)


def poisson(raw: Tensor, target: Tensor) -> Tensor:
    """Poisson negative log-likelihood of counts under the rate softplus(raw)."""
    return nn.functional.poisson_nll_loss(nn.functional.softplus(raw), target, log_input=False)


LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": nn.functional.mse_loss,
    "l1": nn.functional.l1_loss,
    "poisson": poisson,
}


def run(entrant: Entrant, data: LabelledSets, ctx: Context) -> Mapping[str, Any]:
    """Train by the data's own loss on sets in random order; evaluate at every test size without training again.

    Elements, and targets unless they are counts, are divided by the root mean square of those seen in training, for
    every entrant alike; predictions are in the label's units again.
    """
    mask = torch.tensor(data.train_mask)
    x_unit = float(np.sqrt(np.mean(data.train_x[data.train_mask] ** 2)))
    y_unit = 1.0 if data.loss == "poisson" else float(np.sqrt(np.mean(data.train_y**2)))
    x, y = torch.tensor(data.train_x) / x_unit, torch.tensor(data.train_y) / y_unit
    module = ctx.prepare(entrant.build(inputs=x.shape[-1], outputs=y.shape[-1]))
    if hasattr(module, "fit"):
        with ctx.timer("fit"):
            module.fit(x, mask, y)
    else:
        stream, draw, criterion = batches(len(x), ctx), generator(ctx, "orders"), LOSSES[data.loss]

        def loss(_: int) -> Tensor:
            index = next(stream)
            sets = shuffled(x[index], mask[index], draw).to(ctx.device)
            return criterion(module(sets, mask[index].to(ctx.device)), y[index].to(ctx.device))

        train(module, loss, ctx)
    tests = {
        n: (torch.tensor(s) / x_unit, torch.tensor(real), torch.tensor(t)) for n, (s, real, t) in data.tests.items()
    }
    smallest = min(tests)
    _refuse_reading_padding(entrant, module, x[:64], mask[:64])
    link = nn.functional.softplus if data.loss == "poisson" and not hasattr(module, "fit") else nn.Identity()

    def fields(size: int) -> dict[str, Tensor]:
        sets, real, target = tests[size]
        raw = predict(module, sets.to(ctx.device), real.to(ctx.device))
        return {"prediction": link(raw) * y_unit, "target": target}

    with ctx.timer("predict"):
        outcome = fields(smallest)
    sets, real, _ = tests[smallest]
    with ctx.count_flops():
        module(sets[:1].to(ctx.device), real[:1].to(ctx.device))
    conditions = [({"test_size": size}, fields(size)) for size in tests]
    return {"module": module, "inputs": _full_sets(sets, real), **outcome, "conditions": conditions}


def probe(entrant: Entrant, data: LabelledSets, ctx: Context) -> Probe:
    """Return an untrained entrant with eight sets; one that fits itself is fitted."""
    x, mask, y = (torch.tensor(a) for a in (data.train_x, data.train_mask, data.train_y))
    module = entrant.build(inputs=x.shape[-1], outputs=y.shape[-1])
    if hasattr(module, "fit"):
        module.fit(x, mask, y)
    return Probe(module, (x[:8], mask[:8]), (8, y.shape[-1]))


def _full_sets(sets: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sets that fill the tensor, all of whose elements may change places; all sets when there is none."""
    full = real.all(1)
    return (sets[full], real[full]) if full.any() else (sets, real)


@torch.no_grad()
def _refuse_reading_padding(entrant: Entrant, module: nn.Module, x: Tensor, mask: Tensor) -> None:
    """Raise when what stands in padded elements reaches the output."""
    noise = torch.where(mask[..., None], x, 100.0 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0)))
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    before, after = (module(t.to(device), mask.to(device)) for t in (x, noise))
    if not torch.allclose(before, after, rtol=1e-4, atol=1e-5):
        raise ValueError(
            f"{entrant.id} reads masked elements: the output changes by {float((after - before).abs().max()):.2g}"
        )


def split(arrays: Mapping[str, Any], rng: np.random.Generator) -> LabelledSets:
    """Return a user's sets split 80/20 by the generator, to be fitted by squared error; `size` counts real elements."""
    x, size, y = arrays["x"], arrays["size"], arrays["y"][:, None]
    mask = np.arange(x.shape[1]) < size[:, None]
    rest, test = held_out(len(x), rng)
    x = np.where(mask[..., None], x, 0).astype(np.float32)
    return LabelledSets(x[rest], mask[rest], y[rest], {x.shape[1]: (x[test], mask[test], y[test])}, "mse")


SCHEMA = Schema("labelled-sets", {"x": "float32[n,N,D]", "size": "int64[n]", "y": "float32[n]"}, split)

TASK = Task(
    "sets/set-statistics",
    schema=SCHEMA.id,
    run=run,
    metrics=("mae", "exact_count_accuracy", "perm_gap"),
    dataset="digit-sum",
    title="Predict a number from a set",
    contract="build(inputs, outputs) gives a module: x (B, N, inputs) float32 and mask (B, N) bool, True = real, "
    "to (B, outputs); padding must not reach the output; one with fit(x, mask, y) trains itself.",
    budgets={
        "smoke": {"steps": 100, "batch": 64},
        "small": {"steps": 800, "batch": 64},
        "full": {"steps": 20_000, "batch": 128},
    },
    baselines=("gru-set", "mean-pool-mlp", "max-pool-mlp", "kme-ridge", "boosted-statistics"),
    conditions={"test_size": TEST_SIZES},
    probe=probe,
)
