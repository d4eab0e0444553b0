"""The pre-norm network that every arena wraps around a mixer, and the decoder made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from assay_sequences.kit.attention import Attention, Cache, Positions, segment_places


class Block(nn.Module):
    """(B, T, width) -> the same: x + mixer(LN(x)), then x + MLP(LN(x)), the hidden layer `expand` times as wide (0: none).

    A mixer with the attribute `carries` is called with, and returns, a second value that goes from layer to layer.
    """

    def __init__(self, width: int, mixer: nn.Module, *, expand: int = 4, residual: bool = True) -> None:
        super().__init__()
        self.mixer, self.residual = mixer, residual
        self.norm = nn.LayerNorm(width)
        self.mlp: nn.Module | None = None
        if expand:
            self.mlp = nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, expand * width), nn.GELU(), nn.Linear(expand * width, width)
            )

    def forward(
        self, x: Tensor, carry: Any = None, cache: Cache | None = None, segments: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        """Return the new states and what is carried on."""
        normed = self.norm(x)
        if getattr(self.mixer, "carries", False):
            mixed, carry = self.mixer(normed, carry)
        elif isinstance(self.mixer, Attention):
            mixed = self.mixer(normed, cache, segments)
        elif cache is None and segments is None:
            mixed = self.mixer(normed)
        else:
            raise ValueError(f"{type(self.mixer).__name__} knows neither cache nor segments: only Attention does")
        x = x + mixed if self.residual else mixed
        return (x if self.mlp is None else x + self.mlp(x)), carry


class SequenceModel(nn.Module):
    """Tokens (B, T) int64 -> logits (B, T, outputs): embedding, blocks, LN, a linear map.

    `mixers` has one module (B, T, width) -> (B, T, width) a layer; `places` > 0 adds learned absolute positions, as many.
    With `cache` (a list of one dict a layer, see `new_cache`) tokens holds only what is new since the last call.
    """

    def __init__(
        self,
        vocab: int,
        width: int,
        mixers: Sequence[nn.Module],
        *,
        places: int = 0,
        outputs: int | None = None,
        expand: int = 4,
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.places = nn.Embedding(places, width) if places else None
        self.blocks = nn.ModuleList(Block(width, mixer, expand=expand, residual=residual) for mixer in mixers)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, outputs or vocab)
        for table in (self.embed, self.places):
            if table is not None:
                nn.init.normal_(table.weight, std=width**-0.5)

    def forward(self, tokens: Tensor, cache: list[Cache] | None = None, segments: Tensor | None = None) -> Tensor:
        """Return logits."""
        return self.head(self.states(tokens, cache, segments))

    def states(self, tokens: Tensor, cache: list[Cache] | None = None, segments: Tensor | None = None) -> Tensor:
        """Return the normed states (B, T, width) before the last linear map."""
        x = self.embed(tokens)
        if self.places is not None:
            past = cache[0]["k"].shape[2] if cache and cache[0] else 0
            index = torch.arange(past, past + tokens.shape[1], device=tokens.device)
            x = x + self.places(index if segments is None else segment_places(segments))
        carry = None
        for depth, block in enumerate(self.blocks):
            x, carry = block(x, carry, cache[depth] if cache is not None else None, segments)
        return self.norm(x)

    @property
    def caches(self) -> bool:
        """Whether every mixer can keep its keys and values."""
        return all(isinstance(block.mixer, Attention) and block.mixer.causal for block in self.blocks)

    def new_cache(self) -> list[Cache]:
        """Return an empty cache, to be passed to every call of one decoding."""
        return [{} for _ in self.blocks]


def decoder(
    vocab: int,
    length: int,
    *,
    width: int = 48,
    heads: int = 4,
    layers: int = 2,
    positions: Positions | str = "learned",
    causal: bool = True,
    residual: bool = True,
) -> SequenceModel:
    """Return a transformer for up to `length` tokens. Positions: "learned", "rope" or "none"."""
    kind: Positions = "rope" if positions == "rope" else "none"
    mixers = [Attention(width, heads, kind, causal=causal) for _ in range(layers)]
    return SequenceModel(vocab, width, mixers, places=length if positions == "learned" else 0, residual=residual)
