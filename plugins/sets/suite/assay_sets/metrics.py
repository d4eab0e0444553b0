"""What is measured of entrants in this family."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from assay import Metric
from torch import Tensor, nn

PERMUTATIONS = 20
PROBES = 64


def accuracy(outcome: Mapping[str, Any]) -> float:
    """Top-1 accuracy of `logits` (M, C) or (M, N, C) against `labels` (M,) or (M, N)."""
    return float((outcome["logits"].argmax(-1) == outcome["labels"]).float().mean())


def mae(outcome: Mapping[str, Any]) -> float:
    """Mean absolute error of `prediction` (M, 1) against `target` (M, 1), in the label's units."""
    return float((outcome["prediction"] - outcome["target"]).abs().mean())


def correct(outcome: Mapping[str, Any]) -> Any:
    """Share of `logits` that hit their `labels`, by example: (M,) float64, 0 or 1 where an example has one label."""
    hits = (outcome["logits"].argmax(-1) == outcome["labels"]).double()
    return hits.flatten(1).mean(1).numpy() if hits.ndim > 1 else hits.numpy()


def absolute_error(outcome: Mapping[str, Any]) -> Any:
    """Absolute error of `prediction` (M, 1) by example: (M,) float64."""
    return (outcome["prediction"] - outcome["target"]).abs().double().flatten(1).mean(1).numpy()


def exact_count_accuracy(outcome: Mapping[str, Any]) -> float:
    """Share of sets whose rounded `prediction` equals the `target`."""
    return float((outcome["prediction"].round() == outcome["target"]).float().mean())


def double(module: nn.Module) -> nn.Module:
    """Return a copy of a module in float64 and evaluation mode, so that rounding does not hide a broken symmetry."""
    return copy.deepcopy(module).double().eval()


@torch.no_grad()
def perm_gap(outcome: Mapping[str, Any]) -> float:
    """Largest relative change of the output under permutations of the input's elements (dimension 1), in float64.

    max over 20 permutations and the first 64 inputs of max|f(Px) - f(x)| / (1e-12 + max|f(x)|), where `inputs` is the
    tuple of tensors (M, N, ...) that the module is called with.
    """
    module = double(outcome["module"])
    inputs = [t[:PROBES].double() if t.is_floating_point() else t[:PROBES] for t in outcome["inputs"]]
    before = module(*inputs)
    draw = torch.Generator().manual_seed(0)
    worst = 0.0
    for _ in range(PERMUTATIONS):
        order = torch.randperm(inputs[0].shape[1], generator=draw)
        worst = max(worst, relative_gap(module(*(t[:, order] for t in inputs)), before))
    return worst


def relative_gap(after: Tensor, before: Tensor) -> float:
    """Return the largest over samples of max|after - before| / (1e-12 + max|before|), tensors (M, ...)."""
    change = (after - before).abs().flatten(1).amax(1)
    return float((change / (1e-12 + before.abs().flatten(1).amax(1))).max())


METRICS = [
    Metric("accuracy", accuracy, ("logits", "labels"), "up", "fraction", bounds=(0.0, 1.0), examples=correct),
    Metric(
        "mae",
        mae,
        ("prediction", "target"),
        "down",
        "label units",
        bounds=(0.0, float("inf")),
        examples=absolute_error,
    ),
    Metric("exact_count_accuracy", exact_count_accuracy, ("prediction", "target"), "up", "fraction", bounds=(0.0, 1.0)),
    Metric("perm_gap", perm_gap, ("module", "inputs"), "down", "relative", bounds=(0.0, float("inf"))),
]
