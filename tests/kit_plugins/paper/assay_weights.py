"""A weight a column (Legendre, 1805): least squares with a weight for each column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay import Claim, Context, Metric, Model, Paper, hookimpl, score
from assay_sums import Mean
from torch import Tensor, nn


class Weighted(nn.Module):
    """(B, N) -> (B, 1): a weight a column."""

    def __init__(self, inputs: int, columns: int = 4, bias: bool = True) -> None:
        super().__init__()
        self.columns = columns
        self.linear = nn.Linear(columns, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return predictions."""
        return self.linear(x[:, : self.columns])

    def report(self, data: Any, ctx: Context) -> Mapping[str, Any]:
        """Return the size of the weights."""
        return {"size": float(self.linear.weight.detach().abs().sum())}


def size(outcome: Mapping[str, Any]) -> float:
    """Sum of the absolute weights."""
    return float(outcome["size"])


def wide(inputs: int) -> Mean:
    """Return the mean as this paper calls it: (B, N) -> (B, 1)."""
    return Mean(inputs)


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants."""
    task = "sums/columns"
    return [
        Model("weights", task, Weighted, knobs={"bias": (True, False)}, autocast=True, datasets=("weighted",)),
        Model("weights-two", task, Weighted, {"columns": 2}, ablates="weights"),
        Model("weights-mean", task, wide),
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the measure."""
    return [Metric("size", size, ("size",), "down", "sum", bounds=(0.0, 1e6))]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper."""
    mse = score("mse", task="sums/columns", dataset="weighted")
    size = score("size", task="sums/columns")
    return [
        Paper(
            "weights",
            title="A weight a column",
            year=1805,
            family="sums",
            claims=[
                Claim(
                    "weights-help",
                    (mse("mean") - mse("weights", bias=True) > 0.5) & (size("weights") < 100),
                    says="A weight a column fits better than one for all.",
                    published="clearly",
                ),
            ],
        )
    ]
