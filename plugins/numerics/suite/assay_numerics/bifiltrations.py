"""Task numerics/bifiltrations: approximate a two-parameter persistence module from its restrictions to lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from assay import Context, Dataset, Entrant, Metric, Model, Task
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from assay_numerics.common import generator, library, no_source

Array = NDArray[np.float64]
DELTAS = (0.001, 0.005, 0.0125, 0.025, 0.05, 0.1)
"""Spacings of the lines: two decades."""
DEFAULT, HELD_OUT, NOISE = 0.05, 30, 0.01
"""Spacing at which stability is measured, lines kept out of the grid, sup-norm of the perturbation."""


@dataclass(frozen=True)
class Bifiltration:
    """A cell complex with one grade a cell, and the degree of homology that is asked for.

    `faces[q]` lists for each q-cell the indices of its (q-1)-faces, `grades[q]` (cells, 2) where it is born, in [0, 1]
    and not before its faces. `rectangles` (k, 2, 2) are the corners of the summands where these are known.
    """

    faces: tuple[tuple[tuple[int, ...], ...], ...]
    grades: tuple[Array, ...]
    degree: int
    rectangles: Array | None = None


@dataclass
class Work:
    """Counts column additions."""

    additions: int = 0


class Module(Protocol):
    """An approximation of the module: a list of summands, seen through lines."""

    def bars_on(self, offset: float) -> Array:
        """Return the bars (k, 2) of the summands on the diagonal line x - y = 2 offset, deaths infinite at most."""

    def corners(self) -> Array:
        """Return lower and upper corner (k, 2, 2) of each summand longer than 2 delta somewhere."""


def values(grades: Array, offset: float) -> Array:
    """Return when each grade (.., 2) is reached on the line s -> (s + offset, s - offset)."""
    return np.maximum(grades[..., 0] - offset, grades[..., 1] + offset)


def pairs(columns: Sequence[Sequence[int]], rows: Array, order: Array, work: Work) -> dict[int, int]:
    """Return row -> column of the persistence pairs: the standard reduction over Z/2, by values of rows and columns."""
    position = np.empty(len(rows), dtype=np.int64)
    position[np.argsort(rows, kind="stable")] = np.arange(len(rows))
    at = position.tolist()
    reduced: dict[int, tuple[int, set[int]]] = {}
    for column in np.argsort(order, kind="stable").tolist():
        chain = set(columns[column])
        while chain:
            low = max(chain, key=at.__getitem__)
            if low not in reduced:
                reduced[low] = (column, chain)
                break
            chain = chain ^ reduced[low][1]
            work.additions += 1
    return {low: column for low, (column, _) in reduced.items()}


def barcode(data: Bifiltration, offset: float, work: Work) -> Array:
    """Return the bars (k, 2) of the restriction to a line, those of length 0 left out: the truth."""
    p = data.degree
    birth = values(data.grades[p], offset)
    died = pairs(data.faces[p + 1], birth, values(data.grades[p + 1], offset), work)
    positive = set(range(len(birth)))
    if p:
        positive -= set(pairs(data.faces[p], values(data.grades[p - 1], offset), birth, work).values())
    death = values(data.grades[p + 1], offset)
    bars = [(birth[c], death[died[c]] if c in died else np.inf) for c in sorted(positive)]
    return clean(np.array(bars).reshape(-1, 2))


def clean(bars: Array) -> Array:
    """Return the bars of positive length."""
    return bars[bars[:, 1] - bars[:, 0] > 1e-12]


def bottleneck(a: Array, b: Array) -> float:
    """Return the bottleneck distance of two barcodes (k, 2); infinite when their infinite bars differ in number."""
    a_inf, b_inf = (np.sort(bars[np.isinf(bars[:, 1]), 0]) for bars in (a, b))
    if len(a_inf) != len(b_inf):
        return float("inf")
    least = float(np.abs(a_inf - b_inf).max(initial=0))
    a, b = (bars[np.isfinite(bars[:, 1])] for bars in (a, b))
    n, m = len(a), len(b)
    if not n + m:
        return least
    cost = np.zeros((n + m, n + m))
    cost[:n, :m] = np.abs(a[:, None] - b).max(-1)
    cost[:n, m:] = ((a[:, 1] - a[:, 0]) / 2)[:, None]
    cost[n:, :m] = (b[:, 1] - b[:, 0]) / 2
    candidates = np.unique(cost)
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        matched = maximum_bipartite_matching(csr_matrix(cost <= candidates[middle]), perm_type="column")
        low, high = (low, middle) if (matched >= 0).all() else (middle + 1, high)
    return max(least, float(candidates[low]))


def rectangle_modules(seed: int, scale: str, source: str | None = None) -> Bifiltration:
    """Return a direct sum of random rectangles [a, b) in the unit square, in degree 0; they overlap and cross.

    Each is a vertex born at a, joined to a root born at (0, 0) by two edges, at (b1, a2) and at (a1, b2). Sides are
    U[.1, .5]; 4 rectangles at smoke, 40 at small.
    """
    no_source("rectangle-modules", scale, source)
    rng = generator(seed, "rectangle-modules")
    count = 4 if scale == "smoke" else 40
    side = rng.uniform(0.1, 0.5, (count, 2))
    a = 0.01 + rng.random((count, 2)) * (0.98 - side)
    b = a + side
    grades = np.stack([np.stack([b[:, 0], a[:, 1]], 1), np.stack([a[:, 0], b[:, 1]], 1)], 1).reshape(-1, 2)
    edges = tuple((0, i // 2 + 1) for i in range(2 * count))
    vertices = np.concatenate([np.zeros((1, 2)), a])
    return Bifiltration(((((),) * (count + 1)), edges), (vertices, grades), 0, np.stack([a, b], 1))


def _rips(name: str, points: int, degree: int, seed: int, scale: str, source: str | None) -> Bifiltration:
    no_source(name, scale, source)
    rng = generator(seed, name)
    n = {"smoke": min(points, 9)}.get(scale, points)
    angle = rng.uniform(0, 2 * np.pi, n)
    cloud = np.stack([np.cos(angle), np.sin(angle)], 1) + 0.1 * rng.standard_normal((n, 2))
    outliers = max(1, n // 5)
    cloud[:outliers] = rng.uniform(-1.2, 1.2, (outliers, 2))
    distance = np.linalg.norm(cloud[:, None] - cloud, axis=2)
    density = np.exp(-(distance**2) / (2 * 0.4**2)).sum(1)
    rare = 1 - (density - density.min()) / np.ptp(density)
    faces: list[tuple[tuple[int, ...], ...]] = [((),) * n]
    grades = [np.stack([np.zeros(n), rare], 1)]
    edges = [(i, j) for i in range(n) for j in range(i + 1, n)]
    number = {edge: k for k, edge in enumerate(edges)}
    longest = distance.max()
    faces.append(tuple(edges))
    grades.append(np.array([[distance[i, j] / longest, max(rare[i], rare[j])] for i, j in edges]))
    if degree:
        triangles = [(i, j, k) for i, j in edges for k in range(j + 1, n)]
        faces.append(tuple((number[i, j], number[i, k], number[j, k]) for i, j, k in triangles))
        grades.append(np.array([grades[1][list(f)].max(0) for f in faces[2]]))
    return Bifiltration(tuple(faces), tuple(grades), degree)


def density_rips(seed: int, scale: str, source: str | None = None) -> Bifiltration:
    """Return components (degree 0) of 24 points on a noisy circle with outliers, by Rips length and rarity (1 - density).

    9 points at smoke. Both parameters are scaled to [0, 1].
    """
    return _rips("density-rips", 24, 0, seed, scale, source)


def density_rips_loops(seed: int, scale: str, source: str | None = None) -> Bifiltration:
    """Return loops (degree 1) of 11 such points, with all triangles."""
    return _rips("density-rips-loops", 11, 1, seed, scale, source)


def perturbed(data: Bifiltration, noise: float, rng: np.random.Generator) -> Bifiltration:
    """Return the filtration with grades moved by at most `noise`, no cell before its faces."""
    grades: list[Array] = []
    for faces, old in zip(data.faces, data.grades, strict=True):
        new = old + rng.uniform(-noise, noise, old.shape)
        if grades:
            new = np.stack([np.maximum(grade, grades[-1][list(f)].max(0)) for grade, f in zip(new, faces, strict=True)])
        grades.append(new)
    return Bifiltration(data.faces, tuple(grades), data.degree, data.rectangles)


def grid(delta: float) -> Array:
    """Return offsets of the lines that meet the unit square, delta apart, two beyond it at each end."""
    count = int(np.ceil(0.5 / delta)) + 2
    return np.arange(-count, count + 1) * delta


def run(entrant: Entrant, data: Bifiltration, ctx: Context) -> Mapping[str, Any]:
    """Approximate from grids of lines of every spacing, and compare with the truth on lines between them.

    A method with `counts` False (a library) tells no column additions.
    """
    method = entrant.build()
    tests = ctx.rng("lines").uniform(-0.5, 0.5, HELD_OUT)
    truth = [barcode(data, t, Work()) for t in tests]
    moved = perturbed(data, NOISE, ctx.rng("noise"))
    conditions = []
    for delta in DELTAS:
        work = Work()
        with ctx.timer("predict"):
            module: Module = method.approximate(data, grid(delta), work)
        found = [module.bars_on(t) for t in tests]
        errors = [bottleneck(bars, true) for bars, true in zip(found, truth, strict=True)]
        fields: dict[str, Any] = {"errors": np.array(errors), "delta": delta}
        if getattr(method, "counts", True):
            fields["additions"] = work.additions
        if data.rectangles is not None:
            fields |= {"corners": module.corners(), "rectangles": data.rectangles}
        if delta == DEFAULT:
            other = method.approximate(moved, grid(delta), Work())
            change = [bottleneck(bars, other.bars_on(t)) for bars, t in zip(found, tests, strict=True)]
            fields["ratios"] = np.array(change) / NOISE
        conditions.append(({"delta": delta}, fields))
    default = next(fields for knobs, fields in conditions if knobs["delta"] == DEFAULT)
    return {"module": method, **default, "conditions": conditions}


def fibered_error(outcome: Mapping[str, Any]) -> float:
    """Largest bottleneck distance to the truth over lines between those of the grid, in units of the grade."""
    return float(outcome["errors"].max())


def summand_error(outcome: Mapping[str, Any]) -> float:
    """Largest error of a coordinate of a rectangle's corners over delta, summands matched to rectangles at least cost.

    A rectangle without a summand counts as an error of 1.
    """
    found, true = outcome["corners"], outcome["rectangles"]
    if len(found) < len(true):
        return float(1 / outcome["delta"])
    cost = np.abs(found[:, None] - true).max((2, 3))
    return float(cost[linear_sum_assignment(np.minimum(cost, 1))].max() / outcome["delta"])


@dataclass(frozen=True)
class NearestLine:
    """Baseline: the barcode of every line of the grid; a line between them gets that of the nearest, unmatched."""

    def approximate(self, data: Bifiltration, offsets: Array, work: Work) -> Lines:
        """Return the barcodes."""
        return Lines(offsets, [barcode(data, t, work) for t in offsets.tolist()])


@dataclass(frozen=True)
class GudhiLines:
    """Baseline: the same barcodes from gudhi's simplex tree.

    Edges are halved by a new vertex of their own grade, so that two edges may join the same vertices.
    """

    counts: bool = False

    def approximate(self, data: Bifiltration, offsets: Array, work: Work) -> Lines:
        """Return the barcodes."""
        gudhi = library("gudhi", "topology")
        return Lines(offsets, [self._barcode(gudhi, data, t) for t in offsets.tolist()])

    def _barcode(self, gudhi: Any, data: Bifiltration, offset: float) -> Array:
        tree, (vertices, edges), born = gudhi.SimplexTree(), data.faces[:2], [values(g, offset) for g in data.grades]
        for v in range(len(vertices)):
            tree.insert([v], float(born[0][v]))
        for e, (a, b) in enumerate(edges):
            if data.degree:
                tree.insert([a, b], float(born[1][e]))
                continue
            middle = len(vertices) + e
            for simplex in ([middle], [a, middle], [b, middle]):
                tree.insert(simplex, float(born[1][e]))
        for t, faces in enumerate(data.faces[2] if data.degree else ()):
            tree.insert(sorted({v for e in faces for v in edges[e]}), float(born[2][t]))
        tree.compute_persistence(min_persistence=-1, persistence_dim_max=True)
        return clean(tree.persistence_intervals_in_dimension(data.degree).reshape(-1, 2))


@dataclass(frozen=True)
class Lines:
    """Barcodes by line."""

    offsets: Array
    bars: list[Array]

    def bars_on(self, offset: float) -> Array:
        """Return the bars of the nearest line."""
        return self.bars[int(np.abs(self.offsets - offset).argmin())]

    def corners(self) -> Array:
        """Return none: lines have no summands."""
        return np.empty((0, 2, 2))


ID = "numerics/bifiltrations"
MODELS = [Model("nearest-line-fibered-barcode", ID, NearestLine), Model("gudhi-lines", ID, GudhiLines)]
METRICS = [
    Metric("fibered_error", fibered_error, ("errors",), "down", "grade", bounds=(0, np.inf)),
    Metric("summand_error", summand_error, ("corners", "rectangles", "delta"), "down", "delta", bounds=(0, np.inf)),
    Metric("stability_ratio", lambda o: float(o["ratios"].max()), ("ratios",), "down", "ratio", bounds=(0, np.inf)),
    Metric(
        "column_additions",
        lambda o: float(o["additions"]),
        ("additions",),
        "down",
        "count",
        exact=True,
        bounds=(0, np.inf),
    ),
]
DATASETS = [
    Dataset("rectangle-modules", "bifiltration", rectangle_modules, title="direct sums of known rectangles, synthetic"),
    Dataset(
        "density-rips",
        "bifiltration",
        density_rips,
        title="components of a noisy circle by length and density, synthetic",
    ),
    Dataset("density-rips-loops", "bifiltration", density_rips_loops, title="loops of a noisy circle, synthetic"),
]
TASK = Task(
    ID,
    schema="bifiltration",
    run=run,
    metrics=("fibered_error", "summand_error", "stability_ratio", "column_additions"),
    dataset="density-rips",
    title="Approximate two-parameter persistence modules",
    contract="build() gives a method: approximate(bifiltration, offsets (L,) ascending, work) returns a module with "
    "bars_on(offset) -> (k, 2) and corners() -> (k, 2, 2); column additions are counted in work.",
    budgets={"smoke": {}, "small": {}, "full": {}},
    baselines=("nearest-line-fibered-barcode", "gudhi-lines"),
    conditions={"delta": DELTAS},
)
