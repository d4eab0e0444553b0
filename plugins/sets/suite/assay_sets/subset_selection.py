"""Task sets/subset-selection: from pairs of a ground set and the subset that an oracle chose, learn to choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from assay import Context, Entrant, Metric, Schema, Task
from torch import Tensor

from assay_sets.common import held_out
from assay_sets.recipe import batches, predict, train
from assay_sets.schemas import SubsetChoices


def run(entrant: Entrant, data: SubsetChoices, ctx: Context) -> Mapping[str, Any]:
    """Train by the entrant's loss; choose the |S*| most probable elements of each test set (its size is given to all)."""
    v, s = torch.tensor(data.train_v), torch.tensor(data.train_s)
    test, truth = torch.tensor(data.test_v), torch.tensor(data.test_s)
    module = ctx.prepare(entrant.build(inputs=v.shape[-1]))
    stream = batches(len(v), ctx)

    def loss(_: int) -> Tensor:
        index = next(stream)
        return module.loss(v[index].to(ctx.device), s[index].to(ctx.device))

    train(module, loss, ctx)
    with ctx.timer("predict"):
        chosen = most_probable(predict(module, test.to(ctx.device)), truth.sum(1))
    with ctx.count_flops():
        module(test[:1].to(ctx.device))
    return {"module": module, "inputs": (test,), "equivariant": True, "chosen": chosen, "oracle": truth}


def most_probable(scores: Tensor, sizes: Tensor) -> Tensor:
    """Return a mask (B, n) of the sizes[b] largest of scores (B, n)."""
    return scores.argsort(1, descending=True).argsort(1) < sizes[:, None]


def mean_jaccard(outcome: Mapping[str, Any]) -> float:
    """Mean over sets of |chosen and oracle| / |chosen or oracle|, both masks (M, n)."""
    chosen, oracle = outcome["chosen"], outcome["oracle"]
    return float(((chosen & oracle).sum(1) / (chosen | oracle).sum(1)).mean())


METRICS = [Metric("mean_jaccard", mean_jaccard, ("chosen", "oracle"), "up", "fraction", bounds=(0.0, 1.0))]


def split(arrays: Mapping[str, Any], rng: np.random.Generator) -> SubsetChoices:
    """Return a user's sets split 80/20 by the generator; `chosen` is 1 where the oracle chose the element."""
    v, s = arrays["v"], arrays["chosen"] != 0
    rest, test = held_out(len(v), rng)
    return SubsetChoices(v[rest], s[rest], v[test], s[test])


SCHEMA = Schema("subset-choices", {"v": "float32[k,n,D]", "chosen": "int64[k,n]"}, split)

TASK = Task(
    "sets/subset-selection",
    schema=SCHEMA.id,
    run=run,
    metrics=("mean_jaccard", "perm_gap"),
    dataset="near-average",
    title="Choose as an oracle chooses",
    contract="build(inputs) gives a module: v (B, n, inputs) float32 to the probabilities (B, n) that an element is "
    "chosen, the same at every call in evaluation mode; loss(v, s) -> scalar for s (B, n) bool.",
    budgets={
        "smoke": {"steps": 25, "batch": 32, "lr": 5e-3},
        "small": {"steps": 500, "batch": 32, "lr": 5e-3},
        "full": {"steps": 10_000, "batch": 64},
    },
    baselines=("pointwise-classifier", "random-subset"),
)
