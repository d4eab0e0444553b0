"""Graphs without 3- and 4-cycles, as a bit mask of neighbours a node."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Adjacency = list[int]
Edge = tuple[int, int]


def violations(adjacency: Sequence[int]) -> int:
    """Return the number of triangles and 4-cycles of a graph given as a bit mask a node: counted pair by pair."""
    triangles = squares = 0
    for u, v in itertools.combinations(range(len(adjacency)), 2):
        common = bin(adjacency[u] & adjacency[v]).count("1")
        squares += common * (common - 1) // 2
        triangles += common if adjacency[u] >> v & 1 else 0
    return triangles // 3 + squares // 2


def addable(adjacency: Adjacency) -> list[Edge]:
    """Return the pairs at distance 4 or more: an edge between them closes no 3- or 4-cycle."""
    n, found = len(adjacency), []
    for u in range(n):
        near = reach = 1 << u
        for _ in range(3):
            for w in range(n):
                if near >> w & 1:
                    reach |= adjacency[w]
            near = reach
        found += [(u, v) for v in range(u + 1, n) if not reach >> v & 1]
    return found


def flipped(adjacency: Adjacency, edge: Edge) -> Adjacency:
    """Return the graph with an edge added or removed."""
    out, (u, v) = list(adjacency), edge
    out[u] ^= 1 << v
    out[v] ^= 1 << u
    return out


def edges_of(adjacency: Adjacency) -> list[Edge]:
    """Return the edges (u, v), u < v."""
    n = len(adjacency)
    return [(u, v) for u in range(n) for v in range(u + 1, n) if adjacency[u] >> v & 1]


def matrix(pairs: Sequence[Edge], nodes: int) -> NDArray[np.float32]:
    """Return the symmetric 0/1 matrix (nodes, nodes) of pairs."""
    out = np.zeros((nodes, nodes), dtype=np.float32)
    for u, v in pairs:
        out[u, v] = out[v, u] = 1.0
    return out


def thinned(adjacency: Adjacency, share: float, rng: np.random.Generator) -> Adjacency:
    """Return the graph with each edge dropped with probability `share`."""
    for edge in edges_of(adjacency):
        if rng.random() < share:
            adjacency = flipped(adjacency, edge)
    return adjacency
