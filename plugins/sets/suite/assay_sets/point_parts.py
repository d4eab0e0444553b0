"""Task sets/point-parts: say of every point of a cloud which part it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from assay import Context, Entrant, Probe, Schema, Task
from torch import Tensor, nn

from assay_sets.point_clouds import split
from assay_sets.recipe import batches, generator, predict, train
from assay_sets.schemas import PointClouds


def run(entrant: Entrant, data: PointClouds, ctx: Context) -> Mapping[str, Any]:
    """Train by the points' mean cross-entropy on clouds whose order is drawn anew at every step; label every point."""
    points, labels = torch.tensor(data.train_points), torch.tensor(data.train_labels)
    module = ctx.prepare(entrant.build(inputs=points.shape[-1], classes=data.classes))
    draw = generator(ctx, "orders")
    test, truth = reordered(torch.tensor(data.test_points), torch.tensor(data.test_labels), draw)
    if hasattr(module, "fit"):
        with ctx.timer("fit"):
            module.fit(points, labels)
    else:
        stream = batches(len(points), ctx)

        def loss(_: int) -> Tensor:
            index = next(stream)
            clouds, parts = reordered(points[index], labels[index], draw)
            logits = module(clouds.to(ctx.device))
            return nn.functional.cross_entropy(logits.flatten(0, 1), parts.flatten().to(ctx.device))

        train(module, loss, ctx)
    with ctx.timer("predict"):
        logits = predict(module, test.to(ctx.device))
    with ctx.count_flops():
        module(test[:1].to(ctx.device))
    return {"module": module, "inputs": (test,), "equivariant": True, "logits": logits, "labels": truth}


def reordered(clouds: Tensor, labels: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return clouds (B, N, D) in random orders, and the labels (B, N) of their points in the same ones."""
    order = torch.rand(labels.shape, generator=draw).argsort(1)
    return torch.take_along_dim(clouds, order[..., None], 1), torch.take_along_dim(labels, order, 1)


def probe(entrant: Entrant, data: PointClouds, ctx: Context) -> Probe:
    """Return an untrained entrant with eight clouds; one that fits itself is fitted."""
    points, labels = torch.tensor(data.train_points), torch.tensor(data.train_labels)
    module = entrant.build(inputs=points.shape[-1], classes=data.classes)
    if hasattr(module, "fit"):
        module.fit(points, labels)
    return Probe(module, (points[:8],), (8, points.shape[1], data.classes))


SCHEMA = Schema("labelled-points", {"points": "float32[n,N,D]", "labels": "int64[n,N]"}, split)

TASK = Task(
    "sets/point-parts",
    schema=SCHEMA.id,
    run=run,
    metrics=("accuracy", "perm_gap"),
    dataset="composite-parts",
    title="Tell the parts of point clouds",
    contract="build(inputs, classes) gives a module: points (B, N, inputs) float32, any N >= 8, to logits "
    "(B, N, classes) of each point; one with fit(points, labels), labels (B, N) int64, trains itself.",
    budgets={
        "smoke": {"steps": 60, "batch": 32},
        "small": {"steps": 400, "batch": 16},
        "full": {"steps": 20_000, "batch": 64},
    },
    baselines=("pointwise-mlp", "mean-pool-mlp", "max-pool-mlp", "boosted-neighbourhoods"),
    probe=probe,
)
