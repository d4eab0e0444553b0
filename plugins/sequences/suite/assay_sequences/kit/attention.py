"""Softmax attention with swappable positions, a key-value cache and packed batches."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Positions = Literal["none", "rope"]
Cache = dict[str, Tensor]


def rotate(x: Tensor, places: Tensor, base: float = 10_000.0) -> Tensor:
    """Return x (..., T, D), each pair (x_m, x_{m + D/2}) turned by places (..., T) * base^(-2m/D) (RoPE, arXiv:2104.09864)."""
    half = x.shape[-1] // 2
    rates = base ** (-torch.arange(half, device=x.device, dtype=x.dtype) / half)
    angles = places[..., None].to(x.dtype) * rates
    cos, sin = angles.cos(), angles.sin()
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1)


def segment_places(segments: Tensor) -> Tensor:
    """Return for segments (B, T), numbered in their order, the place of each token within its own: 0, 1, 2, ..."""
    index = torch.arange(segments.shape[1], device=segments.device).expand_as(segments)
    first = torch.cat([torch.ones_like(segments[:, :1], dtype=torch.bool), segments[:, 1:] != segments[:, :-1]], 1)
    return index - torch.where(first, index, 0).cummax(1).values


def segment_mask(segments: Tensor, *, causal: bool = True) -> Tensor:
    """Return the mask (B, 1, T, T), True where a query (row) may see a key: in its own segment and, if causal, not later."""
    same = segments[:, :, None] == segments[:, None, :]
    return (same.tril() if causal else same)[:, None]


class Attention(nn.Module):
    """(B, T, width) -> (B, T, width): multi-head softmax attention, causal unless said otherwise.

    `positions="rope"` turns queries and keys, `"none"` leaves the order to the mask. With `cache`, a dict that begins
    empty and is kept between calls, x holds only the tokens that are new. `segments` (B, T) separates packed sequences.
    """

    def __init__(
        self, width: int, heads: int, positions: Positions = "none", *, causal: bool = True, base: float = 10_000.0
    ) -> None:
        super().__init__()
        if width % heads or (positions == "rope" and (width // heads) % 2):
            raise ValueError(f"width {width} does not divide into {heads} heads (of even size for rope)")
        self.heads, self.positions, self.causal, self.base = heads, positions, causal, base
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, cache: Cache | None = None, segments: Tensor | None = None) -> Tensor:
        """Return the mixed values."""
        batch, length, width = x.shape
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).split(width, 2))
        past = cache["k"].shape[2] if cache else 0
        if self.positions == "rope":
            places = torch.arange(past, past + length, device=x.device)
            if segments is not None:
                places = segment_places(segments)[:, None]
            q, k = rotate(q, places, self.base), rotate(k, places, self.base)
        if cache is not None:
            if past:
                k, v = torch.cat([cache["k"], k], 2), torch.cat([cache["v"], v], 2)
            cache["k"], cache["v"] = k, v
        mask = None
        if segments is not None:
            mask = segment_mask(segments, causal=self.causal)
        elif self.causal and past and length > 1:
            mask = torch.ones(length, past + length, dtype=torch.bool, device=x.device).tril(past)
        whole = self.causal and mask is None and not past
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=whole and length > 1)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))
