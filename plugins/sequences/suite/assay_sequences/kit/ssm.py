"""Diagonal state-space layers as convolutions, and the HiPPO-LegS matrix from which they are often begun."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay_sequences.kit.training import slowly


def hippo_legs(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return HiPPO-LegS, A (n, n) and B (n,) float64: A_nk = -sqrt((2n+1)(2k+1)) for n > k, -(n+1) for n = k, else 0.

    B_n = sqrt(2n+1) (Gu et al. 2020, arXiv:2008.07669).
    """
    root = np.sqrt(2 * np.arange(n) + 1)
    return -np.tril(np.outer(root, root), -1) - np.diag(np.arange(n) + 1.0), root


def legs_normal(n: int) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Return eigenvalues (n,) and orthonormal eigenvectors (n, n) of LegS' normal part A + P P^T, P_k = sqrt(k + 1/2).

    That part is -1/2 I + a skew matrix, so the eigenvalues come from a Hermitian one: real parts are exactly -1/2. They are
    ordered by imaginary part, ascending (arXiv:2206.11893, sec. 3).
    """
    a, _ = hippo_legs(n)
    p = np.sqrt(np.arange(n) + 0.5)
    skew = a + np.outer(p, p) + 0.5 * np.eye(n)
    values, vectors = np.linalg.eigh(-1j * skew)
    return -0.5 + 1j * values, vectors


class DiagonalSSM(nn.Module):
    """(B, T, width) -> the same: y = conv(u, K) + D u, a diagonal state-space model a channel, discretised by zero-order hold.

    K_l = Re sum_n C_n B_n (exp(dt A_n) - 1) / A_n exp(dt A_n l), twice that with `pairs`, where A holds one of each conjugate
    pair. A (N,) complex, with negative real parts, is where every channel begins; B is 1 and C complex N(0, 1) unless given,
    (N,); dt is drawn log-uniformly from `steps` for each channel. A, B and dt learn at the rate `slow`, without decay. The
    convolution is causal and by FFT: O(T log T).
    """

    def __init__(
        self,
        width: int,
        a: Tensor,
        b: Tensor | None = None,
        c: Tensor | None = None,
        *,
        pairs: bool = True,
        steps: tuple[float, float] = (0.001, 0.1),
        slow: float = 1e-3,
    ) -> None:
        super().__init__()
        if a.real.max() >= 0:
            raise ValueError("A must have negative real parts: the state would grow without bound")
        n, self.pairs = len(a), pairs
        a = a.to(torch.complex64).expand(width, n)
        b = torch.ones(n, dtype=torch.complex64) if b is None else b.to(torch.complex64)
        c = torch.randn(width, n, dtype=torch.complex64) if c is None else c.to(torch.complex64).expand(width, n)
        low, high = map(math.log, steps)
        self.log_decay = slowly(nn.Parameter((-a.real).log()), slow)
        self.frequency = slowly(nn.Parameter(a.imag.clone()), slow)
        self.b = slowly(nn.Parameter(torch.view_as_real(b.expand(width, n)).clone()), slow)
        self.c = nn.Parameter(torch.view_as_real(c).clone())
        self.log_dt = slowly(nn.Parameter(low + (high - low) * torch.rand(width)), slow)
        self.skip = nn.Parameter(torch.randn(width))

    def discrete(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return exp(dt A), B (exp(dt A) - 1) / A and C, each (width, N) complex."""
        a = torch.complex(-self.log_decay.exp(), self.frequency)
        stepped = (self.log_dt.exp()[:, None] * a).exp()
        return stepped, torch.view_as_complex(self.b) * (stepped - 1) / a, torch.view_as_complex(self.c)

    def kernel(self, length: int) -> Tensor:
        """Return K (width, length)."""
        stepped, into, out = self.discrete()
        powers = stepped[..., None] ** torch.arange(length, device=stepped.device)
        found = torch.einsum("wn,wnl->wl", out * into, powers).real
        return 2 * found if self.pairs else found

    def forward(self, u: Tensor) -> Tensor:
        """Return the output."""
        length = u.shape[1]
        spectrum = torch.fft.rfft(self.kernel(length), 2 * length)
        mixed = torch.fft.irfft(torch.fft.rfft(u.mT, 2 * length) * spectrum, 2 * length)[..., :length]
        return mixed.mT + self.skip * u
