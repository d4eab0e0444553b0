"""Task numerics/point-sampling: where to evaluate a function, and with which weights, to approximate it by least squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from assay import AssayError, Context, Dataset, Entrant, Metric, Model, Schema, Task
from numpy.typing import NDArray

from assay_numerics.common import generator, no_source

Array = NDArray[np.float64]
DIMENSIONS = {"smoke": (5,), "small": (10, 20, 40), "full": (10, 20, 40)}
RULES = ("m+2", "2m", "3m", "2m log m")
REPETITIONS = {"smoke": 100, "small": 200, "full": 400}
BIAS = {"smoke": 1000, "small": 10_000, "full": 10_000}
BATCH = 400


def points_of(rule: str, m: int) -> int:
    """Return the number of points that a rule grants in dimension m; 2 m log m is rounded up to a multiple of m."""
    return {"m+2": m + 2, "2m": 2 * m, "3m": 3 * m, "2m log m": m * int(np.ceil(2 * np.log(m)))}[rule]


@dataclass(frozen=True)
class Approximation:
    """A space and functions to approximate in L2 of the uniform measure on N nodes.

    `features` (N, M) are orthonormal: features' features = N I. The first m of them span the space of dimension m.
    `targets` (k, N) are the functions.
    """

    features: Array
    targets: Array


def _orthonormal(raw: Array) -> Array:
    q, _ = np.linalg.qr(raw)
    return q * np.sqrt(len(raw))


def legendre(seed: int, scale: str, source: str | None = None) -> Approximation:
    """Return Legendre polynomials on the midpoints of [-1, 1], and three random functions of different smoothness.

    |x - a|, 1 / (1 + b x^2) and |x - c|^1.5 with a, c ~ U[-.3, .3], b ~ U[20, 30]; 200 nodes at
    smoke, 600 at small. The integrals are sums over the nodes, so that every expectation is finite and exact.
    """
    no_source("legendre-grid", scale, source)
    nodes = {"smoke": 200, "small": 600}[scale]
    x = (np.arange(nodes) + 0.5) * 2 / nodes - 1
    rng = generator(seed, "legendre-grid")
    a, b, c = rng.uniform(-0.3, 0.3), rng.uniform(20, 30), rng.uniform(-0.3, 0.3)
    targets = np.stack([np.abs(x - a), 1 / (1 + b * x**2), np.abs(x - c) ** 1.5])
    return Approximation(_orthonormal(np.polynomial.legendre.legvander(x, max(DIMENSIONS[scale]) - 1)), targets)


def cross(seed: int, scale: str, source: str | None = None) -> Approximation:
    """Return tensor Legendre polynomials of a hyperbolic cross on a square grid, and three random functions on it.

    Degrees (i, j) with (i + 1)(j + 1) small come first. 16 x 16 nodes at smoke, 24 x 24 at small.
    """
    no_source("hyperbolic-cross", scale, source)
    side = {"smoke": 16, "small": 24}[scale]
    x = (np.arange(side) + 0.5) * 2 / side - 1
    one = np.polynomial.legendre.legvander(x, 15)
    degrees = sorted(((i, j) for i in range(16) for j in range(16)), key=lambda d: ((d[0] + 1) * (d[1] + 1), d))
    raw = np.stack([np.outer(one[:, i], one[:, j]).ravel() for i, j in degrees[: max(DIMENSIONS[scale])]], axis=1)
    rng = generator(seed, "hyperbolic-cross")
    u, v = (g.ravel() for g in np.meshgrid(x, x, indexing="ij"))
    a, b, c = rng.uniform(2, 4), rng.uniform(5, 10), rng.uniform(-0.3, 0.3)
    targets = np.stack([np.exp(u) * np.sin(a * v), 1 / (1 + b * (u**2 + v**2)), np.hypot(u - c, v) ** 1.5])
    return Approximation(_orthonormal(raw), targets)


def own(arrays: Mapping[str, Any], rng: np.random.Generator) -> Approximation:
    """Return a user's candidates: features (n, M), made orthonormal on the nodes, and one target (n,)."""
    del rng
    if np.linalg.matrix_rank(arrays["features"]) < arrays["features"].shape[1]:
        raise AssayError("features: columns depend on each other, so that they span no space of that dimension")
    return Approximation(_orthonormal(arrays["features"]), arrays["target"][None])


def christoffel(phi: Array) -> Array:
    """Return ||phi(x)||^2 / m at each node, (N,): the density of optimal i.i.d. sampling, and 1 / weight."""
    return (phi**2).mean(1)


def solve(phi: Array, targets: Array, index: NDArray[np.int64], weight: Array) -> tuple[Array, Array]:
    """Return coefficients (R, k, m) of weighted least squares on the points (R, n), and the Gram matrices (R, m, m).

    G = (1/n) sum_i w_i phi(x_i) phi(x_i)'. Singular ones are solved by the pseudo-inverse.
    """
    rows = phi[index]
    weighted = rows * weight[..., None] / index.shape[1]
    gram = np.swapaxes(weighted, 1, 2) @ rows
    right = np.swapaxes(weighted, 1, 2) @ np.moveaxis(targets[:, index], 0, -1)
    return np.swapaxes(np.linalg.pinv(gram, rcond=1e-14, hermitian=True) @ right, 1, 2), gram


def _draw(entrant: Any, phi: Array, n: int, repetitions: int, ctx: Context, stream: str) -> Any:
    rng = ctx.rng(stream)
    for start in range(0, repetitions, BATCH):
        with ctx.timer("predict"):
            index, weight = entrant.sample(phi, n, min(BATCH, repetitions - start), rng)
        if index.shape[1] != n or index.shape != weight.shape:
            raise AssayError(f"sample() gave points {index.shape} and weights {weight.shape} where {n} were asked for")
        yield index, weight


def run(entrant: Entrant, data: Approximation, ctx: Context) -> Mapping[str, Any]:
    """Approximate every target many times at each dimension and number of points; the first pair is the outcome's own.

    The bias is measured in the smallest dimension only, where 10,000 repetitions can be afforded.
    """
    sampler = entrant.build()
    dimensions = [m for m in DIMENSIONS[ctx.scale] if m <= data.features.shape[1]] or [data.features.shape[1]]
    conditions = []
    for m in dimensions:
        phi = np.ascontiguousarray(data.features[:, :m])
        exact = data.targets @ phi / len(phi)
        rest = ((data.targets - exact @ phi.T) ** 2).mean(1)
        if (rest <= 1e-24).any():
            raise AssayError(f"a target lies in the space of dimension {m}: its error has no ratio to the best one")
        for rule in RULES:
            biased = m == dimensions[0] and rule in ("m+2", "2m")
            repetitions = BIAS[ctx.scale] if biased else REPETITIONS[ctx.scale]
            found, lowest = [], []
            for index, weight in _draw(sampler, phi, points_of(rule, m), repetitions, ctx, f"{m} {rule}"):
                coefficients, gram = solve(phi, data.targets, index, weight)
                found.append(coefficients)
                lowest.append(np.linalg.eigvalsh(gram)[:, 0])
            off = np.concatenate(found) - exact
            fields = {"ratios": 1 + (off**2).sum(2) / rest, "lowest": np.concatenate(lowest)}
            if biased:
                fields["off"] = off
            conditions.append(({"m": m, "points": rule}, fields))
    return {"module": sampler, **conditions[0][1], "conditions": conditions}


def error_ratio(outcome: Mapping[str, Any]) -> float:
    """Mean over repetitions and targets of ||u - uhat||^2 / ||u - P u||^2, both exact on the nodes."""
    return float(outcome["ratios"].mean())


def median_error_ratio(outcome: Mapping[str, Any]) -> float:
    """Median over repetitions and targets of the same: without the tail."""
    return float(np.median(outcome["ratios"]))


def unstable(outcome: Mapping[str, Any]) -> float:
    """Share of draws whose Gram matrix has an eigenvalue below 1/2."""
    return float((outcome["lowest"] < 0.5).mean())


def bias(outcome: Mapping[str, Any]) -> float:
    """||mean uhat - P u|| over the standard error of that mean, the largest over targets: about 1 when unbiased."""
    off = outcome["off"]
    error = np.sqrt(off.var(0, ddof=1).sum(1) / len(off))
    return float((np.linalg.norm(off.mean(0), axis=1) / error).max())


@dataclass(frozen=True)
class Independent:
    """Baseline: n independent points, from the Christoffel density with its weights or uniform with weight 1."""

    optimal: bool = True

    def sample(self, phi: Array, n: int, repetitions: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], Array]:
        """Return nodes (R, n) and weights (R, n)."""
        if not self.optimal:
            return rng.integers(len(phi), size=(repetitions, n)), np.ones((repetitions, n))
        density = christoffel(phi)
        chance = np.cumsum(density / density.sum())
        index = np.minimum(np.searchsorted(chance, rng.random((repetitions, n))), len(phi) - 1)
        return index, 1 / density[index]


ID = "numerics/point-sampling"
MODELS = [Model("iid-christoffel", ID, Independent), Model("iid-uniform", ID, Independent, {"optimal": False})]
METRICS = [
    Metric("error_ratio", error_ratio, ("ratios",), "down", "ratio", bounds=(1, np.inf)),
    Metric("median_error_ratio", median_error_ratio, ("ratios",), "down", "ratio", bounds=(1, np.inf)),
    Metric("unstable", unstable, ("lowest",), "down", "fraction", bounds=(0, 1)),
    Metric("bias", bias, ("off",), "down", "standard errors", bounds=(0, np.inf)),
]
SCHEMA = Schema("approximation", {"features": "float64[n,m]", "target": "float64[n]"}, own)
DATASETS = [
    Dataset("legendre-grid", SCHEMA.id, legendre, title="Legendre polynomials on an interval, synthetic"),
    Dataset("hyperbolic-cross", SCHEMA.id, cross, title="tensor Legendre polynomials on a square, synthetic"),
]
TASK = Task(
    ID,
    schema=SCHEMA.id,
    run=run,
    metrics=("error_ratio", "median_error_ratio", "unstable", "bias"),
    dataset="legendre-grid",
    title="Choose points for weighted least squares",
    contract="build() gives a sampler: sample(phi (N, m), n, repetitions, rng) returns nodes (R, n) int64 and weights "
    "(R, n) float64, the rows independent of each other.",
    budgets={"smoke": {}, "small": {}, "full": {}},
    baselines=("iid-christoffel", "iid-uniform"),
    conditions={"m": (5, 10, 20, 40), "points": RULES},
)
