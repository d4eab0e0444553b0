"""Pointer Networks (Vinyals et al., 2015, arXiv:1506.03134): attention over the input is itself the output distribution."""

from __future__ import annotations

import torch
from assay import Claim, Model, Paper, hookimpl, score, trend
from assay_sets.convex_hull import STOP
from assay_sets.sequences import AdditiveAttention, chosen, unroll
from torch import Tensor, nn

State = tuple[Tensor, Tensor]


class PointerNetwork(nn.Module):
    """x (B, N, inputs) -> indices of its own elements: an LSTM reads the set as given, another points into it.

    u^i_j = v . tanh(W1 e_j + W2 d_i) and p(C_i = j) = softmax_j u^i (eq. 3); the next input of the decoder is the
    element pointed at. With `stop` a learned state stands behind the N others: pointing at it ends the sequence.
    """

    def __init__(self, inputs: int = 2, width: int = 64, stop: bool = True) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.LSTM(inputs, width, batch_first=True), nn.LSTMCell(inputs, width)
        self.start = nn.Parameter(torch.zeros(inputs))
        self.stop = nn.Parameter(0.1 * torch.randn(width)) if stop else None
        self.attention = AdditiveAttention(width)

    def point(self, x: Tensor, length: int, targets: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return logits (B, length, N or N + 1) and choices (B, length), taught by the targets or greedily."""
        states, (h, c) = self.encoder(x)
        elements = x
        if self.stop is not None:
            states = torch.cat([states, self.stop.expand(len(x), 1, -1)], 1)
            elements = torch.cat([x, torch.zeros_like(x[:, :1])], 1)
        keys = self.attention.keys(states)

        def step(previous: Tensor | None, state: State) -> tuple[Tensor, State]:
            last = self.start.expand(len(x), -1) if previous is None else chosen(elements, previous)
            h, c = self.decoder(last, state)
            return self.attention(keys, h), (h, c)

        return unroll(step, (h[0], c[0]), length, targets, distinct=self.stop is None)


class HullPointer(PointerNetwork):
    """x (B, N, 2) -> the vertices of its hull. No rule keeps the polygon valid."""

    def loss(self, x: Tensor, target: Tensor) -> Tensor:
        """Return the cross-entropy of each next vertex and of the stop."""
        target = target.masked_fill(target == STOP, x.shape[1])
        logits, _ = self.point(x, target.shape[1], target)
        return nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())

    def decode(self, x: Tensor) -> Tensor:
        """Return the vertices, greedily, then STOP."""
        found = self.point(x, x.shape[1] + 1)[1]
        return found.masked_fill(found == x.shape[1], STOP)


class OrderPointer(PointerNetwork):
    """x (B, N, inputs) -> a permutation: what was pointed at before is masked."""

    def __init__(self, items: int, inputs: int) -> None:
        super().__init__(inputs, stop=False)
        self.items = items

    def loss(self, x: Tensor, perm: Tensor) -> Tensor:
        """Return the cross-entropy of each next item among those left."""
        logits, _ = self.point(x, self.items, perm)
        return nn.functional.cross_entropy(logits.flatten(0, 1), perm.flatten())

    def predict(self, x: Tensor) -> Tensor:
        """Return the items in the order in which they are pointed at."""
        return self.point(x, self.items)[1]


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants of both tasks."""
    return [
        Model("pointer-networks", "sets/convex-hull", HullPointer),
        Model("pointer-networks", "sets/permutation-recovery", OrderPointer),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    task = "sets/convex-hull"
    right, covered = score("hull_accuracy", task=task), score("area_coverage", task=task)
    return [
        Paper(
            "pointer-networks",
            title="Pointer Networks",
            year=2015,
            arxiv="1506.03134",
            family="sets",
            notes="length-generalisation is undecided: of 16 points, twice as many as it was trained on, it covers 0.71 to "
            "0.89 of the hull's area by seed, and a polygon that crosses itself covers nothing. The paper trained on sets of "
            "up to 50 points.",
            claims=[
                Claim(
                    "beats-attention-seq2seq",
                    right("pointer-networks", points=8) - right("seq2seq-attention", points=8) > 0.05,
                    says="Pointing beats attention blended into a decoder over a fixed dictionary, on convex hulls.",
                    published="72.6 against 38.9 % of hulls of 50 points",
                    seeds=3,
                ),
                Claim(
                    "length-generalisation",
                    covered("pointer-networks", points=16) >= 0.85,
                    says="Trained on 5 to 8 points, it covers most of the hull of 16.",
                    published="trained on 5 to 50 points, 99.2 % of the area at 500",
                    seeds=3,
                ),
                Claim(
                    "accuracy-falls-with-n",
                    trend(right("pointer-networks"), over="points", at=(5, 8, 12, 16)) < 0,
                    says="The share of hulls that are exactly right falls with the number of points.",
                    seeds=3,
                ),
            ],
        )
    ]
