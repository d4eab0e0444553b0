"""pi^3 (Wang et al., 2025, arXiv:2507.13347): camera poses and points from views in any order, without a reference view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from assay import Claim, Context, Metric, Model, Paper, hookimpl, score, worst
from assay_sets.common import rotations
from assay_sets.metrics import double
from assay_sets.relative_pose import Geometry, PoseTransformer, angle, off_diagonal, relative, unpacked
from assay_sets.schemas import PoseScenes
from torch import Tensor, nn


def best_scale(got: Geometry, truth: Geometry) -> Tensor:
    """Return s* (B,) = argmin_s sum |s x' - x|_1 / z over a scene's points (sec. 3.2), without gradient.

    The minimum lies at a weighted median of x / x', with weights |x'| / z.
    """
    with torch.no_grad():
        a, b = got.local.flatten(1), truth.local.flatten(1)
        weight = (got.local / truth.local[..., 2:]).abs().flatten(1)
        ratio, order = (b / torch.where(a == 0, 1e-12, a)).sort(1)
        reached = weight.gather(1, order).cumsum(1)
        middle = (reached < reached[:, -1:] / 2).sum(1, keepdim=True)
        return ratio.gather(1, middle)[:, 0]


class Pi3(PoseTransformer):
    """The arena's network without a mark on any view: views permuted, outputs permuted (sec. 3.1).

    Cameras are asked for in no frame: only relations between pairs of them are supervised.
    """

    def __init__(self, views: int, points: int) -> None:
        super().__init__(views, points, reference=False)

    def loss(self, output: Tensor, truth: Geometry) -> Tensor:
        """Return the error of local points at the best scale (sec. 3.2) and of relative poses over all pairs (3.3)."""
        got = unpacked(output)
        scale = best_scale(got, truth)[:, None, None]
        points = ((scale[..., None] * got.local - truth.local).abs().sum(-1) / truth.local[..., 2]).mean()
        turn, shift = (off_diagonal(t) for t in relative(got))
        true_turn, true_shift = (off_diagonal(t) for t in relative(truth))
        unit = truth.local.norm(dim=-1).mean()
        shifts = nn.functional.huber_loss(scale * shift / unit, true_shift / unit, delta=0.1) / 0.1
        return points + angle(turn, true_turn).mean() + shifts

    def report(self, data: PoseScenes, ctx: Context) -> Mapping[str, Any]:
        """Return how much the loss changes when all cameras are moved together and all lengths scaled."""
        module: Any = double(self)
        truth = Geometry(
            *(torch.tensor(a[:64]).double() for a in (data.test_rotation, data.test_centre, data.test_local))
        )
        with torch.no_grad():
            got = unpacked(module(torch.tensor(data.test_image[:64]).double()))
            turn = torch.tensor(rotations(ctx.rng("frames"), 64))[:, None]
            shift = torch.tensor(ctx.rng("shifts").normal(size=(64, 1, 3)))
            moved = Geometry(turn @ got.rotation, 3 * ((turn @ got.centre[..., None])[..., 0] + shift), 3 * got.local)
            before, after = (module.loss(g.packed(), truth) for g in (got, moved))
        return {"frame_gap": float((after - before).abs() / before)}


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrant."""
    return [Model("pi3", "sets/relative-pose", Pi3)]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the measure of freedom of frame."""
    inf = float("inf")
    return [Metric("frame_gap", lambda o: o["frame_gap"], ("frame_gap",), "down", "relative", bounds=(0, inf))]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    task, other = "sets/relative-pose", "reference-view-transformer"
    gap, frame, order, rotation = (
        score(metric, task=task) for metric in ("perm_gap", "frame_gap", "order_std", "rel_rot_deg")
    )
    return [
        Paper(
            "pi3",
            title="π^3: Scalable Permutation-Equivariant Visual Geometry Learning",
            year=2025,
            arxiv="2507.13347",
            family="sets",
            notes="Scenes are objects of one kind (a deformed template), so a single view tells much of its own pose; from "
            "points anywhere neither network learns rotations within the small budget. The rival has the same network, "
            "steps and point loss, but marks its first view and is supervised in that camera's frame and scale. "
            "no-loss-of-accuracy is undecided: pi3's rotations are better at each of three seeds, by 5 to 11 degrees, which "
            "three seeds alone do not decide.",
            claims=[
                Claim(
                    "exactly-equivariant",
                    (worst(gap("pi3")) <= 1e-8) & (worst(frame("pi3")) <= 1e-8),
                    says="Permuting the views permutes the outputs and changes nothing else, and no frame or scale is "
                    "preferred by the loss.",
                    published="by construction",
                    seeds=3,
                ),
                Claim(
                    "insensitive-to-reference",
                    (worst(order("pi3")) <= 1e-4) & (worst(order(other)) >= 0.05),
                    says="Results do not depend on which view comes first; those of a reference-view model do.",
                    seeds=3,
                ),
                Claim(
                    "no-loss-of-accuracy",
                    rotation(other) - rotation("pi3") > 0.0,
                    says="Giving up the reference view improves the poses.",
                    seeds=3,
                ),
            ],
        )
    ]
