"""Task sequences/icl-labels: does a network learn to use the labels in its context, or learns the classes by heart?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from assay import Context, Dataset, Entrant, Metric, Model, Task
from torch import Tensor, nn

from assay_sequences.icl_classes import LABELS, Batch, Regime, World, gaussian_classes
from assay_sequences.kit.attention import Attention
from assay_sequences.kit.models import Block
from assay_sequences.kit.training import predict, train

THRESHOLD = 0.9
EVERY = 50
"""Steps between evaluations."""


class LabelTransformer(nn.Module):
    """Items (B, n + 1, dim), labels (B, n) -> logits (B, 32) of the last item's label.

    Item, label, item, label, ..., item as tokens with learned positions; two causal layers of attention, one MLP, LN.
    `blocks[i].mixer` is the attention of layer i. A subclass sets `regime`.
    """

    regime = Regime()

    def __init__(self, dim: int = 32, *, width: int = 48, heads: int = 4, layers: int = 2, hidden: int = 64) -> None:
        super().__init__()
        self.item, self.label = nn.Linear(dim, width), nn.Embedding(LABELS, width)
        nn.init.normal_(self.label.weight, std=width**-0.5)
        self.places = nn.Parameter(torch.randn(2 * self.regime.context + 1, width) * width**-0.5)
        self.blocks = nn.ModuleList(Block(width, Attention(width, heads), expand=0) for _ in range(layers))
        self.mlp: nn.Module | None = None
        if hidden:
            self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, LABELS)

    def tokens(self, items: Tensor, labels: Tensor) -> Tensor:
        """Return the embedded sequence (B, 2 n + 1, width)."""
        seen = torch.stack([self.item(items[:, :-1]), self.label(labels)], 2).flatten(1, 2)
        x = torch.cat([seen, self.item(items[:, -1:])], 1)
        return x + self.places[: x.shape[1]]

    def forward(self, items: Tensor, labels: Tensor) -> Tensor:
        """Return the logits."""
        x = self.tokens(items, labels)
        for block in self.blocks:
            x, _ = block(x)
        x = x[:, -1]
        return self.head(self.norm(x if self.mlp is None else x + self.mlp(x)))


class GRULabels(nn.Module):
    """Items (B, n + 1, dim), labels (B, n) -> logits (B, 32): two layers of a GRU of about as many parameters, last state."""

    regime = Regime()

    def __init__(self, dim: int = 32, width: int = 48) -> None:
        super().__init__()
        self.item, self.label = nn.Linear(dim, width), nn.Embedding(LABELS, width)
        self.gru, self.head = nn.GRU(width, width, num_layers=2, batch_first=True), nn.Linear(width, LABELS)

    def forward(self, items: Tensor, labels: Tensor) -> Tensor:
        """Return the logits."""
        seen = torch.stack([self.item(items[:, :-1]), self.label(labels)], 2).flatten(1, 2)
        return self.head(self.gru(torch.cat([seen, self.item(items[:, -1:])], 1))[0][:, -1])


class UniformClasses(LabelTransformer):
    """(B, n + 1, dim) items -> (B, 32): the transformer trained on independent classes, without bursts."""

    regime = Regime(burstiness=0.0)


def run(entrant: Entrant, data: World, ctx: Context) -> Mapping[str, Any]:
    """Train on the entrant's regime until both accuracies reach .9 or the steps are spent, asking every 50 steps."""
    module = ctx.prepare(entrant.build())
    regime: Regime = module.regime
    if ctx.scale == "smoke" and regime.n_classes > len(data.centres):
        regime = replace(regime, n_classes=len(data.centres))
    rng, size = ctx.rng("training"), ctx.budget["batch"]
    context = tensors(data.in_context(ctx.rng("in-context"), ctx.budget["tests"], regime))
    weights = tensors(data.in_weights(ctx.rng("in-weights"), ctx.budget["tests"], regime))
    reached: list[int] = []

    def ask(batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        return predict(module, *(t.to(ctx.device) for t in batch[:2]))

    def watch(step: int) -> bool:
        icl = float((ask(context)[:, :2].argmax(1) == context[2]).float().mean())
        iwl = float((ask(weights).argmax(1) == weights[2]).float().mean())
        if icl >= THRESHOLD and not reached:
            reached.append(step)
        ctx.log(step, icl_accuracy=icl, iwl_accuracy=iwl)
        return icl >= THRESHOLD and (iwl >= THRESHOLD or regime.labels == "random")

    def loss(_: int) -> Tensor:
        items, labels, query = (t.to(ctx.device) for t in tensors(data.draw(rng, size, regime)))
        logits = module(items, labels)
        own = getattr(module, "loss", None)
        return nn.functional.cross_entropy(logits, query) if own is None else own(logits, query)

    steps = train(module, loss, ctx, schedule="constant", watch=watch, every=EVERY)
    with ctx.timer("predict"):
        outcome = {
            "icl_logits": ask(context),
            "icl_labels": context[2],
            "iwl_logits": ask(weights),
            "iwl_labels": weights[2],
        }
    with ctx.count_flops():
        module(*(t[:1].to(ctx.device) for t in context[:2]))
    return {"module": module, **outcome, "reached": reached[0] if reached else ctx.budget["steps"], "steps": steps}


def tensors(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Return a batch as tensors."""
    items, labels, query = map(torch.from_numpy, batch)
    return items, labels, query


def icl_accuracy(outcome: Mapping[str, Any]) -> float:
    """Share right between the two labels of the context, for new classes."""
    return float((outcome["icl_logits"][:, :2].argmax(1) == outcome["icl_labels"]).float().mean())


def icl_accuracy_overall(outcome: Mapping[str, Any]) -> float:
    """The same with all 32 labels to choose from."""
    return float((outcome["icl_logits"].argmax(1) == outcome["icl_labels"]).float().mean())


def iwl_accuracy(outcome: Mapping[str, Any]) -> float:
    """Share right for training classes that are absent from the context; chance is 1 / 32."""
    return float((outcome["iwl_logits"].argmax(1) == outcome["iwl_labels"]).float().mean())


def steps_to_threshold(outcome: Mapping[str, Any]) -> float:
    """First step at which `icl_accuracy` was .9 or more, the budget where it never was."""
    return float(outcome["reached"])


ID = "sequences/icl-labels"
DATASETS = [Dataset("gaussian-classes", "class-centres", gaussian_classes, title="Gaussian class centres, synthetic")]
MODELS = [Model("uniform-classes", ID, UniformClasses), Model("gru-icl", ID, GRULabels)]
METRICS = [
    Metric("icl_accuracy", icl_accuracy, ("icl_logits", "icl_labels"), "up", "fraction", bounds=(0.0, 1.0)),
    Metric("iwl_accuracy", iwl_accuracy, ("iwl_logits", "iwl_labels"), "up", "fraction", bounds=(0.0, 1.0)),
    Metric(
        "icl_accuracy_overall", icl_accuracy_overall, ("icl_logits", "icl_labels"), "up", "fraction", bounds=(0.0, 1.0)
    ),
    Metric("steps_to_threshold", steps_to_threshold, ("reached",), "down", "steps", bounds=(0.0, float("inf"))),
]
TASK = Task(
    ID,
    schema="class-centres",
    run=run,
    metrics=tuple(metric.id for metric in METRICS),
    dataset="gaussian-classes",
    title="Learn labels in context or by heart",
    contract="build() gives a module: items (B, n + 1, 32) float32 and labels (B, n) int64 to logits (B, 32) of the last item's "
    "label; its attribute regime (a Regime) says how training sequences are drawn and how long n is. Optional: loss(logits, "
    "query) -> scalar.",
    budgets={
        "smoke": {"steps": 50, "batch": 16, "lr": 2e-3, "tests": 100},
        "small": {"steps": 3_000, "batch": 64, "lr": 2e-3, "tests": 500},
        "full": {"steps": 500_000, "batch": 64, "lr": 5e-4, "tests": 2_000},
    },
    baselines=("uniform-classes", "gru-icl"),
)
