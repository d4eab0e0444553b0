"""Linear recurrences in parallel: the diagonal scan, and products of Householder-like matrices (UT transform)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def _doubled(a: Tensor, b: Tensor) -> Tensor:
    """Return h_t = a_t h_{t-1} + b_t, h_{-1} = 0, along dimension 1 by log2(T) doublings (Hillis and Steele 1986)."""
    a, b = a.clone(), b.clone()
    step, length = 1, b.shape[1]
    while step < length:
        # the affine map of each place is composed with the one `step` places before it
        b[:, step:] = torch.addcmul(b[:, step:], a[:, step:], b[:, :-step])
        if 2 * step < length:
            a[:, step:] = a[:, step:] * a[:, :-step]
        step *= 2
    return b


class _Scan(torch.autograd.Function):
    """The scan with its adjoint, which is a scan backwards in time: g_t = dh_t + a_{t+1} g_{t+1}."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        """Return the states (B, T, ...)."""
        states = _doubled(a, b)
        ctx.save_for_backward(a, states)
        return states

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients with respect to a and b."""
        a, states = ctx.saved_tensors
        following = torch.cat([a[:, 1:], torch.zeros_like(a[:, :1])], 1).conj().resolve_conj()
        adjoint = _doubled(following.flip(1), grads[0].flip(1)).flip(1)
        before = torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], 1)
        return adjoint * before.conj(), adjoint


def scan(a: Tensor, b: Tensor, initial: Tensor | None = None) -> Tensor:
    """Return h (B, T, ...) with h_t = a_t h_{t-1} + b_t elementwise, real or complex, h_{-1} = `initial` (B, ...) or 0.

    a and b have one shape; the gradient is exact, a second derivative is not offered. Work O(T log T), depth O(log T).
    """
    if a.shape != b.shape:
        raise ValueError(f"a {tuple(a.shape)} and b {tuple(b.shape)} must have one shape")
    if initial is not None:
        b = torch.cat([b[:, :1] + a[:, :1] * initial[:, None], b[:, 1:]], 1)
    return _Scan.apply(a, b)


def recurrence(a: Tensor, b: Tensor, initial: Tensor | None = None) -> Tensor:
    """Return what `scan` does, step by step: its reference."""
    state, states = torch.zeros_like(b[:, 0]) if initial is None else initial, []
    for t in range(b.shape[1]):
        state = a[:, t] * state + b[:, t]
        states.append(state)
    return torch.stack(states, 1)


def ut_transform(w: Tensor, beta: Tensor) -> Tensor:
    """Return T (..., L, L) lower triangular, by which a product of I - beta_t w_t w_t^T is written at once.

    w (..., L, D) and beta (..., L). T = (I + strict_tril(diag(beta) W W^T))^{-1} diag(beta) (Joffrain et al. 2006), so that
    (I - beta_L w_L w_L^T) ... (I - beta_1 w_1 w_1^T) = I - W^T T W.
    """
    scaled = beta[..., None] * (w @ w.mT)
    eye = torch.eye(w.shape[-2], dtype=w.dtype, device=w.device)
    return torch.linalg.solve_triangular(scaled.tril(-1) + eye, torch.diag_embed(beta), upper=False, unitriangular=True)


def delta_rule(q: Tensor, k: Tensor, v: Tensor, beta: Tensor, every: int = 1, initial: Tensor | None = None) -> Tensor:
    """Return o_t = S_t^T q_t where S_t = (I - beta_t k_t k_t^T) S_{t-1} + beta_t k_t v_t^T, for all t at once.

    k (..., L, D), v (..., L, E), beta (..., L); S_0 is `initial` (..., D, E) or 0. With `every` = n only each n-th state is
    read, so q is (..., L / n, D) and o (..., L / n, E). No step is taken in time: the pseudo-values u = T (v - k S_0), with T
    the `ut_transform`, turn the recurrence into linear attention, o = q S_0 + tril(q k^T) u. Work O(L^2 D), fine up to some
    hundred steps.
    """
    u = ut_transform(k, beta) @ (v if initial is None else v - k @ initial)
    length = k.shape[-2]
    reads = torch.arange(every - 1, length, every, device=k.device)[:, None]
    read = (q @ k.mT) * (torch.arange(length, device=k.device) <= reads).to(k.dtype)
    return read @ u if initial is None else q @ initial + read @ u


def delta_recurrence(
    q: Tensor, k: Tensor, v: Tensor, beta: Tensor, every: int = 1, initial: Tensor | None = None
) -> Tensor:
    """Return what `delta_rule` does, step by step: its reference."""
    state = k.new_zeros(*k.shape[:-2], k.shape[-1], v.shape[-1]) if initial is None else initial
    read = []
    for t in range(k.shape[-2]):
        key = k[..., t, :, None]
        error = v[..., t, None, :] - key.mT @ state
        state = state + beta[..., t, None, None] * key @ error
        if (t + 1) % every == 0:
            read.append((q[..., (t + 1) // every - 1, None, :] @ state).squeeze(-2))
    return torch.stack(read, -2)
