"""Task numerics/linear-stream: choose the relaxation of SOR for each of a stream of linear systems, seeing only counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from assay import AssayError, Context, Dataset, Entrant, Metric, Model, Schema, Task
from numpy.typing import NDArray
from scipy import sparse

from assay_numerics.common import generator, no_source

OMEGAS = np.linspace(1.0, 1.95, 20)
TOLERANCE, CAP = 1e-8, 2000
LENGTHS = (300, 1000, 3000, 10_000, 30_000)
SIZES = {"smoke": (8, 100, 1000), "small": (20, 300, 30_000)}
"""Scale -> side of the grid, systems in the pool, length of the stream."""


@dataclass(frozen=True)
class Stream:
    """A stream of systems by what SOR costs on each.

    `iterations` (T, d) are those that SOR needs with each of `omegas` (d,) (the cap where it does not converge),
    `context` (T,) the number that a contextual policy sees. `side` is that of the grid, 0 where there is none.
    """

    iterations: NDArray[np.int64]
    context: NDArray[np.float64]
    omegas: NDArray[np.float64]
    side: int = 0


def coupling(side: int) -> tuple[sparse.csr_matrix, NDArray[np.int64], NDArray[np.int64]]:
    """Return the 5-point adjacency from black to red nodes of a square grid, and the nodes of each colour."""
    line = sparse.diags([1.0, 1.0], [-1, 1], shape=(side, side))
    adjacency = sparse.csr_matrix(sparse.kron(line, sparse.identity(side)) + sparse.kron(sparse.identity(side), line))
    colour = np.add.outer(np.arange(side), np.arange(side)).ravel() % 2
    red, black = np.flatnonzero(colour == 0), np.flatnonzero(colour == 1)
    return adjacency[red][:, black], red, black


def sor_iterations(shifts: NDArray[np.float64], b: NDArray[np.float64], omega: float) -> NDArray[np.int64]:
    """Return the sweeps of SOR from 0 until ||b - A x|| <= TOLERANCE ||b||, (M,), for A = Laplacian + shift I.

    (D/omega + L) x_new = b - (U + (1 - 1/omega) D) x with the nodes in red-black order, which is consistent in the
    sense of Young, so that his formula holds as it does for the natural order. shifts (M,), b (M, side^2).
    """
    side = int(np.sqrt(b.shape[1]))
    to_red, red, black = coupling(side)
    to_black = sparse.csr_matrix(to_red.T)
    count = np.full(len(shifts), CAP)
    left = np.arange(len(shifts))
    diagonal, b_red, b_black = 4 + shifts, b[:, red].T.copy(), b[:, black].T.copy()
    x_red, x_black = np.zeros_like(b_red), np.zeros_like(b_black)
    target = (TOLERANCE * np.linalg.norm(b, axis=1)) ** 2
    from_black = to_red @ x_black
    for sweep in range(1, CAP + 1):
        x_red += omega * ((b_red + from_black) / diagonal - x_red)
        from_red = to_black @ x_red
        x_black += omega * ((b_black + from_red) / diagonal - x_black)
        from_black = to_red @ x_black
        residual = ((b_red + from_black - diagonal * x_red) ** 2).sum(0)
        residual += ((b_black + from_red - diagonal * x_black) ** 2).sum(0)
        done = residual <= target
        if done.any():
            count[left[done]] = sweep
            keep = ~done
            left, diagonal, target = left[keep], diagonal[keep], target[keep]
            b_red, b_black, x_red, x_black, from_black = (
                np.ascontiguousarray(a[:, keep]) for a in (b_red, b_black, x_red, x_black, from_black)
            )
            if not len(left):
                break
    return count


def _drawn(name: str, alpha: float, beta: float, seed: int, scale: str, source: str | None) -> Stream:
    no_source(name, scale, source)
    side, pool, length = SIZES[scale]
    rng = generator(seed, name)
    shifts = 0.5 * rng.beta(alpha, beta, pool)
    b = np.clip(rng.standard_normal((pool, side * side)), -2, 2)
    costs = np.stack([sor_iterations(shifts, b, omega) for omega in OMEGAS], axis=1)
    drawn = rng.integers(pool, size=length)
    return Stream(costs[drawn], shifts[drawn], OMEGAS, side)


def shifted_laplacian(seed: int, scale: str, source: str | None = None) -> Stream:
    """Return systems A_t = 5-point Laplacian + c_t I (diagonal 4 + c_t), c_t ~ Beta(2, 6) / 2, truncated normal b_t.

    The stream draws with replacement from a pool of systems, so that SOR is run once for each and omega. Grid, pool
    and length: 8 x 8, 100, 1,000 at smoke; 20 x 20, 300, 30,000 at small.
    """
    return _drawn("shifted-laplacian", 2.0, 6.0, seed, scale, source)


def widely_shifted_laplacian(seed: int, scale: str, source: str | None = None) -> Stream:
    """Return the same with c_t ~ Beta(1/2, 3/2) / 2: many shifts near 0, where the best omega moves most."""
    return _drawn("widely-shifted-laplacian", 0.5, 1.5, seed, scale, source)


def own(arrays: Mapping[str, Any], rng: np.random.Generator) -> Stream:
    """Return a user's table of costs as a stream in the order of the file."""
    del rng
    return Stream(arrays["iterations"], arrays["context"], arrays["omegas"])


def run(entrant: Entrant, data: Stream, ctx: Context) -> Mapping[str, Any]:
    """Let the policy choose an omega for each system and tell it that system's iterations, and nothing else.

    Evaluated after each of LENGTHS, so that one run gives the curve over the length of the stream.
    """
    low, high = float(data.context.min()), float(data.context.max())
    policy = entrant.build(omegas=data.omegas, shifts=(low, high), side=data.side, rng=ctx.rng("policy"))
    if isinstance(policy, Oracle):
        policy.look(data)
    costs, contexts = data.iterations.tolist(), data.context.tolist()
    paid = np.empty(len(costs))
    with ctx.timer("fit"):
        for t, (row, context) in enumerate(zip(costs, contexts, strict=True)):
            arm = policy.choose(context)
            paid[t] = row[arm]
            policy.update(arm, row[arm])
    if not np.isfinite(paid).all():
        raise AssayError(f"{entrant.id}: a cost of the stream is not finite")

    def fields(length: int) -> dict[str, Any]:
        return {"paid": paid[:length], "costs": data.iterations[:length]}

    conditions = [({"rounds": n}, fields(n)) for n in LENGTHS if n <= len(paid)]
    return {"module": policy, **fields(len(paid)), "conditions": conditions}


def mean_iterations(outcome: Mapping[str, Any]) -> float:
    """Mean number of iterations a system."""
    return float(outcome["paid"].mean())


def excess_over_best_fixed(outcome: Mapping[str, Any]) -> float:
    """Mean iterations relative to the best fixed omega of the grid in hindsight, minus 1."""
    return float(outcome["paid"].mean() / outcome["costs"].mean(0).min() - 1)


def excess_over_instance_optimal(outcome: Mapping[str, Any]) -> float:
    """Mean iterations relative to the best omega of each system in hindsight, minus 1."""
    return float(outcome["paid"].mean() / outcome["costs"].min(1).mean() - 1)


@dataclass
class Fixed:
    """Baseline: always the omega of the grid that is nearest to the one given (1 is Gauss-Seidel)."""

    omegas: NDArray[np.float64]
    shifts: tuple[float, float]
    side: int
    rng: np.random.Generator
    omega: float = 1.0

    def choose(self, context: float) -> int:
        """Return the arm."""
        del context
        return int(np.abs(self.omegas - self.omega).argmin())

    def update(self, arm: int, iterations: int) -> None:
        """Learn nothing."""


@dataclass
class Oracle:
    """Baseline in hindsight: the best fixed omega, or with `each` the best omega of every system."""

    omegas: NDArray[np.float64]
    shifts: tuple[float, float]
    side: int
    rng: np.random.Generator
    each: bool = False

    def look(self, stream: Stream) -> None:
        """See the whole stream, as no entrant may."""
        costs = stream.iterations
        best = costs.argmin(1) if self.each else np.full(len(costs), costs.sum(0).argmin())
        self._best = iter(best.tolist())

    def choose(self, context: float) -> int:
        """Return the arm."""
        del context
        return next(self._best)

    def update(self, arm: int, iterations: int) -> None:
        """Learn nothing."""


ID = "numerics/linear-stream"
MODELS = [
    Model("gauss-seidel", ID, Fixed),
    Model("best-fixed-omega", ID, Oracle),
    Model("instance-optimal-omega", ID, Oracle, {"each": True}),
]
METRICS = [
    Metric("mean_iterations", mean_iterations, ("paid",), "down", "iterations", bounds=(0, np.inf)),
    Metric("excess_over_best_fixed", excess_over_best_fixed, ("paid", "costs"), "down", "relative"),
    Metric("excess_over_instance_optimal", excess_over_instance_optimal, ("paid", "costs"), "down", "relative"),
]
SCHEMA = Schema("solver-costs", {"iterations": "int64[n,d]", "context": "float64[n]", "omegas": "float64[d]"}, own)
DATASETS = [
    Dataset("shifted-laplacian", SCHEMA.id, shifted_laplacian, title="shifted 5-point Laplacians, synthetic"),
    Dataset(
        "widely-shifted-laplacian", SCHEMA.id, widely_shifted_laplacian, title="the same, shifts near 0, synthetic"
    ),
]
TASK = Task(
    ID,
    schema=SCHEMA.id,
    run=run,
    metrics=("mean_iterations", "excess_over_best_fixed", "excess_over_instance_optimal"),
    dataset="shifted-laplacian",
    title="Set a solver's parameter over a stream of linear systems",
    contract="build(omegas (d,), shifts (low, high), side, rng) gives a policy: choose(context) returns the arm, an index "
    "into omegas, and update(arm, iterations) tells what it cost. side is that of the grid, 0 where there is none.",
    budgets={"smoke": {}, "small": {}, "full": {}},
    baselines=("gauss-seidel", "best-fixed-omega", "instance-optimal-omega"),
    conditions={"rounds": LENGTHS},
)
