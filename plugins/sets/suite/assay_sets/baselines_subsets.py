"""The plain entrants that choose a subset, and the channel-wise sum embedding."""

from __future__ import annotations

import numpy as np
import torch
from assay import Model
from numpy.polynomial.polynomial import polyroots
from numpy.typing import NDArray
from torch import Tensor, nn

from assay_sets.baselines import mlp

Vector = NDArray[np.float64]


class PointwiseClassifier(nn.Module):
    """v (B, n, inputs) -> (B, n): an MLP on each element by itself."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.net = mlp(inputs, 64, 64, 1)

    def loss(self, v: Tensor, s: Tensor) -> Tensor:
        """Return the binary cross-entropy of the elements."""
        return nn.functional.binary_cross_entropy_with_logits(self.net(v).squeeze(-1), s.to(v.dtype))

    def forward(self, v: Tensor) -> Tensor:
        """Return probabilities."""
        return self.net(v).squeeze(-1).sigmoid()


class RandomSubset(nn.Module):
    """v (B, n, inputs) -> (B, n): uniform numbers, drawn from the elements' bytes so that a set gets the same again."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.randn(inputs))

    def loss(self, v: Tensor, s: Tensor) -> Tensor:
        """Return 0: there is nothing to learn."""
        return 0.0 * self.direction.sum()

    def forward(self, v: Tensor) -> Tensor:
        """Return the fractional part of a large multiple of a random projection: as good as uniform."""
        return (1e4 * (v @ self.direction)).frac().abs()


def roots_of_power_sums(power_sums: Vector) -> Vector:
    """Return the N numbers, ascending, whose power sums of degree 1..N are given: Newton's identities, then roots.

    Imaginary parts, which rounding gives to roots that stand close together, are dropped.
    """
    n = len(power_sums)
    e = np.zeros(n + 1)
    e[0] = 1.0
    for k in range(1, n + 1):  # k e_k = sum_i (-1)^(i-1) e_{k-i} p_i
        e[k] = sum((-1) ** (i - 1) * e[k - i] * power_sums[i - 1] for i in range(1, k + 1)) / k
    coefficients = e * (-1.0) ** np.arange(n + 1)  # prod (t - x_i) = sum_k (-1)^k e_k t^(n-k)
    return np.sort(polyroots(coefficients[::-1]).real)


class ChannelPowerSum:
    """X (N, D) -> (N D,): the power sums of each column by itself, which forgets what stands together in a row."""

    def embed(self, x: NDArray[np.float64]) -> Vector:
        """Return sum over rows of (x_d)^k for each column d and k = 1..N."""
        return (x.T[:, :, None] ** np.arange(1, len(x) + 1)).sum(1).ravel()

    def decode(self, z: Vector, rows: int, columns: int) -> NDArray[np.float64]:
        """Return the columns, each ascending: right in each column, and in the rows only by luck."""
        return np.stack([roots_of_power_sums(p) for p in z.reshape(columns, rows)], axis=1)


MODELS = [
    Model("pointwise-classifier", task="sets/subset-selection", build=PointwiseClassifier),
    Model("random-subset", task="sets/subset-selection", build=RandomSubset),
    Model("channel-power-sum", task="sets/sum-embedding", build=ChannelPowerSum),
]
