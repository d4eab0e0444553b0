"""Polynomial width (Wang et al., 2023, arXiv:2307.04001): a sum over rows of poly(N, D) numbers tells a multiset."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

import numpy as np
from assay import Claim, Model, Paper, hookimpl, score, slope, within, worst
from assay_sets.baselines_subsets import roots_of_power_sums
from assay_sets.multisets import LARGER_COLUMNS, LARGER_ROWS
from numpy.typing import NDArray

Array = NDArray[np.float64]
TIES = (1e-3, 1e-4, 1e-5, 1e-6)
"""Distances below which roots may belong to equal rows; rounding splits a double root by 1e-8 or far more."""


@lru_cache(maxsize=64)
def anchors(rows: int, columns: int) -> Array:
    """Return J = N (N - 1) (D - 1) / 2 + 1 unit vectors (J, D) of which any D are independent (moment curve).

    Two different rows of X have the same product with at most D - 1 of them, and there are N (N - 1) / 2 pairs of rows,
    so some anchor tells all different rows apart (the paper's anchor construction).
    """
    count = rows * (rows - 1) // 2 * (columns - 1) + 1
    curve = np.linspace(-1, 1, count)[:, None] ** np.arange(columns)
    return curve / np.linalg.norm(curve, axis=1, keepdims=True)


@lru_cache(maxsize=64)
def couplers(rows: int) -> Array:
    """Return the N + 1 different factors c of the rows e_i + c a_j."""
    return np.linspace(-1, 1, rows + 1)


class LinearPower:
    """phi(x) = [(w_k . x)^p] for p = 1..N (LP): w are the channels e_i, the anchors a_j and e_i + c a_j for each i, j, c.

    X (N, D) -> (K N,) with K = D + J + J D (N + 1), so the width grows as N^4 D^2; the paper's bound is N^5 D^2.
    """

    def embed(self, x: Array) -> Array:
        """Return sum_n phi(x_n)."""
        n, d = x.shape
        a, c, eye = anchors(n, d), couplers(n), np.eye(d)
        coupled = (eye[:, None] + c[:, None] * a[:, None, None]).reshape(-1, d)
        along = x @ np.concatenate([eye, a, coupled]).T
        power, sums = np.ones_like(along), np.empty((along.shape[1], n))
        for p in range(n):
            power *= along
            sums[:, p] = power.sum(0)
        return sums.ravel()

    def decode(self, z: Array, rows: int, columns: int) -> Array:
        """Return the rows (N, D), in some order, from z alone."""
        a = anchors(rows, columns)
        sums = z.reshape(-1, rows)
        of_anchors = sums[columns : columns + len(a)]
        of_couplers = sums[columns + len(a) :].reshape(len(a), columns, rows + 1, rows)
        return recovered(z, self.embed, of_anchors, lambda j: mixed_sums(of_couplers[j]))


def mixed_sums(of_couplers: Array) -> Array:
    """Return sum_n x_ni (a . x_n)^q (q = 0..N-1, i) from the power sums (D, N + 1, N) of x_i + c (a . x).

    Of degree k = q + 1 they are polynomials in c: sum_n (x + c a)^k = sum_m c^m binom(k, m) sum_n x^(k-m) a^m. N + 1
    values of c determine the coefficients; that of c^q is k times what is wanted.
    """
    rows = of_couplers.shape[2]
    sums = []
    for k in range(1, rows + 1):
        vandermonde = couplers(rows)[:, None] ** np.arange(k + 1)
        coefficients = np.linalg.lstsq(vandermonde, of_couplers[:, :, k - 1].T, rcond=None)[0]
        sums.append(coefficients[k - 1] / k)
    return np.array(sums)


class LinearExponential:
    """phi(x) = exp(w_k . x) (LE): w are q a_j for q = 1..N and e_i + q a_j for q = 0..N-1.

    With y = exp(x_i) and u = exp(a_j . x) its sums are those of u^q and of y u^q: no couplers are needed, and the
    width J N (D + 1) grows as N^3 D^2; the paper's bound is N^4 D^2.
    """

    def embed(self, x: Array) -> Array:
        """Return sum_n phi(x_n): first the powers of each anchor, then its mixed terms with each channel."""
        n, d = x.shape
        along = (x @ anchors(n, d).T)[:, :, None]
        powers = np.exp(along * np.arange(1, n + 1))
        mixed = np.exp(x[:, None, :, None] + (along * np.arange(n))[:, :, None, :])
        return np.concatenate([powers.sum(0).ravel(), mixed.sum(0).ravel()])

    def decode(self, z: Array, rows: int, columns: int) -> Array:
        """Return the rows (N, D), in some order, from z alone; less well conditioned than with powers."""
        count = len(anchors(rows, columns))
        powers, mixed = z[: count * rows].reshape(count, rows), z[count * rows :].reshape(count, columns, rows)

        def embed_exponentials(y: Array) -> Array:
            return self.embed(np.log(np.maximum(y, 1e-300)))

        return np.log(np.maximum(recovered(z, embed_exponentials, powers, lambda j: mixed[j].T), 1e-300))


def recovered(z: Array, embed: Callable[[Array], Array], power_sums: Array, mixed: Callable[[int], Array]) -> Array:
    """Return the rows (N, D) from the power sums (J, N) of each anchor and the mixed sums `mixed(j)` (N, D) of one.

    The anchor is the one that tells most rows apart, and these most clearly. Its values r_n are roots by Newton's
    identities; then sum_n x_ni r_n^q, q = 0, 1, ..., is a Vandermonde system for each column. Which roots are equal is
    settled by embedding the rows again: the result that reproduces z best is taken.
    """
    roots = [roots_of_power_sums(p) for p in power_sums]
    results = []
    for tie in TIES:
        found = [clusters(r, tie) for r in roots]
        clarity = [(len(r), min((b - a for a, b in pairwise(r)), default=0.0)) for r, _ in found]
        best = max(range(len(found)), key=clarity.__getitem__)
        values, times = found[best]
        sums = mixed(best)
        vandermonde = times * values ** np.arange(len(sums))[:, None]
        results.append(np.linalg.lstsq(vandermonde, sums, rcond=None)[0].repeat(times, axis=0))
    return min(results, key=lambda x: np.abs(embed(x) - z).max())


def clusters(roots: Array, tie: float) -> tuple[Array, NDArray[np.int64]]:
    """Return the different ones of ascending roots, and how often each stands there."""
    parts = np.split(roots, np.flatnonzero(np.diff(roots) > tie) + 1)
    return np.array([part.mean() for part in parts]), np.array([len(part) for part in parts])


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants."""
    return [
        Model("polynomial-width-lp", "sets/sum-embedding", LinearPower),
        Model("polynomial-width-le", "sets/sum-embedding", LinearExponential),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    task = "sets/sum-embedding"
    error, gap, width = (score(name, task=task) for name in ("recovery_error", "collision_gap", "width"))
    return [
        Paper(
            "polynomial-width",
            title="Polynomial Width is Sufficient for Set Representation with High-dimensional Features",
            year=2023,
            arxiv="2307.04001",
            family="sets",
            notes="lp-is-injective spans all sizes drawn, rows of one number among them. There the construction is nothing "
            "but power sums, no other anchor can tell two rows apart that nearly tie, and float64 misses the bound of 1e-6 "
            "in some draws of five (2e-6). recovers-vectors was added when this was seen: with rows of two or more numbers "
            "the error is 2e-10 or less.",
            claims=[
                Claim(
                    "lp-is-injective",
                    worst(error("polynomial-width-lp")) <= 1e-6,
                    says="poly(N, D) numbers suffice: the multiset is had back from the sum over its rows.",
                    published="proved (theorem 3.1)",
                ),
                Claim(
                    "recovers-vectors",
                    (worst(error("polynomial-width-lp", rows=5, columns=2)) <= 1e-6)
                    & (worst(error("polynomial-width-lp", rows=5, columns=3)) <= 1e-6)
                    & (worst(error("polynomial-width-lp", rows=5, columns=4)) <= 1e-6),
                    says="So it does for five rows of two, three or four numbers each.",
                ),
                Claim(
                    "channelwise-is-not",
                    (worst(gap("channel-power-sum")) <= 1e-12) & (worst(gap("polynomial-width-lp")) >= 1e-6),
                    says="Pooling each channel by itself confuses {(0, 0), (1, 1)} with {(0, 1), (1, 0)}; this does not.",
                ),
                Claim(
                    "width-polynomial",
                    within(
                        slope(width("polynomial-width-lp", columns=LARGER_COLUMNS), over="rows", at=LARGER_ROWS),
                        of=4.0,
                        tol=1.0,
                    ),
                    says="The width grows polynomially in N, here with exponent 4.",
                    published="at most N^5 D^2",
                ),
            ],
        )
    ]
