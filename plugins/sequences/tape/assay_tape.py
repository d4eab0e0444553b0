"""TAPE (Zhu et al., 2025, arXiv:2501.00712): positions are tensors that attention and content update from layer to layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from assay import Claim, Model, Paper, hookimpl, score, worst
from assay_sequences.integer_algorithms import CleanStream
from assay_sequences.kit import Attention, SequenceModel
from torch import Tensor, nn


def rotations(places: Tensor, blocks: int, base: float = 10_000.0) -> Tensor:
    """Return e (T, blocks, 2, 2), for place t and block m the matrix that turns by -t base^(-m / blocks): RoPE as tensors."""
    angles = places[:, None] * base ** (-torch.arange(blocks, device=places.device) / blocks)
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)], -2)


class Tape(nn.Module):
    """(B, T, d_model) and e (B, H, T, M, 2, 2), or None at first, -> the same: attention that addresses by e, and updates it.

    With q, k in M blocks of 2 (block m has the entries m and m + M, as RoPE has) the logit is sum_m q_m^T e_{i,m} e_{j,m}^T
    k_{j,m}. The weights a_ij of its softmax also mix positions, e~_i = sum_j a_ij e_j, and the token scales an update of
    rank `rank`, e_i <- e_i + W2 diag(psi(x_i)) W1^T e~_i, where W1 and W2 act on the 2M rows and never on the 2 columns: this
    commutes with every orthogonal matrix from the right. W2 begins at 0, so the layer begins as RoPE; without `update` it stays
    RoPE. `columns` lets W1 and W2 act on the columns too, which breaks the symmetry.
    """

    carries = True

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        max_len: int,
        update: bool = True,
        columns: bool = False,
        rank: int = 16,
        causal: bool = True,
        layers: int = 0,
    ) -> None:
        super().__init__()
        size = d_model // n_heads
        self.heads, self.update, self.columns, self.causal, self.layers = n_heads, update, columns, causal, layers
        self.qkv, self.out = nn.Linear(d_model, 3 * d_model, bias=False), nn.Linear(d_model, d_model, bias=False)
        if update:
            rows = 2 * size if columns else size
            self.w1 = nn.Parameter(torch.randn(n_heads, rows, rank) / rows**0.5)
            self.w2 = nn.Parameter(torch.zeros(n_heads, rows, rank))
            self.psi = nn.Sequential(nn.Linear(d_model, 32), nn.GELU(), nn.Linear(32, n_heads * rank))

    def forward(self, x: Tensor, e: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the mixed values and the new positions."""
        batch, length, width = x.shape
        size = width // self.heads
        if e is None:
            start = rotations(torch.arange(length, device=x.device).to(x.dtype), size // 2)
            e = start.expand(batch, self.heads, *start.shape)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).split(width, 2))
        q, k = (self._addressed(part, e) for part in (q, k))
        values = torch.cat([v, e.flatten(3)], -1) if self.update else v
        mixed = nn.functional.scaled_dot_product_attention(q, k, values, is_causal=self.causal and length > 1)
        out = self.out(mixed[..., :size].transpose(1, 2).flatten(2))
        if self.update:
            # rows are (block, row of the block), columns stay apart
            shape = (-1, 1) if self.columns else (-1, 2)
            rows = mixed[..., size:].unflatten(3, shape)
            scale = self.psi(x + out).unflatten(2, (self.heads, -1)).transpose(1, 2)[..., None]
            inner = scale * torch.einsum("hdi,bhtdr->bhtir", self.w1, rows)
            e = e + torch.einsum("hdi,bhtir->bhtdr", self.w2, inner).reshape(e.shape)
        return out, e

    def _addressed(self, x: Tensor, e: Tensor) -> Tensor:
        """Return e_m^T x_m for all blocks of x (B, H, T, 2M), flat."""
        return torch.einsum("bhtlm,bhtmlr->bhtrm", x.unflatten(3, (2, -1)), e).flatten(3)


class TapeStream(CleanStream):
    """Training regime: clean examples for a decoder of two Tape layers, width 48 and 4 heads as the suite's."""

    def __init__(self, update: bool = True) -> None:
        self.update = update

    def model(self, vocab: int, length: int) -> SequenceModel:
        """Return the decoder."""
        return SequenceModel(vocab, 48, [Tape(48, 4, length, self.update) for _ in range(2)])


def _random_layers(columns: bool, causal: bool) -> list[Tape]:
    """Return two layers whose update is not zero."""
    layers = [Tape(16, 2, 12, columns=columns, causal=causal) for _ in range(2)]
    for layer in layers:
        nn.init.normal_(layer.w2, std=0.3)
    return layers


@torch.no_grad()
def _through(layers: list[Tape], x: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
    for layer in layers:
        mixed, e = layer(x, e)
        x = x + mixed
    return x, e


def symmetries(rng: np.random.Generator, columns: bool = False, length: int = 12) -> Mapping[str, float]:
    """Return how far two layers are from their symmetries, the larger of two errors, and from that of a shift, `gap`.

    Every position tensor is multiplied by one orthogonal matrix from the right (outputs must stay, positions turn with it), and
    tokens are permuted with their tensors, without a mask (outputs and positions must be permuted). `gap` is the change of the
    outputs when all places are 7 later, relative to their size.
    """
    x = torch.tensor(rng.standard_normal((2, length, 16)))
    start = rotations(torch.arange(length).double(), 4).expand(2, 2, length, 4, 2, 2)
    turn = torch.linalg.qr(torch.tensor(rng.standard_normal((2, 2))))[0]
    layers = _random_layers(columns, causal=True)
    out, e = _through(layers, x, start)
    turned, e_turned = _through(layers, x, start @ turn)
    rotated = max(float((turned - out).abs().max()), float((e_turned - e @ turn).abs().max()))
    later, _ = _through(layers, x, rotations(torch.arange(length).double() + 7, 4).expand_as(start))
    shift = float((later - out).norm() / out.norm())

    order = torch.tensor(rng.permutation(length))
    layers = _random_layers(columns, causal=False)
    out, e = _through(layers, x, start)
    moved, e_moved = _through(layers, x[:, order], start[:, :, order])
    permuted = max(float((moved - out[:, order]).abs().max()), float((e_moved - e[:, :, order]).abs().max()))
    return {"invariance_error": max(rotated, permuted), "gap": shift}


def without_update_is_rope(rng: np.random.Generator, length: int = 12) -> Mapping[str, float]:
    """Return the largest difference between the layer without update and the kit's rotary attention of the same weights."""
    x = torch.tensor(rng.standard_normal((2, length, 16)))
    tape, rope = Tape(16, 2, length, update=False), Attention(16, 2, "rope")
    rope.load_state_dict(tape.state_dict())
    with torch.no_grad():
        return {"max_error": float((tape(x, None)[0] - rope(x)).abs().max())}


TOKENS, IDENTITIES, INTEGERS = "sequences/token-models", "sequences/layer-identities", "sequences/integer-algorithms"


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants of the three tasks."""
    return [
        Model("tape", TOKENS, Tape, {"update": True, "layers": 2}),
        Model("tape-no-update", TOKENS, Tape, {"update": False, "layers": 2}, ablates="tape"),
        Model("tape", INTEGERS, TapeStream, {"update": True}),
        Model("tape-no-update", INTEGERS, TapeStream, {"update": False}, ablates="tape"),
        Model("tape", IDENTITIES, symmetries, {"columns": False}),
        Model("tape-columns", IDENTITIES, symmetries, {"columns": True}, ablates="tape"),
        Model("tape-no-update", IDENTITIES, without_update_is_rope),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    broken, error = (score(name, task=IDENTITIES) for name in ("invariance_error", "max_error"))
    long = score("accuracy_long", task=INTEGERS, dataset="add-lengths")
    same = score("accuracy", task=INTEGERS, dataset="add-lengths")
    return [
        Paper(
            "tape",
            title="Rethinking Addressing in Language Models via Contexualized Equivariant Positional Encoding",
            year=2025,
            arxiv="2501.00712",
            family="sequences",
            notes="Two layers of width 48 and 800 steps stand for the paper's models. psi reads the token behind its attention;"
            " each head has W1 and W2 of rank 16; the last layer's update has no reader. Additions of 1 to 3 digits are "
            "not learnt in this budget: right digits .47 to .67 with the update and .46 to .73 without, whole sums under "
            ".27, and at four digits every entrant is at .19 to .27. RoPE comes twice, as the suite's baseline and as "
            "tape-no-update, which are one function (tested to the last bit) with other first weights: they differ by up "
            "to .18 on a seed, more than the update does on average, .05. So nothing is decided: at four digits no gain "
            "of .03 is in sight, and at three the spread over first weights hides whatever there is. The symmetry under "
            "one orthogonal matrix is exact, but a shift of all places is not such a matrix: RoPE turns each frequency by"
            " another angle, and W1 mixes the frequencies. Two layers with a random update change their outputs by about "
            "1 % when all places are 7 later, where RoPE changes nothing: with the update, places are no longer relative.",
            claims=[
                Claim(
                    "equivariance",
                    (worst(broken("tape")) <= 1e-9) & (worst(error("tape-no-update")) <= 1e-9),
                    says="One orthogonal matrix on all positions changes no output, permuted tokens permute the outputs; without "
                    "the update the layer is RoPE.",
                    published="proved",
                ),
                Claim(
                    "columns-stay-apart",
                    broken("tape-columns") - broken("tape") > 0.01,
                    says="An update that mixes the columns of the positions breaks the symmetry.",
                ),
                Claim(
                    "length-arithmetic",
                    long("tape") - long("rope-transformer") > 0.03,
                    says="Updated positions beat RoPE on additions of more digits than were trained.",
                ),
                Claim(
                    "update-matters",
                    same("tape") - same("tape-no-update") > 0.01,
                    says="At the trained length the gain comes from the update, not from the form.",
                ),
            ],
        )
    ]
