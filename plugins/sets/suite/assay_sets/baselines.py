"""The plain entrants that every paper of this family has to beat."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from assay import Model
from torch import Tensor, nn


def mlp(*widths: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return linear layers of the given widths with an activation between them, none after the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


def pooled(h: Tensor, mask: Tensor | None = None, how: str = "mean") -> Tensor:
    """Return the sum, mean or max over real elements: h (B, N, D), mask (B, N) or None for all, to (B, D)."""
    if how not in ("sum", "mean", "max"):
        raise ValueError(f"pooling must be sum, mean or max, got {how!r}")
    if mask is None:
        return h.amax(1) if how == "max" else getattr(h, how)(1)
    if how == "max":
        return h.masked_fill(~mask[..., None], -torch.inf).amax(1)
    total = (h * mask[..., None]).sum(1)
    return total if how == "sum" else total / mask.sum(1, keepdim=True).clamp_min(1)


class FlatMLP(nn.Module):
    """(B, N, inputs) -> (B, classes): the points' coordinates as one long vector, in the order given or sorted by x.

    A cloud of another size than `points` is thinned or repeated to it (evenly when sorted).
    """

    def __init__(self, inputs: int, classes: int, points: int = 64, sort: bool = False) -> None:
        super().__init__()
        self.points, self.sort = points, sort
        self.net = mlp(points * inputs, 256, 128, classes)

    def forward(self, points: Tensor) -> Tensor:
        """Return logits."""
        index = torch.arange(self.points, device=points.device)
        if self.sort:
            points = torch.take_along_dim(points, points[..., :1].argsort(1), 1)
            return self.net(points[:, index * points.shape[1] // self.points].flatten(1))
        return self.net(points[:, index % points.shape[1]].flatten(1))


class PoolMLP(nn.Module):
    """(B, N, inputs) -> (B, outputs): an MLP an element, the mean or max over real elements, an MLP."""

    def __init__(self, inputs: int, outputs: int = 0, classes: int = 0, width: int = 64, pool: str = "mean") -> None:
        super().__init__()
        self.pool = pool
        self.each, self.whole = mlp(inputs, width, width), mlp(width, width, outputs or classes)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return logits or predictions."""
        return self.whole(pooled(self.each(x).relu(), mask, self.pool))


class GRUSet(nn.Module):
    """(B, N, inputs) -> (B, outputs): a GRU over the elements in the order given, its last state, a linear map."""

    def __init__(self, inputs: int, outputs: int, width: int = 64) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(inputs, width, batch_first=True), nn.Linear(width, outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return predictions. Real elements come first, as the data keep them."""
        states, _ = self.gru(x)
        last = mask.sum(1).clamp_min(1) - 1
        return self.out(states[torch.arange(len(x), device=x.device), last])


class KernelMeanRidge(nn.Module):
    """(B, N, inputs) -> (B, outputs): kernel mean embedding by random Fourier features, then a linear model.

    Features cos(w.x + b) of a Gaussian kernel whose bandwidth is the median distance of elements (Rahimi and Recht
    2007; Muandet et al. 2017), averaged over the set. Ridge regression with the penalty chosen by generalised
    cross-validation, for classes on their indicators.
    """

    def __init__(self, inputs: int, outputs: int = 0, classes: int = 0, features: int = 256) -> None:
        super().__init__()
        self.classes = classes
        self.register_buffer("frequency", torch.randn(inputs, features))
        self.register_buffer("phase", 2 * torch.pi * torch.rand(features))
        self.register_buffer("weight", torch.zeros(classes or outputs, features))
        self.register_buffer("bias", torch.zeros(classes or outputs))

    def embed(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return the mean over real elements of the features, scaled to unit variance: (B, features)."""
        return pooled(2**0.5 * torch.cos(x @ self.frequency + self.phase), mask)

    def fit(self, x: Tensor, *rest: Tensor) -> None:
        """Set bandwidth and weights from x (n, N, inputs), mask (n, N) when there is one, and labels or targets."""
        from sklearn.linear_model import RidgeClassifierCV, RidgeCV  # costly to import: only who fits it pays
        from sklearn.preprocessing import StandardScaler

        mask, target = rest if len(rest) == 2 else (None, *rest)
        elements = x[mask] if mask is not None else x.flatten(0, 1)
        sample = elements[torch.randperm(len(elements))[:500]]
        self.frequency /= torch.pdist(sample).median()
        inputs = self.embed(x, mask).numpy()
        scale = StandardScaler().fit(inputs)
        ridge = RidgeClassifierCV if self.classes else RidgeCV
        linear = ridge(np.logspace(-6, 2, 9)).fit(scale.transform(inputs), target.numpy())
        weight = linear.coef_ / scale.scale_
        self.weight.copy_(torch.tensor(weight))
        self.bias.copy_(torch.tensor(linear.intercept_ - weight @ scale.mean_))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return logits or predictions."""
        return self.embed(x, mask) @ self.weight.T + self.bias


class BoostedStatistics(nn.Module):
    """(B, N, inputs) -> (B, outputs): gradient-boosted trees on summary statistics of the set.

    Statistics: the number of elements; of each coordinate the sum, mean, standard deviation and five quantiles; of up
    to 8 coordinates the mean products of pairs, and the quantiles of the elements' norms.
    """

    quantiles = (0.0, 0.25, 0.5, 0.75, 1.0)

    def __init__(self, inputs: int, outputs: int = 0, classes: int = 0) -> None:
        super().__init__()
        self.classes = classes
        self.trees: Any = None

    def statistics(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return the statistics (B, features) of x (B, N, inputs)."""
        real = torch.ones(x.shape[:2], dtype=torch.bool) if mask is None else mask
        few = [] if x.shape[-1] > 8 else [x.norm(dim=-1, keepdim=True)]
        levels = torch.tensor(self.quantiles, dtype=x.dtype)
        spread = torch.cat([x, *few], -1).masked_fill(~real[..., None], torch.nan).nanquantile(levels, 1)
        mean = pooled(x, real)
        deviation = (pooled(x**2, real) - mean**2).clamp_min(0).sqrt()
        products = [pooled((x[..., :, None] * x[..., None, :]).flatten(2), real)] if few else []
        size = real.sum(1, keepdim=True).to(x.dtype)
        return torch.cat([size, pooled(x, real, "sum"), mean, deviation, *products, *spread], 1)

    def fit(self, x: Tensor, *rest: Tensor) -> None:
        """Grow the trees from x (n, N, inputs), mask (n, N) when there is one, and labels or targets."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        mask, target = rest if len(rest) == 2 else (None, *rest)
        kind = HistGradientBoostingClassifier if self.classes else HistGradientBoostingRegressor
        self.trees = kind(max_iter=60, max_leaf_nodes=15, random_state=0)
        self.trees.fit(self.statistics(x, mask).numpy(), target.numpy().ravel())

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return logits (logarithms of probabilities) or predictions."""
        features = self.statistics(x, mask).numpy()
        if self.classes:
            chance = x.new_zeros(len(x), self.classes)
            chance[:, self.trees.classes_] = torch.tensor(self.trees.predict_proba(features), dtype=x.dtype)
            return chance.clamp_min(1e-9).log()
        return torch.tensor(self.trees.predict(features), dtype=x.dtype)[:, None]


MODELS = [
    *(
        model
        for task in ("sets/point-clouds", "sets/set-statistics")
        for model in (
            Model("mean-pool-mlp", task, PoolMLP),
            Model("max-pool-mlp", task, PoolMLP, {"pool": "max"}),
            Model("kme-ridge", task, KernelMeanRidge),
            Model("boosted-statistics", task, BoostedStatistics),
        )
    ),
    Model("flat-mlp", "sets/point-clouds", FlatMLP),
    Model("sorted-mlp", "sets/point-clouds", FlatMLP, {"sort": True}),
    Model("gru-set", "sets/set-statistics", GRUSet),
]
