"""Data sets of sequences/integer-algorithms: problems whose answers are computed, with test examples that training never sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay_sequences.common import generator, no_source
from assay_sequences.integer_algorithms import Ints, Pairs, Problem

TESTS = {"smoke": 100, "small": 2_000, "full": 10_000}


def digits(numbers: Ints, places: int) -> Ints:
    """Return numbers (N,) as decimal digits (N, places), the highest first."""
    return numbers[:, None] // 10 ** np.arange(places - 1, -1, -1) % 10


def problem(name: str, seed: int, scale: str, source: str | None, vocab: int, draw: Any, **more: Any) -> Problem:
    """Return a problem with a test of `TESTS[scale]` distinct draws."""
    no_source(name, source)
    prompts, answers = draw(generator(seed, name), 4 * TESTS[scale])
    _, first = np.unique(prompts, axis=0, return_index=True)
    kept = np.sort(first)[: min(TESTS[scale], max(1, len(first) // 4))]
    return Problem(vocab, draw, {"same": (prompts[kept], answers[kept])}, **more)


@dataclass(frozen=True)
class Gcd:
    """Prompts `a b =` in decimal digits, a and b uniform in 1..limit or, with `log`, their logarithms; answers gcd(a, b)."""

    limit: int
    log: bool = False

    def __call__(self, rng: np.random.Generator, n: int) -> Pairs:
        """Return n examples; 10 and 11 are the separators."""
        if self.log:
            pairs = np.exp(rng.uniform(0, np.log(self.limit + 1), (n, 2))).astype(np.int64).clip(1, self.limit)
        else:
            pairs = rng.integers(1, self.limit + 1, (n, 2))
        places = len(str(self.limit))
        a, b = (digits(pairs[:, i], places) for i in (0, 1))
        marks = [np.full((n, 1), mark) for mark in (10, 11)]
        return np.hstack([a, marks[0], b, marks[1]]), digits(np.gcd(pairs[:, 0], pairs[:, 1]), places)


GCD_LIMIT = {"smoke": 30, "small": 500, "full": 1_000_000}


def gcd(seed: int, scale: str, source: str | None = None) -> Problem:
    """Greatest common divisor of a, b uniform in 1..500 (1..30 at smoke, 1..10^6 at full), in decimal digits."""
    return problem("gcd", seed, scale, source, 13, Gcd(GCD_LIMIT[scale]))


def gcd_log(seed: int, scale: str, source: str | None = None) -> Problem:
    """Return the same with log-uniform a and b (arXiv:2308.15594)."""
    return problem("gcd-log", seed, scale, source, 13, Gcd(GCD_LIMIT[scale], log=True))


@dataclass(frozen=True)
class SparseParity:
    """Prompts of n uniform bits; the answer is the XOR of those at the places `hidden`."""

    n: int
    hidden: tuple[int, ...]

    def __call__(self, rng: np.random.Generator, n: int) -> Pairs:
        """Return n examples."""
        bits = rng.integers(2, size=(n, self.n))
        return bits, bits[:, self.hidden].sum(1, keepdims=True) % 2


def sparse_parity(seed: int, scale: str, source: str | None = None) -> Problem:
    """XOR of k hidden bits of n, hidden by the seed: n=16, k=3 (8, 2 at smoke; 60, 3 at full)."""
    n, k = {"smoke": (8, 2), "small": (16, 3), "full": (60, 3)}[scale]
    hidden = np.sort(generator(seed, "sparse-parity-hidden").choice(n, k, replace=False))
    return problem("sparse-parity", seed, scale, source, 3, SparseParity(n, tuple(hidden.tolist())))


@dataclass(frozen=True)
class InversePermutation:
    """Prompts: a permutation pi of n places, then y[pi(0)], ..., y[pi(n - 1)]; answers y, of letters from token n on."""

    n: int
    letters: int

    def __call__(self, rng: np.random.Generator, n: int) -> Pairs:
        """Return n examples."""
        pi = rng.random((n, self.n)).argsort(1)
        y = rng.integers(self.n, self.n + self.letters, size=(n, self.n))
        return np.hstack([pi, np.take_along_axis(y, pi, 1)]), y


def inverse_permutation(seed: int, scale: str, source: str | None = None) -> Problem:
    """Put a permuted string back in order, told the permutation before it: n=5 places, 8 letters (4, 8 at smoke; 32, 32 at full).

    Trained at a constant rate of 1e-3: a one-cycle of 2e-3 gets stuck on some seeds.
    """
    n, letters = {"smoke": (4, 8), "small": (5, 8), "full": (32, 32)}[scale]
    draw, budget = InversePermutation(n, letters), {"lr": 1e-3, "schedule": "constant"}
    return problem("inverse-permutation", seed, scale, source, n + letters + 1, draw, budget=budget)


@dataclass(frozen=True)
class Addition:
    """Prompts `a + b =`, both of one number of digits that a call draws among `sizes`; answers a + b, its digits reversed."""

    sizes: tuple[int, ...]

    def __call__(self, rng: np.random.Generator, n: int) -> Pairs:
        """Return n examples; 10 and 11 are the signs."""
        places = int(rng.choice(self.sizes))
        pairs = rng.integers(10**places, size=(n, 2))
        a, b = (digits(pairs[:, i], places) for i in (0, 1))
        marks = [np.full((n, 1), mark) for mark in (10, 11)]
        return np.hstack([a, marks[0], b, marks[1]]), digits(pairs.sum(1), places + 1)[:, ::-1].copy()


def add3(seed: int, scale: str, source: str | None = None) -> Problem:
    """Addition of two numbers of three digits with leading zeros (two at smoke, five at full), the sum's lowest digit first."""
    return problem("add3", seed, scale, source, 13, Addition(({"smoke": 2, "small": 3, "full": 5}[scale],)))


def add_lengths(seed: int, scale: str, source: str | None = None) -> Problem:
    """Addition trained on 1, 2 or 3 digits a batch, tested on 3 and, as "long", on 4 (up to 2 and 3 at smoke)."""
    longest = 2 if scale == "smoke" else 3
    same = problem("add-lengths", seed, scale, source, 13, Addition((longest,)))
    long = problem("add-longer", seed, scale, source, 13, Addition((longest + 1,)))
    draw = Addition(tuple(range(1, longest + 1)))
    return Problem(13, draw, {"same": same.tests["same"], "long": long.tests["same"]})


Corrupt = Callable[[Ints], Ints]


@dataclass(frozen=True)
class RunningSum:
    """Prompts: n digits and a separator; the trace: for each, the digit and the sum so far mod 10; the answer: the last sum."""

    n: int
    states: tuple[int, ...] = (1,)
    """Places of the state within each step of the trace."""

    @property
    def step(self) -> int:
        """Tokens of one step."""
        return 2

    def __call__(self, rng: np.random.Generator, n: int) -> Pairs:
        """Return n examples."""
        lists = rng.integers(10, size=(n, self.n))
        return np.hstack([lists, np.full((n, 1), 10)]), self.trace(lists)

    def trace(self, lists: Ints, corrupt: Corrupt | None = None) -> Ints:
        """Return traces and answer (N, 2n + 1); the state after each step goes through `corrupt`, and on from there."""
        state, parts = np.zeros((len(lists), 1), dtype=np.int64), []
        for digit in lists.T[:, :, None]:
            state = (state + digit) % 10
            state = state if corrupt is None else corrupt(state)
            parts += [digit, state]
        return np.hstack([*parts, state])


@dataclass(frozen=True)
class SortMedian:
    """Prompts: a list of n digits (odd) and a separator; the trace is the whole list after each step of a selection sort.

    The sort stops when the middle place is filled, which is the answer. All of the list is state, and lives on.
    """

    n: int

    @property
    def states(self) -> tuple[int, ...]:
        """Places of the state within each step of the trace: all."""
        return tuple(range(self.n))

    @property
    def step(self) -> int:
        """Tokens of one step."""
        return self.n

    def __call__(self, rng: np.random.Generator, n: int) -> Pairs:
        """Return n examples."""
        lists = rng.integers(10, size=(n, self.n))
        return np.hstack([lists, np.full((n, 1), 10)]), self.trace(lists)

    def trace(self, lists: Ints, corrupt: Corrupt | None = None) -> Ints:
        """Return traces and answer (N, n (n + 1) / 2 + 1); each list goes through `corrupt`, and on from there."""
        state, rows, parts = lists.copy(), np.arange(len(lists)), []
        for place in range(self.n // 2 + 1):
            least = place + state[:, place:].argmin(1)
            state = state.copy()
            state[rows, least], state[:, place] = state[:, place].copy(), state[rows, least].copy()
            state = state if corrupt is None else corrupt(state)
            parts.append(state)
        return np.hstack([*parts, state[:, self.n // 2 : self.n // 2 + 1]])


def running_sum(seed: int, scale: str, source: str | None = None) -> Problem:
    """Sum of 6 digits mod 10 with its trace (3 at smoke, 12 at full); the last token counts."""
    n = {"smoke": 3, "small": 6, "full": 12}[scale]
    return problem("running-sum", seed, scale, source, 12, RunningSum(n), final=1)


def sort_median(seed: int, scale: str, source: str | None = None) -> Problem:
    """Median of 5 digits by a traced selection sort (3 at smoke, 9 at full); the last token counts."""
    n = {"smoke": 3, "small": 5, "full": 9}[scale]
    return problem("sort-median", seed, scale, source, 12, SortMedian(n), final=1)
