"""What the entrants that write a sequence share: additive attention, and a decoder taught or left to itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class AdditiveAttention(nn.Module):
    """States (B, N, width) and a query (B, width) -> scores (B, N): v . tanh(W1 e_j + W2 d) (Bahdanau et al. 2015)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.states, self.query = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)

    def keys(self, states: Tensor) -> Tensor:
        """Return W1 e_j, which is the same for every query."""
        return self.states(states)

    def forward(self, keys: Tensor, query: Tensor) -> Tensor:
        """Return the scores."""
        return self.score((keys + self.query(query)[:, None]).tanh()).squeeze(-1)


Step = Callable[["Tensor | None", Any], "tuple[Tensor, Any]"]
"""step(previous choice (B,) or None at first, state) -> logits (B, C), next state."""


def unroll(
    step: Step, state: Any, length: int, targets: Tensor | None = None, *, distinct: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the logits (B, length, C) and the choices (B, length) of a decoder.

    Choices are the targets (B, length), where negative entries stand for any choice, or the most likely one. With
    `distinct` what was chosen before cannot be chosen again.
    """
    previous: Tensor | None = None
    taken: Tensor | None = None
    logits, choices = [], []
    for k in range(length):
        scores, state = step(previous, state)
        if distinct:
            taken = torch.zeros_like(scores, dtype=torch.bool) if taken is None else taken
            scores = scores.masked_fill(taken, -torch.inf)
        previous = scores.argmax(1) if targets is None else targets[:, k].clamp_min(0)
        if taken is not None:
            taken = taken.scatter(1, previous[:, None], True)
        logits.append(scores)
        choices.append(previous)
    return torch.stack(logits, 1), torch.stack(choices, 1)


def chosen(x: Tensor, choice: Tensor) -> Tensor:
    """Return the chosen elements (B, D) of x (B, N, D) by index (B,)."""
    return x[torch.arange(len(x), device=x.device), choice]
