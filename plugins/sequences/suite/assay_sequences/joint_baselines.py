"""The plain entrants of sequences/any-conditionals: counts of pairs, and a causal model in one order."""

from __future__ import annotations

import numpy as np
import torch
from assay import Context, Model
from torch import Tensor

from assay_sequences.any_conditionals import Floats, Ints, JointData
from assay_sequences.kit.attention import Attention
from assay_sequences.kit.models import SequenceModel
from assay_sequences.kit.training import batches, cross_entropy, predict, train


class PairCounts:
    """Baseline: p(y) prod_i p(x_i | y) from counts with half a count added, over those x_i that were seen together with y."""

    def __init__(self, variables: int, values: int) -> None:
        self.variables, self.values = variables, values

    def fit(self, rows: Ints, data: JointData, ctx: Context) -> None:
        """Count values and pairs of values."""
        onehot = (rows[..., None] == np.arange(self.values)).astype(np.float64)  # -1 is nowhere
        flat = onehot.reshape(len(rows), -1)
        shape = (self.variables, self.values, self.variables, self.values)
        self.pairs, self.single = (flat.T @ flat).reshape(shape), onehot.sum(0)

    def conditional(self, observed: Ints, query: Ints) -> Floats:
        """Return the probabilities (B, values)."""
        logs = np.log(self.single[query] + 0.5)
        logs -= np.log(np.exp(logs).sum(1, keepdims=True))
        for place in range(self.variables):
            table = self.pairs[query, :, place]  # (B, V of the query, V of the place)
            seen = (table.sum((1, 2)) > 0) & (observed[:, place] >= 0) & (query != place)
            smooth = (table + 0.5) / (table + 0.5).sum(2, keepdims=True)
            chosen = np.take_along_axis(smooth, np.maximum(observed[:, place], 0)[:, None, None], 2)[..., 0]
            logs += np.where(seen[:, None], np.log(chosen), 0.0)
        odds = np.exp(logs - logs.max(1, keepdims=True))
        return odds / odds.sum(1, keepdims=True)


class LeftToRight:
    """Baseline: a causal transformer in the places' own order; unknown places before the one asked are a symbol of their own.

    In training a random part of what it reads is hidden so. What is known behind the place asked cannot be used.
    """

    def __init__(self, variables: int, values: int, width: int = 48) -> None:
        self.variables, self.values, self.calls = variables, values, 0.0
        mixers = [Attention(width, 4) for _ in range(2)]
        self.net = SequenceModel(values + 2, width, mixers, places=variables, outputs=values)

    def fit(self, rows: Ints, data: JointData, ctx: Context) -> None:
        """Train by cross-entropy of each observed place given those before it."""
        x, draw = torch.tensor(rows), batches(len(rows), ctx.budget["batch"], ctx)
        net = ctx.prepare(self.net)

        def loss(_: int) -> Tensor:
            batch = x[next(draw)]
            hide = torch.rand(batch.shape) < torch.rand(len(batch), 1)
            return cross_entropy(net(self._read(batch.masked_fill(hide, -1))), batch.masked_fill(batch < 0, -100))

        train(net, loss, ctx)

    def _read(self, observed: Tensor) -> Tensor:
        """Return the tokens (B, T): a start, then each place but the last, -1 as the symbol for unknown."""
        known = torch.where(observed < 0, self.values, observed)
        start = torch.full_like(known[:, :1], self.values + 1)
        return torch.cat([start, known[:, :-1]], 1)

    def conditional(self, observed: Ints, query: Ints) -> Floats:
        """Return the probabilities (B, values)."""
        logits = predict(self.net, self._read(torch.tensor(observed)))
        return logits[torch.arange(len(query)), torch.tensor(query)].softmax(-1).double().numpy()

    @torch.no_grad()
    def sample(self, observed: Ints, rng: np.random.Generator) -> Ints:
        """Fill in the unknown places one after another."""
        rows = observed.copy()
        for place in range(self.variables):
            logits = self.net(self._read(torch.tensor(rows)))[:, place]
            chance = logits.softmax(-1).double().numpy()
            below = rng.random((len(rows), 1)) > chance.cumsum(1)
            drawn = np.minimum(below.sum(1), self.values - 1)
            rows[:, place] = np.where(rows[:, place] < 0, drawn, rows[:, place])
            self.calls += 1
        return rows


TASK = "sequences/any-conditionals"
MODELS = [Model("pair-counts", TASK, PairCounts), Model("left-to-right", TASK, LeftToRight)]
