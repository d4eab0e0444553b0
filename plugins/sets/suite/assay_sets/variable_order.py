"""Task sets/variable-order: fit a density of binary variables, one after another, in an order that may matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from assay import Context, Entrant, Metric, Schema, Task

from assay_sets.common import held_out
from assay_sets.recipe import batches, train
from assay_sets.schemas import BinarySamples


def run(entrant: Entrant, data: BinarySamples, ctx: Context) -> Mapping[str, Any]:
    """Fit by the entrant's loss, let it settle what it left open, and ask for the likelihood of the test samples."""
    samples, test = torch.tensor(data.train).to(ctx.device), torch.tensor(data.test).to(ctx.device)
    module = ctx.prepare(entrant.build(variables=samples.shape[1]))
    stream, steps = batches(len(samples), ctx), ctx.budget["steps"]
    train(module, lambda step: module.loss(samples[next(stream)], step / steps), ctx)
    if hasattr(module, "settle"):
        with ctx.timer("fit"):
            module.settle(samples)
    with ctx.timer("predict"), torch.no_grad():
        nats = module.nats(test)
    with ctx.count_flops(), torch.no_grad():
        module.nats(test[:1])
    return {"module": module, "nats": nats.cpu()}


def nll(outcome: Mapping[str, Any]) -> float:
    """Mean over samples of the negative log-likelihood `nats` (M,)."""
    return float(outcome["nats"].mean())


METRICS = [Metric("nll", nll, ("nats",), "down", "nats", bounds=(0.0, float("inf")))]


def split(arrays: Mapping[str, Any], rng: np.random.Generator) -> BinarySamples:
    """Return a user's samples split 80/20 by the generator; what is not 0 counts as 1."""
    x = (arrays["x"] != 0).astype(np.float32)
    rest, test = held_out(len(x), rng)
    return BinarySamples(x[rest], x[test])


SCHEMA = Schema("binary-samples", {"x": "int64[n,V]"}, split)

TASK = Task(
    "sets/variable-order",
    schema=SCHEMA.id,
    run=run,
    metrics=tuple(metric.id for metric in METRICS),
    dataset="star-model",
    title="Fit a density of binary variables",
    contract="build(variables) gives a module with loss(x, progress) -> scalar, progress in [0, 1) the share of training "
    "that is over, and nats(x) -> -log p (B,), x (B, variables) float32 in {0, 1}; settle(x), if there is one, is given "
    "the training samples at the end.",
    budgets={
        "smoke": {"steps": 50, "batch": 64},
        "small": {"steps": 1500, "batch": 64},
        "full": {"steps": 4000, "batch": 64},
    },
    baselines=("independent-bits",),
)
