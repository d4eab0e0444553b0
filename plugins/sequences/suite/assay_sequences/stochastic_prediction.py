"""Task sequences/stochastic-prediction: learn how much of a sequence is chance, and reproduce it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from assay import AssayError, Context, Dataset, Entrant, Metric, Task
from numpy.typing import NDArray

from assay_sequences.common import generator, no_source, whole_fit

Floats = NDArray[np.float32]
STEPS, DIM, ORDER = 6, 2, 4
"""Steps of a symbol, numbers in a step, symbols of an n-gram."""
KERNEL = 0.1
"""Standard deviation of the kernel by which samples become a density."""


@dataclass(frozen=True)
class MachineData:
    """Sequences (N, T, 2) float32 of symbols A and B, `STEPS` steps each, to train on and to test.

    `shapes` (2, STEPS, 2) are the noiseless symbols; `grams` (2,) * 4 the exact distribution of four neighbouring symbols,
    averaged over the places of a sequence; `horizon` the steps to predict behind the first `prefix` of a test sequence.
    """

    train: Floats
    test: Floats
    shapes: NDArray[np.float64]
    grams: NDArray[np.float64]
    chance: float
    prefix: int
    horizon: int


def machine(rng: np.random.Generator, count: int, symbols: int, chance: float) -> NDArray[np.int64]:
    """Return strings (count, symbols) of A A B x A A B x ..., where x is A (0) with probability `chance`, else B (1)."""
    strings = np.tile([0, 0, 1, 1], (count, -(-symbols // 4)))[:, :symbols]
    strings[:, 3::4] = rng.random(strings[:, 3::4].shape) >= chance
    return strings


def exact_grams(symbols: int, chance: float) -> NDArray[np.float64]:
    """Return the distribution (2,) * 4 of four neighbours at a random place of a string of the machine."""
    grams = np.zeros((2,) * ORDER)
    places = range(symbols - ORDER + 1)
    for place in places:
        for gram in product((0, 1), repeat=ORDER):
            probability = 1.0
            for offset, symbol in enumerate(gram):
                phase = (place + offset) % 4
                ones = (0.0, 0.0, 1.0, 1 - chance)[phase]
                probability *= ones if symbol else 1 - ones
            grams[gram] += probability / len(places)
    return grams


def pfsm(seed: int, scale: str, source: str | None = None) -> MachineData:
    """A probabilistic machine AABx, x = A with probability .3, whose symbols are loops of 6 noisy steps in the plane.

    16 sequences of 96 steps at small (8 of 48 at smoke, 64 of 192 at full), 100 to test; noise N(0, .05^2).
    """
    no_source("pfsm", source)
    rng, chance = generator(seed, "pfsm"), 0.3
    count, length = {"smoke": (8, 48), "small": (16, 96), "full": (64, 192)}[scale]
    angle = 2 * np.pi * np.arange(STEPS) / STEPS
    # A is run through once and B twice, from the same point
    shapes = np.stack([np.stack([np.sin(turn * angle), np.cos(angle)], -1) for turn in (1, 2)])

    def draw(n: int) -> Floats:
        strings = machine(rng, n, length // STEPS, chance)
        clean = shapes[strings].reshape(n, length, DIM)
        return (clean + 0.05 * rng.standard_normal(clean.shape)).astype(np.float32)

    grams = exact_grams(length // STEPS, chance)
    return MachineData(draw(count), draw(100), shapes, grams, chance, length // 2, 2 * STEPS)


def symbols_of(sequences: NDArray[Any], shapes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the nearest symbol (N, T / STEPS) of each block of sequences (N, T, 2)."""
    blocks = sequences.reshape(len(sequences), -1, 1, STEPS, DIM)
    found: NDArray[np.int64] = ((blocks - shapes) ** 2).sum((-1, -2)).argmin(-1)
    return found


def run(entrant: Entrant, data: MachineData, ctx: Context) -> Mapping[str, Any]:
    """Let the entrant fit; have it generate 100 sequences, and 32 futures of each test sequence."""
    model = entrant.build(dim=DIM)
    with whole_fit(ctx):
        model.fit(data.train, ctx)
    length, cut = data.train.shape[1], data.prefix
    with ctx.timer("predict"), torch.no_grad():
        written = np.asarray(model.generate(100, length, ctx.rng("generated")))
    futures = np.asarray(model.predict(data.test[:, :cut], data.horizon, 32, ctx.rng("futures")))
    with ctx.count_flops():
        model.generate(1, length, ctx.rng("counted"))
    for name, found, wanted in (
        ("generate", written.shape, (100, length, DIM)),
        ("predict", futures.shape, (len(data.test), 32, data.horizon, DIM)),
    ):
        if found != wanted:
            raise AssayError(f"{entrant.id}: {name} returns {found}, {wanted} was asked for")
    truth = data.test[:, cut : cut + data.horizon]
    return {
        "module": model,
        "symbols": symbols_of(written, data.shapes),
        "grams": data.grams,
        "futures": futures,
        "truth": truth,
    }


def ngram_kl(outcome: Mapping[str, Any]) -> float:
    """KL of the true distribution of four neighbouring symbols against the generated one, half a count added, in nats."""
    windows = np.lib.stride_tricks.sliding_window_view(outcome["symbols"], ORDER, axis=1).reshape(-1, ORDER)
    counts = np.full(outcome["grams"].shape, 0.5)
    np.add.at(counts, tuple(windows.T), 1)
    true, found = outcome["grams"], counts / counts.sum()
    seen = true > 0
    return float((true[seen] * np.log(true[seen] / found[seen])).sum())


def predictive_nll(outcome: Mapping[str, Any]) -> float:
    """Mean negative log-density of the next steps, nats a number, under Gaussian kernels of .1 about the 32 samples."""
    gaps = ((outcome["futures"] - outcome["truth"][:, None]) ** 2).sum((2, 3)) / (2 * KERNEL**2)
    numbers = outcome["truth"][0].size
    logs = np.logaddexp.reduce(-gaps, axis=1) - np.log(gaps.shape[1]) - numbers * np.log(KERNEL * np.sqrt(2 * np.pi))
    return float(-logs.mean() / numbers)


def mean_sigma_p(outcome: Mapping[str, Any]) -> float:
    """Mean standard deviation of the prior's noise over the steps from the second on, which the entrant reports."""
    return float(np.mean(outcome["sigma_p"]))


INF = float("inf")
ID = "sequences/stochastic-prediction"
DATASETS = [Dataset("pfsm", "machine-sequences", pfsm, title="a probabilistic machine drawing loops, synthetic")]
METRICS = [
    Metric("ngram_kl", ngram_kl, ("symbols", "grams"), "down", "nats", bounds=(0.0, INF)),
    Metric("predictive_nll", predictive_nll, ("futures", "truth"), "down", "nats"),
    Metric("mean_sigma_p", mean_sigma_p, ("sigma_p",), "down", "deviation", bounds=(0.0, INF)),
]
TASK = Task(
    ID,
    schema="machine-sequences",
    run=run,
    metrics=("ngram_kl", "predictive_nll", "mean_sigma_p"),
    dataset="pfsm",
    title="Predict a machine that is part rule, part chance",
    contract="build(dim) gives a model: fit(x (N, T, dim) float32, ctx); generate(n, length, rng) -> (n, length, dim); "
    "predict(prefix (M, P, dim), horizon, samples, rng) -> (M, samples, horizon, dim). Optional: report(data, ctx) may return "
    "sigma_p, the prior's standard deviations.",
    budgets={
        "smoke": {"steps": 15, "lr": 5e-3},
        "small": {"steps": 600, "lr": 5e-3},
        "full": {"steps": 20_000, "lr": 1e-3},
    },
    baselines=("deterministic-rnn", "variational-rnn", "ngram-counts"),
)
