"""Tensor rings: a tensor as the trace of a product of cores, one a mode, and their alternating least squares."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SIZE = 3
STARTS, SWEEPS = 2, 12


def canonical(order: Sequence[int]) -> tuple[int, ...]:
    """Return the cyclic order of modes that starts with mode 0 and does not change when read backwards."""
    at = list(order).index(0)
    forward = (*order[at:], *order[:at])
    backward = (forward[0], *reversed(forward[1:]))
    return min(tuple(forward), backward)


@functools.cache
def cyclic_orders(modes: int) -> list[tuple[int, ...]]:
    """Return all (modes - 1)! / 2 cyclic orders."""
    return sorted({canonical((0, *rest)) for rest in itertools.permutations(range(1, modes))})


def parameters(ranks: Sequence[int]) -> int:
    """Return the entries of all cores; core k has ranks[k] x SIZE x ranks[k + 1]."""
    return sum(a * SIZE * b for a, b in zip(ranks, [*ranks[1:], ranks[0]], strict=True))


def contract(cores: Sequence[Array]) -> Array:
    """Return the tensor of a ring of cores (r_k, SIZE, r_{k+1}), modes in ring order."""
    chain = cores[0]
    for core in cores[1:]:
        chain = np.tensordot(chain, core, 1)
    return np.trace(chain, axis1=0, axis2=chain.ndim - 1)


def planted(order: Sequence[int], ranks: Sequence[int], rng: np.random.Generator) -> Array:
    """Return a tensor of unit norm made of Gaussian cores; ring position k holds mode order[k]."""
    cores = [rng.standard_normal((a, SIZE, b)) for a, b in zip(ranks, [*ranks[1:], ranks[0]], strict=True)]
    ring = contract(cores)
    return np.transpose(ring / np.linalg.norm(ring), np.argsort(order))


def relative_error(tensor: Array, order: Sequence[int], ranks: Sequence[int]) -> float:
    """Return the least relative error over STARTS of SWEEPS sweeps of alternating least squares.

    Starts depend on the structure alone, so that the same structure always has the same error.
    """
    ring = np.transpose(tensor, order)
    rng = np.random.default_rng(crc32(repr((tuple(order), tuple(ranks))).encode()))
    return min(_sweeps(ring, ranks, rng) for _ in range(STARTS))


def _sweeps(ring: Array, ranks: Sequence[int], rng: np.random.Generator) -> float:
    n, norm = ring.ndim, float(np.linalg.norm(ring))
    cores = [rng.standard_normal((a, SIZE, b)) for a, b in zip(ranks, [*ranks[1:], ranks[0]], strict=True)]
    unfolded = [np.transpose(ring, [*range(k, n), *range(k)]).reshape(SIZE, -1) for k in range(n)]
    error = 1.0
    for _ in range(SWEEPS):
        before = error
        for k in range(n):
            chain = cores[(k + 1) % n]
            for step in range(2, n):
                chain = np.tensordot(chain, cores[(k + step) % n], 1)
            a, b = ranks[k], chain.shape[0]
            design = np.moveaxis(chain, -1, 0).reshape(a * b, -1)  # rows (r_k, r_{k+1}), columns the other modes
            gram = design @ design.T
            gram.flat[:: a * b + 1] += 1e-12 * gram.trace()
            solved = np.linalg.solve(gram, design @ unfolded[k].T)
            cores[k] = np.transpose(solved.reshape(a, b, SIZE), (0, 2, 1))
        error = float(np.linalg.norm(unfolded[-1] - solved.T @ design)) / norm
        if error < 1e-6 or before - error < 1e-4 * before:
            break
    return error
