"""Task sequences/icl-regression: predict y at x from the pairs before it, against the exact Bayes predictor of the process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from assay import AssayError, Context, Entrant, Metric, Schema, Task
from numpy.typing import NDArray
from torch import Tensor, nn

from assay_sequences.kit.attention import Attention
from assay_sequences.kit.models import Block
from assay_sequences.kit.training import predict, train

Floats = NDArray[np.float64]
SPANS = {"1-3": (1, 3), "2-3": (2, 3), "1-6": (1, 6), "2-8": (2, 8), "5-": (5, 10**6)}
"""Ranges of the number of pairs seen, ends included, that evaluations may be limited to."""
SHIFTS = (1, 2, 4, 8)
"""Factors on the noise variance, for processes that have one; training is at 1."""


class Process(Protocol):
    """A prior over functions: a frozen dataclass with `dim`."""

    dim: int

    def draw(
        self, rng: np.random.Generator, tasks: int, length: int, noise: float = 1.0
    ) -> tuple[Floats, Floats, Floats]:
        """Return x (B, T, d), y (B, T) and the noiseless values f (B, T), the noise variance times `noise`."""
        ...

    def bayes(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return mean and variance (B, T) of y_t given x_t and the pairs before t, under the training prior."""
        ...


@dataclass(frozen=True)
class IclData:
    """A process, the length of its prompts, and test prompts by noise factor: (x, y, f)."""

    process: Process
    length: int
    tests: Mapping[int, tuple[Floats, Floats, Floats]]


class IclTransformer(nn.Module):
    """x (B, T, d), y (B, T) -> (B, T, outputs): causal, interleaved x_1 y_1 x_2 y_2 ..., read at every x_t.

    Three layers of width 32 with 2 heads and learned positions; x and y have a linear map each.
    """

    def __init__(self, dim: int, length: int, outputs: int = 2, *, width: int = 32, layers: int = 3) -> None:
        super().__init__()
        self.x_in, self.y_in = nn.Linear(dim, width), nn.Linear(1, width)
        self.places = nn.Parameter(torch.randn(2 * length, width) * width**-0.5)
        self.blocks = nn.ModuleList(Block(width, Attention(width, 2)) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, outputs)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return what is read at each x_t; y_t is not seen there."""
        states = torch.stack([self.x_in(x), self.y_in(y[..., None])], 2).flatten(1, 2)
        states = states + self.places[: states.shape[1]]
        for block in self.blocks:
            states, _ = block(states)
        return self.head(self.norm(states[:, ::2]))


class PairTransformer(IclTransformer):
    """x (B, T, d), y (B, T) -> (B, T, outputs): one token holds x_t and the whole pair before it, (x_{t-1}, y_{t-1}).

    So one layer of attention can weigh the y seen by how near their x are to x_t. With tokens x_1 y_1 x_2 y_2 ... a layer
    must first bring each y to its x, and 2,000 steps of training do not get there.
    """

    def __init__(self, dim: int, length: int, outputs: int = 2) -> None:
        super().__init__(dim, length, outputs)
        self.x_before = nn.Linear(dim, self.x_in.out_features)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return what is read at each t; y_t is not seen there."""
        pairs = self.x_before(x[:, :-1]) + self.y_in(y[:, :-1, None])
        states = self.x_in(x) + nn.functional.pad(pairs, (0, 0, 1, 0)) + self.places[: x.shape[1]]
        for block in self.blocks:
            states, _ = block(states)
        return self.head(self.norm(states))


def gaussian_nll(output: Tensor, y: Tensor) -> Tensor:
    """Return the mean of (s + (y - m)^2 exp(-s)) / 2 for output (..., 2): means m and log-variances s."""
    mean, log_variance = output.unbind(-1)
    return 0.5 * (log_variance + (y - mean) ** 2 * (-log_variance).exp()).mean()


def squared(output: Tensor, y: Tensor) -> Tensor:
    """Return the mean squared error of the first output."""
    return nn.functional.mse_loss(output[..., 0], y)


def run(entrant: Entrant, data: IclData, ctx: Context) -> Mapping[str, Any]:
    """Train on fresh prompts of the process (or of the entrant's own `draw`); compare with Bayes at every number of pairs."""
    module = ctx.prepare(entrant.build(process=data.process, length=data.length))
    draw: Callable[..., Any] = getattr(module, "draw", data.process.draw)
    rng, size = ctx.rng("training"), ctx.budget["batch"]
    criterion = getattr(module, "loss", gaussian_nll)

    def loss(_: int) -> Tensor:
        x, y = (torch.tensor(a).float().to(ctx.device) for a in draw(rng, size, data.length)[:2])
        return criterion(module(x, y), y)

    if any(True for _ in module.parameters()):
        train(module, loss, ctx, schedule="warmup-cosine")
    views = {shift: _fields(entrant, module, data, shift, ctx) for shift in data.tests}
    spans = [({"pairs": name}, _within(views[1], *span)) for name, span in SPANS.items() if span[0] < data.length]
    shifts = [({"noise": shift}, fields) for shift, fields in views.items()]
    x, y, _ = data.tests[1]
    with ctx.count_flops():
        module(*(torch.tensor(a[:1]).float().to(ctx.device) for a in (x, y)))
    return {"module": module, **views[1], "conditions": spans + shifts}


def _fields(entrant: Entrant, module: Any, data: IclData, shift: int, ctx: Context) -> dict[str, Any]:
    """Return predicted and Bayes means and variances, y and f, all (N, T) float64, and how many pairs precede each."""
    x, y, f = data.tests[shift]
    with ctx.timer("predict"):
        output = predict(module, *(torch.tensor(a).float().to(ctx.device) for a in (x, y))).double().numpy()
    if output.ndim != 3 or output.shape[:2] != y.shape:
        raise AssayError(f"{entrant.id} gives {output.shape} for y of {y.shape}: (B, T, 1) or (B, T, 2) is asked for")
    mean, variance = data.process.bayes(x, y)
    fields = {"mean": output[..., 0], "bayes_mean": mean, "bayes_variance": variance, "y": y, "f": f}
    fields["pairs"] = np.broadcast_to(np.arange(y.shape[1]), y.shape)
    return {**fields, "log_variance": output[..., 1]} if output.shape[2] > 1 else fields


def _within(fields: Mapping[str, Any], least: int, most: int) -> dict[str, Any]:
    """Return the fields at places with so many pairs before them."""
    chosen = (fields["pairs"][0] >= least) & (fields["pairs"][0] <= most)
    return {name: value[:, chosen] for name, value in fields.items()}


def excess_mse(outcome: Mapping[str, Any]) -> float:
    """Mean squared difference of the predicted and the exact posterior mean, over the variance of y."""
    return float(np.mean((outcome["mean"] - outcome["bayes_mean"]) ** 2) / np.var(outcome["y"]))


def mse(outcome: Mapping[str, Any]) -> float:
    """Mean squared error to the noiseless value, over the variance of y."""
    return float(np.mean((outcome["mean"] - outcome["f"]) ** 2) / np.var(outcome["y"]))


def _nll(y: Floats, mean: Floats, log_variance: Floats) -> float:
    return float(0.5 * np.mean(log_variance + (y - mean) ** 2 / np.exp(log_variance)))


def excess_nll(outcome: Mapping[str, Any]) -> float:
    """Mean Gaussian negative log-likelihood less that of the exact Bayes mean and variance, in nats."""
    y, bayes = outcome["y"], (outcome["bayes_mean"], np.log(outcome["bayes_variance"]))
    return _nll(y, outcome["mean"], outcome["log_variance"]) - _nll(y, *bayes)


def variance_gap(outcome: Mapping[str, Any]) -> float:
    """Mean |log predicted variance - log variance by the training prior's Bayes rule|."""
    return float(np.mean(np.abs(outcome["log_variance"] - np.log(outcome["bayes_variance"]))))


INF = float("inf")
METRICS = [
    Metric("excess_mse", excess_mse, ("mean", "bayes_mean", "y"), "down", "of variance", bounds=(0.0, INF)),
    Metric("mse", mse, ("mean", "f", "y"), "down", "of variance", bounds=(0.0, INF)),
    Metric("excess_nll", excess_nll, ("mean", "log_variance", "bayes_mean", "bayes_variance", "y"), "down", "nats"),
    Metric("variance_gap", variance_gap, ("log_variance", "bayes_variance"), "down", "nats", bounds=(0.0, INF)),
]


@dataclass(frozen=True)
class Given:
    """A user's tasks, drawn with repetition; the Bayes rule is that of a Gaussian prior fitted to them (ridge by evidence)."""

    x: Floats
    y: Floats
    weight_variance: float
    noise_variance: float

    @property
    def dim(self) -> int:
        """Numbers in an x."""
        return self.x.shape[2]

    def draw(
        self, rng: np.random.Generator, tasks: int, length: int, noise: float = 1.0
    ) -> tuple[Floats, Floats, Floats]:
        """Return some of the tasks; f is y."""
        chosen = rng.integers(len(self.x), size=tasks)
        return self.x[chosen], self.y[chosen], self.y[chosen]

    def bayes(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return the predictive of Bayesian linear regression."""
        mean, spread = ridge(x, y, self.noise_variance / self.weight_variance)
        return mean, self.noise_variance * (1 + spread)


def ridge(x: Floats, y: Floats, penalty: float) -> tuple[Floats, Floats]:
    """Return at each t, of x (B, T, d) and y (B, T) before it, the ridge prediction and x_t^T (penalty I + X^T X)^{-1} x_t."""
    outer = x[..., :, None] * x[..., None, :]
    before = np.concatenate([np.zeros_like(outer[:, :1]), outer[:, :-1].cumsum(1)], 1) + penalty * np.eye(x.shape[2])
    xy = x * y[..., None]
    right = np.concatenate([np.zeros_like(xy[:, :1]), xy[:, :-1].cumsum(1)], 1)
    solved = np.linalg.solve(before, np.stack([right, x], -1))
    return (x * solved[..., 0]).sum(-1), (x * solved[..., 1]).sum(-1)


def split(arrays: Mapping[str, Any], rng: np.random.Generator) -> IclData:
    """Return a user's tasks, 20 % to test by the generator. The reference is ridge, its variances fitted to all tasks."""
    x, y = arrays["x"].astype(np.float64), arrays["y"].astype(np.float64)
    test, rest = np.split(rng.permutation(len(x)), [max(1, len(x) // 5)])
    weights = np.stack([np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(x[rest], y[rest], strict=True)])
    noise = float(np.mean((y[rest] - np.einsum("ntd,nd->nt", x[rest], weights)) ** 2)) + 1e-6
    process = Given(x[rest], y[rest], float(np.mean(weights**2)) + 1e-6, noise)
    return IclData(process, x.shape[1], {1: (x[test], y[test], y[test])})


SCHEMA = Schema("regression-tasks", {"x": "float32[n,T,d]", "y": "float32[n,T]"}, split)
TASK = Task(
    "sequences/icl-regression",
    schema=SCHEMA.id,
    run=run,
    metrics=tuple(metric.id for metric in METRICS),
    dataset="linear-nig",
    title="Learn a regression in context",
    contract="build(process, length) gives a module: x (B, T, d), y (B, T) float32 to (B, T, 1) means or (B, T, 2) means and "
    "log-variances, at t from the pairs before t alone. Optional: loss(output, y) -> scalar (the Gaussian likelihood is the "
    "default); draw(rng, tasks, length) -> (x, y, f), another training prior; a module without parameters is not trained.",
    budgets={
        "smoke": {"steps": 40, "batch": 16, "lr": 2e-3},
        "small": {"steps": 2_000, "batch": 32, "lr": 2e-3},
        "full": {"steps": 200_000, "batch": 64, "lr": 5e-4},
    },
    baselines=("ols", "ridge-bayes", "last-mean"),
    conditions={"pairs": tuple(SPANS), "noise": SHIFTS},
)
