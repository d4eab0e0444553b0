"""PointNet (Qi et al., 2017, arXiv:1612.00593): a shared MLP a point and a max over points classify a cloud."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from assay import Claim, Context, Metric, Model, Paper, hookimpl, score, worst
from assay_sets.baselines import mlp
from assay_sets.metrics import double, relative_gap
from assay_sets.schemas import PointClouds
from torch import Tensor, nn

POINTS = 512
"""Points of the clouds on which critical sets are computed: more than channels, or every point may be critical."""


class PointMLP(nn.Module):
    """(B, N, widths[0]) -> (B, N, widths[-1]): linear, batch norm and ReLU a layer, the same for every point."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv1d(inputs, outputs, 1), nn.BatchNorm1d(outputs), nn.ReLU()]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of each point."""
        return self.net(x.transpose(1, 2)).transpose(1, 2)


class TNet(nn.Module):
    """(B, N, inputs) -> (B, inputs, inputs): a small PointNet that predicts an alignment, the identity at first (3.3)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.points = PointMLP(inputs, 64, 128, 256)
        self.whole = mlp(256, 128, inputs * inputs)
        nn.init.zeros_(self.whole[-1].weight)
        nn.init.zeros_(self.whole[-1].bias)
        self.register_buffer("eye", torch.eye(inputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return the matrices."""
        return self.whole(self.points(x).amax(1)).view(-1, *self.eye.shape) + self.eye


class PointNet(nn.Module):
    """(B, N, inputs) -> (B, classes): f({x_i}) = g(max_i h(x_i)), eq. 1, after an optional learned alignment."""

    def __init__(self, inputs: int, classes: int, pool: str = "max", tnet: bool = True) -> None:
        super().__init__()
        if pool not in ("max", "mean", "attention"):
            raise ValueError(f"pool must be max, mean or attention, got {pool!r}")
        self.pool = pool
        self.align = TNet(inputs) if tnet else None
        self.points = PointMLP(inputs, 64, 64, 64, 128, 256)
        self.attention = mlp(256, 64, 1) if pool == "attention" else None
        self.whole = nn.Sequential(
            nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, classes)
        )

    def features(self, x: Tensor) -> Tensor:
        """Return h(x_i) (B, N, 256) of each point."""
        return self.points(x if self.align is None else x @ self.align(x))

    def pooled(self, h: Tensor) -> Tensor:
        """Return the global feature (B, 256). `attention` weighs points by a softmax of predicted scores (fig. 5)."""
        if self.pool == "max":
            return h.amax(1)
        return h.mean(1) if self.attention is None else (self.attention(h).softmax(1) * h).sum(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        return self.whole(self.pooled(self.features(x)))

    def report(self, data: PointClouds, ctx: Context) -> Mapping[str, Any]:
        """Return what theorem 2's surgery does to the logits; only without T-net, whose features see the whole set."""
        return {} if self.align is not None else {"surgery": surgery(double(self), data, ctx)}


class PointNetParts(nn.Module):
    """(B, N, inputs) -> (B, N, classes): each point's own features joined with those of the whole cloud (3.2, fig. 2)."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.align = TNet(inputs)
        self.local, self.deep = PointMLP(inputs, 64, 64), PointMLP(64, 64, 128, 256)
        self.joined, self.out = PointMLP(64 + 256, 128, 64), nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of each point."""
        h = self.local(x @ self.align(x))
        whole = self.deep(h).amax(1, keepdim=True)
        return self.out(self.joined(torch.cat([h, whole.expand(-1, h.shape[1], -1)], -1)))


@torch.no_grad()
def surgery(net: Any, data: PointClouds, ctx: Context, clouds: int = 16) -> Mapping[str, float]:
    """Cut clouds down to their critical sets C_S, add up to 64 points each that the upper bound N_S admits, and compare.

    C_S: the points that attain the maximum of some channel. N_S: any point none of whose features exceeds the pooled
    ones. Candidates are scattered about the cloud. Returns the largest relative change of the logits, the largest
    |C_S|, and the mean number of points added.
    """
    test, labels = torch.tensor(data.test_points).double(), torch.tensor(data.test_labels)
    together = -(-POINTS // test.shape[1])
    draw = torch.Generator().manual_seed(int(ctx.rng("surgery").integers(2**62)))
    gap, largest, added = 0.0, 0, 0
    for i in range(clouds):
        same = test[labels == labels[i]]
        whole = same[torch.arange(together) % len(same)].reshape(1, -1, test.shape[2])[:, :POINTS]
        h = net.features(whole)
        critical = h[0].argmax(0).unique()
        spread = whole[:, torch.randint(POINTS, (4096,), generator=draw)]
        candidates = spread + 0.05 * torch.randn(spread.shape, generator=draw, dtype=spread.dtype)
        admitted = candidates[(net.features(candidates) <= h.amax(1, keepdim=True)).all(-1)][None, :64]
        after = torch.cat([whole[:, critical], admitted], 1)
        gap = max(gap, relative_gap(net(after), net(whole)))
        largest, added = max(largest, len(critical)), added + admitted.shape[1]
    return {"gap": gap, "size": largest, "added": added / clouds}


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants of both tasks."""
    task = "sets/point-clouds"
    return [
        Model("pointnet", task, PointNet, knobs={"pool": ("max", "mean", "attention"), "tnet": (True, False)}),
        Model("pointnet-mean", task, PointNet, {"pool": "mean"}, ablates="pointnet"),
        Model("pointnet-attsum", task, PointNet, {"pool": "attention"}, ablates="pointnet"),
        Model("pointnet-no-tnet", task, PointNet, {"tnet": False}, {"pool": ("max", "mean")}, ablates="pointnet"),
        Model("pointnet", "sets/point-parts", PointNetParts),
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the measures of theorem 2."""
    return [
        Metric(f"critical_{name}", lambda o, name=name: o["surgery"][name], ("surgery",), direction, unit)
        for name, direction, unit in (
            ("gap", "down", "relative"),
            ("size", "down", "points"),
            ("added", "up", "points"),
        )
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    task = "sets/point-clouds"
    acc = score("accuracy", task=task)
    gap, size, added = (score(f"critical_{name}", task=task)("pointnet-no-tnet") for name in ("gap", "size", "added"))
    return [
        Paper(
            "pointnet",
            title="PointNet: Deep Learning on Point Sets for 3D Classification and Segmentation",
            year=2016,
            arxiv="1612.00593",
            family="sets",
            notes="robust-to-missing-points is undecided: with half of the points gone accuracy drops by 7.6 points, and the "
            "claim allows 8. Clouds have 64 points here, so that half of them is 32, where the paper leaves 512 of 1,024.",
            claims=[
                Claim(
                    "critical-set",
                    (worst(gap) <= 1e-9) & (worst(size) <= 256) & (worst(added) >= 8),
                    says="f(S) = f(T) for every C_S within T within N_S, and C_S has at most as many points as channels.",
                    published="proved (theorem 2)",
                ),
                Claim(
                    "robust-to-missing-points",
                    acc("pointnet") - acc("pointnet", keep=0.5) < 0.08,
                    says="Accuracy drops little when half of the points are missing.",
                    published="2.4 to 3.8 points on ModelNet40",
                ),
                Claim(
                    "max-pool-best",
                    (acc("pointnet") - acc("pointnet-mean") > 0.005)
                    & (acc("pointnet") - acc("pointnet-attsum") > 0.005),
                    says="Max pooling beats average and attention-sum pooling.",
                    published="87.1 against 83.8 and 83.0 % on ModelNet40",
                ),
            ],
        )
    ]
