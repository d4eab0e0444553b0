"""Task sets/point-clouds: classify a cloud whose points come in any order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from assay import Context, Entrant, Probe, Schema, Task
from torch import Tensor, nn

from assay_sets.common import held_out, rotations
from assay_sets.recipe import batches, generator, predict, shuffled, train
from assay_sets.schemas import PointClouds

KEEP = (0.5, 0.25, 0.125)
"""Fractions of the points that are left in further evaluations of the trained entrant."""


def run(entrant: Entrant, data: PointClouds, ctx: Context) -> Mapping[str, Any]:
    """Train by cross-entropy on clouds whose order is drawn anew at every step; evaluate whole, thinned and rotated."""
    points, labels = torch.tensor(data.train_points), torch.tensor(data.train_labels)
    test, truth = torch.tensor(data.test_points), torch.tensor(data.test_labels)
    module = ctx.prepare(entrant.build(inputs=points.shape[-1], classes=data.classes))
    draw = generator(ctx, "orders")
    test = _reordered(test, draw)
    if hasattr(module, "fit"):
        with ctx.timer("fit"):
            module.fit(points, labels)
    else:
        stream = batches(len(points), ctx)

        def loss(_: int) -> Tensor:
            index = next(stream)
            clouds = _reordered(points[index], draw).to(ctx.device)
            return nn.functional.cross_entropy(module(clouds), labels[index].to(ctx.device))

        train(module, loss, ctx)
    with ctx.timer("predict"):
        logits = predict(module, test.to(ctx.device))
    with ctx.count_flops():
        module(test[:1].to(ctx.device))
    views = {("keep", share): _thinned(test, share) for share in KEEP}
    turns = rotations(ctx.rng("rotations"), len(test), test.shape[-1])
    views["test_rotation", "so3"] = test @ torch.tensor(turns, dtype=test.dtype)
    conditions = [
        ({name: value}, {"logits": predict(module, view.to(ctx.device)), "labels": truth})
        for (name, value), view in views.items()
    ]
    outcome = {"module": module, "inputs": (test,), "logits": logits, "labels": truth, "conditions": conditions}
    return {**outcome, "chunked": True} if hasattr(module, "partial") else outcome


def probe(entrant: Entrant, data: PointClouds, ctx: Context) -> Probe:
    """Return an untrained entrant with eight clouds; one that fits itself is fitted to a few."""
    points, labels = torch.tensor(data.train_points), torch.tensor(data.train_labels)
    module = entrant.build(inputs=points.shape[-1], classes=data.classes)
    if hasattr(module, "fit"):
        module.fit(points, labels)
    return Probe(module, (points[:8],), (8, data.classes))


def _reordered(clouds: Tensor, draw: torch.Generator) -> Tensor:
    return shuffled(clouds, torch.ones(clouds.shape[:2], dtype=torch.bool), draw)


def _thinned(clouds: Tensor, share: float) -> Tensor:
    """Return the first points of clouds in random order: a random subset, where it was and not centred again."""
    return clouds[:, : max(1, round(share * clouds.shape[1]))]


def split(arrays: Mapping[str, Any], rng: np.random.Generator) -> PointClouds:
    """Return a user's clouds split 80/20 by the generator. Labels must be 0, 1, ..., each at least once."""
    points, labels = arrays["points"], arrays["labels"]
    rest, test = held_out(len(points), rng)
    return PointClouds(points[rest], labels[rest], points[test], labels[test], int(labels.max()) + 1)


SCHEMA = Schema("labelled-clouds", {"points": "float32[n,N,D]", "labels": "int64[n]"}, split)

TASK = Task(
    "sets/point-clouds",
    schema=SCHEMA.id,
    run=run,
    metrics=("accuracy", "perm_gap", "rot_gap", "chunk_gap"),
    dataset="shapes-3d",
    title="Classify point clouds",
    contract="build(inputs, classes) gives a module: points (B, N, inputs) float32, any N >= 8, to logits (B, classes); "
    "one with fit(points, labels) trains itself, one with partial(chunk), merge(a, b) and finish(result) can read a "
    "cloud in chunks.",
    budgets={
        "smoke": {"steps": 60, "batch": 32},
        "small": {"steps": 400, "batch": 32},
        "full": {"steps": 20_000, "batch": 64},
    },
    baselines=("flat-mlp", "sorted-mlp", "mean-pool-mlp", "max-pool-mlp", "kme-ridge", "boosted-statistics"),
    conditions={"keep": KEEP, "test_rotation": ("so3",)},
    probe=probe,
)
