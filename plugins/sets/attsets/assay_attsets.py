"""AttSets (Yang et al., 2020, arXiv:1808.00758): views weighted by attention a feature channel, and trained in two stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from assay import Claim, Context, Metric, Model, Paper, hookimpl, score, trend, worst
from assay_sets.metrics import double, relative_gap
from assay_sets.schemas import ViewSets
from assay_sets.view_sets import TEST_VIEWS, WIDTH
from torch import Tensor, nn

MANY = (2, 6)
"""Views of a training set where there is more than one."""


class AttSets(nn.Module):
    """(B, V, 1, H, W) -> output: y = sum_n softmax_n(W x_n) * x_n over the views' codes x_n, then the head (eq. 1 to 4).

    The softmax runs over the views, for each feature channel by itself (`scalar`: one weight a view). `schedule` is
    `faset` (algorithm 1): encoder and head learn from single views, then W alone from several; or `joint`: everything
    learns from several views, as attention is commonly trained.
    """

    def __init__(self, encoder: nn.Module, head: Any, schedule: str = "faset", scalar: bool = False) -> None:
        super().__init__()
        if schedule not in ("faset", "joint"):
            raise ValueError(f"schedule must be faset or joint, got {schedule!r}")
        self.faset = schedule == "faset"
        self.base = nn.ModuleDict({"encoder": encoder, "head": head(WIDTH)})
        self.attention = nn.Linear(WIDTH, 1 if scalar else WIDTH, bias=False)

    def aggregate(self, codes: Tensor) -> Tensor:
        """Return one code (B, d) for the views' codes (B, V, d); the identity for a single view."""
        return (self.attention(codes).softmax(1) * codes).sum(1)

    def forward(self, views: Tensor) -> Tensor:
        """Return logits."""
        return self.base["head"](self.aggregate(self.base["encoder"](views)))

    def stage(self, progress: float) -> tuple[int, int]:
        """Freeze what the stage does not train, and return how many views it trains on."""
        if not self.faset:
            return MANY
        first = progress < 0.5
        self.base.requires_grad_(first)
        self.attention.requires_grad_(not first)
        return (1, 1) if first else MANY

    def report(self, data: ViewSets, ctx: Context) -> Mapping[str, Any]:
        """Return how far the aggregation of single views is from the identity, in float64."""
        module: Any = double(self)
        with torch.no_grad():
            codes = module.base["encoder"](torch.tensor(data.test_views[:64, :1]).double())
            return {"identity_gap": relative_gap(module.aggregate(codes), codes[:, 0])}


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants."""
    task = "sets/view-sets"
    return [
        Model("attsets", task, AttSets, knobs={"schedule": ("faset", "joint"), "scalar": (False, True)}),
        Model("attsets-joint", task, AttSets, {"schedule": "joint"}, ablates="attsets"),
        Model("attsets-scalar", task, AttSets, {"scalar": True}, ablates="attsets"),
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the measure of the identity."""
    inf = float("inf")
    return [Metric("identity_gap", lambda o: o["identity_gap"], ("identity_gap",), "down", "relative", bounds=(0, inf))]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    iou, gap, identity = (
        score(metric, task="sets/view-sets", dataset="shape-voxels") for metric in ("iou", "perm_gap", "identity_gap")
    )
    return [
        Paper(
            "attsets",
            title="Robust Attentional Aggregation of Deep Feature Sets for Multi-view 3D Reconstruction",
            year=2018,
            arxiv="1808.00758",
            family="sets",
            notes="Both schedules have the same number of steps, so in FASet the encoder and decoder get half of them, on one "
            "view each, and the learning rate has half decayed when W is first trained. The paper gives each stage as long "
            "as it takes. So faset-robust-to-few-views and beats-pooling fail by 11 and 8 points: at equal budgets the rivals "
            "have trained their encoder and decoder for twice as long.",
            claims=[
                Claim(
                    "identity-for-one-view",
                    (worst(identity("attsets")) <= 1e-12) & (worst(gap("attsets")) <= 1e-9),
                    says="Views may come in any order, and a single view passes the aggregation unchanged: so the two "
                    "stages of training do not disturb each other.",
                    published="by construction",
                ),
                Claim(
                    "faset-robust-to-few-views",
                    iou("attsets", test_views=1) - iou("attsets-joint", test_views=1) > 0.01,
                    says="Training in two stages keeps the quality from a single view that joint training loses.",
                ),
                Claim(
                    "more-views-better",
                    trend(iou("attsets"), over="test_views", at=TEST_VIEWS) > 0,
                    says="The reconstruction gets better with the number of views.",
                ),
                Claim(
                    "beats-pooling",
                    iou("attsets", test_views=16) - iou("view-mean-pool", test_views=16) > 0.0,
                    says="From many views it is better than mean pooling.",
                ),
            ],
        )
    ]
