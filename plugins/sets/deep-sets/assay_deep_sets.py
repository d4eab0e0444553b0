"""Deep Sets (Zaheer et al., 2017, arXiv:1703.06114): rho(sum_i phi(x_i)) is permutation invariant, and universal."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from assay import Claim, Context, Metric, Model, Paper, hookimpl, score, worst
from assay_sets.baselines import mlp, pooled
from torch import Tensor, nn

SIZES = (2, 3, 5, 8)
"""Numbers of elements at which the commutant of the permutation matrices is computed."""


class DeepSets(nn.Module):
    """x (B, N, inputs) and mask (B, N) -> (B, outputs): f(X) = rho(sum_i phi(x_i)), theorem 2."""

    def __init__(self, inputs: int, outputs: int, pool: str = "sum") -> None:
        super().__init__()
        self.pool = pool
        self.phi = mlp(inputs, 100, 100, activation=nn.Tanh)
        self.rho = mlp(100, 50, outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return predictions."""
        return self.rho(pooled(self.phi(x).tanh(), mask, self.pool))


class Equivariant(nn.Module):
    """(B, N, inputs) -> (B, N, outputs): x_i A + pool_j(x_j) B + b, eq. 4 over channels; commutes with permutations."""

    def __init__(self, inputs: int, outputs: int, pool: str = "max") -> None:
        super().__init__()
        self.pool = pool
        self.each = nn.Linear(inputs, outputs)
        self.shared = nn.Linear(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output without a nonlinearity."""
        pooled = x.amax(1, keepdim=True) if self.pool == "max" else x.sum(1, keepdim=True)
        return self.each(x) + self.shared(pooled)


class DeepSetsClouds(nn.Module):
    """(B, N, inputs) -> (B, classes): three equivariant tanh layers, max over points, dropout, a linear map (sec. 4.1.3)."""

    def __init__(self, inputs: int, classes: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Equivariant(a, b) for a, b in pairwise([inputs, width, width, width]))
        self.out = nn.Sequential(nn.Dropout(0.5), nn.Linear(width, classes))

    def forward(self, points: Tensor) -> Tensor:
        """Return logits."""
        for layer in self.layers:
            points = layer(points).tanh()
        return self.out(points.amax(1))

    def report(self, data: Any, ctx: Context) -> Mapping[str, Any]:
        """Return the commutant of S_N at each of SIZES, and how far the layer's own matrix lies outside its span."""
        return {"commutants": {n: commutant(n) for n in SIZES}, "layer_gaps": {n: layer_gap(n) for n in SIZES}}


def commutant(n: int) -> Tensor:
    """Return an orthonormal basis (n * n, dimension) of {T: T P = P T for every permutation matrix P}, float64.

    The null space of P^T kron I - I kron P, stacked for two permutations that generate S_n (a swap and a cycle).
    """
    eye = torch.eye(n, dtype=torch.float64)
    swap, cycle = eye[[1, 0, *range(2, n)]], eye.roll(1, 0)
    equations = torch.cat([torch.kron(p.T.contiguous(), eye) - torch.kron(eye, p) for p in (swap, cycle)])
    _, singular, rows = torch.linalg.svd(equations)
    return rows[singular < 1e-10].T


def outside(matrices: Tensor, n: int) -> float:
    """Return the largest entry of columns (n * n, k) left after projection on span{I, 1 1^T} (lemma 3)."""
    span = torch.stack([torch.eye(n, dtype=torch.float64), torch.ones(n, n, dtype=torch.float64)]).flatten(1).T
    basis = torch.linalg.qr(span)[0]
    return float((matrices - basis @ (basis.T @ matrices)).abs().max())


@torch.no_grad()
def layer_gap(n: int) -> float:
    """Return how far the matrix of an `Equivariant` layer on n scalars lies outside span{I, 1 1^T}."""
    layer = Equivariant(1, 1, pool="sum").double()
    columns = layer(torch.eye(n, dtype=torch.float64)[..., None]) - layer(torch.zeros(1, n, 1, dtype=torch.float64))
    return outside(columns.reshape(n * n, 1), n)


def dimension_error(outcome: Mapping[str, Any]) -> float:
    """Largest |dimension of the commutant - 2| over SIZES."""
    return float(max(abs(basis.shape[1] - 2) for basis in outcome["commutants"].values()))


def commutant_residual(outcome: Mapping[str, Any]) -> float:
    """Largest entry, over SIZES, of the commutant's basis and of the layer's matrix outside span{I, 1 1^T}."""
    spaces = max(outside(basis, n) for n, basis in outcome["commutants"].items())
    return max(spaces, *outcome["layer_gaps"].values())


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants of both tasks."""
    pools = {"pool": ("sum", "mean", "max")}
    return [
        Model("deep-sets", task="sets/point-clouds", build=DeepSetsClouds),
        Model("deep-sets", task="sets/set-statistics", build=DeepSets, knobs=pools),
        Model("deep-sets-mean", "sets/set-statistics", DeepSets, {"pool": "mean"}, ablates="deep-sets"),
        Model("deep-sets-max", "sets/set-statistics", DeepSets, {"pool": "max"}, ablates="deep-sets"),
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the measures of lemma 3."""
    inf = float("inf")
    return [
        Metric("dimension_error", dimension_error, ("commutants",), "down", "count", exact=True, bounds=(0, inf)),
        Metric("commutant_residual", commutant_residual, ("commutants", "layer_gaps"), "down", "abs", bounds=(0, inf)),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    clouds, sums = "sets/point-clouds", "sets/set-statistics"
    acc, mae = score("accuracy", task=clouds), score("mae", task=sums, dataset="digit-sum")
    gap = score("perm_gap", task=clouds)("deep-sets")
    error = score("dimension_error", task=clouds)("deep-sets")
    residual = score("commutant_residual", task=clouds)("deep-sets")
    return [
        Paper(
            "deep-sets",
            title="Deep Sets",
            year=2017,
            arxiv="1703.06114",
            family="sets",
            claims=[
                Claim(
                    "generalises-in-size",
                    mae("gru-set", test_size=50) - mae("deep-sets", test_size=50) > 1.0,
                    says="Trained on sums of at most 10 digits it stays accurate for 50, a recurrent net does not.",
                ),
                Claim(
                    "equivariant-maps-are-two-dimensional",
                    (worst(error) <= 0) & (worst(residual) <= 1e-8),
                    says="A linear layer commutes with all permutations iff it is lambda I + gamma 1 1^T (lemma 3).",
                    published="proved",
                ),
                Claim(
                    "exact-invariance",
                    (worst(gap) <= 1e-9) & (acc("deep-sets") - acc("flat-mlp") > 0.1),
                    says="Its output does not change with the order of the points, and that pays in accuracy.",
                ),
            ],
        )
    ]
