"""The plain entrants of sequences/stochastic-prediction: a network without chance, a variational one, and counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from assay import Context, Model
from numpy.typing import NDArray
from torch import Tensor, nn

from assay_sequences.kit.training import train
from assay_sequences.stochastic_prediction import STEPS, Floats

TIMESCALES = ((20, 2.0), (10, 8.0))
"""Units and time constant of each layer."""


class TimescaleRNN(nn.Module):
    """Inputs (B, dim), states (B, 30) -> states: h = (1 - 1/tau) h + (W [d, x] + b) / tau, d = tanh h, two time constants."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        units = sum(size for size, _ in TIMESCALES)
        self.mix = nn.Linear(units + inputs, units)
        self.register_buffer("leak", torch.cat([torch.full((size,), 1 / tau) for size, tau in TIMESCALES]))
        self.start = nn.Parameter(torch.zeros(units))

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """Return the next states (B, units) before the tanh."""
        return (1 - self.leak) * h + self.leak * self.mix(torch.cat([h.tanh(), x], -1))


class DeterministicRNN(nn.Module):
    """Baseline: (N, T, dim) -> the same: predicts the next point from the last, fed back in closed loop when it generates.

    Different sequences begin from the start state with noise of the size of the training error; nothing later is chance.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.cell, self.out = TimescaleRNN(dim), nn.Linear(30, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the prediction (N, T, dim) of each point from those before it."""
        h, last, made = self.cell.start.expand(len(x), -1), torch.zeros_like(x[:, 0]), []
        for t in range(x.shape[1]):
            h = self.cell(last, h)
            made.append(self.out(h.tanh()))
            last = x[:, t]
        return torch.stack(made, 1)

    def fit(self, x: Floats, ctx: Context) -> None:
        """Minimise the squared error."""
        ctx.prepare(self)
        data = torch.tensor(x)
        train(self, lambda _: nn.functional.mse_loss(self(data), data), ctx)
        with torch.no_grad():
            self.spread = float((self(data) - data).square().mean().sqrt())

    @torch.no_grad()
    def _roll(self, h: Tensor, last: Tensor, steps: int) -> Tensor:
        made = []
        for _ in range(steps):
            h = self.cell(last, h)
            last = self.out(h.tanh())
            made.append(last)
        return torch.stack(made, 1)

    def generate(self, n: int, length: int, rng: np.random.Generator) -> NDArray[Any]:
        """Return sequences (n, length, dim)."""
        noise = torch.tensor(rng.standard_normal((n, 2))).float() * self.spread
        return self._roll(self.cell.start.expand(n, -1), noise, length).numpy()

    @torch.no_grad()
    def predict(self, prefix: Floats, horizon: int, samples: int, rng: np.random.Generator) -> NDArray[Any]:
        """Return the one future of each prefix, as many times as asked for, with noise of the training error's size."""
        x = torch.tensor(prefix)
        h, last = self.cell.start.expand(len(x), -1), torch.zeros_like(x[:, 0])
        for t in range(x.shape[1]):
            h, last = self.cell(last, h), x[:, t]
        future = self._roll(h, last, horizon)[:, None].numpy()
        return future + self.spread * rng.standard_normal((len(x), samples, *future.shape[2:]))


class VariationalRNN(nn.Module):
    """Baseline, (N, T, dim) -> the same: a VRNN (Chung et al. 2015, arXiv:1506.02216), three latent numbers a step."""

    def __init__(self, dim: int, latent: int = 3) -> None:
        super().__init__()
        self.cell = TimescaleRNN(dim + latent)
        self.prior, self.posterior = nn.Linear(30, 2 * latent), nn.Linear(30 + dim, 2 * latent)
        self.out = nn.Sequential(nn.Linear(30 + latent, 32), nn.Tanh(), nn.Linear(32, dim))
        self.log_noise = nn.Parameter(torch.tensor(-1.0))

    def forward(self, x: Tensor) -> Tensor:
        """Return the negative evidence bound, nats a point."""
        h, total = self.cell.start.expand(len(x), -1), x.new_zeros(())
        for t in range(x.shape[1]):
            d = h.tanh()
            mean_p, log_p = self.prior(d).chunk(2, -1)
            mean_q, log_q = self.posterior(torch.cat([d, x[:, t]], -1)).chunk(2, -1)
            z = mean_q + log_q.exp() * torch.randn_like(mean_q)
            gap = (self.out(torch.cat([d, z], -1)) - x[:, t]).square() / (2 * (2 * self.log_noise).exp())
            kl = log_p - log_q + ((2 * log_q).exp() + (mean_q - mean_p) ** 2) / (2 * (2 * log_p).exp()) - 0.5
            total = total + (gap + self.log_noise).sum(-1).mean() + kl.sum(-1).mean()
            h = self.cell(torch.cat([x[:, t], z], -1), h)
        return total / x.shape[1]

    def fit(self, x: Floats, ctx: Context) -> None:
        """Minimise the bound on all sequences."""
        ctx.prepare(self)
        data = torch.tensor(x)
        train(self, lambda _: self(data), ctx)

    @torch.no_grad()
    def _roll(self, h: Tensor, steps: int, rng: np.random.Generator) -> Tensor:
        made, noise = [], self.log_noise.exp()
        for _ in range(steps):
            d = h.tanh()
            mean, log = self.prior(d).chunk(2, -1)
            z = mean + log.exp() * torch.tensor(rng.standard_normal(mean.shape)).float()
            x = self.out(torch.cat([d, z], -1))
            x = x + noise * torch.tensor(rng.standard_normal(x.shape)).float()
            h = self.cell(torch.cat([x, z], -1), h)
            made.append(x)
        return torch.stack(made, 1)

    def generate(self, n: int, length: int, rng: np.random.Generator) -> NDArray[Any]:
        """Return sequences (n, length, dim) drawn from the prior."""
        return self._roll(self.cell.start.expand(n, -1), length, rng).numpy()

    @torch.no_grad()
    def predict(self, prefix: Floats, horizon: int, samples: int, rng: np.random.Generator) -> NDArray[Any]:
        """Return futures drawn from the prior after the posterior has read the prefix."""
        x = torch.tensor(prefix).repeat_interleave(samples, 0)
        h = self.cell.start.expand(len(x), -1)
        for t in range(x.shape[1]):
            mean, log = self.posterior(torch.cat([h.tanh(), x[:, t]], -1)).chunk(2, -1)
            z = mean + log.exp() * torch.tensor(rng.standard_normal(mean.shape)).float()
            h = self.cell(torch.cat([x[:, t], z], -1), h)
        return self._roll(h, horizon, rng).numpy().reshape(len(prefix), samples, horizon, -1)


class NgramCounts:
    """Baseline, near an oracle: told that symbols have 6 steps, it clusters blocks into two and counts what follows three."""

    def __init__(self, dim: int, order: int = 3) -> None:
        self.order = order

    def fit(self, x: Floats, ctx: Context) -> None:
        """Find two mean blocks by k-means and count continuations, half a count added."""
        from sklearn.cluster import KMeans

        blocks = x.reshape(-1, STEPS * x.shape[2])
        found = KMeans(2, n_init=4, random_state=int(ctx.rng("clusters").integers(2**31))).fit(blocks)
        self.means = found.cluster_centers_
        self.spread = math.sqrt(float(np.mean((blocks - self.means[found.labels_]) ** 2)))
        strings = found.labels_.reshape(len(x), -1)
        self.counts = np.full((2,) * (self.order + 1), 1e-3)
        windows = np.lib.stride_tricks.sliding_window_view(strings, self.order + 1, axis=1).reshape(-1, self.order + 1)
        np.add.at(self.counts, tuple(windows.T), 1)
        self.starts = strings[:, : self.order]

    def _follow(self, strings: NDArray[np.int64], steps: int, rng: np.random.Generator) -> NDArray[np.int64]:
        for _ in range(steps):
            counts = self.counts[tuple(strings[:, -self.order :].T)]
            ones = rng.random(len(strings)) < counts[:, 1] / counts.sum(1)
            strings = np.hstack([strings, ones[:, None].astype(np.int64)])
        return strings

    def _drawn(self, strings: NDArray[np.int64], rng: np.random.Generator) -> NDArray[Any]:
        clean = self.means[strings].reshape(len(strings), -1, 2)
        return clean + self.spread * rng.standard_normal(clean.shape)

    def generate(self, n: int, length: int, rng: np.random.Generator) -> NDArray[Any]:
        """Return sequences (n, length, dim)."""
        first = self.starts[rng.integers(len(self.starts), size=n)]
        return self._drawn(self._follow(first, length // STEPS - self.order, rng)[:, : length // STEPS], rng)

    def predict(self, prefix: Floats, horizon: int, samples: int, rng: np.random.Generator) -> NDArray[Any]:
        """Return futures of the prefix's last symbols; a prefix must hold `order` of them."""
        blocks = prefix.reshape(len(prefix), -1, 1, self.means.shape[1])
        strings = ((blocks - self.means) ** 2).sum(-1).argmin(-1)[:, -self.order :]
        last = strings.repeat(samples, 0)
        made = self._follow(last, horizon // STEPS, rng)[:, last.shape[1] :]
        return self._drawn(made, rng).reshape(len(prefix), samples, horizon, 2)


TASK = "sequences/stochastic-prediction"
MODELS = [
    Model("deterministic-rnn", TASK, DeterministicRNN),
    Model("variational-rnn", TASK, VariationalRNN),
    Model("ngram-counts", TASK, NgramCounts),
]
