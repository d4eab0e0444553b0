"""Task numerics/discrete-search: minimise a function of finitely many choices with few evaluations."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from assay import AssayError, Context, Dataset, Entrant, Metric, Model, Task

from assay_numerics import tensor_rings
from assay_numerics.common import clocked, generator, no_source
from assay_numerics.short_cycles import Adjacency, violations

State = tuple[int, ...]
MOST_EDGES = (0, 1, 2, 3, 5, 6, 8, 10, 12, 15, 16, 18, 21, 23, 26, 28, 31, 34, 38, 41, 44, 47, 50, 54, 57, 61, 65, 68)
"""Edges of the largest graphs without 3- and 4-cycles on 1, 2, .. nodes (OEIS A006856)."""
GRAPH_SIZES = {"smoke": (8,), "small": (10, 12, 14, 16, 20, 23, 26)}
RING_SIZES = {"smoke": (4,), "small": (4, 5, 6)}
BUDGETS = {"graphs": {"smoke": 500, "small": 5000}, "rings": {"smoke": 60, "small": 400}}


class Spent(Exception):
    """The budget of evaluations is used up, or the best known value was found. A searcher need not catch it."""


class Problem:
    """A function to minimise over a product of finite domains, that counts its distinct evaluations.

    `curve` holds (evaluations, best) whenever the best improves. A state asked for again is free, for all alike.
    """

    known = -float("inf")
    """The least value, or the value to reach."""

    def __init__(self, domains: Sequence[Sequence[int]], budget: int) -> None:
        self.best_state: State
        self.domains, self.budget, self.evaluations = domains, budget, 0
        self.best, self.best_state = float("inf"), ()
        self.curve: list[tuple[int, float]] = []
        self._seen: dict[State, float] = {}

    def objective(self, state: State) -> float:
        """Return the value of a state; raise Spent when a new one would exceed the budget, or `known` was reached."""
        if state not in self._seen:
            if self.evaluations >= self.budget or self.best <= self.known + 1e-9:
                raise Spent
            self.evaluations += 1
            self._seen[state] = value = self.value(state)
            if value < self.best:
                self.best, self.best_state = value, state
                self.curve.append((self.evaluations, value))
        return self._seen[state]

    def value(self, state: State) -> float:
        """Return the value of a state, uncounted."""
        raise NotImplementedError

    def initial(self, rng: np.random.Generator) -> State:
        """Return where a search may start."""
        return tuple(int(rng.choice(domain)) for domain in self.domains)

    def reached(self) -> float:
        """Return the evaluations until `known` was reached, the budget when it was not."""
        return float(next((count for count, value in self.curve if value <= self.known + 1e-9), self.budget))


class Graphs(Problem):
    """Graphs on n nodes, a bit an edge: minus the number of edges without 3- and 4-cycles, else how many there are."""

    def __init__(self, n: int, budget: int) -> None:
        self.n, self.pairs = n, list(itertools.combinations(range(n), 2))
        super().__init__([(0, 1)] * len(self.pairs), budget)
        self.known = -float(MOST_EDGES[n - 1])

    def value(self, state: State) -> float:
        """Return the value of edge bits (n (n - 1) / 2,)."""
        return float(violations(self.graph(state)) or -sum(state))

    def initial(self, rng: np.random.Generator) -> State:
        """Return the graph without edges."""
        del rng
        return (0,) * len(self.pairs)

    def graph(self, state: State) -> Adjacency:
        """Return the graph of a state, a bit mask a node."""
        adjacency = [0] * self.n
        for (u, v), bit in zip(self.pairs, state, strict=True):
            if bit:
                adjacency[u] |= 1 << v
                adjacency[v] |= 1 << u
        return adjacency

    def of(self, adjacency: Adjacency) -> State:
        """Return the state of a graph."""
        return tuple(adjacency[u] >> v & 1 for u, v in self.pairs)

    def smaller(self, n: int) -> Graphs:
        """Return the problem of another size, whose evaluations this one must be charged with by `charge`."""
        return Graphs(n, self.budget - self.evaluations)

    def charge(self, other: Problem) -> None:
        """Add the evaluations of another problem to this one's."""
        self.evaluations += other.evaluations


class Rings(Problem):
    """Structures of a tensor ring: the order of the modes (an index into `orders`) and a rank in 1..4 between each two.

    Value: core parameters / tensor entries + 20 times the relative error of alternating least squares. `known` is the
    value of the structure that was planted.
    """

    RANKS = (1, 2, 3, 4)

    def __init__(self, modes: int, ranks: Sequence[int], order: int, rng: np.random.Generator, budget: int) -> None:
        self.modes, self.orders = modes, tensor_rings.cyclic_orders(modes)
        super().__init__([tuple(range(len(self.orders))), *[self.RANKS] * modes], budget)
        self.tensor = tensor_rings.planted(self.orders[order], ranks, rng)
        self.planted = (order, *ranks)
        self.known = self.value(self.planted)

    def parts(self, state: State) -> tuple[float, float]:
        """Return parameters / entries and the relative error of a state, uncounted; equal for equal states."""
        order, *ranks = state
        share = tensor_rings.parameters(ranks) / self.tensor.size
        return share, tensor_rings.relative_error(self.tensor, self.orders[order], ranks)

    def value(self, state: State) -> float:
        """Return the value of (order, ranks ..)."""
        share, error = self.parts(state)
        return share + 20 * error

    def swapped(self, order: int) -> list[int]:
        """Return the orders that differ from one by two neighbours changing places."""
        found = {}
        for i in range(self.modes):
            modes = list(self.orders[order])
            j = (i + 1) % self.modes
            modes[i], modes[j] = modes[j], modes[i]
            found[self.orders.index(tensor_rings.canonical(modes))] = None
        return [o for o in found if o != order]


@dataclass(frozen=True)
class Problems:
    """Recipes of problems by size: called anew for each entrant, as a problem counts."""

    kind: str
    sizes: tuple[int, ...]
    seed: int
    budget: int

    def make(self, size: int) -> Problem:
        """Return the problem of a size."""
        if self.kind == "graphs":
            return Graphs(size, self.budget)
        rng = generator(self.seed, f"planted-tensor-rings {size}")
        ranks = rng.choice([1, 2, 3], size, p=[0.2, 0.5, 0.3]).tolist()
        order = int(rng.integers(len(tensor_rings.cyclic_orders(size))))
        return Rings(size, ranks, order, rng, self.budget)


def c3_c4_free_graphs(seed: int, scale: str, source: str | None = None) -> Problems:
    """Return the search for the largest graph without 3- and 4-cycles: 8 nodes at smoke, 10 to 26 at small."""
    no_source("c3-c4-free-graphs", scale, source)
    return Problems("graphs", GRAPH_SIZES[scale], seed, BUDGETS["graphs"][scale])


def planted_tensor_rings(seed: int, scale: str, source: str | None = None) -> Problems:
    """Return noiseless tensors of order 4 (smoke) to 6, modes of size 3, made as rings with ranks in {1, 2, 3}."""
    no_source("planted-tensor-rings", scale, source)
    return Problems("rings", RING_SIZES[scale], seed, BUDGETS["rings"][scale])


def run(entrant: Entrant, data: Problems, ctx: Context) -> Mapping[str, Any]:
    """Search at every size with the same budget of evaluations; a searcher with `largest` is spared larger ones."""
    conditions: list[Any] = []
    searcher = entrant.build()
    for size in data.sizes:
        if size > getattr(searcher, "largest", size):
            continue
        problem = data.make(size)
        try:
            with clocked(ctx):
                searcher.search(problem, ctx.rng(f"{size}"))
        except Spent:
            pass
        if not problem.curve:
            raise AssayError(f"{entrant.id} evaluated nothing at size {size}")
        found = problem.value(problem.best_state)
        conditions.append(({"size": size}, {"gap": max(0.0, found - problem.known), "evaluations": problem.reached()}))
    gaps = [fields["gap"] for _, fields in conditions]
    counts = [fields["evaluations"] for _, fields in conditions]
    return {"module": searcher, "gap": np.mean(gaps), "evaluations": np.mean(counts), "conditions": conditions}


@dataclass(frozen=True)
class Descent:
    """Baseline: first-improvement coordinate descent in random order, restarted until the budget is spent."""

    def search(self, problem: Problem, rng: np.random.Generator) -> None:
        """Search until Spent."""
        idle = 0
        while idle < 1000:  # a small space may be known whole before the budget is spent
            before, state = problem.evaluations, list(problem.initial(rng))
            value, improved = problem.objective(tuple(state)), True
            while improved:
                improved = False
                for i in rng.permutation(len(state)).tolist():
                    for choice in problem.domains[i]:
                        trial = (*state[:i], choice, *state[i + 1 :])
                        if problem.objective(trial) < value:
                            state, value, improved = list(trial), problem.objective(trial), True
            idle = idle + 1 if problem.evaluations == before else 0


@dataclass(frozen=True)
class Uniform:
    """Baseline: independent uniform states."""

    def search(self, problem: Problem, rng: np.random.Generator) -> None:
        """Search until Spent."""
        for _ in range(20 * problem.budget):
            problem.objective(tuple(int(rng.choice(domain)) for domain in problem.domains))


ID = "numerics/discrete-search"
MODELS = [Model("random-restart-descent", ID, Descent), Model("uniform-random", ID, Uniform)]
METRICS = [
    Metric("gap_to_known", lambda o: float(o["gap"]), ("gap",), "down", "objective", bounds=(0, np.inf)),
    Metric(
        "evaluations_to_target",
        lambda o: float(o["evaluations"]),
        ("evaluations",),
        "down",
        "count",
        bounds=(1, np.inf),
    ),
]
DATASETS = [
    Dataset("c3-c4-free-graphs", "search-problems", c3_c4_free_graphs, title="largest graphs of girth 5, synthetic"),
    Dataset(
        "planted-tensor-rings",
        "search-problems",
        planted_tensor_rings,
        title="structure of planted tensor rings, synthetic",
    ),
]
TASK = Task(
    ID,
    schema="search-problems",
    run=run,
    metrics=("gap_to_known", "evaluations_to_target"),
    dataset="c3-c4-free-graphs",
    title="Discrete search with few evaluations",
    contract="build() gives a searcher: search(problem, rng) asks problem.objective(state) for values, of states in "
    "problem.domains, until it is done or Spent is raised.",
    budgets={"smoke": {}, "small": {}, "full": {}},
    baselines=("random-restart-descent", "uniform-random"),
    conditions={"size": (4, 5, 6, 8, 10, 12, 14, 16, 20, 23, 26)},
)
