"""Task sets/convex-hull: name the vertices of a convex hull, one after another, also for more points than seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from assay import Context, Entrant, Metric, Schema, Task
from numpy.typing import NDArray
from torch import Tensor, nn

from assay_sets.common import held_out
from assay_sets.hulls import TEST_POINTS, listed
from assay_sets.recipe import batches, train
from assay_sets.schemas import Hulls, HullSets

STOP, PAD = -1, -100
"""In targets (B, L): the end of a hull, and what follows it (the index that cross-entropy ignores)."""


def run(entrant: Entrant, data: HullSets, ctx: Context) -> Mapping[str, Any]:
    """Train on batches of one number of points each; evaluate at every number of points."""
    module = ctx.prepare(entrant.build())
    stream = _batches(data.train, ctx)

    def loss(_: int) -> Tensor:
        points, target = next(stream)
        return module.loss(points.to(ctx.device), target.to(ctx.device))

    train(module, loss, ctx, clip=2.0)
    smallest = min(data.tests)
    with ctx.timer("predict"):
        outcome = _fields(entrant, module, data.tests[smallest], ctx)
    with ctx.count_flops():
        module.loss(*(t[:1].to(ctx.device) for t in next(stream)))
    rest = [({"points": n}, _fields(entrant, module, test, ctx)) for n, test in data.tests.items() if n != smallest]
    return {"module": module, **outcome, "conditions": [({"points": smallest}, outcome), *rest]}


def _batches(sets: Mapping[int, Hulls], ctx: Context) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield points (B, N, 2) and targets (B, N + 1), of a random N each."""
    rng = ctx.rng("sizes")
    streams = {n: batches(len(points), ctx) for n, (points, _) in sets.items()}
    tensors = {n: (torch.tensor(points), target_of(torch.tensor(hulls))) for n, (points, hulls) in sets.items()}
    while True:
        size = int(rng.choice(list(sets)))
        index = next(streams[size])
        points, target = tensors[size]
        yield points[index], target[index]


def target_of(hulls: Tensor) -> Tensor:
    """Return targets (B, N + 1) for hulls (B, N): one STOP behind the last vertex, PAD from there on."""
    place, lengths = torch.arange(hulls.shape[1] + 1), (hulls >= 0).sum(1, keepdim=True)
    target = nn.functional.pad(hulls, (0, 1))
    return target.masked_fill(place == lengths, STOP).masked_fill(place > lengths, PAD)


@torch.no_grad()
def _fields(entrant: Entrant, module: Any, test: Hulls, ctx: Context) -> dict[str, Any]:
    points, hulls = test
    found = module.decode(torch.tensor(points).to(ctx.device)).cpu().numpy()
    if found.ndim != 2 or len(found) != len(points) or found.max() >= points.shape[1]:
        raise ValueError(f"{entrant.id}: decode(x) must return (B, L) indices of points, -1 behind the last")
    return {"points": points, "decoded": [_before_stop(f) for f in found], "hulls": [_before_stop(h) for h in hulls]}


def _before_stop(row: NDArray[np.int64]) -> NDArray[np.int64]:
    return row[: int(np.argmax(row < 0)) if (row < 0).any() else len(row)]


def hull_accuracy(outcome: Mapping[str, Any]) -> float:
    """Share of the sets whose `decoded` vertices are those of the hull in their order, from whichever first."""
    same = [
        len(found) == len(true) and set(found) == set(true) and np.array_equal(from_lowest(found), from_lowest(true))
        for found, true in zip(outcome["decoded"], outcome["hulls"], strict=True)
    ]
    return float(np.mean(same))


def from_lowest(cycle: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a cycle from its lowest index on."""
    return np.roll(cycle, -int(cycle.argmin()))


def area_coverage(outcome: Mapping[str, Any]) -> float:
    """Mean over sets of the area of the decoded polygon over that of the hull; 0 where the polygon is not simple."""
    shares = [
        area(cloud[found]) / area(cloud[true]) if is_simple(cloud[found]) else 0.0
        for cloud, found, true in zip(outcome["points"], outcome["decoded"], outcome["hulls"], strict=True)
    ]
    return float(np.mean(shares))


def area(polygon: NDArray[np.floating[Any]]) -> float:
    """Return the area that a polygon (L, 2) encloses (the shoelace formula)."""
    x, y = polygon.astype(np.float64).T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def is_simple(polygon: NDArray[np.floating[Any]]) -> bool:
    """Whether a polygon (L, 2) has three or more different vertices and no two of its edges cross."""
    if len(polygon) < 3 or len(np.unique(polygon, axis=0)) < len(polygon):
        return False
    a, b = polygon.astype(np.float64), np.roll(polygon, -1, axis=0).astype(np.float64)

    def side(p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return on which side of each edge a -> b the points p lie: entry [edge, point]."""
        edge, to = (b - a)[:, None], p[None] - a[:, None]
        return np.sign(edge[..., 0] * to[..., 1] - edge[..., 1] * to[..., 0])

    apart = side(a) * side(b) < 0
    return not (apart & apart.T).any()


METRICS = [
    Metric("hull_accuracy", hull_accuracy, ("decoded", "hulls"), "up", "fraction", bounds=(0.0, 1.0)),
    Metric("area_coverage", area_coverage, ("decoded", "hulls", "points"), "up", "fraction", bounds=(0.0, 1.0 + 1e-9)),
]


def split(arrays: Mapping[str, Any], rng: np.random.Generator) -> HullSets:
    """Return a user's sets of points with their hulls, split 80/20 by the generator."""
    points, hulls = listed(arrays["points"])
    rest, test = held_out(len(points), rng)
    size = points.shape[1]
    return HullSets({size: (points[rest], hulls[rest])}, {size: (points[test], hulls[test])})


SCHEMA = Schema("planar-points", {"points": "float32[n,N,2]"}, split)

TASK = Task(
    "sets/convex-hull",
    schema=SCHEMA.id,
    run=run,
    metrics=tuple(metric.id for metric in METRICS),
    dataset="uniform-square",
    title="Name the vertices of a convex hull",
    contract="build() gives a module with loss(x, target) -> scalar and decode(x) -> (B, L) int64, x (B, N, 2) float32, "
    "points from left to right: the indices of the hull's vertices, counter-clockwise from the lowest, then -1. A target "
    "(B, N + 1) has -1 behind the last vertex and -100 (which cross-entropy ignores) from there on.",
    budgets={
        "smoke": {"steps": 25, "batch": 32, "lr": 5e-3},
        "small": {"steps": 1000, "batch": 64, "lr": 5e-3},
        "full": {"steps": 100_000, "batch": 128, "lr": 1e-3},
    },
    baselines=("seq2seq-attention",),
    conditions={"points": TEST_POINTS},
)
