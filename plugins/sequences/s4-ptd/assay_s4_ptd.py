"""S4-PTD (Yu et al., 2023, arXiv:2310.01698): perturb the HiPPO matrix, then diagonalise, instead of dropping a part of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from assay import Claim, Context, Metric, Model, Paper, hookimpl, score, slope, within, worst
from assay_sequences.kit import DiagonalSSM, hippo_legs, legs_normal, predict
from assay_sequences.signal_classification import LayeredClassifier, SignalData
from numpy.typing import NDArray

Complex = NDArray[np.complex128]
EPSILONS = (0.001, 0.003, 0.01, 0.03, 0.1)


def perturbed(rng: np.random.Generator, n: int, eps: float, draws: int = 8) -> tuple[Complex, Complex, Complex]:
    """Return eigenvalues (n,), eigenvectors V (n, n) and V^-1 B (n,) of A + E with |E|_2 = `eps`, A and B HiPPO-LegS.

    Of so many Gaussian directions E the one whose V has the least condition number is taken. The symmetric part of A is below
    -1/2, so true eigenvalues have real parts below eps - 1/2 whatever E is. `eps` 0 is plain diagonalisation.
    """
    a, b = hippo_legs(n)
    found = []
    for _ in range(draws):
        e = rng.standard_normal((n, n))
        values, vectors = np.linalg.eig(a + eps * e / np.linalg.norm(e, 2))  # A + E = V L V^-1
        found.append((np.linalg.cond(vectors), values.astype(complex), vectors.astype(complex)))
    _, values, vectors = min(found, key=lambda one: one[0])
    return values, vectors, np.linalg.solve(vectors, b)


def normal_part(n: int) -> tuple[Complex, Complex, Complex]:
    """Return the same of the initialisation that S4D takes: A's normal part in place of A, and half of B."""
    values, vectors = legs_normal(n)
    return values, vectors, vectors.conj().T @ hippo_legs(n)[1] / 2


def diagonal_system(
    kind: str, rng: np.random.Generator, n: int, eps: float, draws: int
) -> tuple[Complex, Complex, Complex]:
    """Return (L, V, V^-1 B) of the diagonal system: `kind` "ptd" is perturbed, "normal" the normal part."""
    return perturbed(rng, n, eps, draws) if kind == "ptd" else normal_part(n)


def gap_to_hippo(
    rng: np.random.Generator, kind: str = "ptd", n: int = 64, eps: float = 0.1, draws: int = 8, points: int = 300
) -> Mapping[str, float]:
    """Return the largest |G(i w) - G'(i w)| over frequencies, G(s) = C (s - A)^-1 B that of LegS, G' that of the diagonal one.

    C ~ N(0, 1) / sqrt(n) is the same for both. Frequencies w: `points` from .01 to n^2, equally far on a log scale, and the
    eigenfrequencies of the normal part, where its resolvent is largest. G is solved from the triangular A, G' summed over poles.
    """
    a, b = hippo_legs(n)
    c = rng.standard_normal(n) / np.sqrt(n)
    w = np.concatenate([np.geomspace(1e-2, n**2, points), legs_normal(n)[0].imag])
    exact = np.array([c @ np.linalg.solve(1j * each * np.eye(n) - a, b + 0j) for each in w])
    values, vectors, into = diagonal_system(kind, rng, n, eps, draws)
    poles = ((c @ vectors) * into / (1j * w[:, None] - values)).sum(1)
    return {"gap": float(np.abs(exact - poles).max())}


class NoisedClassifier(LayeredClassifier):
    """The suite's classifier around diagonal layers; its report adds the test under Fourier modes."""

    def report(self, data: SignalData, ctx: Context) -> Mapping[str, Any]:
        """Return whether each test signal (F, M) is classified right with the mode sin(w t + phase) in it, for F frequencies.

        The modes are 9 frequencies from .05 to .45 cycles a step; phases are random, the same for all entrants.
        """
        x, y = torch.tensor(data.test_x), torch.tensor(data.test_y)
        time = torch.arange(x.shape[1])
        phase = torch.tensor(ctx.rng("modes").uniform(0, 2 * np.pi, (len(x), 1)))
        right = []
        for cycles in np.linspace(0.05, 0.45, 9):
            mode = (2 * np.pi * cycles * time + phase).sin().float()[..., None]
            right.append(predict(self, (x + mode).to(ctx.device)).argmax(1) == y)
        return {"correct_modes": torch.stack(right)}


def layer(width: int, kind: str, n: int, eps: float, draws: int) -> DiagonalSSM:
    """Return a layer of all n poles a channel that begins as y = C V (s - L)^-1 V^-1 B u, C real N(0, 1), its own a channel.

    The modes are scaled to have B = 1, which leaves the system as it is and keeps the steps of B and C of one size.
    """
    rng = np.random.default_rng(int(torch.randint(2**62, ())))
    c = rng.standard_normal((width, n))
    values, vectors, into = diagonal_system(kind, rng, n, eps, draws)
    return DiagonalSSM(width, torch.tensor(values), c=torch.tensor(c @ vectors * into), pairs=False)


def s4_ptd(
    channels: int, classes: int, length: int, kind: str = "ptd", n: int = 16, eps: float = 1.0, draws: int = 64
) -> NoisedClassifier:
    """Return the classifier of two such layers of width 32."""
    return NoisedClassifier(channels, classes, [layer(32, kind, n, eps, draws) for _ in range(2)])


def accuracy_modes(outcome: Mapping[str, Any]) -> float:
    """Share right of signals with a Fourier mode in them, the mean over modes."""
    return float(outcome["correct_modes"].float().mean())


SIGNALS, IDENTITIES = "sequences/signal-classification", "sequences/layer-identities"


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants of both tasks."""
    knobs = {"n": (16, 32, 64, 128), "eps": EPSILONS, "draws": (1, 8)}
    return [
        Model("s4-ptd", SIGNALS, s4_ptd, {"kind": "ptd", "eps": 1.0}, knobs={"eps": (0.1, 1.0, 3.0)}),
        Model("s4-ptd-normal", SIGNALS, s4_ptd, {"kind": "normal"}, ablates="s4-ptd"),
        Model("s4-ptd", IDENTITIES, gap_to_hippo, {"kind": "ptd", "n": 64, "eps": 0.1, "draws": 8}, knobs=knobs),
        Model(
            "s4-ptd-normal",
            IDENTITIES,
            gap_to_hippo,
            {"kind": "normal", "n": 64},
            knobs={"n": knobs["n"]},
            ablates="s4-ptd",
        ),
        Model(
            "s4-ptd-unperturbed", IDENTITIES, gap_to_hippo, {"kind": "ptd", "eps": 0.0, "draws": 1}, ablates="s4-ptd"
        ),
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the paper's own measure of robustness."""
    return [Metric("accuracy_modes", accuracy_modes, ("correct_modes",), "up", "fraction", bounds=(0, 1))]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    gap = score("gap", task=IDENTITIES)
    lone = score("gap", task=IDENTITIES, draws=1)
    noised, clean = (score(m, task=SIGNALS, dataset="mnist1d") for m in ("accuracy_modes", "accuracy"))
    return [
        Paper(
            "s4-ptd",
            title="Robustifying State-space Models for Long Sequences via Approximate Diagonalization",
            year=2023,
            arxiv="2310.01698",
            family="sequences",
            notes="Two layers of width 32 with 16 states a channel and 300 steps stand for the paper's models. E is the best of "
            "8 Gaussian directions (64 for the trained layers), by the condition number of V; the paper optimises it. With 64 "
            "states and eps = .1 the gap is .002 to .006, that of the normal part 1.6 to 6.6, at its highest eigenfrequencies. "
            "Trained layers take eps = 1: with .1 the modes have coefficients of 1000 that cancel, and a step of the optimiser "
            "is large against what is left. The noise is a mode of amplitude 1, the signals' own deviation, averaged over nine "
            "frequencies; on digits read pixel by pixel that left s4-ptd itself at .12, so MNIST-1D is the test. There the "
            "perturbed model keeps .36 to .42 of .45 to .52, the normal part .32 to .39 of .42 to .50: it is better on every "
            "seed, by .024 to .092, which five seeds do not separate from the margin of .02 after Holm's correction. The effect "
            "lies in the upper frequencies. Neither model breaks down.",
            claims=[
                Claim(
                    "uniform-closeness",
                    (worst(gap("s4-ptd")) <= 0.1) & (gap("s4-ptd-normal") - gap("s4-ptd") > 0.3),
                    says="The perturbed system's transfer function stays within eps of HiPPO's at every frequency, that of the "
                    "normal part, which S4D takes, does not (64 states, eps = .1).",
                    published="proved",
                ),
                Claim(
                    "eps-scaling",
                    within(slope(lone("s4-ptd"), over="eps", at=EPSILONS), of=1.0, tol=0.15),
                    says="The gap is of first order in eps.",
                    published="proved",
                ),
                Claim(
                    "diagonalising-is-ill-posed",
                    gap("s4-ptd-unperturbed") / gap("s4-ptd") > 1000,
                    says="Without the perturbation the eigenvectors of LegS are useless in double precision.",
                ),
                Claim(
                    "fourier-noise",
                    (noised("s4-ptd") - noised("s4-ptd-normal") > 0.02) & (clean("s4-ptd-normal") > 0.3),
                    says="Trained on clean signals, it withstands Fourier modes of the signals' own size better than a model "
                    "that begins as S4D does and that has learnt the clean ones too.",
                ),
            ],
        )
    ]
