"""Geometric Algebra Attention (Spellings, 2021, arXiv:2110.02393): attention over products of vectors of small clouds."""

from __future__ import annotations

import torch
from assay import Claim, Model, Paper, hookimpl, score, worst
from assay_sets.baselines import mlp
from torch import Tensor, nn


def farthest(points: Tensor, count: int) -> Tensor:
    """Return `count` points of each cloud (B, N, 3), spread out: the outermost, then ever the farthest from those taken.

    It depends on distances alone, so it commutes with rotations, shifts and reordering.
    """
    rows = torch.arange(len(points), device=points.device)
    nearest = (points - points.mean(1, keepdim=True)).square().sum(-1)
    taken = []
    for i in range(min(count, points.shape[1])):
        taken.append(points[rows, nearest.argmax(1)])
        distance = (points - taken[-1][:, None]).square().sum(-1)
        nearest = distance if i == 0 else torch.minimum(nearest, distance)
    return torch.stack(taken, 1)


def norm(x: Tensor) -> Tensor:
    """Return lengths with a gradient at zero."""
    return (x.square().sum(-1) + 1e-12).sqrt()


def invariants(r: Tensor, rank: int, products: bool) -> Tensor:
    """Return the rotation-invariant features (B, n, ..., n, F) of all tuples of `rank` vectors of r (B, n, 3).

    r_i r_j = r_i . r_j + r_i ^ r_j: the scalar and the bivector's norm. r_i r_j r_k: the norm of its vector part
    r_i (r_j . r_k) - r_j (r_i . r_k) + r_k (r_i . r_j), and its trivector, det[r_i r_j r_k]. Lengths |r_i| come along.
    Without `products`: lengths and the distance |r_i - r_j| only.
    """
    a, b = torch.broadcast_tensors(r[:, :, None], r[:, None])
    dot, cross = (a * b).sum(-1), torch.linalg.cross(a, b)
    if not products:
        return torch.stack([norm(a), norm(b), norm(a - b)], -1)
    if rank == 2:
        return torch.stack([norm(a), norm(b), dot, norm(cross)], -1)
    ij, jk, ik = dot[:, :, :, None], dot[:, None], dot[:, :, None]
    i, j, k = r[:, :, None, None], r[:, None, :, None], r[:, None, None]
    vector = i * jk[..., None] - j * ik[..., None] + k * ij[..., None]
    trivector = (cross[:, :, :, None] * k).sum(-1)
    lengths = [norm(x).expand_as(trivector) for x in (i, j, k)]
    area = norm(cross)[:, :, :, None].expand_as(trivector)
    return torch.stack([*lengths, ij.expand_as(trivector), area, norm(vector), trivector], -1)


class TupleAttention(nn.Module):
    """Values v (B, n, d) and features of tuples -> (B, n, d): y_i = sum_T w_T t_T over the tuples T that i leads (sec. 3).

    t_T = sum_m W_m v_(m of T) + V(q_T), w = softmax over T of S(t_T): values merged linearly, joined by addition.
    """

    def __init__(self, features: int, rank: int, width: int) -> None:
        super().__init__()
        self.value, self.score = mlp(features, width, width), mlp(width, width, 1)
        self.merge = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(rank))

    def forward(self, v: Tensor, q: Tensor) -> Tensor:
        """Return the attended values."""
        t = self.value(q)
        for place, linear in enumerate(self.merge):
            shape = [len(v), *([1] * len(self.merge)), v.shape[-1]]
            shape[1 + place] = v.shape[1]
            t = t + linear(v).view(shape)
        t = t.flatten(2, -2)
        return (self.score(t).softmax(2) * t).sum(2)


class GeometricAlgebraAttention(nn.Module):
    """(B, N, 3) -> (B, classes), invariant to rotations, shifts and order: attention over tuples of 8 spread-out points.

    Vectors are the displacements of those points from their centre. Costs grow as 8^rank.
    """

    def __init__(
        self,
        inputs: int,
        classes: int,
        rank: int = 2,
        products: bool = True,
        points: int = 8,
        width: int = 32,
        layers: int = 2,
    ) -> None:
        super().__init__()
        if inputs != 3 or rank not in (2, 3):
            raise ValueError(f"products of 2 or 3 vectors in 3 dimensions only, got rank {rank} in {inputs}")
        self.points, self.rank, self.products = points, rank, products
        features = 3 if not products else {2: 4, 3: 7}[rank]
        self.first = mlp(1, width, width)
        self.layers = nn.ModuleList(TupleAttention(features, rank, width) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.out = mlp(width, 64, classes)

    def forward(self, points: Tensor) -> Tensor:
        """Return logits."""
        chosen = farthest(points, self.points)
        r = chosen - chosen.mean(1, keepdim=True)
        q = invariants(r, self.rank, self.products)
        v = self.first(norm(r)[..., None])
        for layer, normed in zip(self.layers, self.norms, strict=True):
            v = v + layer(normed(v), q)
        return self.out(v.mean(1))


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants: clouds in space only."""
    task, build, datasets = "sets/point-clouds", GeometricAlgebraAttention, ("shapes-3d",)
    name = "geometric-algebra-attention"
    return [
        Model(name, task, build, datasets=datasets),
        Model(f"{name}-r3", task, build, {"rank": 3}, datasets=datasets),
        Model(f"{name}-scalar", task, build, {"products": False}, ablates=name, datasets=datasets),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    acc, turned, permuted = (score(m, task="sets/point-clouds") for m in ("accuracy", "rot_gap", "perm_gap"))
    name = "geometric-algebra-attention"
    return [
        Paper(
            name,
            title="Geometric Algebra Attention Networks for Small Point Clouds",
            year=2021,
            arxiv="2110.02393",
            family="sets",
            notes="The arena of particle systems, where vectors are predicted, belongs to the symmetry family; here the "
            "invariant network is tested on clouds that are turned at test time. Its 8 points are chosen by farthest-point "
            "sampling: the paper's clouds are small by themselves. Distances of pairs already fix all products but for "
            "handedness, by which no two of these classes differ: products of three can only help by what they make easy, and "
            "in 400 steps the softmax over 512 tuples is the harder thing to learn (products-matter fails by 3 points).",
            claims=[
                Claim(
                    "exact-invariance",
                    (worst(turned(name)) <= 1e-8)
                    & (worst(permuted(name)) <= 1e-8)
                    & (worst(turned(f"{name}-r3")) <= 1e-8),
                    says="Predictions do not change when a cloud is turned, shifted or listed in another order.",
                    published="by construction",
                    seeds=3,
                ),
                Claim(
                    "beats-plain-network",
                    acc(name, test_rotation="so3") - acc("mean-pool-mlp", test_rotation="so3") > 0.1,
                    says="On clouds turned as none was in training it beats a network of plain coordinates.",
                    seeds=3,
                ),
                Claim(
                    "products-matter",
                    acc(f"{name}-r3", test_rotation="so3") - acc(f"{name}-scalar", test_rotation="so3") > 0.01,
                    says="Products of three vectors beat distances of pairs.",
                    seeds=3,
                ),
            ],
        )
    ]
