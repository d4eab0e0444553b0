"""Task sets/relative-pose: cameras and points of a rigid scene from views in any order, judged by relations only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from assay import Context, Entrant, Metric, Model, Schema, Task
from torch import Tensor, nn

from assay_sets.baselines import mlp
from assay_sets.common import held_out
from assay_sets.metrics import double
from assay_sets.recipe import batches, predict, train
from assay_sets.schemas import PoseScenes

SPREAD = 0.2
"""About the standard deviation of image coordinates."""


class Geometry(NamedTuple):
    """What a scene's views are: rotation (B, V, 3, 3) and centre (B, V, 3) of each camera, local points (B, V, K, 3)."""

    rotation: Tensor
    centre: Tensor
    local: Tensor

    def packed(self) -> Tensor:
        """Return all as one tensor (B, V, 12 + 3 K), as entrants do."""
        return torch.cat([self.rotation.flatten(2), self.centre, self.local.flatten(2)], -1)


def unpacked(output: Tensor) -> Geometry:
    """Return what an entrant's output (B, V, 12 + 3 K) stands for."""
    rotation, centre, local = output.split([9, 3, output.shape[-1] - 12], -1)
    return Geometry(rotation.unflatten(-1, (3, 3)), centre, local.unflatten(-1, (-1, 3)))


def relative(geometry: Geometry) -> tuple[Tensor, Tensor]:
    """Return T_i^-1 T_j of all ordered pairs: rotations (B, V, V, 3, 3) and translations (B, V, V, 3)."""
    inverse = geometry.rotation.transpose(-1, -2)[:, :, None]
    shift = geometry.centre[:, None] - geometry.centre[:, :, None]
    return inverse @ geometry.rotation[:, None], (inverse @ shift[..., None])[..., 0]


def angle(a: Tensor, b: Tensor) -> Tensor:
    """Return the angle (radians) of the rotation a^T b, arccos((tr - 1) / 2), its cosine clamped to +-(1 - 1e-6)."""
    return (((a * b).sum((-1, -2)) - 1) / 2).clamp(-1 + 1e-6, 1 - 1e-6).acos()


def off_diagonal(pairs: Tensor) -> Tensor:
    """Return the ordered pairs of different views (B, V (V - 1), ...) of a tensor (B, V, V, ...)."""
    different = ~torch.eye(pairs.shape[1], dtype=torch.bool, device=pairs.device)
    return pairs[:, different]


def run(entrant: Entrant, data: PoseScenes, ctx: Context) -> Mapping[str, Any]:
    """Train by the entrant's own loss, views in a new order at every step; evaluate on scenes it has not seen."""
    parts = ("image", "rotation", "centre", "local")
    image, *known = (torch.tensor(getattr(data, f"train_{part}")) for part in parts)
    test, *truth = (torch.tensor(getattr(data, f"test_{part}")) for part in parts)
    module = ctx.prepare(entrant.build(views=image.shape[1], points=image.shape[2]))
    stream = batches(len(image), ctx)

    def loss(_: int) -> Tensor:
        index = next(stream)
        batch = Geometry(*(t[index].to(ctx.device) for t in known))
        return module.loss(module(image[index].to(ctx.device)), batch)

    train(module, loss, ctx, clip=1.0)
    with ctx.timer("predict"):
        output = predict(module, test.to(ctx.device))
    with ctx.count_flops():
        module(test[:1].to(ctx.device))
    poses = {"geometry": unpacked(output), "truth": Geometry(*truth)}
    return {"module": module, "inputs": (test,), "equivariant": True, **poses}


def rotation_errors(geometry: Geometry, truth: Geometry) -> Tensor:
    """Return the angles in degrees (B, V (V - 1)) by which relative rotations are wrong."""
    return angle(*(off_diagonal(relative(g)[0]) for g in (geometry, truth))).rad2deg()


def rel_rot_deg(outcome: Mapping[str, Any]) -> float:
    """Median over scenes and ordered pairs of views of the error of relative rotations, in degrees."""
    return float(rotation_errors(outcome["geometry"], outcome["truth"]).median())


def rel_trans_deg(outcome: Mapping[str, Any]) -> float:
    """Median over scenes and ordered pairs of views of the angle between relative translations, in degrees."""
    a, b = (off_diagonal(relative(outcome[name])[1]) for name in ("geometry", "truth"))
    return float(torch.cosine_similarity(a, b, -1).clamp(-1, 1).acos().rad2deg().median())


def depth_absrel(outcome: Mapping[str, Any]) -> float:
    """Mean of |z - z'| / z' over points after one scale a scene, the median of z' / z."""
    z, true = (outcome[name].local[..., 2].flatten(1) for name in ("geometry", "truth"))
    scale = (true / z).median(1, keepdim=True).values
    return float(((scale * z - true).abs() / true).mean())


@torch.no_grad()
def order_std(outcome: Mapping[str, Any]) -> float:
    """Standard deviation in degrees of a scene's mean rotation error over the V choices of the view listed first.

    Mean over 100 scenes, in float64.
    """
    module, image = double(outcome["module"]), outcome["inputs"][0][:100].double()
    truth = Geometry(*(t[:100].double() for t in outcome["truth"]))
    errors = []
    for shift in range(image.shape[1]):
        turned = Geometry(*(t.roll(-shift, 1) for t in truth))
        errors.append(rotation_errors(unpacked(module(image.roll(-shift, 1))), turned).mean(1))
    return float(torch.stack(errors).std(0, correction=0).mean())


def orthogonalised(matrix: Tensor) -> Tensor:
    """Return the rotation nearest to each matrix (..., 3, 3): U diag(1, 1, det U V^T) V^T of its singular vectors."""
    u, _, v = torch.linalg.svd(matrix)
    sign = torch.det(u @ v).sign()
    return (u * torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign], -1)[..., None, :]) @ v


class PoseTransformer(nn.Module):
    """(B, V, K, 2) image points -> (B, V, 12 + 3 K): attention within views and among all tokens by turns, three heads.

    A token is a point in a view: a code of its place, and one of which point it is. Cameras come from a view's tokens
    together, depths from each. With `reference` the first view's tokens carry a learned mark; without it nothing tells views
    apart.
    """

    def __init__(self, views: int, points: int, width: int = 64, pairs: int = 2, reference: bool = False) -> None:
        super().__init__()
        self.place, self.which = mlp(2, width, width), nn.Parameter(torch.randn(points, width))
        self.mark = nn.Parameter(torch.randn(width)) if reference else None
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
            for _ in range(2 * pairs)
        )
        self.norm, self.pose, self.depth = nn.LayerNorm(width), mlp(points * width, width, 12), mlp(width, width, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return rotations, centres and local points, packed."""
        tokens = self.place(image / SPREAD) + self.which
        if self.mark is not None:
            tokens = torch.cat([tokens[:, :1] + self.mark, tokens[:, 1:]], 1)
        shape = tokens.shape
        for within, among in zip(self.blocks[::2], self.blocks[1::2], strict=True):
            tokens = within(tokens.flatten(0, 1)).view(shape)
            tokens = among(tokens.flatten(1, 2)).view(shape)
        tokens = self.norm(tokens)
        matrix, centre = self.pose(tokens.flatten(2)).split([9, 3], -1)
        ahead = torch.cat([image, torch.ones_like(image[..., :1])], -1)
        rotation = orthogonalised(matrix.unflatten(-1, (3, 3)) + 1e-3 * torch.eye(3, device=matrix.device).to(matrix))
        return Geometry(rotation, centre, ahead * self.depth(tokens).exp()).packed()


class ReferenceView(PoseTransformer):
    """The same network with a mark on the first view, in whose frame cameras are asked for (DUSt3R, VGGT)."""

    def __init__(self, views: int, points: int) -> None:
        super().__init__(views, points, reference=True)

    def loss(self, output: Tensor, truth: Geometry) -> Tensor:
        """Return the mean error of points, rotations and centres in the first camera's frame, at a mean depth of 1."""
        got = unpacked(output)
        rotation, centre = (t[:, 0] for t in relative(truth))
        scale = truth.local[:, :1].norm(dim=-1).mean((1, 2))[:, None, None]
        points = ((got.local - truth.local / scale[..., None]).abs().sum(-1) / truth.local[..., 2]).mean()
        centres = nn.functional.huber_loss(got.centre, centre / scale, delta=0.1) / 0.1
        return points + angle(got.rotation, rotation).mean() + centres


def split(arrays: Mapping[str, Any], rng: np.random.Generator) -> PoseScenes:
    """Return a user's scenes split 80/20 by the generator."""
    rest, test = held_out(len(arrays["image"]), rng)
    parts = [arrays[name] for name in ("image", "rotation", "centre", "local")]
    return PoseScenes(*(a[rest] for a in parts), *(a[test] for a in parts))


SCHEMA = Schema(
    "pose-scenes",
    {
        "image": "float32[n,V,K,2]",
        "rotation": "float32[n,V,3,3]",
        "centre": "float32[n,V,3]",
        "local": "float32[n,V,K,3]",
    },
    split,
)

TASK = Task(
    "sets/relative-pose",
    schema=SCHEMA.id,
    run=run,
    metrics=("rel_rot_deg", "rel_trans_deg", "depth_absrel", "order_std", "perm_gap"),
    dataset="synthetic-scenes",
    title="Relative camera poses from views",
    contract="build(views, points) gives a module: image points (B, V, K, 2) float32 to (B, V, 12 + 3 K), "
    "Geometry.packed(): rotations camera to world, centres, points in camera coordinates, in any common frame and scale; "
    "loss(output, truth: Geometry) gives what training minimises.",
    budgets={
        "smoke": {"steps": 20, "batch": 16},
        "small": {"steps": 400, "batch": 32},
        "full": {"steps": 100_000, "batch": 64},
    },
    baselines=("reference-view-transformer",),
)

BASELINES = [Model("reference-view-transformer", TASK.id, ReferenceView)]

METRICS = [
    Metric("rel_rot_deg", rel_rot_deg, ("geometry", "truth"), "down", "degrees", bounds=(0.0, 180.0)),
    Metric("rel_trans_deg", rel_trans_deg, ("geometry", "truth"), "down", "degrees", bounds=(0.0, 180.0)),
    Metric("depth_absrel", depth_absrel, ("geometry", "truth"), "down", "relative", bounds=(0.0, float("inf"))),
    Metric("order_std", order_std, ("module", "inputs", "truth"), "down", "degrees", bounds=(0.0, 180.0)),
]
