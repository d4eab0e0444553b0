"""The plain entrants that tell the parts of a cloud."""

from __future__ import annotations

from typing import Any

import torch
from assay import Model
from torch import Tensor, nn

from assay_sets.baselines import mlp, pooled


class PartsMLP(nn.Module):
    """(B, N, inputs) -> (B, N, classes): an MLP a point, given the mean or max over points of what it makes of them.

    `pool` = `none` leaves each point alone: what its coordinates tell without the others.
    """

    def __init__(self, inputs: int, classes: int, width: int = 64, pool: str = "mean") -> None:
        super().__init__()
        self.pool = pool
        self.each = mlp(inputs, width, width)
        self.out = mlp(width if pool == "none" else 2 * width, width, classes)

    def forward(self, points: Tensor) -> Tensor:
        """Return the logits of each point."""
        h = self.each(points).relu()
        if self.pool != "none":
            h = torch.cat([h, pooled(h, how=self.pool)[:, None].expand_as(h)], -1)
        return self.out(h)


class BoostedNeighbourhoods(nn.Module):
    """(B, N, inputs) -> (B, N, classes): gradient-boosted trees on the shape of each point's neighbourhood.

    Features of a point: its coordinates and norm, the cloud's spread; of its 8 and 24 nearest points the eigenvalues of
    their covariance, how far it lies from their mean, and the direction of least spread (Weinmann et al. 2015).
    """

    neighbours = (8, 24)
    rows = 32
    """Points a cloud that the trees are grown on."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.trees: Any = None

    def features(self, points: Tensor) -> Tensor:
        """Return the features (B, N, F) of points (B, N, inputs), in float64: neighbourhoods may be all but flat."""
        x = points.double()
        spread = x.std(1, keepdim=True).expand_as(x)
        found = [x, x.norm(dim=-1, keepdim=True), spread]
        nearest = torch.cdist(x, x).argsort(2)
        for count in self.neighbours:
            near = x[torch.arange(len(x))[:, None, None], nearest[:, :, :count]]  # (B, N, count, inputs)
            centre = near.mean(2, keepdim=True)
            values, vectors = torch.linalg.eigh((near - centre).mT @ (near - centre) / near.shape[2])
            found += [values, (x - centre[:, :, 0]).norm(dim=-1, keepdim=True), vectors[..., 0].abs()]
        return torch.cat(found, -1)

    def fit(self, points: Tensor, labels: Tensor) -> None:
        """Grow the trees from points (n, N, inputs) and labels (n, N)."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        chosen = torch.rand(labels.shape).argsort(1)[:, : self.rows]
        rows = torch.take_along_dim(self.features(points), chosen[..., None], 1).flatten(0, 1)
        self.trees = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, random_state=0)
        self.trees.fit(rows.numpy(), torch.take_along_dim(labels, chosen, 1).flatten().numpy())

    def forward(self, points: Tensor) -> Tensor:
        """Return logits (logarithms of probabilities)."""
        chance = points.new_zeros(*points.shape[:2], self.classes)
        found = self.trees.predict_proba(self.features(points).flatten(0, 1).numpy())
        chance[..., self.trees.classes_] = torch.tensor(found, dtype=points.dtype).view(*points.shape[:2], -1)
        return chance.clamp_min(1e-9).log()


MODELS = [
    Model("pointwise-mlp", "sets/point-parts", PartsMLP, {"pool": "none"}),
    Model("mean-pool-mlp", "sets/point-parts", PartsMLP),
    Model("max-pool-mlp", "sets/point-parts", PartsMLP, {"pool": "max"}),
    Model("boosted-neighbourhoods", "sets/point-parts", BoostedNeighbourhoods),
]
