"""Task sequences/layer-identities: what theory says of a layer exactly, measured in double precision on random weights."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from assay import AssayError, Context, Dataset, Entrant, Metric, Model, Task
from numpy.typing import NDArray

from assay_sequences.common import generator, no_source
from assay_sequences.kit.scans import delta_recurrence, delta_rule, recurrence, scan

NAMES = ("max_error", "gap", "iterations", "invariance_error", "layers_per_loop_range")


def random_weights(seed: int, scale: str, source: str | None = None) -> NDArray[np.uint64]:
    """Four numbers from which a probe's generator is seeded."""
    no_source("random-weights", source)
    return generator(seed, "random-weights").integers(2**32, size=4).astype(np.uint64)


def run(entrant: Entrant, data: NDArray[np.uint64], ctx: Context) -> Mapping[str, Any]:
    """Call the probe under float64 and take the numbers that it returns, a fresh generator for each entrant."""
    before = torch.get_default_dtype()
    with ctx.timer("predict"):
        try:
            torch.set_default_dtype(torch.float64)
            found = dict(entrant.build(rng=np.random.default_rng(data.tolist())))
        finally:
            torch.set_default_dtype(before)
    unknown = [name for name in found if name not in NAMES]
    if unknown or not found:
        raise AssayError(
            f"{entrant.id}: a probe returns some of {', '.join(NAMES)}, not {', '.join(unknown) or 'nothing'}"
        )
    return {name: float(value) for name, value in found.items()}


def scan_equals_recurrence(rng: np.random.Generator, length: int = 64) -> Mapping[str, float]:
    """Largest difference between the parallel scan of a gated linear recurrence (B=2, T, 8) and the loop, gradients included."""
    a = torch.tensor(rng.uniform(0, 1, (2, length, 8)), requires_grad=True)
    b = torch.tensor(rng.standard_normal((2, length, 8)), requires_grad=True)
    weights = torch.tensor(rng.standard_normal((2, length, 8)))
    results = []
    for form in (scan, recurrence):
        states = form(a, b)
        results.append([states.detach(), *torch.autograd.grad((states * weights).sum(), (a, b))])
    return {"max_error": max(float((x - y).abs().max()) for x, y in zip(*results, strict=True))}


def delta_rule_equals_recurrence(rng: np.random.Generator, length: int = 64) -> Mapping[str, float]:
    """Largest difference between DeltaNet's parallel form, keys of length 1, and its recurrence (B=2, T, 8)."""
    q, k, v = (torch.tensor(rng.standard_normal((2, length, 8))) for _ in range(3))
    k, beta = torch.nn.functional.normalize(k, dim=-1), torch.tensor(rng.uniform(0, 1, (2, length)))
    return {"max_error": float((delta_rule(q, k, v, beta) - delta_recurrence(q, k, v, beta)).abs().max())}


ID = "sequences/layer-identities"
INF = float("inf")
MODELS = [
    Model("gated-linear-rnn", ID, scan_equals_recurrence, knobs={"length": (16, 64, 256)}),
    Model("delta-net", ID, delta_rule_equals_recurrence, knobs={"length": (16, 64, 256)}),
]


METRICS = [Metric(name, itemgetter(name), (name,), "down", "absolute", exact=True, bounds=(0.0, INF)) for name in NAMES]
DATASETS = [Dataset("random-weights", "weight-seeds", random_weights, title="Gaussian weights and inputs, synthetic")]
TASK = Task(
    ID,
    schema="weight-seeds",
    run=run,
    metrics=NAMES,
    dataset="random-weights",
    title="Identities that a layer must keep",
    contract="build(rng, **params) measures and returns a mapping with some of max_error, gap, iterations, invariance_error, "
    "layers_per_loop_range: random weights and inputs come from rng (a NumPy generator), torch's default is float64.",
    budgets={"smoke": {}, "small": {}, "full": {}},
    baselines=("gated-linear-rnn", "delta-net"),
)
