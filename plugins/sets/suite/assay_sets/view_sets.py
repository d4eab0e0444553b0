"""Task sets/view-sets: recognise or rebuild an object from any number of views in any order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from assay import Context, Entrant, Model, Schema, Task
from torch import Tensor, nn

from assay_sets.baselines import mlp, pooled
from assay_sets.common import held_out
from assay_sets.recipe import batches, generator, predict, train
from assay_sets.schemas import ViewSets

TEST_VIEWS = (1, 2, 4, 8, 16)
TRAIN_VIEWS = (1, 6)
SHOWN = 8
"""Views of the evaluation that stands for the entrant where a claim names no number."""
WIDTH = 64
ALONE = 0.3
"""Share of the steps in which, where there are classes, the view encoder learns to classify single views."""


class ViewEncoder(nn.Module):
    """(B, V, 1, 16, 16) -> (B, V, 64): three convolutions of stride 2 and a linear map, the same for every view."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((1, 16), (16, 32), (32, 64)):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 4, WIDTH))

    def forward(self, views: Tensor) -> Tensor:
        """Return a code for each view."""
        return self.net(views.flatten(0, 1)).unflatten(0, views.shape[:2])


class VoxelDecoder(nn.Module):
    """(B, width) -> (B, 12, 12, 12) logits of occupancy: linear maps to 16 x 3^3, two transposed convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *mlp(width, 256, 16 * 27),
            nn.ReLU(),
            nn.Unflatten(1, (16, 3, 3, 3)),
            nn.ConvTranspose3d(16, 8, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose3d(8, 1, 4, stride=2, padding=1),
        )

    def forward(self, code: Tensor) -> Tensor:
        """Return the logits."""
        return self.net(code)[:, 0]


def run(entrant: Entrant, data: ViewSets, ctx: Context) -> Mapping[str, Any]:
    """Train on 1 to 6 views an object, drawn and ordered anew at every step; evaluate with 1 to 16.

    Where there are classes, all entrants' encoders first learn to classify single views, with the same weights at the
    start and the same batches. An entrant with `stage(progress)`, progress in [0, 1), may freeze parameters of its own
    and return how many views to train on, (least, most).
    """
    views, targets = torch.tensor(data.train_views), torch.tensor(data.train_targets)
    draw = generator(ctx, "views")
    with torch.random.fork_rng():
        torch.manual_seed(draw.initial_seed())
        encoder, alone = ViewEncoder(), nn.Linear(WIDTH, data.classes or 1)

    def head(width: int) -> nn.Module:
        return mlp(width, 64, data.classes) if data.classes else VoxelDecoder(width)

    module = ctx.prepare(entrant.build(encoder=encoder, head=head))
    stream, steps = batches(len(views), ctx), ctx.budget["steps"]
    first = round(ALONE * steps) if data.classes else 0

    def loss(step: int) -> Tensor:
        index = next(stream)
        if step < first:
            codes = encoder(_some(views[index], 1, draw).to(ctx.device))
            return criterion(alone.to(ctx.device)(codes[:, 0]), targets[index].to(ctx.device))
        progress = (step - first) / (steps - first)
        low, high = module.stage(progress) if hasattr(module, "stage") else TRAIN_VIEWS
        count = int(torch.randint(low, high + 1, (), generator=draw))
        return criterion(module(_some(views[index], count, draw).to(ctx.device)), targets[index].to(ctx.device))

    train(nn.ModuleList([module, alone]), loss, ctx)
    test, truth = torch.tensor(data.test_views), torch.tensor(data.test_targets)
    test = _some(test, max(TEST_VIEWS), draw)

    def fields(count: int) -> dict[str, Tensor]:
        output = predict(module, test[:, :count].to(ctx.device))
        return {"logits": output, "labels": truth} if data.classes else {"occupancy": output, "voxels": truth}

    with ctx.timer("predict"):
        outcome = fields(SHOWN)
    with ctx.count_flops():
        module(test[:1, :SHOWN].to(ctx.device))
    conditions = [({"test_views": count}, fields(count)) for count in TEST_VIEWS]
    return {"module": module, "inputs": (test[:, :SHOWN],), **outcome, "conditions": conditions}


def criterion(output: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of classes (B,), or mean binary cross-entropy of voxels (B, G, G, G)."""
    if target.dtype == torch.bool:
        return nn.functional.binary_cross_entropy_with_logits(output, target.to(output.dtype))
    return nn.functional.cross_entropy(output, target)


def _some(views: Tensor, count: int, draw: torch.Generator) -> Tensor:
    """Return `count` views of each object (B, V, ...), drawn without replacement, in random order."""
    chosen = torch.rand(views.shape[:2], generator=draw).argsort(1)[:, :count]
    return views[torch.arange(len(views))[:, None], chosen]


class ViewPool(nn.Module):
    """(B, V, 1, H, W) -> output: the mean or max over the views' codes (MVCNN, Su et al. 2015), then the head."""

    def __init__(self, encoder: nn.Module, head: Any, pool: str = "mean") -> None:
        super().__init__()
        self.encoder, self.head, self.pool = encoder, head(WIDTH), pool

    def forward(self, views: Tensor) -> Tensor:
        """Return logits."""
        return self.head(pooled(self.encoder(views), how=self.pool))


class ViewGRU(nn.Module):
    """(B, V, 1, H, W) -> output: a GRU over the views' codes in the order given (3D-R2N2, Choy et al. 2016).

    Codes are normalised first: without that it rebuilds the same mean object from any views under this budget.
    """

    def __init__(self, encoder: nn.Module, head: Any) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head(WIDTH)
        self.norm, self.gru = nn.LayerNorm(WIDTH), nn.GRU(WIDTH, WIDTH, batch_first=True)

    def forward(self, views: Tensor) -> Tensor:
        """Return logits."""
        return self.head(self.gru(self.norm(self.encoder(views)))[0][:, -1])


def split(arrays: Mapping[str, Any], rng: np.random.Generator) -> ViewSets:
    """Return a user's objects split 80/20 by the generator. Labels must be 0, 1, ..., each at least once."""
    views, labels = arrays["views"], arrays["labels"]
    rest, test = held_out(len(views), rng)
    return ViewSets(views[rest], labels[rest], views[test], labels[test], int(labels.max()) + 1)


SCHEMA = Schema("view-sets", {"views": "float32[n,V,1,16,16]", "labels": "int64[n]"}, split)

TASK = Task(
    "sets/view-sets",
    schema=SCHEMA.id,
    run=run,
    metrics=("accuracy", "iou", "perm_gap"),
    dataset="shape-views",
    title="Recognise or rebuild an object from views",
    contract="build(encoder, head) gives a module: views (B, V, 1, 16, 16) float32, any V in 1..16, to what head(width), "
    "a module of the task, makes of (B, width): logits of classes or of voxels. encoder gives codes (B, V, 64). One with "
    "stage(progress) settles what to freeze and how many views to train on.",
    budgets={
        "smoke": {"steps": 40, "batch": 16},
        "small": {"steps": 500, "batch": 32},
        "full": {"steps": 20_000, "batch": 32},
    },
    baselines=("view-mean-pool", "view-max-pool", "view-gru"),
    conditions={"test_views": TEST_VIEWS},
)

BASELINES = [
    Model("view-mean-pool", TASK.id, ViewPool),
    Model("view-max-pool", TASK.id, ViewPool, {"pool": "max"}),
    Model("view-gru", TASK.id, ViewGRU),
]
