"""Task numerics/equality-nlp: minimise a smooth function under equality constraints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from assay import AssayError, Context, Dataset, Entrant, Metric, Model, Task
from numpy.typing import NDArray

from assay_numerics.common import generator, no_source

Array = NDArray[np.float64]
TOLERANCE, FLOOR, UNSOLVED = 1e-6, 1e-12, 1e12
"""KKT residual to reach, residual below which rounding rules, operations that an unsolved problem is charged."""


class Problem(Protocol):
    """min f(x) subject to c(x) = 0, in float64."""

    name: str
    start: Array

    def values(self, x: Array) -> tuple[float, Array]:
        """Return f and c (m,)."""

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """Return the gradient (n,) and the Jacobian (m, n)."""

    def hessians(self, x: Array) -> tuple[Array, Array]:
        """Return the Hessians of f (n, n) and of the constraints (m, n, n)."""


class Jet:
    """A number with its gradient and Hessian: second-order forward differentiation by operator overloading."""

    def __init__(self, value: float, gradient: Array, hessian: Array) -> None:
        self.value, self.gradient, self.hessian = value, gradient, hessian

    def _with(self, value: float, first: float, second: float) -> Jet:
        outer = np.outer(self.gradient, self.gradient)
        return Jet(value, first * self.gradient, first * self.hessian + second * outer)

    def __add__(self, other: Jet | float) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.value + other, self.gradient, self.hessian)
        return Jet(self.value + other.value, self.gradient + other.gradient, self.hessian + other.hessian)

    def __mul__(self, other: Jet | float) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.value * other, self.gradient * other, self.hessian * other)
        cross = np.outer(self.gradient, other.gradient)
        return Jet(
            self.value * other.value,
            self.value * other.gradient + other.value * self.gradient,
            self.value * other.hessian + other.value * self.hessian + cross + cross.T,
        )

    def __pow__(self, power: int) -> Jet:
        v = self.value
        return self._with(
            v**power, power * v ** (power - 1), power * (power - 1) * v ** (power - 2) if power > 1 else 0
        )

    def log(self) -> Jet:
        """Return the logarithm."""
        return self._with(float(np.log(self.value)), 1 / self.value, -1 / self.value**2)

    def __neg__(self) -> Jet:
        return self * -1.0

    def __sub__(self, other: Jet | float) -> Jet:
        return self + -1.0 * other

    def __rsub__(self, other: float) -> Jet:
        return -self + other

    __radd__, __rmul__ = __add__, __mul__


@dataclass(frozen=True)
class Formulas:
    """A problem written down: `terms(x)` returns the objective and the constraints of a list of jets."""

    name: str
    start: Array
    terms: Callable[[Sequence[Jet]], tuple[Jet, list[Jet]]]
    optimum: float = float("nan")

    def _at(self, x: Array) -> tuple[Jet, list[Jet]]:
        zero = np.zeros((len(x), len(x)))
        return self.terms([Jet(float(v), row, zero) for v, row in zip(x, np.eye(len(x)), strict=True)])

    def values(self, x: Array) -> tuple[float, Array]:
        """Return f and c (m,)."""
        f, c = self._at(x)
        return f.value, np.array([jet.value for jet in c])

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """Return the gradient (n,) and the Jacobian (m, n)."""
        f, c = self._at(x)
        return f.gradient, np.stack([jet.gradient for jet in c])

    def hessians(self, x: Array) -> tuple[Array, Array]:
        """Return the Hessians of f (n, n) and of the constraints (m, n, n)."""
        f, c = self._at(x)
        return f.hessian, np.stack([jet.hessian for jet in c])


def _hs(number: int, start: Sequence[float], optimum: float, terms: Any) -> Formulas:
    return Formulas(f"HS{number}", np.array(start, dtype=float), terms, optimum)


HOCK_SCHITTKOWSKI = (
    _hs(6, (-1.2, 1), 0, lambda x: ((1 - x[0]) ** 2, [10 * (x[1] - x[0] ** 2)])),
    _hs(7, (2, 2), -(3**0.5), lambda x: ((1 + x[0] ** 2).log() - x[1], [(1 + x[0] ** 2) ** 2 + x[1] ** 2 - 4])),
    _hs(27, (2, 2, 2), 0.04, lambda x: (0.01 * (x[0] - 1) ** 2 + (x[1] - x[0] ** 2) ** 2, [x[0] + x[2] ** 2 + 1])),
    _hs(28, (-4, 1, 1), 0, lambda x: ((x[0] + x[1]) ** 2 + (x[1] + x[2]) ** 2, [x[0] + 2 * x[1] + 3 * x[2] - 1])),
    _hs(39, (2,) * 4, -1, lambda x: (-x[0], [x[1] - x[0] ** 3 - x[2] ** 2, x[0] ** 2 - x[1] - x[3] ** 2])),
    _hs(
        40,
        (0.8,) * 4,
        -0.25,
        lambda x: (
            -(x[0] * x[1] * x[2] * x[3]),
            [x[0] ** 3 + x[1] ** 2 - 1, x[0] ** 2 * x[3] - x[2], x[3] ** 2 - x[1]],
        ),
    ),
    _hs(
        48,
        (3, 5, -3, 2, -2),
        0,
        lambda x: (
            (x[0] - 1) ** 2 + (x[1] - x[2]) ** 2 + (x[3] - x[4]) ** 2,
            [x[0] + x[1] + x[2] + x[3] + x[4] - 5, x[2] - 2 * (x[3] + x[4]) + 3],
        ),
    ),
    _hs(
        78,
        (-2, 1.5, 2, -1, -1),
        -2.91970041,
        lambda x: (
            x[0] * x[1] * x[2] * x[3] * x[4],
            [
                x[0] ** 2 + x[1] ** 2 + x[2] ** 2 + x[3] ** 2 + x[4] ** 2 - 10,
                x[1] * x[2] - 5 * x[3] * x[4],
                x[0] ** 3 + x[1] ** 3 + 1,
            ],
        ),
    ),
)
"""Problems of Hock and Schittkowski (1981) with their usual starts and known optima."""


@dataclass(frozen=True)
class Logistic:
    """Mean logistic loss of rows (N, n) with labels +-1, subject to A x = b and |x|^2 = 1."""

    name: str
    start: Array
    rows: Array
    labels: Array
    a: Array
    b: Array

    def _margins(self, x: Array) -> tuple[Array, Array]:
        margin = self.labels * (self.rows @ x)
        return margin, 1 / (1 + np.exp(margin))

    def values(self, x: Array) -> tuple[float, Array]:
        """Return f and c (m,)."""
        return float(np.logaddexp(0, -self._margins(x)[0]).mean()), np.append(self.a @ x - self.b, x @ x - 1)

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """Return the gradient (n,) and the Jacobian (m, n)."""
        miss = self._margins(x)[1]
        return -(miss * self.labels) @ self.rows / len(self.rows), np.vstack([self.a, 2 * x])

    def hessians(self, x: Array) -> tuple[Array, Array]:
        """Return the Hessians of f (n, n) and of the constraints (m, n, n)."""
        miss = self._margins(x)[1]
        curved = np.zeros((len(self.b) + 1, len(x), len(x)))
        curved[-1] = 2 * np.eye(len(x))
        return (self.rows.T * (miss * (1 - miss))) @ self.rows / len(self.rows), curved


def hock_schittkowski(seed: int, scale: str, source: str | None = None) -> tuple[Problem, ...]:
    """Return HS6, 7, 27, 28, 39, 40, 48 and 78 from their usual starts, moved by N(0, 0.1) so that seeds differ.

    HS6, HS27 and HS28 alone at smoke: HS27 is not solved without a penalty that adapts.
    """
    return _moved("hock-schittkowski", 0.1, seed, scale, source)


def far_starts(seed: int, scale: str, source: str | None = None) -> tuple[Problem, ...]:
    """Return the same problems with starts moved by N(0, 3)."""
    return _moved("far-starts", 3.0, seed, scale, source)


def _moved(name: str, spread: float, seed: int, scale: str, source: str | None) -> tuple[Problem, ...]:
    no_source(name, scale, source)
    rng = generator(seed, name)
    chosen = [p for p in HOCK_SCHITTKOWSKI if scale == "small" or p.name in ("HS6", "HS27", "HS28")]
    starts = [p.start + spread * rng.standard_normal(len(p.start)) for p in chosen]
    return tuple(Formulas(p.name, s, p.terms, p.optimum) for p, s in zip(chosen, starts, strict=True))


def constrained_logistic(seed: int, scale: str, source: str | None = None) -> tuple[Problem, ...]:
    """Return logistic regression on standardised breast cancer data under 10 random linear constraints and |x| = 1.

    569 rows of 30 features at small, 100 rows at smoke. b = A u for a random unit vector u, so that points are feasible.
    """
    no_source("constrained-logistic", scale, source)
    from sklearn.datasets import load_breast_cancer  # takes a second to import: only who needs it pays

    rng = generator(seed, "constrained-logistic")
    rows, labels = load_breast_cancer(return_X_y=True)
    rows = (rows - rows.mean(0)) / rows.std(0)
    kept = rng.permutation(len(rows))[: 100 if scale == "smoke" else None]
    n = rows.shape[1]
    a, u, start = (rng.standard_normal(size) for size in ((10, n), n, n))
    problem = Logistic(
        "breast-cancer",
        start / np.linalg.norm(start),
        rows[kept],
        np.where(labels[kept] == 1, 1.0, -1.0),
        a,
        a @ (u / np.linalg.norm(u)),
    )
    return (problem,)


@dataclass
class Trace:
    """What a solver did: `kkt` holds ||[grad_x L; c]|| at every outer iterate, `steps` the accepted step lengths.

    `operations` is counted by the solver through `add`: 2 a multiply-add, 2/3 k^3 a dense solve of order k.
    """

    kkt: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    operations: float = 0.0

    def add(self, count: float) -> None:
        """Count floating-point operations of linear algebra (function evaluations are not counted)."""
        self.operations += count


def kkt(problem: Problem, x: Array, lam: Array) -> tuple[Array, Array]:
    """Return [grad_x L; c] (n + m,) and the Jacobian (m, n)."""
    gradient, jacobian = problem.slopes(x)
    return np.concatenate([gradient + jacobian.T @ lam, problem.values(x)[1]]), jacobian


def convexified(problem: Problem, x: Array, lam: Array, jacobian: Array) -> Array:
    """Return the Hessian of L plus t I, t doubled from 1e-3 until it exceeds 1e-4 on the null space of the Jacobian."""
    objective, constraints = problem.hessians(x)
    hessian = objective + np.tensordot(lam, constraints, 1)
    _, singular, rows = np.linalg.svd(jacobian)
    null = rows[int((singular > 1e-10).sum()) :].T
    if null.shape[1]:
        low = np.linalg.eigvalsh(null.T @ hessian @ null)[0]
        if low <= 1e-4:
            shift = 1e-3
            while low + shift <= 1e-4:
                shift *= 2
            hessian = hessian + shift * np.eye(len(x))
    return hessian


def newton_matrix(hessian: Array, jacobian: Array) -> Array:
    """Return [[B, G'], [G, 0]]."""
    m = len(jacobian)
    return np.block([[hessian, jacobian.T], [jacobian, np.zeros((m, m))]])


def run(entrant: Entrant, data: Sequence[Problem], ctx: Context) -> Mapping[str, Any]:
    """Solve every problem from its start with multipliers 0, to a KKT residual of TOLERANCE within the budget.

    A solver with `counts` False (a library) tells its residuals alone, not its operations and steps.
    """
    solver = entrant.build()
    traces = []
    for problem in data:
        trace = Trace()
        with ctx.timer("predict"), np.errstate(all="ignore"):  # a diverging run may overflow: it counts as unsolved
            solver.solve(problem, TOLERANCE, ctx.budget["iterations"], trace, ctx.rng(problem.name))
        if not trace.kkt:
            raise AssayError(f"{entrant.id} left no KKT residual of {problem.name} in its trace")
        traces.append(trace)
        for step, residual in enumerate(trace.kkt):
            ctx.log(step, **{problem.name: float(np.log10(max(residual, 1e-300)))})
    return {"module": solver, "traces": traces, **({"counted": traces} if getattr(solver, "counts", True) else {})}


def _done(trace: Trace) -> bool:
    return trace.kkt[-1] <= TOLERANCE


def solved(outcome: Mapping[str, Any]) -> float:
    """Share of problems solved."""
    return float(np.mean([_done(t) for t in outcome["traces"]]))


def operations_to_tolerance(outcome: Mapping[str, Any]) -> float:
    """Mean log10 of the operations spent; an unsolved problem counts as 1e12."""
    return float(
        np.mean([np.log10(max(1, t.operations)) if _done(t) else np.log10(UNSOLVED) for t in outcome["counted"]])
    )


def last_ratio(outcome: Mapping[str, Any]) -> float:
    """Median over solved problems of the median of the last three kkt_{k+1} / kkt_k, residuals below 1e-12 left out.

    1 when nothing was solved.
    """
    found = []
    for trace in filter(_done, outcome["traces"]):
        kept = [r for r in trace.kkt if r > FLOOR]
        ratios = [b / a for a, b in pairwise(kept)]
        if ratios:
            found.append(np.median(ratios[-3:]))
    return float(np.median(found)) if found else 1.0


def unit_steps(outcome: Mapping[str, Any]) -> float:
    """Share of steps of length 1 among the last five of each solved problem; 0 when nothing was solved."""
    shares = [np.mean([s == 1.0 for s in t.steps[-5:]]) for t in outcome["counted"] if _done(t) and t.steps]
    return float(np.mean(shares)) if shares else 0.0


def armijo(merit: Callable[[float], float], slope: float, beta: float = 0.1) -> float:
    """Return the first of 1, 1/2, 1/4, .. with merit(a) <= merit(0) + beta a slope; 0 when none to 2^-40 has."""
    start, step = merit(0.0), 1.0
    while step > 1e-12:
        value = merit(step)
        if np.isfinite(value) and value <= start + beta * step * slope + 1e-14 * abs(start):
            return step
        step /= 2
    return 0.0


@dataclass(frozen=True)
class ExactNewton:
    """Baseline: Newton's method with dense solves, and Armijo steps on f + mu |c|_1."""

    def solve(
        self, problem: Problem, tolerance: float, iterations: int, trace: Trace, rng: np.random.Generator
    ) -> Array:
        """Return the last iterate."""
        x = problem.start.copy()
        lam = np.zeros(len(problem.values(x)[1]))
        for _ in range(iterations):
            g, jacobian = kkt(problem, x, lam)
            trace.kkt.append(float(np.linalg.norm(g)))
            if trace.kkt[-1] <= tolerance or not np.isfinite(trace.kkt[-1]):
                break
            matrix = newton_matrix(convexified(problem, x, lam, jacobian), jacobian)
            trace.add(2 / 3 * len(g) ** 3)
            z = -np.linalg.lstsq(matrix, g, rcond=None)[0]
            dx, dlam = z[: len(x)], z[len(x) :]
            mu = 1.1 * np.abs(lam + dlam).max() + 1e-3

            def merit(step: float, x: Array = x, dx: Array = dx, mu: float = mu) -> float:
                f, c = problem.values(x + step * dx)
                return f + mu * float(np.abs(c).sum())

            slope = float(problem.slopes(x)[0] @ dx) - mu * float(np.abs(problem.values(x)[1]).sum())
            step = armijo(merit, min(slope, 0.0))
            if step == 0.0:
                break
            trace.steps.append(step)
            x, lam = x + step * dx, lam + step * dlam
        return x


@dataclass(frozen=True)
class TrustConstr:
    """Baseline: scipy.optimize.minimize(method="trust-constr") with all derivatives, its multipliers and its residuals."""

    counts: bool = False

    def solve(
        self, problem: Problem, tolerance: float, iterations: int, trace: Trace, rng: np.random.Generator
    ) -> Array:
        """Return the last iterate."""
        from scipy.optimize import NonlinearConstraint, minimize

        def watch(_: Array, state: Any) -> bool:
            trace.kkt.append(float(np.hypot(np.linalg.norm(state.lagrangian_grad), np.linalg.norm(state.constr[0]))))
            return trace.kkt[-1] <= tolerance

        found = minimize(
            lambda x: problem.values(x)[0],
            problem.start,
            method="trust-constr",
            jac=lambda x: problem.slopes(x)[0],
            hess=lambda x: problem.hessians(x)[0],
            constraints=NonlinearConstraint(
                lambda x: problem.values(x)[1],
                0,
                0,
                jac=lambda x: problem.slopes(x)[1],
                hess=lambda x, lam: np.tensordot(lam, problem.hessians(x)[1], 1),
            ),
            callback=watch,
            options={"maxiter": iterations, "gtol": tolerance / 10, "xtol": 1e-12},
        )
        return np.asarray(found.x)


ID = "numerics/equality-nlp"
MODELS = [Model("exact-newton-l1-merit", ID, ExactNewton), Model("scipy-trust-constr", ID, TrustConstr)]
METRICS = [
    Metric("solved", solved, ("traces",), "up", "fraction", bounds=(0, 1)),
    Metric("operations_to_tolerance", operations_to_tolerance, ("counted",), "down", "log10 FLOP"),
    Metric("last_ratio", last_ratio, ("traces",), "down", "ratio", bounds=(0, np.inf)),
    Metric("unit_steps", unit_steps, ("counted",), "up", "fraction", bounds=(0, 1)),
]
DATASETS = [
    Dataset(
        "hock-schittkowski",
        "equality-problems",
        hock_schittkowski,
        title="eight problems, usual starts",
        licence="published test problems",
    ),
    Dataset(
        "far-starts", "equality-problems", far_starts, title="the same from far away", licence="published test problems"
    ),
    Dataset(
        "constrained-logistic",
        "equality-problems",
        constrained_logistic,
        title="logistic regression under constraints",
        licence="BSD (scikit-learn)",
    ),
]
TASK = Task(
    ID,
    schema="equality-problems",
    run=run,
    metrics=("solved", "operations_to_tolerance", "last_ratio", "unit_steps"),
    dataset="hock-schittkowski",
    title="Minimise under equality constraints",
    contract="build() gives a solver: solve(problem, tolerance, iterations, trace, rng) leaves in the trace the KKT "
    "residual of every outer iterate, the step lengths, and the operations of its linear algebra.",
    budgets={"smoke": {"iterations": 50}, "small": {"iterations": 100}, "full": {"iterations": 1000}},
    baselines=("exact-newton-l1-merit", "scipy-trust-constr"),
)
