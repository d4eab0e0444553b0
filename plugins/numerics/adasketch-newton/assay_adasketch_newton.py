"""AdaSketch-Newton (Hong et al., 2023, arXiv:2305.18379): Newton steps solved inexactly by random sketches of their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from assay import Claim, Context, Metric, Model, Paper, hookimpl, score
from assay_numerics.equality_nlp import Array, Problem, Trace, armijo, convexified, kkt, newton_matrix

NU, BETA = 1.5, 0.1
PATIENCE = {"rows": 20_000, "gaussian": 2_000}
"""Sketches an outer iteration at most; the step is then taken as it is."""


@dataclass
class Merit:
    """The exact augmented Lagrangian L + eta1/2 |c|^2 + eta2/2 |G grad_x L|^2 of x and lambda together (eq. 5)."""

    problem: Problem
    eta1: float = 1.0
    eta2: float = 0.1

    def value(self, x: Array, lam: Array) -> float:
        """Return the merit."""
        f, c = self.problem.values(x)
        gradient, jacobian = self.problem.slopes(x)
        v = jacobian @ (gradient + jacobian.T @ lam)
        return float(f + lam @ c + self.eta1 / 2 * c @ c + self.eta2 / 2 * v @ v)

    def gradient(self, x: Array, lam: Array) -> Array:
        """Return its gradient (n + m,), with v = G grad_x L and dv = G H_L + (H_ci grad_x L)_i."""
        g, jacobian = kkt(self.problem, x, lam)
        objective, constraints = self.problem.hessians(x)
        slope, c = g[: len(x)], g[len(x) :]
        v = jacobian @ slope
        dv = jacobian @ (objective + np.tensordot(lam, constraints, 1)) + constraints @ slope
        along_x = slope + self.eta1 * jacobian.T @ c + self.eta2 * dv.T @ v
        return np.concatenate([along_x, c + self.eta2 * jacobian @ (jacobian.T @ v)])


@dataclass
class Sketch:
    """Sketch-and-project for Gamma z = -g: z <- z - Gamma' S (S' Gamma Gamma' S)^+ S' (Gamma z + g), eq. 8.

    S is one row drawn by its squared norm (randomised Kaczmarz) or `columns` Gaussian vectors. Iterates are kept as
    z = Gamma' y, which leaves them the same and gives the residual at every step; operations are counted as for z.
    """

    matrix: Array
    g: Array
    columns: int
    rng: np.random.Generator
    trace: Trace

    def __post_init__(self) -> None:
        self.gram = self.matrix @ self.matrix.T
        self.y, self.residual = np.zeros(len(self.g)), self.g.copy()
        self.chance = np.cumsum(np.diag(self.gram)) / np.trace(self.gram)
        self.used, self.patience = 0, PATIENCE["gaussian" if self.columns else "rows"]

    def until(self, target: float) -> None:
        """Project until ||Gamma z + g|| <= target, or patience is lost."""
        while np.linalg.norm(self.residual) > target and self.used < self.patience:
            if self.columns:
                self._gaussian()
            else:
                self._rows(len(self.g))

    def _rows(self, count: int) -> None:
        diagonal, size = np.diag(self.gram), len(self.g)
        drawn = np.minimum(np.searchsorted(self.chance, self.rng.random(count)), size - 1)
        for i in drawn.tolist():
            if diagonal[i] > 0:
                step = self.residual[i] / diagonal[i]
                self.y[i] -= step
                self.residual -= step * self.gram[i]
        self.used += count
        self.trace.add(4 * size * count + 2 * size * size)  # two passes a row, one look at the residual

    def _gaussian(self) -> None:
        size = len(self.g)
        s = self.rng.standard_normal((size, min(self.columns, size)))
        image = self.gram @ s
        change = s @ (np.linalg.pinv(s.T @ image, hermitian=True) @ (s.T @ self.residual))
        self.y -= change
        self.residual -= self.gram @ change
        self.used += 1
        self.trace.add(4 * size * size * s.shape[1] + 2 * size * size)

    @property
    def z(self) -> Array:
        """The step so far."""
        return self.matrix.T @ self.y


@dataclass
class AdaSketchNewton:
    """Algorithm 1. `tight` sharpens theta to min(1, |g|); `adaptive` False keeps eta and delta as they start."""

    tight: bool = False
    adaptive: bool = True
    columns: int = 0
    sketches: list[int] = field(default_factory=list, init=False)

    def solve(
        self, problem: Problem, tolerance: float, iterations: int, trace: Trace, rng: np.random.Generator
    ) -> Array:
        """Return the last iterate."""
        x, merit, delta = problem.start.copy(), Merit(problem), 0.1
        lam = np.zeros(len(problem.values(x)[1]))
        for _ in range(iterations):
            g, jacobian = kkt(problem, x, lam)
            size = float(np.linalg.norm(g))
            trace.kkt.append(size)
            if size <= tolerance or not np.isfinite(size):
                break
            sketch = Sketch(
                newton_matrix(convexified(problem, x, lam, jacobian), jacobian), g, self.columns, rng, trace
            )
            theta = min(1.0, size) if self.tight else 1.0
            while True:
                sketch.until(theta * delta * size)  # accuracy condition, eq. 10
                slope = float(merit.gradient(x, lam) @ sketch.z)
                if slope <= -merit.eta2 / 2 * size**2 or not self.adaptive or sketch.used >= sketch.patience:
                    break  # descent condition, eq. 11
                merit.eta1, merit.eta2, delta = merit.eta1 * NU**2, merit.eta2 / NU, delta / NU**4
            self.sketches.append(sketch.used)
            dx, dlam = sketch.z[: len(x)], sketch.z[len(x) :]

            def along(a: float, x: Array = x, lam: Array = lam, dx: Array = dx, dlam: Array = dlam) -> float:
                return merit.value(x + a * dx, lam + a * dlam)

            step = armijo(along, slope, BETA) if slope < 0 else 0.0
            if step == 0.0:
                break
            trace.steps.append(step)
            x, lam = x + step * dx, lam + step * dlam
        return x

    def report(self, data: Any, ctx: Context) -> Mapping[str, Any]:
        """Return the mean number of sketches an outer iteration."""
        return {"sketches": float(np.mean(self.sketches))} if self.sketches else {}


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants."""
    task = "numerics/equality-nlp"
    return [
        Model("adasketch-newton", task, AdaSketchNewton),
        Model("adasketch-newton-tight", task, AdaSketchNewton, {"tight": True}),
        Model("adasketch-newton-gaussian", task, AdaSketchNewton, {"columns": 5}),
        Model("adasketch-newton-no-adapt", task, AdaSketchNewton, {"adaptive": False}, ablates="adasketch-newton"),
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the inner work."""
    return [Metric("sketches", lambda o: o["sketches"], ("sketches",), "down", "sketches", bounds=(0, np.inf))]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    task = "numerics/equality-nlp"
    ratio, units, solved = (score(name, task=task) for name in ("last_ratio", "unit_steps", "solved"))
    far = {"dataset": "far-starts"}
    return [
        Paper(
            "adasketch-newton",
            title="Constrained Optimization via Exact Augmented Lagrangian and Randomized Iterative Sketching",
            year=2023,
            arxiv="2305.18379",
            family="numerics",
            notes="adaptivity-needed: adapting solves 0.19 [0.07, 0.31] more of the problems from far away (10 seeds, the "
            "catalogue's number), above 0 for sure and above the margin of 0.1 not. What stays unsolved has condition numbers "
            "of 1e3 and more, at which 20,000 row sketches do not reach the accuracy asked for. Near the usual starts "
            "the ablation differs on HS27 (unsolved without adapting), and hardly elsewhere. "
            "scipy's trust-constr solves all eight problems and all but one of the far starts: nothing here overtakes it. "
            "In operations row sketches overtake a dense solve at order 1,280 (1.16 against 1.40 GFLOP) for an accuracy of "
            "0.1 and a condition of 32; for 0.001 they do not up to 1,280 (9.7 GFLOP), and at the sizes of these problems "
            "they cost 20 to 200 times more (benchmarks/overtaking.py).",
            claims=[
                Claim(
                    "superlinear-when-tightened",
                    (ratio("adasketch-newton") - ratio("adasketch-newton-tight") > 0.01)
                    & (ratio("adasketch-newton-tight") < 0.2),
                    says="Local convergence is linear, and superlinear when the accuracy condition is sharpened.",
                    published="proved",
                ),
                Claim(
                    "unit-step-admissible",
                    units("adasketch-newton") > 0.95,
                    says="A unit step is accepted locally.",
                    published="proved",
                ),
                Claim(
                    "adaptivity-needed",
                    solved("adasketch-newton", **far) - solved("adasketch-newton-no-adapt", **far) > 0.1,
                    says="Adapting penalty and accuracy yields convergence from far away.",
                    published="proved",
                    seeds=10,
                ),
            ],
        )
    ]
