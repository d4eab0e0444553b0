"""Task sets/permutation-recovery: put shuffled items back into their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from assay import Context, Entrant, Metric, Schema, Task
from numpy.typing import NDArray
from torch import Tensor

from assay_sets.common import held_out
from assay_sets.recipe import batches, generator, train
from assay_sets.schemas import OrderedItems


def run(entrant: Entrant, data: OrderedItems, ctx: Context) -> Mapping[str, Any]:
    """Train on sets shuffled anew at every step; place the items of the test sets, twice from different shuffles."""
    items, test = torch.tensor(data.train), torch.tensor(data.test)
    module = ctx.prepare(entrant.build(items=items.shape[1], inputs=items.shape[2]))
    draw, stream = generator(ctx, "orders"), batches(len(items), ctx)
    shuffles = [_shuffles(test, draw) for _ in range(2)]

    def loss(_: int) -> Tensor:
        sets = items[next(stream)]
        order = _shuffles(sets, draw)
        return module.loss(_taken(sets, order).to(ctx.device), order.argsort(1).to(ctx.device))

    train(module, loss, ctx)
    with ctx.timer("predict"):
        first = _placed(entrant, module, test, shuffles[0], ctx)
    second = _placed(entrant, module, test, shuffles[1], ctx)
    with ctx.count_flops():
        module.loss(_taken(test[:1], shuffles[0][:1]).to(ctx.device), shuffles[0][:1].argsort(1).to(ctx.device))
    return {"module": module, "placed": first, "placed_again": second}


def _shuffles(sets: Tensor, draw: torch.Generator) -> Tensor:
    """Return a random order (B, N) for each set: entry j is the true position of the j-th item shown."""
    return torch.rand(sets.shape[:2], generator=draw).argsort(1)


def _taken(sets: Tensor, order: Tensor) -> Tensor:
    return torch.take_along_dim(sets, order[..., None], 1)


@torch.no_grad()
def _placed(entrant: Entrant, module: Any, sets: Tensor, shown: Tensor, ctx: Context, batch: int = 250) -> NDArray[Any]:
    """Return for each place (M, N) the true position of the item that the entrant puts there."""
    parts = zip(sets.split(batch), shown.split(batch), strict=True)
    order = torch.cat([module.predict(_taken(x, o).to(ctx.device)).cpu() for x, o in parts])
    if order.shape != shown.shape or not torch.equal(order.sort(1).values, shown.sort(1).values):
        raise ValueError(f"{entrant.id}: predict(x) must return a permutation of 0..N-1 for each set")
    placed = torch.take_along_dim(shown, order, 1).numpy()
    return np.stack([interchanged(p, items) for p, items in zip(placed, sets.numpy(), strict=True)])


def interchanged(placed: NDArray[np.int64], items: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return a placement (N,) with equal items (N, P) exchanged for the better: to their own place, else in order."""
    alike = np.unique(items, axis=0, return_inverse=True)[1].reshape(-1)
    if alike.max() + 1 == len(items):
        return placed
    better = placed.copy()
    for kind in range(alike.max() + 1):
        places = np.flatnonzero(alike[placed] == kind)
        own = np.isin(places, placed[places])
        better[places[own]] = places[own]
        better[places[~own]] = np.setdiff1d(placed[places], places[own])
    return better


def exact_match(outcome: Mapping[str, Any]) -> float:
    """Share of the sets `placed` (M, N) that are right at every place."""
    placed = outcome["placed"]
    return float((placed == np.arange(placed.shape[1])).all(1).mean())


def element_accuracy(outcome: Mapping[str, Any]) -> float:
    """Share of the places that hold their item."""
    placed = outcome["placed"]
    return float((placed == np.arange(placed.shape[1])).mean())


def kendall_tau(outcome: Mapping[str, Any]) -> float:
    """Mean over sets of Kendall's tau between places and true positions: 1 - 2 (inversions / pairs)."""
    placed = outcome["placed"]
    first, second = np.triu_indices(placed.shape[1], 1)
    return float(1 - 2 * (placed[:, first] > placed[:, second]).mean())


def shuffle_gap(outcome: Mapping[str, Any]) -> float:
    """Share of the places that hold another item when the same sets are shown in another order."""
    return float((outcome["placed"] != outcome["placed_again"]).mean())


METRICS = [
    Metric("exact_match", exact_match, ("placed",), "up", "fraction", bounds=(0.0, 1.0)),
    Metric("element_accuracy", element_accuracy, ("placed",), "up", "fraction", bounds=(0.0, 1.0)),
    Metric("kendall_tau", kendall_tau, ("placed",), "up", "correlation", bounds=(-1.0, 1.0)),
    Metric("shuffle_gap", shuffle_gap, ("placed", "placed_again"), "down", "fraction", bounds=(0.0, 1.0)),
]


def split(arrays: Mapping[str, Any], rng: np.random.Generator) -> OrderedItems:
    """Return a user's sets, each in its right order, split 80/20 by the generator."""
    items = arrays["items"]
    rest, test = held_out(len(items), rng)
    return OrderedItems(items[rest], items[test])


SCHEMA = Schema("ordered-items", {"items": "float32[n,N,P]"}, split)

TASK = Task(
    "sets/permutation-recovery",
    schema=SCHEMA.id,
    run=run,
    metrics=tuple(metric.id for metric in METRICS),
    dataset="float-sort",
    title="Put shuffled items back into their order",
    contract="build(items, inputs) gives a module with loss(x, perm) -> scalar and predict(x) -> perm, x (B, N, inputs) "
    "float32, perm (B, N) int64: perm[b, k] is the index in x of the item that belongs at place k. Items are encoded by "
    "an MLP of at most two layers of width 128, so that the mechanism is compared.",
    budgets={
        "smoke": {"steps": 40, "batch": 32},
        "small": {"steps": 600, "batch": 64},
        "full": {"steps": 20_000, "batch": 128},
    },
    baselines=("score-and-sort", "position-classifier"),
)
