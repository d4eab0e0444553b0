"""S4D (Gu et al., 2022, arXiv:2206.11893): diagonal state-space models, and what their eigenvalues must begin as."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from assay import Claim, Model, Paper, hookimpl, score, slope, within
from assay_sequences.kit import DiagonalSSM, hippo_legs, legs_normal
from assay_sequences.signal_classification import LayeredClassifier, layered
from numpy.typing import NDArray
from torch import Tensor

SIZES = (32, 64, 128, 256, 512, 1024)
FREQUENCIES = (0.5, 1.0, 2.0)
"""Radians a unit of the state-space model's own time."""


def eigenvalues(kind: str, n: int) -> Tensor:
    """Return the n / 2 first eigenvalues, complex, one of each conjugate pair: -1/2 + i b_k, the paper's initialisations.

    "lin": b_k = pi k. "inv": b_k = (n / pi) (n / (2k + 1) - 1). "legs": those of HiPPO-LegS' normal part. "random": b_k from
    N(0, 1). "real": -(k + 1), no imaginary part.
    """
    k = torch.arange(n // 2, dtype=torch.float64)
    if kind == "real":
        return torch.complex(-(k + 1), torch.zeros_like(k))
    if kind == "legs":
        values = legs_normal(n)[0]
        return torch.tensor(values[values.imag > 0])
    frequencies = {
        "lin": lambda: math.pi * k,
        "inv": lambda: n / math.pi * (n / (2 * k + 1) - 1),
        "random": lambda: torch.randn(n // 2, dtype=torch.float64),
    }
    return torch.complex(torch.full_like(k, -0.5), frequencies[kind]())


class S4D(DiagonalSSM):
    """(B, T, width) -> the same: the suite's diagonal layer, its kernel computed in sqrt(T) blocks of sqrt(T) places.

    K_l = 2 Re sum_n C_n (exp(dt A_n) - 1) / A_n exp(dt A_n l), the product of C by a Vandermonde matrix: with l = far + near
    the powers of far and near places are a matrix product over n, and only 2 sqrt(T) of them are exponentials.
    """

    def kernel(self, length: int) -> Tensor:
        """Return K (width, length)."""
        _, into, out = self.discrete()
        log_step = self.log_dt.exp()[:, None] * torch.complex(-self.log_decay.exp(), self.frequency)
        size = math.isqrt(length - 1) + 1
        places = torch.arange(size, device=log_step.device)
        near, far = (log_step[..., None] * places).exp(), (log_step[..., None] * places * size).exp()
        return 2 * ((out * into)[..., None] * far).mT.matmul(near).real.flatten(1)[:, :length]


def s4d(channels: int, classes: int, length: int, kind: str = "lin", n: int = 32) -> LayeredClassifier:
    """Return the classifier of two layers of width 32, each channel with n / 2 conjugate pairs that begin as `kind` says."""
    return layered(lambda width, _: S4D(width, eigenvalues(kind, n)), channels, classes, length)


def transfer(n: int, omegas: Sequence[float]) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Return (i omega - A)^-1 B of HiPPO-LegS, and (i omega - A^N)^-1 B / 2 of its normal part, each (omegas, n)."""
    from scipy.linalg import solve_triangular  # costs 0.1 s, which listing and training need not pay

    a, b = hippo_legs(n)
    values, vectors = legs_normal(n)
    into = vectors.conj().T @ b / 2
    exact = [solve_triangular(1j * omega * np.eye(n) - a, b.astype(complex), lower=True) for omega in omegas]
    normal = [vectors @ (into / (1j * omega - values)) for omega in omegas]
    return np.stack(exact), np.stack(normal)


def legs_gap(rng: np.random.Generator, n: int = 64, states: int = 8) -> Mapping[str, float]:
    """Return the largest difference of the two transfer functions over the first states and FREQUENCIES.

    Nothing is random: every seed gives the same number.
    """
    exact, normal = transfer(n, FREQUENCIES)
    return {"gap": float(np.abs(exact - normal)[:, :states].max())}


SIGNALS, IDENTITIES = "sequences/signal-classification", "sequences/layer-identities"


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants of both tasks."""
    return [
        Model("s4d-lin", SIGNALS, s4d, {"kind": "lin"}),
        Model("s4d-inv", SIGNALS, s4d, {"kind": "inv"}),
        Model("s4d-legs", SIGNALS, s4d, {"kind": "legs"}),
        Model("s4d-real", SIGNALS, s4d, {"kind": "real"}, ablates="s4d-lin"),
        Model("s4d-random", SIGNALS, s4d, {"kind": "random"}, ablates="s4d-lin"),
        Model("s4d-legs", IDENTITIES, legs_gap, {"n": 64}, knobs={"n": SIZES}),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    mark = score("accuracy", task=SIGNALS, dataset="first-mark")
    digits = score("accuracy", task=SIGNALS, dataset="mnist1d")
    gap = score("gap", task=IDENTITIES)("s4d-legs")
    return [
        Paper(
            "s4d",
            title="On the Parameterization and Initialization of Diagonal State Space Models",
            year=2022,
            arxiv="2206.11893",
            family="sequences",
            notes="Two layers of width 32 with 32 states a channel stand for the paper's models, 300 steps for its training. The "
            "diagonal limit is measured on transfer functions at fixed frequencies: kernels in time do not converge pointwise, "
            "only what they do to smooth inputs. That probe has no randomness, so its seeds agree. MNIST-1D takes the place of "
            "digits read pixel by pixel, which cost five times as much. Marks: the real initialisation stays at chance (1/8) on "
            "every seed, and its loss does not move; Lin has reached .28, .47 and .33 when the steps end, still learning, so the "
            "lower end of the interval lies at the margin. In a pilot the real one reached .42 on MNIST-1D where Lin had .45: "
            "it trains, but real decays tell no frequency.",
            claims=[
                Claim(
                    "diagonal-limit",
                    within(slope(gap, over="n", at=SIZES), of=-1.0, tol=0.15),
                    says="The normal part of LegS with half of B recovers the basis of LegS: at fixed frequency the gap of the "
                    "first eight states falls like 1 / N.",
                    published="proved",
                ),
                Claim(
                    "init-is-critical",
                    mark("s4d-lin") - mark("s4d-real") > 0.05,
                    says="The imaginary parts of the initialisation matter: without them it cannot tell marks that lie far back.",
                    seeds=3,
                ),
                Claim(
                    "variants-are-close",
                    within(digits("s4d-lin") - digits("s4d-legs"), 0.03),
                    says="Lin and LegS perform alike on MNIST-1D.",
                ),
            ],
        )
    ]
