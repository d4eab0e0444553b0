"""Priors over functions for sequences/icl-regression with their exact predictors, and the predictors that learn nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from assay import Model
from torch import Tensor, nn

from assay_sequences.common import generator, no_source
from assay_sequences.icl_regression import SHIFTS, Floats, IclData, ridge

TESTS = {"smoke": 64, "small": 1_000, "full": 5_000}
Drawn = tuple[Floats, Floats, Floats]


@dataclass(frozen=True)
class LinearNIG:
    """y = w.x + N(0, s2), s2 ~ InvGamma(3, 1) cut at its 99.9 % point, w | s2 ~ N(0, s2 I), x ~ N(0, I)."""

    dim: int

    def draw(self, rng: np.random.Generator, tasks: int, length: int, noise: float = 1.0) -> Drawn:
        """Return x, y and w.x; `noise` scales the variance of the noise and leaves w."""
        s2 = np.minimum(1 / rng.gamma(3.0, 1.0, tasks), 5.24)  # 1 / Gamma's 0.1 % point
        w = rng.standard_normal((tasks, self.dim)) * np.sqrt(s2)[:, None]
        x = rng.standard_normal((tasks, length, self.dim))
        f = np.einsum("ntd,nd->nt", x, w)
        return x, f + np.sqrt(noise * s2)[:, None] * rng.standard_normal(f.shape), f

    def bayes(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return mean and variance of the Student-t predictive: b_t / (a_t - 1) (1 + x^T V_t x), a_t = 3 + t / 2."""
        mean, spread = ridge(x, y, 1.0)
        # b_t = 1 + sum_s (y_s - mean_s)^2 / (2 (1 + spread_s)): the posterior of s2 by its one-step predictives
        terms = (y - mean) ** 2 / (2 * (1 + spread))
        b = 1 + np.concatenate([np.zeros_like(terms[:, :1]), terms[:, :-1].cumsum(1)], 1)
        a = 3 + np.arange(x.shape[1]) / 2
        return mean, b / (a - 1) * (1 + spread)


@dataclass(frozen=True)
class LinearMixture:
    """y = w.x + N(0, .1^2), w ~ N(+3 e1, I / 4) or N(-3 e1, I / 4), evenly; x ~ N(0, I)."""

    dim: int
    noise: float = 0.1

    def draw(self, rng: np.random.Generator, tasks: int, length: int, noise: float = 1.0) -> Drawn:
        """Return x, y and w.x."""
        w = 0.5 * rng.standard_normal((tasks, self.dim))
        w[:, 0] += 3 * rng.choice([-1, 1], tasks)
        x = rng.standard_normal((tasks, length, self.dim))
        f = np.einsum("ntd,nd->nt", x, w)
        return x, f + self.noise * np.sqrt(noise) * rng.standard_normal(f.shape), f

    def bayes(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return mean and variance of the mixture of both components' predictives, weighed by their evidence."""
        means, variances, logs = [], [], []
        for sign in (1.0, -1.0):
            offset = 3 * sign * x[..., 0]
            mean, spread = ridge(x, y - offset, self.noise**2 / 0.25)
            mean, variance = mean + offset, self.noise**2 * (1 + spread)
            density = -0.5 * ((y - mean) ** 2 / variance + np.log(variance))
            means.append(mean)
            variances.append(variance)
            logs.append(np.concatenate([np.zeros_like(y[:, :1]), density[:, :-1].cumsum(1)], 1))
        share = 1 / (1 + np.exp(np.clip(logs[1] - logs[0], -700, 700)))
        mean = share * means[0] + (1 - share) * means[1]
        second = share * (variances[0] + means[0] ** 2) + (1 - share) * (variances[1] + means[1] ** 2)
        return mean, np.maximum(second - mean**2, 1e-12)


@dataclass(frozen=True)
class Fourier:
    """f(x) = sum over k <= M of a_k cos(k x) + b_k sin(k x), coefficients N(0, 1 / M), x uniform in [-pi, pi], noise .1.

    M is uniform in `degrees`: (1, ..., K) prefers simple functions, (K,) does not.
    """

    degrees: tuple[int, ...]
    noise: float = 0.1
    dim: int = 1

    def draw(self, rng: np.random.Generator, tasks: int, length: int, noise: float = 1.0) -> Drawn:
        """Return x (B, T, 1), y and f."""
        degree = rng.choice(self.degrees, tasks)
        x = rng.uniform(-np.pi, np.pi, (tasks, length, 1))
        k = np.arange(1, max(self.degrees) + 1)
        scale = np.where(k <= degree[:, None], degree[:, None] ** -0.5, 0.0)
        a, b = (rng.standard_normal(scale.shape) * scale for _ in range(2))
        f = np.einsum("ntk,nk->nt", np.cos(x * k), a) + np.einsum("ntk,nk->nt", np.sin(x * k), b)
        return x, f + self.noise * np.sqrt(noise) * rng.standard_normal(f.shape), f

    def features(self, x: Floats, degree: int) -> Floats:
        """Return cos(k x), sin(k x) for k = 1..degree, divided by sqrt(degree): (B, T, 2 degree)."""
        angles = x * np.arange(1, degree + 1)
        return np.concatenate([np.cos(angles), np.sin(angles)], -1) / degree**0.5

    def bayes(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return mean and variance of the mixture over degrees, weighed by their evidence."""
        means, variances, logs = [], [], []
        for degree in self.degrees:
            mean, spread = ridge(self.features(x, degree), y, self.noise**2)
            variance = self.noise**2 * (1 + spread)
            density = -0.5 * ((y - mean) ** 2 / variance + np.log(variance))
            means.append(mean)
            variances.append(variance)
            logs.append(np.concatenate([np.zeros_like(y[:, :1]), density[:, :-1].cumsum(1)], 1))
        weights = np.exp(np.stack(logs) - np.max(logs, axis=0))
        weights /= weights.sum(0)
        mean = (weights * np.stack(means)).sum(0)
        second = (weights * (np.stack(variances) + np.stack(means) ** 2)).sum(0)
        return mean, np.maximum(second - mean**2, 1e-12)


def _data(
    name: str, process: Any, length: int, seed: int, scale: str, source: str | None, shifts: tuple[int, ...]
) -> IclData:
    no_source(name, source)
    rng = generator(seed, name)
    return IclData(process, length, {shift: process.draw(rng, TESTS[scale], length, shift) for shift in shifts})


def linear_nig(seed: int, scale: str, source: str | None = None) -> IclData:
    """Linear functions, unknown noise: d=2, T=12 (1, 6 at smoke; 20, 100 at full); also with 2, 4, 8 times its variance."""
    dim, length = {"smoke": (1, 6), "small": (2, 12), "full": (20, 100)}[scale]
    return _data("linear-nig", LinearNIG(dim), length, seed, scale, source, SHIFTS)


def linear_mixture(seed: int, scale: str, source: str | None = None) -> IclData:
    """Linear functions of two kinds: d=3, T=12 (2, 6 at smoke; 10, 40 at full)."""
    dim, length = {"smoke": (2, 6), "small": (3, 12), "full": (10, 40)}[scale]
    return _data("linear-mixture", LinearMixture(dim), length, seed, scale, source, (1,))


FOURIER = {"smoke": (3, 8), "small": (6, 14), "full": (10, 40)}
"""Highest degree, length of the prompts."""


def fourier(seed: int, scale: str, source: str | None = None) -> IclData:
    """Fourier series whose degree is uniform in 1..6 (3 at smoke, 10 at full), T=14."""
    degree, length = FOURIER[scale]
    return _data("fourier", Fourier(tuple(range(1, degree + 1))), length, seed, scale, source, (1,))


def fourier_flat(seed: int, scale: str, source: str | None = None) -> IclData:
    """Fourier series, all of the highest degree."""
    degree, length = FOURIER[scale]
    return _data("fourier-flat", Fourier((degree,)), length, seed, scale, source, (1,))


class ClosedForm(nn.Module):
    """x (B, T, d), y (B, T) -> (B, T, 2) means and log-variances without any learning: "bayes", "ols" or "mean"."""

    def __init__(self, process: Any, length: int, rule: str) -> None:
        super().__init__()
        self.process, self.rule = process, rule

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the predictions."""
        xs, ys = x.double().cpu().numpy(), y.double().cpu().numpy()
        count = np.maximum(1, np.arange(ys.shape[1]))
        if self.rule == "bayes":
            mean, variance = self.process.bayes(xs, ys)
        elif self.rule == "ols":
            # the minimum-norm solution is the limit of ridge
            mean, _ = ridge(xs, ys, 1e-6)
            residuals = np.concatenate([np.ones_like(ys[:, :1]), ((ys - mean) ** 2)[:, :-1]], 1).cumsum(1)
            variance = residuals / (count + 1)
        else:
            mean = np.concatenate([np.zeros_like(ys[:, :1]), ys[:, :-1].cumsum(1)], 1) / count
            residuals = np.concatenate([np.ones_like(ys[:, :1]), ((ys - mean) ** 2)[:, :-1]], 1).cumsum(1)
            variance = residuals / (count + 1)
        return torch.from_numpy(np.stack([mean, np.log(variance)], -1)).to(x)


TASK = "sequences/icl-regression"
MODELS = [
    Model("ols", TASK, ClosedForm, {"rule": "ols"}),
    Model("ridge-bayes", TASK, ClosedForm, {"rule": "bayes"}),
    Model("last-mean", TASK, ClosedForm, {"rule": "mean"}),
]
