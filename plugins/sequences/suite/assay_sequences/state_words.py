"""Token data sets whose answer is a state: running parity, words of permutation groups, flip-flops."""

from __future__ import annotations

from functools import cache
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay_sequences.common import generator, no_source
from assay_sequences.token_models import Samples, TokenData

Ints = NDArray[np.int64]
TRAIN = {"smoke": 640, "small": 51_200, "full": 1_000_000}
TEST = {"smoke": 64, "small": 400, "full": 2_000}
LENGTHS = {"smoke": 8, "small": 16, "full": 128}
"""Training length of parity's first phase and of words."""


@cache
def group(name: str) -> Ints:
    """Return the multiplication table (n, n) of a permutation group, entry [a, b] = a o b (b first); 0 is the identity.

    "s3", "s4", "s5": all permutations; "a5": the even ones of five.
    """
    points = int(name[1])
    elements = list(permutations(range(points)))
    if name[0] == "a":
        elements = [
            p for p in elements if sum(p[i] > p[j] for i in range(points) for j in range(i + 1, points)) % 2 == 0
        ]
    index = {p: i for i, p in enumerate(elements)}
    return np.array([[index[tuple(a[i] for i in b)] for b in elements] for a in elements])


def running(table: Ints, tokens: Ints) -> Ints:
    """Return the running left products x_t o ... o x_1 of tokens (N, T)."""
    states = np.empty_like(tokens)
    states[:, 0] = tokens[:, 0]
    for t in range(1, tokens.shape[1]):
        states[:, t] = table[tokens[:, t], states[:, t - 1]]
    return states


def _word(rng: np.random.Generator, table: Ints, count: int, length: int) -> Samples:
    tokens = rng.integers(len(table), size=(count, length))
    return tokens, running(table, tokens)


def _words(name: str, seed: int, scale: str, source: str | None) -> TokenData:
    no_source(f"{name}-word", source)
    rng, table, length = generator(seed, f"{name}-word"), group(name), LENGTHS[scale]
    tests = {key: _word(rng, table, TEST[scale], k * length) for key, k in (("same", 1), ("double", 2), ("long", 4))}
    return TokenData(len(table), (_word(rng, table, TRAIN[scale], length),), tests)


def s3_word(seed: int, scale: str, source: str | None = None) -> TokenData:
    """Word problem of S3, 6 tokens: the target at t is x_t o ... o x_1. Trained at T=16 (smoke 8, full 128), one layer."""
    return _words("s3", seed, scale, source)


def s4_word(seed: int, scale: str, source: str | None = None) -> TokenData:
    """Word problem of S4, 24 tokens; as `s3_word`."""
    return _words("s4", seed, scale, source)


def a5_word(seed: int, scale: str, source: str | None = None) -> TokenData:
    """Word problem of A5, 60 tokens, the smallest group that is not solvable; as `s3_word`."""
    return _words("a5", seed, scale, source)


def s5_word(seed: int, scale: str, source: str | None = None) -> TokenData:
    """Word problem of S5, 120 tokens; as `s3_word`."""
    return _words("s5", seed, scale, source)


def parity(seed: int, scale: str, source: str | None = None) -> TokenData:
    """Running XOR of uniform bits. Half of the steps at T=16, half at 32 (smoke 8, full 128 and 256); "long" is 128 at small.

    The two lengths keep an entrant from learning places by heart; tests are at the second one, twice and four times it.
    """
    no_source("parity", source)
    rng, short = generator(seed, "parity"), LENGTHS[scale]
    table, lengths = np.array([[0, 1], [1, 0]]), (short, 2 * short)
    train = tuple(_word(rng, table, TRAIN[scale] // 2, length) for length in lengths)
    tests = {k: _word(rng, table, TEST[scale], n * 2 * short) for k, n in (("same", 1), ("double", 2), ("long", 4))}
    return TokenData(2, train, tests)


IGNORE, WRITE, READ = 0, 1, 2
"""Instructions of flip-flop; the bits are tokens 3 and 4."""


def flip_flops(rng: np.random.Generator, count: int, pairs: int, ignore: float) -> Samples:
    """Return sequences of (instruction, bit) pairs: the first writes, the last reads, others ignore with probability `ignore`.

    Writing and reading share the rest. Bits are uniform, those after a read are what was written last, and are the targets
    at the read (the language FFL(p) of arXiv:2306.00946).
    """
    rest = (1 - ignore) / 2
    what = rng.choice(3, size=(count, pairs), p=[ignore, rest, rest])
    what[:, 0], what[:, -1] = WRITE, READ
    bits = rng.integers(2, size=(count, pairs))
    kept = bits[:, 0].copy()
    for t in range(1, pairs):
        kept = np.where(what[:, t] == WRITE, bits[:, t], kept)
        bits[:, t] = np.where(what[:, t] == READ, kept, bits[:, t])
    tokens = np.stack([what, bits + 3], -1).reshape(count, 2 * pairs)
    targets = np.full_like(tokens, -100)
    targets[:, ::2] = np.where(what == READ, bits + 3, -100)
    return tokens, targets


def flip_flop(seed: int, scale: str, source: str | None = None) -> TokenData:
    """Flip-flop language, P(ignore) = .8 in training; tests "sparse" .98, "dense" .1, "double" and "long" of more pairs.

    32 pairs (T=64) at small, 8 at smoke, 256 (T=512, as in arXiv:2306.00946) at full.
    """
    no_source("flip-flop", source)
    rng, pairs = generator(seed, "flip-flop"), {"smoke": 8, "small": 32, "full": 256}[scale]
    count = 2 * TEST[scale]
    tests: dict[str, Any] = {
        k: flip_flops(rng, count, pairs, p) for k, p in (("same", 0.8), ("sparse", 0.98), ("dense", 0.1))
    }
    tests |= {k: flip_flops(rng, count, n * pairs, 0.8) for k, n in (("double", 2), ("long", 4))}
    return TokenData(5, (flip_flops(rng, TRAIN[scale], pairs, 0.8),), tests)
