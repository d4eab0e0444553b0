"""Point2Point (Pandhare, 2023, arXiv:2306.16306): sort points along a Hilbert curve, then convolve along the sequence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from assay import Claim, Context, Metric, Model, Paper, hookimpl, score
from assay_sets.schemas import PointClouds
from torch import Tensor, nn

BITS = 8
"""Bits of the grid on which a coordinate of [-1, 1] is placed."""


def on_grid(points: Tensor, bits: int = BITS) -> Tensor:
    """Return the cells (..., D) int64 in 0..2^bits - 1 of points in [-1, 1]^D; the bounds are the same for all clouds."""
    return ((points + 1) / 2 * 2**bits).long().clamp(0, 2**bits - 1)


def interleaved(cells: Tensor, bits: int) -> Tensor:
    """Return the numbers (...) whose bits are those of the coordinates (..., D) in turn, the highest first (Morton)."""
    index = torch.zeros_like(cells[..., 0])
    for bit in reversed(range(bits)):
        for axis in range(cells.shape[-1]):
            index = 2 * index + (cells[..., axis] >> bit & 1)
    return index


def hilbert(cells: Tensor, bits: int) -> Tensor:
    """Return the place (...) of cells (..., D) on the Hilbert curve of 2^(bits D) cells (Skilling 2004, AxestoTranspose).

    Level by level the curve is reflected and its axes exchanged, until the Gray code of the coordinates is its own.
    """
    x = list(cells.unbind(-1))
    for level in reversed(range(1, bits)):
        low = (1 << level) - 1
        for axis in range(len(x)):
            inverted = (x[axis] >> level & 1).bool()
            swapped = torch.where(inverted, 0, (x[0] ^ x[axis]) & low)
            x[0] = torch.where(inverted, x[0] ^ low, x[0] ^ swapped)
            x[axis] = x[axis] ^ swapped if axis else x[0]
    for axis in range(1, len(x)):
        x[axis] = x[axis] ^ x[axis - 1]
    flips = torch.zeros_like(x[-1])
    for level in reversed(range(1, bits)):
        flips = torch.where((x[-1] >> level & 1).bool(), flips ^ ((1 << level) - 1), flips)
    return interleaved(torch.stack([coordinate ^ flips for coordinate in x], -1), bits)


def arranged(points: Tensor, curve: str) -> Tensor:
    """Return the order (B, N) of points (B, N, D): `hilbert`, `morton`, `lexicographic` or as they are `given`.

    Points of one cell follow their coordinates, so that but for `given` the order depends on the set alone.
    """
    order = torch.arange(points.shape[1], device=points.device).expand(points.shape[:2])
    if curve == "given":
        return order
    keys = list(points.unbind(-1))[::-1]
    if curve in ("hilbert", "morton"):
        keys.append((hilbert if curve == "hilbert" else interleaved)(on_grid(points), BITS))
    elif curve != "lexicographic":
        raise ValueError(f"curve must be hilbert, morton, lexicographic or given, got {curve!r}")
    for key in keys:  # stable sorts, the last one decides first
        order = order.gather(1, key.gather(1, order).sort(dim=1, stable=True).indices)
    return order


class Block(nn.Sequential):
    """(B, inputs, N) -> (B, outputs, N / stride): a convolution along the sequence, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(nn.Conv1d(inputs, outputs, 5, stride, 2), nn.BatchNorm1d(outputs), nn.ReLU())


class Point2Point(nn.Module):
    """(B, N, inputs) -> (B, classes): a one-dimensional U-Net along the curve, the maximum over points, a linear map."""

    def __init__(self, inputs: int, classes: int, curve: str = "hilbert") -> None:
        super().__init__()
        self.curve = curve
        self.enter, self.down1, self.down2 = Block(inputs, 32), Block(32, 64, 2), Block(64, 128, 2)
        self.up1, self.up2 = Block(128 + 64, 64), Block(64 + 32, 32)
        self.out = nn.Linear(32, classes)

    def features(self, points: Tensor) -> Tensor:
        """Return features (B, N, 32) of the points, in the order in which they came."""
        order = arranged(points, self.curve)[..., None]
        wide = self.enter(torch.take_along_dim(points, order, 1).transpose(1, 2))
        middle = self.down1(wide)
        deep = self.down2(middle)
        middle = self.up1(torch.cat([nn.functional.interpolate(deep, middle.shape[2], mode="linear"), middle], 1))
        wide = self.up2(torch.cat([nn.functional.interpolate(middle, wide.shape[2], mode="linear"), wide], 1))
        return torch.take_along_dim(wide.transpose(1, 2), order.argsort(1), 1)

    def forward(self, points: Tensor) -> Tensor:
        """Return logits."""
        return self.out(self.features(points).amax(1))

    def report(self, data: PointClouds, ctx: Context) -> Mapping[str, Any]:
        """Return the test clouds in the order of each curve."""
        del ctx
        clouds = torch.tensor(data.test_points)
        paths = {c: torch.take_along_dim(clouds, arranged(clouds, c)[..., None], 1) for c in CURVES}
        return {"conditions": [({"along": curve}, {"path": path}) for curve, path in paths.items()]}


class Point2PointParts(Point2Point):
    """(B, N, inputs) -> (B, N, classes): the same U-Net, and a linear map a point."""

    def forward(self, points: Tensor) -> Tensor:
        """Return the logits of each point, in the order in which they came."""
        return self.out(self.features(points))


CURVES = ("hilbert", "morton", "lexicographic", "given")


def consecutive_distance(outcome: Mapping[str, Any]) -> float:
    """Mean Euclidean distance between points that follow each other in a path (M, N, D)."""
    return float(outcome["path"].diff(dim=1).norm(dim=2).mean())


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants of both tasks."""
    tasks = {"sets/point-clouds": Point2Point, "sets/point-parts": Point2PointParts}
    names = {"morton": "morton", "lex": "lexicographic", "random": "given"}
    return [
        model
        for task, build in tasks.items()
        for model in (
            Model("point2point", task, build, conditions={"along": CURVES}),
            *(
                Model(f"point2point-{name}", task, build, {"curve": curve}, {}, {"along": CURVES}, "point2point")
                for name, curve in names.items()
            ),
        )
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return how local an order is."""
    bounds = (0.0, float("inf"))
    return [Metric("consecutive_distance", consecutive_distance, ("path",), "down", "length", bounds=bounds)]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    clouds, parts = "sets/point-clouds", "sets/point-parts"
    part, acc = score("accuracy", task=parts), score("accuracy", task=clouds)
    step = score("consecutive_distance", task=clouds)("point2point")
    local = step.at("along", "hilbert")
    return [
        Paper(
            "point2point",
            title="Point2Point : A Framework for Efficient Deep Learning on Hilbert sorted Point Clouds with "
            "applications in Spatio-Temporal Occupancy Prediction",
            year=2023,
            arxiv="2306.16306",
            family="sets",
            notes="What the paper predicts is a label or an occupancy a point, so that the parts of clouds are its arena. "
            "The two claims about classes, with the maximum over points behind the same network, were made and verified "
            "before that arena was there, and stay. PointNet is 31 points ahead on parts and 18 on classes: the curve helps "
            "convolutions, but they see a few neighbours along it, and PointNet a summary of the whole cloud. The blocks are "
            "a plain U-Net: the abstract does not give those of the paper.",
            claims=[
                Claim(
                    "hilbert-is-local",
                    (step.at("along", "lexicographic") - local > 0) & (step.at("along", "morton") - local > 0),
                    says="Along the Hilbert curve neighbours are closer than in lexicographic or Morton order.",
                ),
                Claim(
                    "order-matters-for-conv",
                    part("point2point") - part("point2point-random") > 0.05,
                    says="The same network tells parts far better along the curve than on points in random order.",
                ),
                Claim(
                    "competitive-with-pointnet",
                    part("point2point") - part("pointnet") > -0.02,
                    says="It competes with PointNet in telling parts.",
                ),
                Claim(
                    "order-matters-for-classes",
                    acc("point2point") - acc("point2point-random") > 0.05,
                    says="The same network tells classes far better along the curve than on points in random order.",
                ),
                Claim(
                    "competitive-on-classes",
                    acc("point2point") - acc("pointnet") > -0.02,
                    says="It competes with PointNet in telling classes.",
                ),
            ],
        )
    ]
