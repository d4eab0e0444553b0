"""The plain entrants that put items into an order, name a hull or fit a density."""

from __future__ import annotations

import numpy as np
import torch
from assay import Model
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from assay_sets.baselines import mlp
from assay_sets.convex_hull import STOP
from assay_sets.sequences import AdditiveAttention, unroll


def item_encoder(inputs: int, width: int = 128) -> nn.Sequential:
    """Return the encoder of an item that the task allows: (..., inputs) -> (..., width), two layers."""
    return nn.Sequential(mlp(inputs, width, width), nn.ReLU())


def assignment(scores: Tensor) -> Tensor:
    """Return the permutations (B, N) that maximise the sum of scores (B, N, N) [place, item] (Kuhn 1955)."""
    solved = [linear_sum_assignment(s, maximize=True)[1] for s in scores.detach().double().cpu().numpy()]
    return torch.tensor(np.stack(solved), device=scores.device)


class ScoreAndSort(nn.Module):
    """A score an item, learnt from pairs: log(1 + exp(s_a - s_b)) where a stands before b (Burges et al. 2005)."""

    def __init__(self, items: int, inputs: int) -> None:
        super().__init__()
        self.score = nn.Sequential(item_encoder(inputs), nn.Linear(128, 1))
        self.first, self.second = torch.triu_indices(items, items, 1)

    def loss(self, x: Tensor, perm: Tensor) -> Tensor:
        """Return the mean over pairs."""
        s = torch.take_along_dim(self.score(x).squeeze(-1), perm, 1)
        return nn.functional.softplus(s[:, self.first] - s[:, self.second]).mean()

    def predict(self, x: Tensor) -> Tensor:
        """Return the items by ascending score."""
        return self.score(x).squeeze(-1).argsort(1)


class PositionClassifier(nn.Module):
    """The items' codes, concatenated as given, to a class a place: which item belongs there. Solved as assignment."""

    def __init__(self, items: int, inputs: int) -> None:
        super().__init__()
        self.items = items
        self.encode = item_encoder(inputs)
        self.whole = mlp(items * 128, 256, items * items)

    def logits(self, x: Tensor) -> Tensor:
        """Return (B, N, N) [place, item]."""
        return self.whole(self.encode(x).flatten(1)).view(-1, self.items, self.items)

    def loss(self, x: Tensor, perm: Tensor) -> Tensor:
        """Return the cross-entropy of the item at each place."""
        return nn.functional.cross_entropy(self.logits(x).flatten(0, 1), perm.flatten())

    def predict(self, x: Tensor) -> Tensor:
        """Return the best permutation."""
        return assignment(self.logits(x))


class Seq2SeqAttention(nn.Module):
    """An LSTM reads the points, another writes indices from a fixed dictionary, with attention blended into its state."""

    def __init__(self, width: int = 64, dictionary: int = 16) -> None:
        super().__init__()
        self.stop = dictionary
        self.encoder, self.decoder = nn.LSTM(2, width, batch_first=True), nn.LSTMCell(width, width)
        self.embed = nn.Embedding(dictionary + 2, width)  # the last one starts a sequence
        self.attention = AdditiveAttention(width)
        self.out = nn.Sequential(nn.Linear(2 * width, width), nn.Tanh(), nn.Linear(width, dictionary + 1))

    def write(self, x: Tensor, length: int, targets: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return logits (B, length, dictionary + 1) and choices (B, length) for points x (B, N, 2)."""
        states, (h, c) = self.encoder(x)
        keys = self.attention.keys(states)

        def step(previous: Tensor | None, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            last = torch.full((len(x),), self.stop + 1, device=x.device) if previous is None else previous
            h, c = self.decoder(self.embed(last), state)
            context = (self.attention(keys, h).softmax(1)[..., None] * states).sum(1)
            return self.out(torch.cat([h, context], 1)), (h, c)

        return unroll(step, (h[0], c[0]), length, targets)

    def loss(self, x: Tensor, target: Tensor) -> Tensor:
        """Return the cross-entropy of each next index."""
        target = target.masked_fill(target == STOP, self.stop)
        logits, _ = self.write(x, target.shape[1], target)
        return nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())

    def decode(self, x: Tensor) -> Tensor:
        """Return indices, greedily; one that names no point ends the sequence."""
        found = self.write(x, x.shape[1] + 1)[1]
        return found.masked_fill(found >= x.shape[1], STOP)


class IndependentBits(nn.Module):
    """Binary x (B, V) -> nats under independent variables: what no order of them can repair."""

    def __init__(self, variables: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(variables))

    def nats(self, x: Tensor) -> Tensor:
        """Return -log p(x) (B,)."""
        logits = self.logits.expand_as(x)
        return nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)

    def loss(self, x: Tensor, progress: float) -> Tensor:
        """Return the mean."""
        return self.nats(x).mean()


MODELS = [
    Model("score-and-sort", task="sets/permutation-recovery", build=ScoreAndSort),
    Model("position-classifier", task="sets/permutation-recovery", build=PositionClassifier),
    Model("independent-bits", task="sets/variable-order", build=IndependentBits),
    Model("seq2seq-attention", task="sets/convex-hull", build=Seq2SeqAttention),
]
