"""Task numerics/lyapunov: find a Lyapunov function of a planar polynomial field."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
from assay import Context, Dataset, Entrant, Metric, Model, Task
from numpy.typing import NDArray
from scipy.linalg import solve_continuous_lyapunov

from assay_numerics.common import generator, library, no_source

Polynomial = dict[tuple[int, int], float]
"""Coefficients by exponents of x and y; none is 0. Integers stay integers."""
Field = tuple[Polynomial, Polynomial]
Form = tuple[float, float, float, float, float]
"""a, b, c, d, e of V = a x^2 + b x y + c y^2 + d x^4 + e y^4."""
SIZES = {"smoke": (500, 20, 20), "small": (12_000, 300, 200)}
"""Scale -> backward pairs, forward pairs, test fields of each kind."""
CANDIDATES = 10
PROBES = tuple((r * x, r * y) for r in (1.0, 0.05, 20.0) for x, y in ((1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (1, -2)))
"""Points at which a descent is looked at before it is decided."""


@dataclass(frozen=True)
class Pair:
    """A field with a Lyapunov function. Backward ones carry scale, h1, h2: scale grad V . f = -(h1^2 Vx^2 + h2^2 Vy^2)."""

    field: Field
    v: Form
    recipe: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True)
class Fields:
    """Training pairs of both kinds and test fields, none of which is met in training."""

    backward: tuple[Pair, ...]
    forward: tuple[Pair, ...]
    tests: Mapping[str, tuple[Field, ...]]


def add(*terms: Polynomial) -> Polynomial:
    """Return a sum."""
    total: Polynomial = {}
    for term in terms:
        for exponent, c in term.items():
            total[exponent] = total.get(exponent, 0) + c
    return {exponent: c for exponent, c in total.items() if c}


def times(p: Polynomial, q: Polynomial) -> Polynomial:
    """Return a product."""
    return add(*({(i + k, j + m): a * b} for (i, j), a in p.items() for (k, m), b in q.items()))


def scaled(p: Polynomial, factor: float) -> Polynomial:
    """Return a multiple."""
    return {exponent: c * factor for exponent, c in p.items() if c * factor}


def gradient(v: Form) -> Field:
    """Return (Vx, Vy)."""
    a, b, c, d, e = v
    return add({(1, 0): 2 * a}, {(0, 1): b}, {(3, 0): 4 * d}), add({(0, 1): 2 * c}, {(1, 0): b}, {(0, 3): 4 * e})


def descent(v: Form, f: Field) -> Polynomial:
    """Return -grad V . f."""
    vx, vy = gradient(v)
    return scaled(add(times(vx, f[0]), times(vy, f[1])), -1)


def form_is_nonnegative(form: Polynomial) -> bool:
    """Return whether a homogeneous polynomial of even degree is >= 0 on the plane: its least value on the circle.

    The minimum is at a root of the derivative along the circle; a value below 0 by more than rounding says no.
    """
    if not form:
        return True
    degree = sum(next(iter(form)))
    line = np.zeros(degree + 1)  # the form at (t, 1), highest power of t first
    for (i, _), c in form.items():
        line[degree - i] += c
    slopes = np.polyder(line)
    points = [1e12, -1e12, 0.0, *np.roots(slopes).real.tolist()] if slopes.any() else [0.0, 1e12]
    angles = np.concatenate([np.arctan2(1.0, points), np.linspace(0, np.pi, 181)])
    x, y = np.cos(angles), np.sin(angles)
    value = sum(c * x**i * y**j for (i, j), c in form.items())
    return bool(np.min(value) >= -1e-9 * max(abs(c) for c in form.values()))


def is_valid(v: Form, f: Field) -> bool:
    """Return whether V is certified: V > 0 but at 0, and -grad V . f >= 0. Undecided counts as no.

    V: a positive definite quadratic form and d, e >= 0. For the descent one of two certificates must do: it is a positive
    semidefinite quadratic form in (Vx, Vy), which solves a linear system; or its homogeneous parts of even degree are
    each nonnegative (decided by their roots) and those of odd degree vanish. Both prove it, up to rounding at 1e-9.
    """
    a, b, c, d, e = v
    if not (a > 0 and 4 * a * c > b * b and d >= 0 and e >= 0):
        return False
    w = descent(v, f)
    if not w:
        return True
    if any(value < -1e-6 * size for value, size in _seen(w)):
        return False  # what is negative somewhere has no certificate: most candidates end here
    vx, vy = gradient(v)
    basis = [times(vx, vx), times(vx, vy), times(vy, vy)]
    exponents = sorted({k for p in (w, *basis) for k in p})
    matrix = np.array([[p.get(k, 0) for p in basis] for k in exponents], dtype=float)
    target = np.array([w.get(k, 0) for k in exponents], dtype=float)
    s, *_ = np.linalg.lstsq(matrix, target, rcond=None)
    size = float(np.abs(target).max())
    if np.abs(matrix @ s - target).max() <= 1e-9 * size and np.linalg.eigvalsh([[s[0], s[1] / 2], [s[1] / 2, s[2]]])[
        0
    ] >= -1e-9 * max(1.0, float(np.abs(s).max())):
        return True
    parts: dict[int, Polynomial] = {}
    for (i, j), value in w.items():
        if abs(value) > 1e-9 * size:
            parts.setdefault(i + j, {})[i, j] = value
    return all(degree % 2 == 0 and form_is_nonnegative(part) for degree, part in parts.items())


def _seen(p: Polynomial) -> Iterator[tuple[float, float]]:
    """Yield the value of a polynomial at some points, and the size of its largest term there."""
    for x, y in PROBES:
        terms = [c * x**i * y**j for (i, j), c in p.items()]
        yield sum(terms), max(map(abs, terms))


def primitive(f: Field) -> tuple[Field, int]:
    """Return a field of integers divided by their greatest common divisor, and that."""
    common = gcd(*(int(c) for part in f for c in part.values())) or 1
    return tuple({k: c // common for k, c in part.items()} for part in f), common  # type: ignore[return-value]


def backward(rng: np.random.Generator) -> Pair:
    """Return a pair by drawing V first: f = q (-Vy, Vx) - (h1^2 Vx, h2^2 Vy) descends along V whatever q is.

    a, c in 1..4 and b in -3..3 with 4 a c > b^2, quartic terms in 1..2 with probability 0.3, q of degree 1 and h1, h2 in
    -2..2, not both 0.
    """
    while True:
        a, c, b = int(rng.integers(1, 5)), int(rng.integers(1, 5)), int(rng.integers(-3, 4))
        d, e = (int(rng.integers(1, 3)) if rng.random() < 0.3 else 0 for _ in range(2))
        h1, h2 = (int(h) for h in rng.integers(-2, 3, 2))
        if 4 * a * c > b * b and gcd(a, b, c, d, e) == 1 and (h1 or h2):
            break
    v = (a, b, c, d, e)
    vx, vy = gradient(v)
    q = add({(0, 0): int(rng.integers(-2, 3))}, {(1, 0): int(rng.integers(-2, 3))}, {(0, 1): int(rng.integers(-2, 3))})
    f, scale = primitive(
        (
            add(scaled(times(q, vy), -1), scaled(vx, -h1 * h1)),
            add(times(q, vx), scaled(vy, -h2 * h2)),
        )
    )
    return Pair(f, v, (scale, h1, h2))


def forward(rng: np.random.Generator) -> Pair:
    """Return a random odd cubic field for which a search finds a quadratic Lyapunov function.

    Linear part in -3..3, each cubic coefficient in -2..2 with probability 1/2. The search solves A'P + PA = -Q for 10
    random Q and keeps the first integer multiple of P, rounded to 1..8, that is certified.
    """
    while True:
        f: list[Polynomial] = []
        for _ in range(2):
            linear = add(*({k: int(rng.integers(-3, 4))} for k in ((1, 0), (0, 1))))
            cubic = add(*({(i, 3 - i): int(rng.integers(-2, 3))} for i in range(4) if rng.random() < 0.5))
            f.append(add(linear, cubic))
        a = linear_part((f[0], f[1]))
        if np.linalg.eigvals(a).real.max() >= -1e-6:
            continue
        for _ in range(10):
            root = rng.standard_normal((2, 2))
            p = solve_continuous_lyapunov(a.T, -(root @ root.T + 0.1 * np.eye(2)))
            whole = np.rint(p * (4 / np.abs(p).max()))
            v = (int(whole[0, 0]), int(2 * whole[0, 1]), int(whole[1, 1]), 0, 0)
            common = gcd(*v) or 1
            reduced = tuple(c // common for c in v)
            if is_valid(reduced, (f[0], f[1])):  # type: ignore[arg-type]
                return Pair(primitive((f[0], f[1]))[0], reduced)  # type: ignore[arg-type]


def linear_part(f: Field) -> NDArray[np.float64]:
    """Return the Jacobian of the field at 0, (2, 2)."""
    return np.array([[part.get((1, 0), 0), part.get((0, 1), 0)] for part in f], dtype=float)


def _key(f: Field) -> tuple[Any, ...]:
    return tuple(tuple(sorted(part.items())) for part in f)


def _distinct(draw: Any, count: int, rng: np.random.Generator, seen: set[Any]) -> list[Pair]:
    pairs: list[Pair] = []
    while len(pairs) < count:
        pair = draw(rng)
        key = _key(pair.field)
        if key not in seen and pair.field[0] and pair.field[1]:
            seen.add(key)
            pairs.append(pair)
    return pairs


def polynomial_fields(seed: int, scale: str, source: str | None = None) -> Fields:
    """Return backward and forward pairs and test fields of both kinds, all fields different.

    500 + 20 pairs and 20 tests a kind at smoke, 12,000 + 300 and 200 at small.
    """
    no_source("polynomial-fields", scale, source)
    many, few, tests = SIZES[scale]
    rng, seen = generator(seed, "polynomial-fields"), set[Any]()
    held = {kind: _distinct(draw, tests, rng, seen) for kind, draw in (("backward", backward), ("forward", forward))}
    return Fields(
        tuple(_distinct(backward, many, rng, seen)),
        tuple(_distinct(forward, few, rng, seen)),
        {kind: tuple(pair.field for pair in pairs) for kind, pairs in held.items()},
    )


def run(entrant: Entrant, data: Fields, ctx: Context) -> Mapping[str, Any]:
    """Train on the pairs and propose CANDIDATES functions a test field; one that is certified solves it."""
    solver = entrant.build()
    with ctx.timer("fit"):
        solver.train(data.backward, data.forward, ctx.budget["steps"], ctx)
    conditions = []
    for kind, fields in data.tests.items():
        with ctx.timer("predict"):
            proposed = solver.propose(fields, CANDIDATES)
        valid = [any(is_valid(v, f) for v in vs[:CANDIDATES]) for vs, f in zip(proposed, fields, strict=True)]
        conditions.append(({"test": kind}, {"valid": np.array(valid)}))
    return {"module": solver, **conditions[0][1], "conditions": conditions}


@dataclass(frozen=True)
class QuadraticLMI:
    """Baseline: linearise at 0, solve A'P + PA = -I, propose V = z'Pz; learns nothing."""

    def train(self, backward: Sequence[Pair], forward: Sequence[Pair], steps: int, ctx: Context) -> None:
        """Learn nothing."""

    def propose(self, fields: Sequence[Field], count: int) -> list[list[Form]]:
        """Return one function a field, none where the linear part is not stable."""
        found: list[list[Form]] = []
        for f in fields:
            a = linear_part(f)
            stable = np.linalg.eigvals(a).real.max() < -1e-9
            p = solve_continuous_lyapunov(a.T, -np.eye(2)) if stable else None
            found.append([] if p is None else [(p[0, 0], 2 * p[0, 1], p[1, 1], 0.0, 0.0)])
        return found


class NearestPair:
    """Baseline: the functions of the nearest training fields, by their coefficients."""

    def train(self, backward: Sequence[Pair], forward: Sequence[Pair], steps: int, ctx: Context) -> None:
        """Keep the backward pairs."""
        self.exponents = sorted({(k, e) for pair in backward for k in (0, 1) for e in pair.field[k]})
        self.known = np.stack([self._row(pair.field) for pair in backward])
        self.functions = [pair.v for pair in backward]

    def propose(self, fields: Sequence[Field], count: int) -> list[list[Form]]:
        """Return the functions of the nearest fields."""
        rows = np.stack([self._row(f) for f in fields])
        order = ((self.known**2).sum(1) - 2 * rows @ self.known.T).argsort(1)
        found = []
        for row in order:
            distinct = dict.fromkeys(self.functions[i] for i in row[: 10 * count].tolist())
            found.append(list(distinct)[:count])
        return found

    def _row(self, f: Field) -> NDArray[np.float64]:
        return np.array([f[k].get(e, 0) for k, e in self.exponents], dtype=float)


class SumOfSquares:
    """Baseline: a V whose descent is a sum of squares, by semidefinite programming in cvxpy; learns nothing.

    Sums of squares of forms are sought first, as those stand rounding, then any. The solver's V is proposed as it is and
    rounded to integers at several scales.
    """

    def __init__(self) -> None:
        self.cvxpy = library("cvxpy", "sos")
        self.place = {(i, d - i): k for k, (d, i) in enumerate((d, i) for d in range(1, 9) for i in range(d + 1))}

    def train(self, backward: Sequence[Pair], forward: Sequence[Pair], steps: int, ctx: Context) -> None:
        """Set the programmes up: descent(V) = z'Qz with Q positive semidefinite, z the monomials of degree 1 to 4.

        Q is kept as far from singular in degrees 1 and 2 as it can be.
        """
        cp = self.cvxpy
        z = [(i, d - i) for d in range(1, 5) for i in range(d + 1)]
        spread = np.zeros((len(self.place), len(z), len(z)))
        for r, (i, j) in enumerate(z):
            for s, (k, m) in enumerate(z):
                spread[self.place[i + k, j + m], r, s] = 1
        mixed = np.array([[float(i + j != k + m) for k, m in z] for i, j in z])
        self.v, gram, margin = cp.Variable(5), cp.Variable((len(z),) * 2, PSD=True), cp.Variable(2)
        self.rows = cp.Parameter((len(self.place), 5))
        form = cp.bmat([[self.v[0], self.v[1] / 2], [self.v[1] / 2, self.v[2]]])
        limits = [form >> 0.02 * np.eye(2), self.v[0] + self.v[2] == 1, self.v[3:] >= 0, self.v[3:] <= 10, margin <= 1]
        limits += [gram[:2, :2] >> margin[0] * np.eye(2), gram[2:5, 2:5] >> margin[1] * np.eye(3)]
        limits.append(self.rows @ self.v == spread.reshape(len(self.place), -1) @ cp.vec(gram, order="C"))
        best = cp.Maximize(cp.sum(margin))
        self.programmes = [cp.Problem(best, [*limits, cp.multiply(mixed, gram) == 0]), cp.Problem(best, limits)]

    def propose(self, fields: Sequence[Field], count: int) -> list[list[Form]]:
        """Return the functions found, none where the programmes have no solution."""
        return [self._solve(f)[:count] for f in fields]

    def _solve(self, f: Field) -> list[Form]:
        rows, size = np.zeros(self.rows.shape), max(abs(c) for part in f for c in part.values())
        for column, unit in enumerate(np.eye(5).tolist()):
            for exponent, c in descent(tuple(unit), f).items():
                rows[self.place[exponent], column] = c / size
        self.rows.value = rows
        found: list[Form] = []
        for programme in self.programmes:
            with contextlib.suppress(self.cvxpy.SolverError):
                programme.solve(solver="CLARABEL")
                if self.v.value is not None:
                    v = self.v.value
                    found += [tuple(v.tolist())]
                    found += [tuple(np.rint(v * k / v[at]).tolist()) for k, at in ((1, 0), (2, 0), (1, 2), (2, 2))]
        return found


ID = "numerics/lyapunov"
MODELS = [
    Model("quadratic-lmi", ID, QuadraticLMI),
    Model("nearest-training-pair", ID, NearestPair),
    Model("sum-of-squares", ID, SumOfSquares),
]
METRICS = [Metric("valid_rate", lambda o: float(o["valid"].mean()), ("valid",), "up", "fraction", bounds=(0, 1))]
DATASETS = [
    Dataset("polynomial-fields", "lyapunov-pairs", polynomial_fields, title="planar fields, both ways drawn, synthetic")
]
TASK = Task(
    ID,
    schema="lyapunov-pairs",
    run=run,
    metrics=("valid_rate",),
    dataset="polynomial-fields",
    title="Find Lyapunov functions",
    contract="build() gives a solver: train(backward, forward, steps, ctx), then propose(fields, count) returns for each "
    "field up to count functions (a, b, c, d, e).",
    budgets={"smoke": {"steps": 40}, "small": {"steps": 600}, "full": {"steps": 100_000}},
    baselines=("quadratic-lmi", "nearest-training-pair", "sum-of-squares"),
    conditions={"test": ("backward", "forward")},
)
