"""Greedy decoding, packed batches, and the perturbation that tells whether a model looks ahead."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from assay_sequences.kit.models import SequenceModel


@torch.no_grad()
def greedy(model: Callable[..., Tensor], prompts: Tensor, length: int) -> Tensor:
    """Return the `length` most likely next tokens (B, length) after prompts (B, P), one after another.

    A `SequenceModel` of attention alone keeps its keys and values; anything else, tokens (B, T) -> logits (B, T, V), reads
    the whole sequence anew for each token.
    """
    cached = isinstance(model, SequenceModel) and model.caches
    cache = model.new_cache() if isinstance(model, SequenceModel) and cached else None
    tokens, fresh = prompts, prompts
    for _ in range(length):
        logits = model(fresh, cache) if cached else model(tokens)
        fresh = logits[:, -1].argmax(-1, keepdim=True)
        tokens = torch.cat([tokens, fresh], 1)
    return tokens[:, prompts.shape[1] :]


def pack(sequences: Sequence[Tensor], length: int, fill: int = 0) -> tuple[Tensor, Tensor]:
    """Return tokens (R, length) and segments (R, length) of sequences laid one after another, the longest first.

    Each goes to the first row with room; segments are numbered 1, 2, ... in a row, and each `fill` behind them has a negative
    number of its own. Raises ValueError for a sequence that is longer than a row.
    """
    rows: list[list[Tensor]] = []
    for sequence in sorted(sequences, key=len, reverse=True):
        if len(sequence) > length:
            raise ValueError(f"a sequence of {len(sequence)} tokens does not fit a row of {length}")
        home = next((row for row in rows if sum(map(len, row)) + len(sequence) <= length), None)
        if home is None:
            rows.append([sequence])
        else:
            home.append(sequence)
    tokens = torch.full((len(rows), length), fill, dtype=torch.int64)
    segments = -torch.arange(1, length + 1).repeat(len(rows), 1)
    for r, row in enumerate(rows):
        start = 0
        for number, sequence in enumerate(row, start=1):
            end = start + len(sequence)
            tokens[r, start:end], segments[r, start:end] = sequence, number
            start = end
    return tokens, segments


@torch.no_grad()
def looks_ahead(model: Callable[[Tensor], Tensor], tokens: Tensor, vocab: int) -> float:
    """Return the largest change of the outputs (B, T, V) before a place when tokens (B, T) from there on are changed."""
    before, worst = model(tokens), 0.0
    for place in sorted({1, tokens.shape[1] // 2, tokens.shape[1] - 1}):
        changed = tokens.clone()
        changed[:, place:] = (changed[:, place:] + 1) % vocab
        worst = max(worst, float((model(changed)[:, :place] - before[:, :place]).abs().max()))
    return worst
