"""Joint distributions with exact conditionals: chains by forward-backward, small Bayes nets by enumeration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from assay import Dataset

from assay_sequences.any_conditionals import Floats, Ints, JointData
from assay_sequences.common import generator, no_source

QUESTIONS = {"smoke": 50, "small": 1_000, "full": 5_000}
ROWS = {"smoke": 500, "small": 20_000, "full": 200_000}


@dataclass(frozen=True)
class Chain:
    """A Markov chain over T places of V values: `start` (V,), `steps` (T - 1, V, V)."""

    start: Floats
    steps: Floats

    @property
    def values(self) -> int:
        """Values of a place."""
        return len(self.start)

    def draw(self, rng: np.random.Generator, count: int) -> Ints:
        """Return rows (count, T)."""
        rows = np.empty((count, len(self.steps) + 1), dtype=np.int64)
        rows[:, 0] = rng.choice(self.values, size=count, p=self.start)
        for t, step in enumerate(self.steps):
            below = rng.random((count, 1)) > step.cumsum(1)[rows[:, t]]
            rows[:, t + 1] = np.minimum(below.sum(1), self.values - 1)
        return rows

    def conditional(self, observed: Ints, query: Ints) -> Floats:
        """Return p(x_query | observed) by forward and backward messages."""
        count, places = observed.shape
        evidence = np.ones((count, places, self.values))
        known = observed >= 0
        evidence[known] = np.eye(self.values)[observed[known]]
        evidence[np.arange(count), query] = 1.0
        forward = [self.start * evidence[:, 0]]
        for t, step in enumerate(self.steps):
            message = forward[-1] @ step * evidence[:, t + 1]
            forward.append(message / message.sum(1, keepdims=True))
        backward = [np.ones((count, self.values))]
        for t in range(places - 2, -1, -1):
            message = (backward[0] * evidence[:, t + 1]) @ self.steps[t].T
            backward.insert(0, message / message.sum(1, keepdims=True))
        rows = np.arange(count)
        both = np.stack(forward)[query, rows] * np.stack(backward)[query, rows]
        return both / both.sum(1, keepdims=True)


@dataclass(frozen=True)
class Table:
    """A joint table (2, ..., 2) over T binary variables."""

    table: Floats
    values: int = 2

    def draw(self, rng: np.random.Generator, count: int) -> Ints:
        """Return rows (count, T)."""
        flat = rng.choice(self.table.size, size=count, p=self.table.ravel())
        return np.stack(np.unravel_index(flat, self.table.shape), 1)

    def conditional(self, observed: Ints, query: Ints) -> Floats:
        """Return p(x_query | observed) by summing the table."""
        answers = []
        for row, asked in zip(observed, query, strict=True):
            cut = [slice(None) if place == asked or value < 0 else value for place, value in enumerate(row)]
            left = self.table[tuple(cut)]
            axis = sum(1 for place, value in enumerate(row[:asked]) if value < 0)
            mass = left.sum(tuple(i for i in range(left.ndim) if i != axis))
            answers.append(mass / mass.sum())
        return np.stack(answers)


def _marginals(joint: Any, variables: int) -> Floats:
    return joint.conditional(np.full((variables, variables), -1), np.arange(variables))


def _questions(rng: np.random.Generator, joint: Any, scale: str) -> tuple[Ints, Ints]:
    """Return rows of the joint with a random part of the places known, and one other place asked for."""
    observed = joint.draw(rng, QUESTIONS[scale])
    variables = observed.shape[1]
    query = rng.integers(variables, size=len(observed))
    hidden = rng.random(observed.shape) > rng.random((len(observed), 1))
    hidden[np.arange(len(observed)), query] = True
    return np.where(hidden, -1, observed), query


def first_order_text(seed: int, scale: str, source: str | None = None) -> JointData:
    """Walks of T=16 (8 at smoke, 64 at full) of a Markov chain over 8 symbols, rows from Dirichlet(.3); random sets are known."""
    no_source("first-order-text", source)
    rng, places = generator(seed, "first-order-text"), {"smoke": 8, "small": 16, "full": 64}[scale]
    matrix = rng.dirichlet(np.full(8, 0.3), size=8)
    start = np.linalg.matrix_power(0.99 * matrix + 0.01 / 8, 512)[0]
    joint = Chain(start / start.sum(), np.repeat(matrix[None], places - 1, 0))
    observed, query = _questions(rng, joint, scale)
    truth = joint.conditional(observed, query)
    return JointData(joint.draw(rng, ROWS[scale]), joint, observed, query, truth, _marginals(joint, places))


def bayes_random(seed: int, scale: str, source: str | None = None) -> JointData:
    """A random Bayes net of 12 binary nodes (6 at smoke), at most 2 parents, p(1 | parents) from Beta(.2, .2); by enumeration."""
    no_source("bayes-random", source)
    rng, nodes = generator(seed, "bayes-random"), 6 if scale == "smoke" else 12
    table = np.ones((2,) * nodes)
    grid = np.indices(table.shape)
    for node in range(nodes):
        parents = rng.choice(node, size=min(node, int(rng.integers(3))), replace=False)
        ones = rng.beta(0.2, 0.2, size=(2, 2)).clip(0.01, 0.99)
        key = [grid[p] for p in parents] + [np.zeros_like(grid[0])] * (2 - len(parents))
        chance = ones[tuple(key)]
        table = table * np.where(grid[node] == 1, chance, 1 - chance)
    joint = Table(table)
    observed, query = _questions(rng, joint, scale)
    truth = joint.conditional(observed, query)
    return JointData(joint.draw(rng, ROWS[scale]), joint, observed, query, truth, _marginals(joint, nodes))


def _bayes_chain(name: str, seed: int, scale: str, source: str | None) -> JointData:
    no_source(name, source)
    rng, nodes = generator(seed, "bayes-chain"), 5 if scale == "smoke" else 8
    flips = rng.uniform(0.05, 0.15, nodes - 1)
    skew = rng.uniform(-0.04, 0.04, nodes - 1)
    steps = np.stack([[[1 - f - s, f + s], [f - s, 1 - f + s]] for f, s in zip(flips, skew, strict=True)])
    joint = Chain(np.array([0.5, 0.5]), steps)
    rows = joint.draw(rng, ROWS[scale])
    order = np.arange(nodes)
    if name == "bayes-chain-wrong":
        order = rng.permutation(nodes)
        while (np.abs(np.diff(order)) == 1).any() and nodes > 5:
            order = rng.permutation(nodes)
    pairs = np.stack([order[:-1], order[1:]], 1)
    if name != "bayes-chain-all":
        chosen = pairs[rng.integers(len(pairs), size=len(rows))]
        shown = np.zeros(rows.shape, dtype=bool)
        np.put_along_axis(shown, chosen, True, 1)
        rows = np.where(shown, rows, -1)
    together = {tuple(sorted(pair)) for pair in pairs.tolist()}
    asked = [
        (x, y)
        for x in range(nodes)
        for y in range(nodes)
        if 2 <= abs(x - y) <= 4 and tuple(sorted((x, y))) not in together
    ]
    observed = np.full((2 * len(asked), nodes), -1)
    query = np.repeat([y for _, y in asked], 2)
    observed[np.arange(len(observed)), np.repeat([x for x, _ in asked], 2)] = np.tile([0, 1], len(asked))
    truth = joint.conditional(observed, query)
    neighbours = tuple((int(a), int(b)) for a, b in pairs) if name != "bayes-chain-all" else ()
    return JointData(rows, joint, observed, query, truth, _marginals(joint, nodes), neighbours, tuple(range(nodes)))


def bayes_chain(seed: int, scale: str, source: str | None = None) -> JointData:
    """A chain of 8 binary variables (5 at smoke), p(flip) .05 to .15; a row shows two neighbours; asked are pairs 2 to 4 apart.

    No such pair is ever shown together.
    """
    return _bayes_chain("bayes-chain", seed, scale, source)


def bayes_chain_all(seed: int, scale: str, source: str | None = None) -> JointData:
    """Return the same chain with whole rows."""
    return _bayes_chain("bayes-chain-all", seed, scale, source)


def bayes_chain_wrong(seed: int, scale: str, source: str | None = None) -> JointData:
    """Return the same chain, but a row shows two neighbours of a wrong order: never two true neighbours, from 6 variables on."""
    return _bayes_chain("bayes-chain-wrong", seed, scale, source)


SCHEMA = "joint-distribution"
DATASETS = [
    Dataset("first-order-text", SCHEMA, first_order_text, title="walks of a Markov chain, synthetic"),
    Dataset("bayes-random", SCHEMA, bayes_random, title="a random Bayes net of 12 nodes, synthetic"),
    Dataset("bayes-chain", SCHEMA, bayes_chain, title="a chain seen two neighbours at a time, synthetic"),
    Dataset("bayes-chain-all", SCHEMA, bayes_chain_all, title="the same chain seen whole, synthetic"),
    Dataset("bayes-chain-wrong", SCHEMA, bayes_chain_wrong, title="the same chain with wrong neighbours, synthetic"),
]
