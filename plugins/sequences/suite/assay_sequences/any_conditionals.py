"""Task sequences/any-conditionals: the probability of any variable given any others, of a joint distribution that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from assay import AssayError, Context, Entrant, Metric, Task
from numpy.typing import NDArray

from assay_sequences.common import whole_fit

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Joint(Protocol):
    """A distribution over T variables of `values` values each."""

    values: int

    def conditional(self, observed: Ints, query: Ints) -> Floats:
        """Return p(x_query | observed), (B, V), for observed (B, T) with -1 where unknown and query (B,)."""
        ...


@dataclass(frozen=True)
class JointData:
    """Training rows (N, T), -1 where a variable was not observed, and questions with their exact answers.

    `observed` (Q, T) with -1, `query` (Q,), `truth` (Q, V); `marginals` (T, V). `neighbours` are the pairs of variables that
    training shows together, empty when all are; then no question is about such a pair. `order` is that of a chain.
    """

    train: Ints
    joint: Joint
    observed: Ints
    query: Ints
    truth: Floats
    marginals: Floats
    neighbours: tuple[tuple[int, int], ...] = ()
    order: tuple[int, ...] = ()


def run(entrant: Entrant, data: JointData, ctx: Context) -> Mapping[str, Any]:
    """Let the entrant fit the training rows within the budget; ask every question, and for samples where it can draw them."""
    variables, values = data.train.shape[1], data.joint.values
    model = entrant.build(variables=variables, values=values)
    with whole_fit(ctx):
        model.fit(data.train, data, ctx)
    with ctx.timer("predict"):
        estimate = np.asarray(model.conditional(data.observed, data.query), dtype=np.float64)
    if estimate.shape != data.truth.shape or not np.allclose(estimate.sum(1), 1, atol=1e-3) or estimate.min() < -1e-6:
        raise AssayError(f"{entrant.id}: conditional(observed, query) must return probabilities {data.truth.shape}")
    with ctx.count_flops():
        model.conditional(data.observed[:1], data.query[:1])
    outcome = {"module": model, "estimate": estimate, "truth": data.truth}
    if data.neighbours:
        outcome["marginal"] = data.marginals[data.query]
    if hasattr(model, "sample"):
        nothing = np.full((ctx.budget["samples"], variables), -1, dtype=np.int64)
        before = model.calls
        samples = np.asarray(model.sample(nothing, ctx.rng("samples")))
        if samples.shape != nothing.shape or samples.min() < 0 or samples.max() >= values:
            raise AssayError(f"{entrant.id}: sample(observed, rng) must fill in {nothing.shape} with 0..{values - 1}")
        outcome |= {"calls": model.calls - before, "tokens": variables, "samples": samples, "pairs": _pairs(data)}
    return outcome


def _pairs(data: JointData) -> Floats:
    """Return the exact joint probabilities (T - 1, V, V) of neighbouring places."""
    variables, values = data.train.shape[1], data.joint.values
    tables = []
    for left in range(variables - 1):
        observed = np.full((values, variables), -1)
        observed[:, left] = np.arange(values)
        following = data.joint.conditional(observed, np.full(values, left + 1))
        tables.append(data.marginals[left][:, None] * following)
    return np.stack(tables)


def conditional_mse(outcome: Mapping[str, Any]) -> float:
    """Mean over questions and values of (estimated p - true p)^2."""
    return float(np.mean((outcome["estimate"] - outcome["truth"]) ** 2))


def conditional_kl(outcome: Mapping[str, Any]) -> float:
    """Mean over questions of KL(true || estimated), in nats; estimates below 1e-6 count as that."""
    truth, estimate = outcome["truth"], np.maximum(outcome["estimate"], 1e-6)
    logs = np.log(np.maximum(truth, 1e-300)) - np.log(estimate / estimate.sum(1, keepdims=True))
    return float(np.mean((truth * logs).sum(1)))


def distance_to_marginal(outcome: Mapping[str, Any]) -> float:
    """Mean over questions of the total variation between the estimate and the marginal of the variable asked for."""
    return float(np.mean(np.abs(outcome["estimate"] - outcome["marginal"]).sum(1) / 2))


def calls_per_token(outcome: Mapping[str, Any]) -> float:
    """Forward passes a sequence over tokens of a sequence, those that verify included."""
    return float(outcome["calls"] / outcome["tokens"])


def bigram_distance(outcome: Mapping[str, Any]) -> float:
    """Mean over places of the total variation between sampled and true pairs of neighbours; sampling noise included."""
    samples, pairs = outcome["samples"], outcome["pairs"]
    distances = []
    for left, true in enumerate(pairs):
        counts = np.zeros_like(true)
        np.add.at(counts, (samples[:, left], samples[:, left + 1]), 1 / len(samples))
        distances.append(np.abs(counts - true).sum() / 2)
    return float(np.mean(distances))


INF = float("inf")
METRICS = [
    Metric("conditional_kl", conditional_kl, ("estimate", "truth"), "down", "nats", bounds=(-1e-6, INF)),
    Metric("conditional_mse", conditional_mse, ("estimate", "truth"), "down", "squared", bounds=(0.0, 1.0)),
    Metric(
        "distance_to_marginal", distance_to_marginal, ("estimate", "marginal"), "down", "probability", bounds=(0.0, 1.0)
    ),
    Metric("calls_per_token", calls_per_token, ("calls", "tokens"), "down", "calls", bounds=(0.0, INF)),
    Metric("bigram_distance", bigram_distance, ("samples", "pairs"), "down", "probability", bounds=(0.0, 1.0 + 1e-9)),
]
TASK = Task(
    "sequences/any-conditionals",
    schema="joint-distribution",
    run=run,
    metrics=tuple(metric.id for metric in METRICS),
    dataset="first-order-text",
    title="Any conditional of a joint distribution",
    contract="build(variables, values) gives a model: fit(rows (N, T) int64 with -1, data, ctx) trains within ctx.budget "
    "(steps, batch; kit.train); conditional(observed (B, T) with -1, query (B,)) returns probabilities (B, values). Optional: "
    "sample(observed, rng) -> (B, T) filled in, which adds to `calls` the forward passes that a sequence needed on average.",
    budgets={
        "smoke": {"steps": 40, "batch": 32, "lr": 2e-3, "samples": 200},
        "small": {"steps": 1_000, "batch": 64, "lr": 2e-3, "samples": 2_000},
        "full": {"steps": 100_000, "batch": 256, "lr": 5e-4, "samples": 10_000},
    },
    baselines=("pair-counts", "left-to-right"),
)
