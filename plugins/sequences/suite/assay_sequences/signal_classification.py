"""Task sequences/signal-classification: name the class of a signal whose evidence may lie far back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from assay import Context, Entrant, Probe, Schema, Task
from numpy.typing import NDArray
from torch import Tensor, nn

from assay_sequences.kit.training import batches, predict, train


@dataclass(frozen=True)
class SignalData:
    """Signals (N, T, C) float32 and labels (N,) int64 to train on and to test; `budget` replaces parts of the task's."""

    train_x: NDArray[np.float32]
    train_y: NDArray[np.int64]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.int64]
    classes: int
    budget: Mapping[str, Any] = field(default_factory=dict)


class LayeredClassifier(nn.Module):
    """Signals (B, T, channels) -> logits (B, classes): a linear map, layers in residual blocks, the mean over time, a linear map.

    Each of `layers` maps (B, T, width) to the same shape; its block is x + GLU(GELU(layer(LN(x)))) (as S4's, arXiv:2206.11893).
    """

    def __init__(self, channels: int, classes: int, layers: list[nn.Module], width: int = 32) -> None:
        super().__init__()
        self.into, self.layers = nn.Linear(channels, width), nn.ModuleList(layers)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in layers)
        self.mixes = nn.ModuleList(nn.Linear(width, 2 * width) for _ in layers)
        self.head = nn.Linear(width, classes)

    def states(self, x: Tensor) -> Tensor:
        """Return states (B, T, width) of embedded signals (B, T, width)."""
        for layer, norm, mix in zip(self.layers, self.norms, self.mixes, strict=True):
            x = x + nn.functional.glu(mix(nn.functional.gelu(layer(norm(x)))), -1)
        return x

    def forward(self, signals: Tensor) -> Tensor:
        """Return logits."""
        return self.head(self.states(self.into(signals)).mean(1))


def layered(
    layer: Callable[..., nn.Module], channels: int, classes: int, length: int, **params: Any
) -> LayeredClassifier:
    """Return the classifier of two layers `layer(32, length, **params)`: what a study of layers or initialisations enters."""
    return LayeredClassifier(channels, classes, [layer(32, length, **params) for _ in range(2)])


def run(entrant: Entrant, data: SignalData, ctx: Context) -> Mapping[str, Any]:
    """Train by cross-entropy (or by the entrant's own `loss`) for the steps of the budget and of `extra_steps`; evaluate."""
    budget = {**ctx.budget, **data.budget}
    x, y = torch.tensor(data.train_x).to(ctx.device), torch.tensor(data.train_y).to(ctx.device)
    module = ctx.prepare(_built(entrant, data))
    spent = 0
    if hasattr(module, "pretrain"):
        spent = budget["pretrain"]
        module.pretrain(x, spent, ctx)
    stream = batches(len(x), budget["batch"], ctx)
    steps = budget["steps"] + budget["pretrain"] * bool(getattr(module, "extra_steps", False))
    own = getattr(module, "loss", None)

    def loss(step: int) -> Tensor:
        index = next(stream)
        if own is not None:
            return own(x[index], y[index], step / steps)
        return nn.functional.cross_entropy(module(x[index]), y[index])

    train(module, loss, ctx, steps=steps, lr=budget.get("lr"))
    test = torch.tensor(data.test_x)
    with ctx.timer("predict"):
        logits = predict(module, test.to(ctx.device))
    with ctx.count_flops():
        module(test[:1].to(ctx.device))
    labels = torch.tensor(data.test_y)
    return {"module": module, "correct": logits.argmax(1) == labels, "pretrain_steps": spent}


def _built(entrant: Entrant, data: SignalData) -> Any:
    return entrant.build(channels=data.train_x.shape[2], classes=data.classes, length=data.train_x.shape[1])


def probe(entrant: Entrant, data: SignalData, ctx: Context) -> Probe:
    """Return an untrained entrant with eight signals."""
    return Probe(_built(entrant, data), (torch.tensor(data.train_x[:8]),), (8, data.classes))


def split(arrays: Mapping[str, Any], rng: np.random.Generator) -> SignalData:
    """Return a user's signals split 80/20 by the generator. Labels must be 0, 1, ..., each at least once."""
    signals, labels = arrays["signals"], arrays["labels"]
    test, rest = np.split(rng.permutation(len(signals)), [max(1, len(signals) // 5)])
    return SignalData(signals[rest], labels[rest], signals[test], labels[test], int(labels.max()) + 1)


SCHEMA = Schema("labelled-signals", {"signals": "float32[n,T,C]", "labels": "int64[n]"}, split)
TASK = Task(
    "sequences/signal-classification",
    schema=SCHEMA.id,
    run=run,
    metrics=("accuracy",),
    dataset="smnist-196",
    title="Classify signals",
    contract="build(channels, classes, length) gives a module: signals (B, T, channels) float32 to logits (B, classes). "
    "Optional: pretrain(x, steps, ctx) is called before, with the training signals (N, T, channels) alone; loss(x, y, "
    "progress) -> scalar replaces the cross-entropy; extra_steps = True adds the steps of pretraining to the training, for "
    "comparison at equal steps.",
    budgets={
        "smoke": {"steps": 16, "batch": 32, "lr": 4e-3, "pretrain": 10},
        "small": {"steps": 300, "batch": 64, "lr": 4e-3, "pretrain": 300},
        "full": {"steps": 20_000, "batch": 64, "lr": 4e-3, "pretrain": 20_000},
    },
    baselines=("gru-classifier", "conv1d-classifier", "transformer-classifier"),
    probe=probe,
)
