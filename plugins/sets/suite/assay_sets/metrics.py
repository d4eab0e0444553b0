"""What is measured of entrants in this family."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np
import torch
from assay import Metric
from torch import Tensor, nn

from assay_sets.common import rotations

TRIALS = 20
PROBES = 32


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


Trial = Callable[[nn.Module, list[Tensor], Tensor, torch.Generator], tuple[Tensor, Tensor]]
"""From (module, inputs, its output on them, generator) to the output on changed inputs and the one expected of it."""


@torch.no_grad()
def largest_gap(outcome: Mapping[str, Any], trial: Trial) -> float:
    """Return the largest relative gap of 20 trials on the first 32 inputs, in float64 and evaluation mode."""
    module = double(outcome["module"])
    inputs = [t[:PROBES].double() if t.is_floating_point() else t[:PROBES] for t in outcome["inputs"]]
    before = module(*inputs)
    draw = torch.Generator().manual_seed(0)
    return max(relative_gap(*trial(module, inputs, before, draw)) for _ in range(TRIALS))


def perm_gap(outcome: Mapping[str, Any]) -> float:
    """Largest relative change of the output under permutations of the input's elements (dimension 1).

    `inputs` is the tuple of tensors (M, N, ...) that the module is called with. Where the outcome says `equivariant`,
    the output's dimension 1 is expected to be permuted alike.
    """

    def trial(module: nn.Module, inputs: list[Tensor], before: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        order = torch.randperm(inputs[0].shape[1], generator=draw)
        after = module(*(t[:, order] for t in inputs))
        return after, before[:, order] if outcome.get("equivariant") else before

    return largest_gap(outcome, trial)


def chunk_gap(outcome: Mapping[str, Any]) -> float:
    """Largest relative change of the output when the set is read in 1 to 8 chunks, of an entrant that can.

    Such an entrant offers `partial(chunk)`, `merge(a, b)` of two partial results, and `finish(result)`.
    """

    def trial(module: Any, inputs: list[Tensor], before: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        order = torch.randperm(inputs[0].shape[1], generator=draw)
        chunks = order.tensor_split(int(torch.randint(1, 9, (), generator=draw)))
        return module.finish(reduce(module.merge, (module.partial(inputs[0][:, c]) for c in chunks))), before

    return largest_gap(outcome, trial)


def rot_gap(outcome: Mapping[str, Any]) -> float:
    """Largest relative change of the output when clouds (M, N, D) are turned by SO(D) and shifted by N(0, 1)."""
    rng = np.random.default_rng(0)

    def trial(module: nn.Module, inputs: list[Tensor], before: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        clouds = inputs[0]
        turn = torch.tensor(rotations(rng, len(clouds), clouds.shape[-1]))
        shift = torch.randn(len(clouds), 1, clouds.shape[-1], generator=draw, dtype=clouds.dtype)
        return module(clouds @ turn + shift), before

    return largest_gap(outcome, trial)


def iou(outcome: Mapping[str, Any]) -> float:
    """Mean over objects of intersection over union: voxels where the sigmoid of `occupancy` exceeds .4, and `voxels`."""
    inside, true = outcome["occupancy"].sigmoid().flatten(1) > 0.4, outcome["voxels"].flatten(1)
    return float(((inside & true).sum(1) / (inside | true).sum(1)).mean())


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
    Metric("iou", iou, ("occupancy", "voxels"), "up", "fraction", bounds=(0.0, 1.0)),
    Metric("perm_gap", perm_gap, ("module", "inputs"), "down", "relative", bounds=(0.0, float("inf"))),
    Metric("rot_gap", rot_gap, ("module", "inputs"), "down", "relative", bounds=(0.0, float("inf"))),
    Metric("chunk_gap", chunk_gap, ("module", "inputs", "chunked"), "down", "relative", bounds=(0.0, float("inf"))),
]
