"""Weighted least squares with determinantal point processes (Nouy and Michel, 2023, arXiv:2312.14057)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from assay import Claim, Model, Paper, hookimpl, score
from assay_numerics.point_sampling import christoffel
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]
STABLE = 0.5
"""Smallest eigenvalue 1 - delta that a conditioned draw must reach."""
REDRAWS = 1000
"""Draws after which a conditioned sampler gives up and raises."""


def projection_dpp(phi: Array, repetitions: int, rng: np.random.Generator) -> Index:
    """Return `repetitions` draws (R, m) of the projection DPP with kernel phi(x)' phi(y) on the nodes of phi (N, m).

    The chain rule of sec. 3: x_1 has density ||phi||^2 / m, and x_k that of the squared distance of phi(x) to
    span{phi(x_1), .., phi(x_{k-1})}, kept by Gram-Schmidt, which is exact on a finite set of nodes.
    """
    nodes, m = phi.shape
    left = np.repeat((phi**2).sum(1)[None], repetitions, axis=0)  # squared distances, (R, N)
    basis = np.zeros((repetitions, m, m))
    drawn = np.empty((repetitions, m), dtype=np.int64)
    rows = np.arange(repetitions)
    for k in range(m):
        chance = left.cumsum(1)
        at = rng.random(repetitions)[:, None] * chance[:, -1:]
        drawn[:, k] = np.minimum((chance <= at).sum(1), nodes - 1)
        new = phi[drawn[:, k]]
        for _ in range(2):  # the second pass mends what rounding leaves of the first
            new = new - np.einsum("rkm,rk->rm", basis[:, :k], np.einsum("rkm,rm->rk", basis[:, :k], new))
        new /= np.linalg.norm(new, axis=1, keepdims=True)
        basis[:, k] = new
        left = np.maximum(left - (new @ phi.T) ** 2, 0)
        left[rows, drawn[:, k]] = 0
    return drawn


def independent(phi: Array, n: int, repetitions: int, rng: np.random.Generator) -> Index:
    """Return i.i.d. nodes (R, n) from the density ||phi||^2 / m."""
    chance = np.cumsum(christoffel(phi))
    return np.minimum(np.searchsorted(chance, rng.random((repetitions, n)) * chance[-1]), len(phi) - 1)


def volume(phi: Array, n: int, repetitions: int, rng: np.random.Generator) -> Index:
    """Return volume-rescaled samples (R, n): density det G(x) with respect to i.i.d. points, for n >= m (sec. 4).

    It is that of a projection DPP of m points with n - m independent ones beside it. The order plays no part here.
    """
    parts = [projection_dpp(phi, repetitions, rng), independent(phi, n - phi.shape[1], repetitions, rng)]
    return np.concatenate(parts, axis=1)


def repeated(phi: Array, n: int, repetitions: int, rng: np.random.Generator) -> Index:
    """Return n // m independent DPPs together, and what n leaves over independently (sec. 5)."""
    m = phi.shape[1]
    parts = [projection_dpp(phi, repetitions, rng) for _ in range(n // m)]
    return np.concatenate([*parts, independent(phi, n % m, repetitions, rng)], axis=1)


SAMPLERS = {"volume": volume, "repeated": repeated, "independent": independent}


@dataclass
class Sampler:
    """Points by one of SAMPLERS, with weights m / ||phi||^2.

    `conditioned` redraws until lambda_min(G) >= 1/2 (sec. 4.3), given at least 4m points: with fewer hardly any passes.
    """

    points: str = "volume"
    conditioned: bool = False

    def sample(self, phi: Array, n: int, repetitions: int, rng: np.random.Generator) -> tuple[Index, Array]:
        """Return nodes (R, n) and weights (R, n)."""
        draw, density = SAMPLERS[self.points], christoffel(phi)
        index = draw(phi, n, repetitions, rng)
        if not self.conditioned or n < 4 * phi.shape[1]:
            return index, 1 / density[index]
        bad = np.flatnonzero(lowest(phi, density, index) < STABLE)
        for _ in range(REDRAWS):
            if not len(bad):
                return index, 1 / density[index]
            index[bad] = draw(phi, n, len(bad), rng)
            bad = bad[lowest(phi, density, index[bad]) < STABLE]
        raise RuntimeError(f"{len(bad)} of {repetitions} draws of {n} points are still unstable after {REDRAWS}")


def lowest(phi: Array, density: Array, index: Index) -> Array:
    """Return the smallest eigenvalue of the weighted Gram matrix of each draw, (R,)."""
    rows = phi[index] / np.sqrt(density[index] * index.shape[1])[..., None]
    return np.linalg.eigvalsh(np.swapaxes(rows, 1, 2) @ rows)[:, 0]


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants."""
    task, knobs = "numerics/point-sampling", {"points": tuple(SAMPLERS), "conditioned": (False, True)}
    return [
        Model("volume-sampling-ls", task, Sampler, knobs=knobs),
        Model("repeated-dpp-ls", task, Sampler, {"points": "repeated"}),
        Model("dpp-conditioned-ls", task, Sampler, {"points": "repeated", "conditioned": True}),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    task = "numerics/point-sampling"
    bias, unstable, error = (score(metric, task=task) for metric in ("bias", "unstable", "error_ratio"))
    few, enough = {"dataset": "hyperbolic-cross", "m": 10, "points": "2m"}, {"points": "2m log m"}
    return [
        Paper(
            "dpp-least-squares",
            title="Weighted least-squares approximation with determinantal point processes and generalized volume sampling",
            year=2023,
            arxiv="2312.14057",
            family="numerics",
            notes="unbiased is inconclusive because of its first bound: the bias is 1.27 [0.92, 1.61] standard errors, the "
            "largest of three targets, of which 1.2 is what an unbiased sampler shows; 5 seeds do not put that below 1.5. That "
            "independent points and repeated DPPs have a larger bias is clear, and the theorem itself is tested exactly by "
            "enumeration on six nodes. Overtaking: repeated DPPs are stable in nine draws of ten with n = 4m points at m = 5 "
            "and 8m at m = 40, independent points with 12m and 22m: ahead at every size measured. Volume-rescaled samples "
            "need 10m and 21m: they mend the bias and hardly the stability (benchmarks/overtaking.py). At 2m log m points the "
            "independent baseline is within the same constant, so that the third claim alone would not set the paper apart.",
            claims=[
                Claim(
                    "unbiased",
                    (bias("volume-sampling-ls", **few) < 1.5)
                    & (bias("iid-christoffel", **few) - bias("volume-sampling-ls", **few) > 1)
                    & (bias("repeated-dpp-ls", **few) - bias("volume-sampling-ls", **few) > 0.5),
                    says="The projection is unbiased at any n with volume-rescaled samples, not with independent points or DPPs.",
                    published="proved",
                ),
                Claim(
                    "fewer-samples",
                    (
                        unstable("iid-christoffel", m=10, points="3m") - unstable("repeated-dpp-ls", m=10, points="3m")
                        > 0.2
                    )
                    & (error("iid-christoffel", m=10, points="3m") / error("repeated-dpp-ls", m=10, points="3m") > 1),
                    says="Repeated projection DPPs are stable with far fewer samples than independent points.",
                    seeds=10,
                ),
                Claim(
                    "quasi-optimal-mlogm",
                    (error("volume-sampling-ls", m=10, **enough) < 2.5)
                    & (error("volume-sampling-ls", m=20, **enough) < 2.5)
                    & (error("volume-sampling-ls", m=40, **enough) < 2.5),
                    says="With n = O(m log m) points the expected error is within a constant of the best approximation.",
                    published="proved, the constant not given here",
                ),
            ],
        )
    ]
