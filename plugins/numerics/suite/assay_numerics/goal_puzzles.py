"""Task numerics/goal-puzzles: learn to solve a puzzle from random scrambles of its goal."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from assay import AssayError, Context, Dataset, Entrant, Metric, Model, Task
from numpy.typing import NDArray

from assay_numerics.common import generator, no_source

States = NDArray[np.int8]
Ints = NDArray[np.int64]
NODES = 10_000
TESTS = {"smoke": 5, "small": 30}


@dataclass(frozen=True)
class Puzzle:
    """States are rows (L,) int8 below `symbols`; move k takes state to `step`, and `inverse[k]` takes it back.

    `step(states (B, L), moves (B,))` returns the new states and which moves were legal (the others change nothing).
    `depth` is the longest scramble that is of use. `estimate(states)` is a heuristic by hand, (B,).
    """

    name: str
    goal: States
    symbols: int
    inverse: Ints
    depth: int
    step: Callable[[States, Ints], tuple[States, NDArray[np.bool_]]]
    estimate: Callable[[States], NDArray[np.float64]]

    def solved(self, states: States) -> NDArray[np.bool_]:
        """Return which states are the goal, (B,)."""
        return (states == self.goal).all(1)

    def codes(self, states: States) -> Ints:
        """Return a 64-bit hash of each state, (B,): collisions are as good as impossible."""
        weights = np.random.default_rng(7).integers(-(2**62), 2**62, states.shape[1])
        return states.astype(np.int64) @ weights

    def children(self, states: States) -> tuple[States, NDArray[np.bool_]]:
        """Return the states after every move, (B, K, L), and which moves were legal, (B, K)."""
        k = len(self.inverse)
        after, legal = self.step(np.repeat(states, k, axis=0), np.tile(np.arange(k), len(states)))
        return after.reshape(len(states), k, -1), legal.reshape(len(states), k)


def _eight_puzzle() -> Puzzle:
    """Return the 3 x 3 sliding puzzle; a move shifts the blank (0) up, down, left or right."""
    shifts = np.array([-3, 3, -1, 1])
    cells = np.arange(9)
    allowed = np.stack([cells >= 3, cells < 6, cells % 3 > 0, cells % 3 < 2], axis=1)

    def step(states: States, moves: Ints) -> tuple[States, NDArray[np.bool_]]:
        blank, rows = (states == 0).argmax(1), np.arange(len(states))
        legal = allowed[blank, moves]
        target = np.where(legal, blank + shifts[moves], blank)
        after = states.copy()
        after[rows, blank] = states[rows, target]
        after[rows, target] = 0
        return after, legal

    def manhattan(states: States) -> NDArray[np.float64]:
        home = (states.astype(np.int64) - 1) % 9
        apart = np.abs(home // 3 - cells // 3) + np.abs(home % 3 - cells % 3)
        return np.where(states == 0, 0, apart).sum(1).astype(float)

    goal = np.array([1, 2, 3, 4, 5, 6, 7, 8, 0], dtype=np.int8)
    return Puzzle("eight-puzzle", goal, 9, np.array([1, 0, 3, 2]), 31, step, manhattan)


def _pocket_cube() -> Puzzle:
    """Return the 2 x 2 x 2 cube with one corner fixed: quarter turns of the three faces that do not touch it."""
    stickers = [
        (corner, axis)
        for corner in np.stack(np.meshgrid(*[[-1, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
        for axis in range(3)
    ]
    place = {(*corner.tolist(), axis): i for i, (corner, axis) in enumerate(stickers)}
    turns = []
    for axis in range(3):
        turn = np.zeros((3, 3), dtype=int)
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn[axis, axis] = turn[b, a] = 1
        turn[a, b] = -1
        order = np.arange(24)
        for i, (corner, side) in enumerate(stickers):
            if corner[axis] == 1:
                order[place[(*(turn @ corner).tolist(), int(np.abs(turn[:, side]).argmax()))]] = i
        turns += [order, np.argsort(order)]
    table = np.array(turns)
    goal = np.array([2 * axis + (corner[axis] > 0) for corner, axis in stickers], dtype=np.int8)

    def step(states: States, moves: Ints) -> tuple[States, NDArray[np.bool_]]:
        return np.take_along_axis(states, table[moves], 1), np.ones(len(states), dtype=bool)

    def hamming(states: States) -> NDArray[np.float64]:
        return (states != goal).sum(1) / 8.0

    return Puzzle("pocket-cube", goal, 6, np.array([1, 0, 3, 2, 5, 4]), 14, step, hamming)


def _lights_out() -> Puzzle:
    """Return 4 x 4 Lights Out: a press flips a lamp and its neighbours; the goal is darkness."""
    cells = np.stack(np.meshgrid(range(4), range(4), indexing="ij"), -1).reshape(-1, 2)
    flips = (np.abs(cells[:, None] - cells).sum(-1) <= 1).astype(np.int8)

    def step(states: States, moves: Ints) -> tuple[States, NDArray[np.bool_]]:
        return states ^ flips[moves], np.ones(len(states), dtype=bool)

    def lit(states: States) -> NDArray[np.float64]:
        return states.sum(1) / 5.0

    return Puzzle("lights-out-4", np.zeros(16, dtype=np.int8), 2, np.arange(16), 7, step, lit)


PUZZLES = {"eight-puzzle": _eight_puzzle, "pocket-cube": _pocket_cube, "lights-out-4": _lights_out}


@dataclass(frozen=True)
class Instances:
    """A puzzle by name, states to be solved (T, L) and the lengths of their shortest solutions (T,)."""

    name: str
    states: States
    optimal: Ints

    def puzzle(self) -> Puzzle:
        """Return the puzzle."""
        return PUZZLES[self.name]()


def ball(puzzle: Puzzle, radius: int) -> tuple[list[States], Ints, Ints]:
    """Return the states at each distance up to a radius, and codes (sorted) with their distances: breadth-first."""
    layers = [puzzle.goal[None]]
    known = puzzle.codes(layers[0])
    codes, distances = [known], [np.zeros(1, dtype=np.int64)]
    for distance in range(1, radius + 1):
        after, legal = puzzle.children(layers[-1])
        fresh = after[legal]
        code, first = np.unique(puzzle.codes(fresh), return_index=True)
        new = ~np.isin(code, known)
        if not new.any():
            break
        layers.append(fresh[first[new]])
        codes.append(code[new])
        distances.append(np.full(int(new.sum()), distance))
        known = np.concatenate([*codes[-2:]])  # neighbours of a layer lie in it or beside it
    joined, order = np.concatenate(codes), np.argsort(np.concatenate(codes))
    return layers, joined[order], np.concatenate(distances)[order]


def distance(puzzle: Puzzle, state: States, codes: Ints, distances: Ints) -> int:
    """Return the length of a shortest solution: breadth-first from the state until it meets the ball."""
    frontier, seen = state[None], puzzle.codes(state[None])
    for steps in range(64):
        found = np.searchsorted(codes, puzzle.codes(frontier)).clip(max=len(codes) - 1)
        hits = codes[found] == puzzle.codes(frontier)
        if hits.any():
            return steps + int(distances[found[hits]].min())
        after, legal = puzzle.children(frontier)
        fresh = after[legal]
        code, first = np.unique(puzzle.codes(fresh), return_index=True)
        new = ~np.isin(code, seen)
        frontier, seen = fresh[first[new]], np.concatenate([seen, code[new]])
    raise AssayError(f"{puzzle.name}: a test state cannot be reached from the goal")


def scrambled(puzzle: Puzzle, count: int, length: int, rng: np.random.Generator) -> States:
    """Return states (count, L) after random walks from the goal."""
    states = np.repeat(puzzle.goal[None], count, axis=0)
    for _ in range(length):
        states = puzzle.step(states, rng.integers(len(puzzle.inverse), size=count))[0]
    return states


def _instances(name: str, radius: int, seed: int, scale: str, source: str | None) -> Instances:
    no_source(name, scale, source)
    puzzle, rng, count = PUZZLES[name](), generator(seed, name), TESTS[scale]
    layers, codes, distances = ball(puzzle, radius)
    if name == "pocket-cube":
        states = scrambled(puzzle, count, 4 if scale == "smoke" else 100, rng)
    else:
        whole = np.concatenate(layers if scale == "small" else layers[:9])
        states = whole[rng.choice(len(whole), count, replace=False)]
    optimal = np.array([distance(puzzle, state, codes, distances) for state in states])
    return Instances(name, states, optimal)


def eight_puzzle(seed: int, scale: str, source: str | None = None) -> Instances:
    """Return 30 uniform states of the 8-puzzle's 181,440 (at smoke 5 within 8 moves), by full breadth-first search."""
    return _instances("eight-puzzle", 8 if scale == "smoke" else 31, seed, scale, source)


def pocket_cube(seed: int, scale: str, source: str | None = None) -> Instances:
    """Return 30 scrambles of the pocket cube by 100 quarter turns (at smoke 5 by 4); optima by meeting in the middle."""
    return _instances("pocket-cube", 4 if scale == "smoke" else 8, seed, scale, source)


def lights_out_4(seed: int, scale: str, source: str | None = None) -> Instances:
    """Return 30 uniform states of the 4,096 that 4 x 4 Lights Out can reach (5 at smoke)."""
    return _instances("lights-out-4", 7, seed, scale, source)


def run(entrant: Entrant, data: Instances, ctx: Context) -> Mapping[str, Any]:
    """Train on scrambles of the goal within the budget of states, then solve each test state within NODES expanded nodes.

    Solutions are replayed.
    """
    puzzle, solver = data.puzzle(), entrant.build()
    with ctx.timer("fit"):
        solver.train(puzzle, ctx.budget["states"], ctx.rng("train"))
    lengths, expanded = [], []
    for state in data.states:
        with ctx.timer("predict"):
            moves, nodes = solver.solve(puzzle, state, NODES)
        at, legal = state[None], True
        for move in moves or ():
            at, ok = puzzle.step(at, np.array([move]))
            legal = legal and bool(ok[0])
        if moves is not None and not (legal and puzzle.solved(at)[0]):
            raise AssayError(f"{entrant.id} returned moves that do not solve {state.tolist()}")
        lengths.append(-1 if moves is None else len(moves))
        expanded.append(nodes)
    return {"module": solver, "lengths": np.array(lengths), "optimal": data.optimal, "expanded": np.array(expanded)}


def solve_rate(outcome: Mapping[str, Any]) -> float:
    """Share of states solved."""
    return float((outcome["lengths"] >= 0).mean())


def optimality_gap(outcome: Mapping[str, Any]) -> float:
    """Mean length over mean shortest length, minus 1, over the states solved; 1 when none was."""
    solved = outcome["lengths"] >= 0
    return (
        float(outcome["lengths"][solved].sum() / max(1, outcome["optimal"][solved].sum()) - 1) if solved.any() else 1.0
    )


def best_first(
    puzzle: Puzzle, state: States, budget: int, estimate: Callable[[States], NDArray[np.float64]], weight: float
) -> tuple[list[int] | None, int]:
    """Search best-first by weight * length + estimate, 20 nodes at a time; return moves (None: failed) and nodes expanded.

    weight 0 is greedy search, 1 is A*.
    """
    start = int(puzzle.codes(state[None])[0])
    parents: dict[int, tuple[int, int, int]] = {start: (0, -1, -1)}  # length, parent, move
    queue, stored, nodes = [(0.0, start)], {start: state}, 0
    if puzzle.solved(state[None])[0]:
        return [], 0
    while queue and nodes < budget:
        taken = [heapq.heappop(queue)[1] for _ in range(min(20, len(queue), budget - nodes))]
        nodes += len(taken)
        after, legal = puzzle.children(np.stack([stored[code] for code in taken]))
        fresh: dict[int, States] = {}
        for (i, move), code in zip(np.argwhere(legal).tolist(), puzzle.codes(after[legal]).tolist(), strict=True):
            length = parents[taken[i]][0] + 1
            if code not in parents or length < parents[code][0]:
                parents[code] = (length, taken[i], move)
                fresh[code] = after[i, move]
        if not fresh:
            continue
        block = np.stack(list(fresh.values()))
        done = puzzle.solved(block)
        if done.any():
            code, moves = list(fresh)[int(done.argmax())], []
            while code != start:
                _, code, move = parents[code]
                moves.append(move)
            return moves[::-1], nodes
        for (code, item), h in zip(fresh.items(), estimate(block).tolist(), strict=True):
            stored[code] = item
            heapq.heappush(queue, (weight * parents[code][0] + h, code))
    return None, nodes


@dataclass(frozen=True)
class Greedy:
    """Baseline: greedy best-first search with the puzzle's estimate by hand; learns nothing."""

    def train(self, puzzle: Puzzle, states: int, rng: np.random.Generator) -> None:
        """Learn nothing."""

    def solve(self, puzzle: Puzzle, state: States, budget: int) -> tuple[list[int] | None, int]:
        """Return moves, None when the budget is spent, and the nodes expanded."""
        return best_first(puzzle, state, budget, puzzle.estimate, 0.0)


@dataclass(frozen=True)
class Bidirectional:
    """Baseline: breadth-first from both ends, the smaller front first; learns nothing, what it finds is shortest."""

    def train(self, puzzle: Puzzle, states: int, rng: np.random.Generator) -> None:
        """Learn nothing."""

    def solve(self, puzzle: Puzzle, state: States, budget: int) -> tuple[list[int] | None, int]:
        """Return moves, None when the budget is spent, and the nodes expanded."""
        fronts, nodes = [state[None], puzzle.goal[None]], 0
        came: list[dict[int, tuple[int, int]]] = [{int(puzzle.codes(front)[0]): (0, -1)} for front in fronts]
        while not (met := came[0].keys() & came[1].keys()):
            side = int(len(fronts[1]) < len(fronts[0]))
            front, nodes = fronts[side], nodes + len(fronts[side])
            if nodes > budget or not len(front):
                return None, nodes - len(front)
            after, legal = puzzle.children(front)
            codes, sources = puzzle.codes(after[legal]).tolist(), puzzle.codes(front).tolist()
            fresh = []
            for at, ((i, move), code) in enumerate(zip(np.argwhere(legal).tolist(), codes, strict=True)):
                if code not in came[side]:
                    came[side][code] = (sources[i], move)
                    fresh.append(at)
            fronts[side] = after[legal][fresh]
        paths: list[list[int]] = []
        for reached in came:
            path, code = list[int](), min(met)
            while (step := reached[code])[1] >= 0:
                path.append(step[1])
                code = step[0]
            paths.append(path)
        return paths[0][::-1] + puzzle.inverse[paths[1]].tolist(), nodes


ID = "numerics/goal-puzzles"
MODELS = [Model("greedy-by-hand", ID, Greedy), Model("bidirectional-search", ID, Bidirectional)]
METRICS = [
    Metric("solve_rate", solve_rate, ("lengths",), "up", "fraction", bounds=(0, 1)),
    Metric("optimality_gap", optimality_gap, ("lengths", "optimal"), "down", "relative", bounds=(0, np.inf)),
    Metric("nodes_expanded", lambda o: float(o["expanded"].mean()), ("expanded",), "down", "nodes", bounds=(0, np.inf)),
]
DATASETS = [
    Dataset("eight-puzzle", "goal-puzzle", eight_puzzle, title="3 x 3 sliding puzzle, synthetic"),
    Dataset("pocket-cube", "goal-puzzle", pocket_cube, title="2 x 2 x 2 cube, quarter turns, synthetic"),
    Dataset("lights-out-4", "goal-puzzle", lights_out_4, title="4 x 4 Lights Out, synthetic"),
]
TASK = Task(
    ID,
    schema="goal-puzzle",
    run=run,
    metrics=("solve_rate", "optimality_gap", "nodes_expanded"),
    dataset="pocket-cube",
    title="Learn to solve puzzles from their goal",
    contract="build() gives a solver: train(puzzle, states, rng) on at most that many, then solve(puzzle, state (L,), "
    "budget) returns moves (None: not solved) and the number of nodes expanded.",
    budgets={"smoke": {"states": 20_000}, "small": {"states": 300_000}, "full": {"states": 2_000_000_000}},
    baselines=("greedy-by-hand", "bidirectional-search"),
)
