"""The plain mixers of sequences/token-models: attention, linear attention, a gated linear recurrence, a GRU."""

from __future__ import annotations

from assay import Model
from torch import Tensor, nn

from assay_sequences.kit.attention import Attention
from assay_sequences.kit.scans import scan

TASK = "sequences/token-models"


class SoftmaxAttention(Attention):
    """(B, T, d_model) -> the same: causal softmax attention with rotary positions, or with none.

    `layers` takes another depth than the data's, to compare with entrants that need it; 0 keeps the data's.
    """

    def __init__(self, d_model: int, n_heads: int, max_len: int, positions: str = "rope", layers: int = 0) -> None:
        super().__init__(d_model, n_heads, "rope" if positions == "rope" else "none")
        self.layers = layers


class LinearAttention(nn.Module):
    """(B, T, d_model) -> the same: S_t = S_{t-1} + v_t f(k_t)^T, o_t = S_t f(q_t) / (1 + |z_t . f(q_t)|), f = elu + 1.

    Computed in its parallel form, masked scores without a softmax (Katharopoulos et al. 2020, arXiv:2006.16236).
    """

    def __init__(self, d_model: int, n_heads: int, max_len: int) -> None:
        super().__init__()
        self.heads = n_heads
        self.qkv, self.out = nn.Linear(d_model, 3 * d_model, bias=False), nn.Linear(d_model, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mixed values."""
        batch, length, width = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        scores = ((nn.functional.elu(q) + 1) @ (nn.functional.elu(k) + 1).mT).tril()
        mixed = scores @ v / (1 + scores.sum(-1, keepdim=True))
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


class GatedLinearRNN(nn.Module):
    """(B, T, d_model) -> the same: h_t = a_t h_{t-1} + (1 - a_t) u_t with a_t = sigmoid(W x_t), output gated by silu(V x_t).

    Diagonal and positive: the core of Mamba-like layers (minGRU, arXiv:2410.01201), computed by a parallel scan.
    """

    def __init__(self, d_model: int, n_heads: int, max_len: int) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the gated states."""
        keep, value, gate = self.into(x).chunk(3, -1)
        keep = keep.sigmoid()
        return self.out(scan(keep, (1 - keep) * value) * nn.functional.silu(gate))


class GRU(nn.Module):
    """(B, T, d_model) -> the same: torch's GRU of that width, with a linear map out."""

    def __init__(self, d_model: int, n_heads: int, max_len: int) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(d_model, d_model, batch_first=True), nn.Linear(d_model, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the states."""
        return self.out(self.gru(x)[0])


MODELS = [
    Model("rope-transformer", TASK, SoftmaxAttention, {"positions": "rope"}),
    Model("nope-transformer", TASK, SoftmaxAttention, {"positions": "none"}),
    Model("linear-attention", TASK, LinearAttention),
    Model("gated-linear-rnn", TASK, GatedLinearRNN),
    Model("gru", TASK, GRU),
]
