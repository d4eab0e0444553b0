"""A family small enough to run in a moment: regress a number on a few others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from assay import Context, Dataset, Entrant, Metric, Model, Probe, Schema, Suite, Task, hookimpl
from torch import Tensor, nn


class Mean(nn.Module):
    """(B, N) -> (B, 1): one weight for all."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.scale = nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return predictions."""
        return self.scale(x.mean(1, keepdim=True))


def load(seed: int, scale: str, source: str | None) -> Mapping[str, Any]:
    """Return x (64, 4) float32 and y (64, 1) float32, a weighted sum of its columns."""
    rng = np.random.default_rng([seed, len(scale)])
    x = rng.normal(size=(64, 4)).astype(np.float32)
    return {"x": x, "y": (x @ np.array([[1.0], [2.0], [-1.0], [0.5]])).astype(np.float32)}


def make(arrays: Mapping[str, Any], rng: np.random.Generator) -> Mapping[str, Any]:
    """Return a user's arrays."""
    return dict(arrays)


def run(entrant: Entrant, data: Mapping[str, Any], ctx: Context) -> Mapping[str, Any]:
    """Fit by squared error; ask on the same data."""
    x, y = torch.tensor(data["x"]), torch.tensor(data["y"])
    module = ctx.prepare(entrant.build(inputs=x.shape[1]))
    optimiser = torch.optim.Adam(module.parameters(), lr=0.05)
    with ctx.timer("fit"):
        for step in range(ctx.budget["steps"]):
            loss = nn.functional.mse_loss(module(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            ctx.log(step, loss=loss.item())
    with ctx.timer("predict"), torch.no_grad():
        prediction = module(x)
    with ctx.count_flops():
        module(x[:1])
    return {"module": module, "prediction": prediction, "target": y}


def probe(entrant: Entrant, data: Mapping[str, Any], ctx: Context) -> Probe:
    """Return an untrained entrant with eight rows."""
    x = torch.tensor(data["x"][:8])
    return Probe(entrant.build(inputs=x.shape[1]), (x,), (8, 1))


def mse(outcome: Mapping[str, Any]) -> float:
    """Mean squared error of `prediction` (M, 1) against `target` (M, 1)."""
    return float(((outcome["prediction"] - outcome["target"]) ** 2).mean())


TASK = Task(
    "sums/columns",
    schema="columns",
    run=run,
    metrics=("mse",),
    dataset="weighted",
    contract="build(inputs) gives a module: (B, inputs) float32 to (B, 1).",
    budgets={"smoke": {"steps": 20}, "small": {"steps": 50}},
    baselines=("mean",),
    title="Regress a weighted sum",
    probe=probe,
)


@hookimpl
def assay_suites() -> list[Suite]:
    """Return the family."""
    return [Suite("sums", "Sums", "Does a weight a column beat one weight for all?")]


@hookimpl
def assay_tasks() -> list[Task]:
    """Return the arena."""
    return [TASK]


@hookimpl
def assay_schemas() -> list[Schema]:
    """Return the form of the data."""
    return [Schema("columns", {"x": "float32[n,N]", "y": "float32[n,1]"}, make)]


@hookimpl
def assay_datasets() -> list[Dataset]:
    """Return the data set."""
    return [Dataset("weighted", "columns", load, title="weighted sums, synthetic")]


@hookimpl
def assay_models() -> list[Model]:
    """Return the baseline."""
    return [Model("mean", "sums/columns", Mean)]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the metric."""
    return [Metric("mse", mse, ("prediction", "target"), "down", "squared", bounds=(0.0, float("inf")))]
