"""Token data sets of recall and of text: associative recall, a Markov chain, the King James Bible."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from assay_data_kjv import load
from numpy.typing import NDArray

from assay_sequences.common import generator, no_source
from assay_sequences.state_words import TEST, TRAIN
from assay_sequences.token_models import Samples, TokenData

KEYS = 32
"""Keys are tokens 0..31, values 32..63."""
ALPHABET = "abcdefghijklmnopqrstuvwxyz .,;:'"


def recall(rng: np.random.Generator, count: int, pairs: int) -> Samples:
    """Return sequences of 4 * pairs tokens: key-value pairs, then the keys in another order, each with its value.

    The target at a repeated key is its value, which follows as the next token (multi-query associative recall,
    arXiv:2312.04927).
    """
    keys = rng.random((count, KEYS)).argsort(1)[:, :pairs]
    values = rng.integers(KEYS, 2 * KEYS, size=(count, pairs))
    order = rng.random((count, pairs)).argsort(1)
    asked, answers = (np.take_along_axis(x, order, 1) for x in (keys, values))
    tokens = np.concatenate([np.stack(p, -1).reshape(count, -1) for p in ((keys, values), (asked, answers))], 1)
    targets = np.full_like(tokens, -100)
    targets[:, 2 * pairs :: 2] = answers
    return tokens, targets


def _mqar(name: str, pairs: int, seed: int, scale: str, source: str | None) -> TokenData:
    no_source(name, source)
    rng, pairs = generator(seed, name), min(pairs, 4) if scale == "smoke" else pairs
    tests = {
        key: recall(rng, TEST[scale], k * pairs)
        for key, k in (("same", 1), ("double", 2), ("long", 4))
        if k * pairs <= KEYS
    }
    train = recall(rng, TRAIN[scale], pairs)
    return TokenData(2 * KEYS, (train,), tests, layers=2, width=48)


def mqar(seed: int, scale: str, source: str | None = None) -> TokenData:
    """Multi-query associative recall of 8 pairs (4 at smoke), two layers; "double" and "long" ask for 16 and 32."""
    return _mqar("mqar", 8, seed, scale, source)


def mqar_4(seed: int, scale: str, source: str | None = None) -> TokenData:
    """Return the same with 4 pairs."""
    return _mqar("mqar-4", 4, seed, scale, source)


def mqar_16(seed: int, scale: str, source: str | None = None) -> TokenData:
    """Return the same with 16 pairs; "double" asks for 32."""
    return _mqar("mqar-16", 16, seed, scale, source)


def markov_chain(rng: np.random.Generator, symbols: int = 8, concentration: float = 0.3) -> NDArray[np.float64]:
    """Return a random transition matrix (symbols, symbols), rows drawn from a Dirichlet."""
    return rng.dirichlet(np.full(symbols, concentration), size=symbols)


def walks(rng: np.random.Generator, matrix: NDArray[np.float64], count: int, length: int) -> NDArray[np.int64]:
    """Return walks (count, length) of a Markov chain, begun in its stationary distribution."""
    cumulative = matrix.cumsum(1)
    states = np.empty((count, length), dtype=np.int64)
    states[:, 0] = rng.choice(len(matrix), size=count, p=stationary(matrix))
    for t in range(1, length):
        draw = rng.random((count, 1))
        states[:, t] = np.minimum((draw > cumulative[states[:, t - 1]]).sum(1), len(matrix) - 1)
    return states


def stationary(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distribution (symbols,) that a transition matrix leaves as it is."""
    n = len(matrix)
    system = np.vstack([matrix.T - np.eye(n), np.ones(n)])
    found = np.linalg.lstsq(system, np.append(np.zeros(n), 1.0), rcond=None)[0].clip(0)
    return found / found.sum()


def entropy_rate(matrix: NDArray[np.float64]) -> float:
    """Return the bits a symbol below which no predictor of the chain can come."""
    logs = np.log2(matrix, where=matrix > 0, out=np.zeros_like(matrix))
    return float(-(stationary(matrix)[:, None] * matrix * logs).sum())


def any_order_chars(seed: int, scale: str, source: str | None = None) -> TokenData:
    """First-order Markov chain over 8 symbols, rows from Dirichlet(.3); T=32 (16 at smoke), the next symbol is asked."""
    no_source("any-order-chars", source)
    rng, length = generator(seed, "any-order-chars"), 16 if scale == "smoke" else 32
    matrix = markov_chain(rng)

    def draw(count: int, places: int) -> Samples:
        found = walks(rng, matrix, count, places + 1)
        return found[:, :-1], found[:, 1:]

    tests = {key: draw(TEST[scale], k * length) for key, k in (("same", 1), ("double", 2), ("long", 4))}
    return TokenData(8, (draw(TRAIN[scale], length),), tests)


def letters(text: str) -> NDArray[np.int64]:
    """Return text as numbers 0..31: lower case, the space and `.,;:'`; other marks become the nearest of these, or nothing."""
    marks = ((r"[?!]", "."), (r"[()\[\]\N{EM DASH}-]", " "), ("\N{RIGHT SINGLE QUOTATION MARK}", "'"), ("æ", "ae"))
    for found, put in marks:
        text = re.sub(found, put, text.lower())
    code = {symbol: i for i, symbol in enumerate(ALPHABET)}
    return np.array([code[c] for c in " ".join(text.split()) if c in code])


def kjv_bytes(seed: int, scale: str, source: str | None = None) -> TokenData:
    """The King James Bible in 32 symbols: windows of 1,000,000 letters to train on (20,000 at smoke), others to test.

    The text is cut into chunks of 20,000 letters (2,000 at smoke); which of them are trained on is drawn by the seed, as is the
    order of the windows of T=128 (64 at smoke). At full: all, T=256, or your own text file by source=PATH (UTF-8).
    """
    rng = generator(seed, "kjv-bytes")
    if source is not None:
        with open(source, encoding="utf-8") as file:
            text = letters(file.read())
    else:
        text = letters(" ".join(load()))
    length, chunk, share = {"smoke": (64, 2_000, 10), "small": (128, 20_000, 50), "full": (256, 20_000, 0)}[scale]
    chunks = text[: len(text) // chunk * chunk].reshape(-1, chunk)
    order = rng.permutation(len(chunks))
    held = max(1, len(chunks) // 20)
    test, rest = chunks[order[:held]], chunks[order[held : held + share if share else None]]

    def windows(parts: NDArray[np.int64], size: int) -> Samples:
        cut = parts[:, : parts.shape[1] // (size + 1) * (size + 1)].reshape(-1, size + 1)
        cut = cut[rng.permutation(len(cut))]
        return cut[:, :-1], cut[:, 1:]

    limit = {"smoke": 2_048, "small": 32_768, "full": 500_000}[scale]
    tests = {}
    for key, size in (("same", length), ("double", 2 * length), ("long", 4 * length)):
        tokens, targets = windows(test, size)
        tests[key] = (tokens[: limit // size], targets[: limit // size])
    budget: dict[str, Any] = {"batch": 16, "early": True}
    if scale == "small":
        budget |= {"steps": 600, "pretrain": 600}
    return TokenData(32, (windows(rest, length),), tests, layers=2, width=64, budget=budget)
