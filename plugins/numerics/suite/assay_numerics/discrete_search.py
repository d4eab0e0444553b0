"""Task numerics/discrete-search: minimise a function of finitely many choices with few evaluations."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from assay import AssayError, Context, Dataset, Entrant, Metric, Model, Task

from assay_numerics import tensor_rings
from assay_numerics.common import generator, no_source
from assay_numerics.short_cycles import Adjacency, violations

State = tuple[int, ...]
MOST_EDGES = (0, 1, 2, 3, 5, 6, 8, 10, 12, 15, 16, 18, 21, 23, 26, 28, 31, 34, 38, 41, 44, 47, 50, 54, 57, 61, 65, 68)
"""Edges of the largest graphs without 3- and 4-cycles on 1, 2, .. nodes (OEIS A006856)."""
GRAPH_SIZES = {"smoke": (8,), "small": (10, 12, 14, 16, 20, 23, 26)}
RING_SIZES = {"smoke": (4,), "small": (4, 5, 6)}
CHAIN_SIZES = {"smoke": (4, 6), "small": (4, 6, 8, 10, 12, 40, 120, 400)}
BUDGETS = {
    "graphs": {"smoke": 500, "small": 5000},
    "rings": {"smoke": 60, "small": 400},
    "chains": {"smoke": 200, "small": 20_000},
}


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


class Ranked(Problem):
    """A search for the ranks of a ring: value = share of parameters + 20 times an error. State: (order, ranks ..)."""

    RANKS = (1, 2, 3, 4)

    def share(self, state: State) -> float:
        """Return what the structure costs beside its error; known without an evaluation."""
        raise NotImplementedError

    def error(self, state: State) -> float:
        """Return the error of the structure, uncounted."""
        raise NotImplementedError

    def value(self, state: State) -> float:
        """Return the value of (order, ranks ..)."""
        return self.share(state) + 20 * self.error(state)

    def swapped(self, order: int) -> list[int]:
        """Return the orders that differ from one by two neighbours changing places."""
        raise NotImplementedError


class Rings(Ranked):
    """Structures of a tensor ring: the order of the modes (an index into `orders`) and a rank in 1..4 between each two.

    Value: core parameters / tensor entries + 20 times the relative error of alternating least squares. `known` is the
    value of the structure that was planted.
    """

    def __init__(self, modes: int, ranks: Sequence[int], order: int, rng: np.random.Generator, budget: int) -> None:
        self.modes, self.orders = modes, tensor_rings.cyclic_orders(modes)
        super().__init__([tuple(range(len(self.orders))), *[self.RANKS] * modes], budget)
        self.tensor = tensor_rings.planted(self.orders[order], ranks, rng)
        self.planted = (order, *ranks)
        self.known = self.value(self.planted)

    def share(self, state: State) -> float:
        """Return core parameters / tensor entries."""
        return tensor_rings.parameters(state[1:]) / self.tensor.size

    def error(self, state: State) -> float:
        """Return the relative error of alternating least squares; equal for equal states."""
        return tensor_rings.relative_error(self.tensor, self.orders[state[0]], state[1:])

    def swapped(self, order: int) -> list[int]:
        """Return the orders that differ from one by two neighbours changing places."""
        found = {}
        for i in range(self.modes):
            modes = list(self.orders[order])
            j = (i + 1) % self.modes
            modes[i], modes[j] = modes[j], modes[i]
            found[self.orders.index(tensor_rings.canonical(modes))] = None
        return [o for o in found if o != order]


class Chains(Ranked):
    """Ranks alone, one order, and an error that is a sum over the ranks: 1 / (3 modes) for each rank unit that is missing.

    What is planted is the one optimum: a unit less saves at most a tenth of what its error costs.
    """

    def __init__(self, ranks: Sequence[int], budget: int) -> None:
        super().__init__([(0,), *[self.RANKS] * len(ranks)], budget)
        self.planted = np.array(ranks)
        self.known = self.value((0, *ranks))

    def share(self, state: State) -> float:
        """Return core parameters / the most that they can be."""
        return tensor_rings.parameters(state[1:]) / (tensor_rings.SIZE * self.RANKS[-1] ** 2 * len(self.planted))

    def error(self, state: State) -> float:
        """Return the missing units of rank, at most 1."""
        return float(np.maximum(self.planted - state[1:], 0).sum() / (3 * len(self.planted)))

    def swapped(self, order: int) -> list[int]:
        """Return none: there is one order."""
        return []


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
        if self.kind == "chains":
            return Chains(ranks, self.budget)
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


def planted_chains(seed: int, scale: str, source: str | None = None) -> Problems:
    """Return the search for 4 to 400 planted ranks, two decades of sizes, with a separable error (4 and 6 at smoke)."""
    no_source("planted-chains", scale, source)
    return Problems("chains", CHAIN_SIZES[scale], seed, BUDGETS["chains"][scale])


def run(entrant: Entrant, data: Problems, ctx: Context) -> Mapping[str, Any]:
    """Search at every size with the same budget of evaluations; a searcher with `largest` is spared larger ones."""
    conditions: list[Any] = []
    searcher = entrant.build()
    for size in data.sizes:
        if size > getattr(searcher, "largest", size):
            continue
        problem = data.make(size)
        try:
            with ctx.timer("predict"):
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
        sizes = np.array([len(domain) for domain in problem.domains])
        for _ in range(20 * problem.budget):
            picked = (rng.random(len(sizes)) * sizes).astype(int).tolist()
            problem.objective(tuple(domain[i] for domain, i in zip(problem.domains, picked, strict=True)))


@dataclass(frozen=True)
class Evolution:
    """Baseline: scipy.optimize.differential_evolution over indices into the domains, 40 states, begun anew when it settles."""

    states: int = 40

    def search(self, problem: Problem, rng: np.random.Generator) -> None:
        """Search until Spent, or for 20 populations."""
        from scipy.optimize import differential_evolution

        most = np.array([len(domain) - 1 for domain in problem.domains])
        free = np.flatnonzero(most)  # scipy refuses a variable without choice

        def value(x: Any) -> float:
            index = np.zeros(len(most), dtype=int)
            index[free] = np.rint(x)
            return problem.objective(tuple(d[i] for d, i in zip(problem.domains, index.tolist(), strict=True)))

        for _ in range(20):
            begin = rng.integers(most[free] + 1, size=(self.states, len(free))).astype(float)
            start = problem.initial(rng)
            begin[0] = [problem.domains[i].index(start[i]) for i in free.tolist()]
            bounds = [(0, int(m)) for m in most[free]]
            options = {"integrality": True, "init": begin, "polish": False, "maxiter": problem.budget}
            differential_evolution(value, bounds, seed=rng, **options)


ID = "numerics/discrete-search"
MODELS = [
    Model("random-restart-descent", ID, Descent),
    Model("scipy-differential-evolution", ID, Evolution),
    Model("uniform-random", ID, Uniform),
]
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
    Dataset("planted-chains", "search-problems", planted_chains, title="planted ranks by the hundred, synthetic"),
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
    baselines=("random-restart-descent", "scipy-differential-evolution", "uniform-random"),
    conditions={"size": (4, 5, 6, 8, 10, 12, 14, 16, 20, 23, 26, 40, 120, 400)},
)
