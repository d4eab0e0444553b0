"""The mean and the least-squares line as entrants; a paper about nothing."""

import random

import numpy as np
from assay import Claim, Metric, Model, Paper, hookimpl, score, worst
from assay_toy.line import Zero


class Mean(Zero):
    """Predicts the mean of y, times `shrink`."""

    def __init__(self, inputs: int, shrink: float = 1.0) -> None:
        self.shrink = shrink

    def fit(self, x, y) -> None:
        self.mean = self.shrink * y.mean()

    def predict(self, x):
        return np.full(len(x), self.mean)

    def report(self, data, ctx):
        return {"mean": self.mean}


class Line(Zero):
    """Least squares, with a little noise from every generator that an entrant may use."""

    def fit(self, x, y) -> None:
        self.weights = np.linalg.lstsq(x, y, rcond=None)[0] + 1e-3 * (random.random() + np.random.rand())

    def predict(self, x):
        return x @ self.weights


def size_of_mean(outcome) -> float:
    return abs(float(outcome["mean"]))


@hookimpl
def assay_models():
    return [
        Model("mean", "toy/line", Mean, knobs={"shrink": (0.0, 0.5, 1.0)}),
        Model("half-mean", "toy/line", Mean, {"shrink": 0.5}, ablates="mean"),
        Model("line", "toy/line", Line),
    ]


@hookimpl
def assay_metrics():
    return [Metric("size_of_mean", size_of_mean, ("mean",), "down", "y")]


@hookimpl
def assay_papers():
    error = score("squared_error", task="toy/line")
    return [
        Paper(
            "mean",
            title="On the mean",
            year=1805,
            family="toy",
            claims=[
                Claim("line-beats-mean", error("mean") - error("line") > 0.5, says="A line fits a line."),
                Claim("bounded", worst(score("size_of_mean", task="toy/line")("mean")) <= 5, says="It is not large."),
            ],
        )
    ]
