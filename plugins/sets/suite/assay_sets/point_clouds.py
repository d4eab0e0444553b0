"""Task sets/point-clouds: classify a cloud whose points come in any order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from assay import Context, Entrant, Probe, Schema, Task
from torch import Tensor, nn

from assay_sets.common import held_out
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
    views["test_rotation", "so3"] = _rotated(test, ctx.rng("rotations"))
    conditions = [
        ({name: value}, {"logits": predict(module, view.to(ctx.device)), "labels": truth})
        for (name, value), view in views.items()
    ]
    return {"module": module, "inputs": (test,), "logits": logits, "labels": truth, "conditions": conditions}


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


def _rotated(clouds: Tensor, rng: np.random.Generator) -> Tensor:
    """Return each cloud (M, N, D) turned by a rotation drawn uniformly from SO(D): QR of a Gaussian, determinant 1."""
    q, r = np.linalg.qr(rng.normal(size=(len(clouds), clouds.shape[-1], clouds.shape[-1])))
    q *= np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    q[:, :, 0] *= np.linalg.det(q)[:, None]
    return clouds @ torch.tensor(q, dtype=clouds.dtype)


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
    metrics=("accuracy", "perm_gap"),
    dataset="shapes-3d",
    title="Classify point clouds",
    contract="build(inputs, classes) gives a module: points (B, N, inputs) float32, any N >= 8, to logits (B, classes); "
    "one with fit(points, labels) trains itself.",
    budgets={
        "smoke": {"steps": 60, "batch": 32},
        "small": {"steps": 400, "batch": 32},
        "full": {"steps": 20_000, "batch": 64},
    },
    baselines=("flat-mlp", "mean-pool-mlp", "kme-ridge"),
    conditions={"keep": KEEP, "test_rotation": ("so3",)},
    probe=probe,
)
