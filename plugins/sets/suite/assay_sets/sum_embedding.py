"""Task sets/sum-embedding: represent a multiset by a sum over its rows, so that it can be had back. Nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from assay import Context, Entrant, Metric, Schema, Task
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from assay_sets.multisets import COLUMNS, LARGER_COLUMNS, LARGER_ROWS
from assay_sets.schemas import Multisets

Matrix = NDArray[np.float64]


def run(entrant: Entrant, data: Multisets, ctx: Context) -> Mapping[str, Any]:
    """Embed the multisets, decode the embeddings where the entrant can, and compare; embed the pairs."""
    embedding = ctx.prepare(entrant.build())
    decodes = hasattr(embedding, "decode")
    conditions: list[tuple[dict[str, int], dict[str, Any]]] = []
    errors: list[float] = []
    for (n, d), draws in data.draws.items():
        with ctx.timer("fit"):
            codes = [embedding.embed(x) for x in draws]
        fields: dict[str, Any] = {"embedding_size": len(codes[0])}
        if decodes:
            with ctx.timer("predict"):
                decoded = [embedding.decode(z, n, d) for z in codes]
            fields["row_errors"] = [row_error(a, b) for a, b in zip(decoded, draws, strict=True)]
            errors += fields["row_errors"]
        conditions.append(({"rows": n, "columns": d}, fields))
    conditions += [
        ({"rows": n, "columns": x.shape[1]}, {"embedding_size": len(embedding.embed(x))})
        for n, x in data.larger.items()
        if (n, x.shape[1]) not in data.draws
    ]
    outcome: dict[str, Any] = {"module": embedding, "conditions": conditions}
    if decodes:
        outcome["row_errors"] = errors
    if data.pairs:
        outcome["gaps"] = [float(np.abs(embedding.embed(a) - embedding.embed(b)).max()) for a, b in data.pairs]
    return outcome


def row_error(decoded: Matrix, x: Matrix) -> float:
    """Return the largest |difference| of an entry between two (N, D) under the best matching of their rows."""
    distance = np.abs(decoded[:, None] - x[None]).max(2)
    return float(distance[linear_sum_assignment(distance)].max())


def recovery_error(outcome: Mapping[str, Any]) -> float:
    """Largest `row_error` over the multisets drawn."""
    return float(max(outcome["row_errors"]))


def collision_gap(outcome: Mapping[str, Any]) -> float:
    """Smallest distance, over pairs of different multisets, of their embeddings: max |difference| of an entry."""
    return float(min(outcome["gaps"]))


def width(outcome: Mapping[str, Any]) -> float:
    """Length of the embedding."""
    return float(outcome["embedding_size"])


INF = float("inf")
METRICS = [
    Metric("recovery_error", recovery_error, ("row_errors",), "down", "abs", bounds=(0.0, INF)),
    Metric("collision_gap", collision_gap, ("gaps",), "up", "abs", bounds=(0.0, INF)),
    Metric("width", width, ("embedding_size",), "down", "count", exact=True, bounds=(1.0, INF)),
]


def split(arrays: Mapping[str, Any], rng: np.random.Generator) -> Multisets:
    """Return a user's multisets; they need no split, as nothing is trained."""
    del rng
    x = arrays["x"]
    return Multisets({x.shape[1:]: x}, (), {})


SCHEMA = Schema("multisets", {"x": "float64[n,N,D]"}, split)

TASK = Task(
    "sets/sum-embedding",
    schema=SCHEMA.id,
    run=run,
    metrics=tuple(metric.id for metric in METRICS),
    dataset="random-multisets",
    title="Represent a multiset by a sum over its rows",
    contract="build() gives an object with embed(X) -> (L,) float64 for X (N, D) float64, a sum over rows of a function "
    "of one row, and, unless injectivity is all it offers, decode(z, N, D) -> (N, D) up to the order of rows.",
    budgets={"smoke": {}, "small": {}, "full": {}},
    baselines=("channel-power-sum",),
    conditions={
        "rows": tuple(sorted({2, 3, 4, 5, *LARGER_ROWS})),
        "columns": tuple(sorted({*COLUMNS, LARGER_COLUMNS})),
    },
)
