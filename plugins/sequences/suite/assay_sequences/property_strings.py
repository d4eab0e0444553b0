"""Task sequences/property-strings: predict a property of a string, and write strings that have a wanted one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from assay import AssayError, Context, Dataset, Entrant, Metric, Model, Task
from numpy.typing import NDArray
from torch import Tensor, nn

from assay_sequences.common import generator, no_source, whole_fit
from assay_sequences.kit.attention import Attention
from assay_sequences.kit.models import Block
from assay_sequences.kit.training import batches, predict, train

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
_SOLUBILITY = (
    *(("L", -4.92), ("I", -4.92), ("V", -4.04), ("F", -2.98), ("M", -2.35), ("W", -2.33), ("A", -1.81), ("C", -1.28)),
    *(("G", -0.94), ("P", 0.0), ("Y", 0.14), ("T", 2.57), ("S", 3.4), ("H", 4.66), ("Q", 5.54), ("K", 5.55)),
    *(("N", 6.64), ("E", 6.81), ("D", 8.72), ("R", 14.92)),
)
BOMAN = dict(_SOLUBILITY)
"""Solubility of side chains, kcal/mol, as in the Boman index (Boman 2003, J. Intern. Med. 254)."""
SIZES = {"smoke": (400, 100), "small": (4_000, 1_000), "full": (100_000, 5_000)}


@dataclass(frozen=True)
class PropertyData:
    """Strings (N, T) of tokens, -1 behind the end, and their properties (N,), mean 0 and variance 1 in training.

    `weights` (V,) and `offset`, `scale`: the property of any string is (mean of its tokens' weights - offset) / scale.
    """

    train: Ints
    train_property: Floats
    test: Ints
    test_property: Floats
    weights: Floats
    offset: float
    scale: float

    def property_of(self, strings: Ints) -> Floats:
        """Return the true property (N,) of strings (N, T); an empty one has that of weight 0."""
        real = strings >= 0
        total = np.where(real, self.weights[np.maximum(strings, 0)], 0.0).sum(1)
        return (total / np.maximum(1, real.sum(1)) - self.offset) / self.scale


def boman_peptides(seed: int, scale: str, source: str | None = None) -> PropertyData:
    """4,000 + 1,000 peptides of 8 to 14 residues from a random second-order Markov chain, and their mean Boman solubility."""
    no_source("boman-peptides", source)
    rng, (train, test) = generator(seed, "boman-peptides"), SIZES[scale]
    count, longest = train + test, 14
    chain = rng.dirichlet(np.full(20, 0.5), size=(20, 20)).cumsum(-1)
    strings = np.empty((count, longest), dtype=np.int64)
    strings[:, :2] = rng.integers(20, size=(count, 2))
    for t in range(2, longest):
        below = rng.random((count, 1)) > chain[strings[:, t - 2], strings[:, t - 1]]
        strings[:, t] = np.minimum(below.sum(1), 19)
    lengths = rng.integers(8, longest + 1, size=(count, 1))
    strings = np.where(np.arange(longest) < lengths, strings, -1)
    weights = np.array([BOMAN[r] for r in RESIDUES])
    raw = PropertyData(strings, np.zeros(0), strings, np.zeros(0), weights, 0.0, 1.0).property_of(strings[:train])
    data = PropertyData(strings[:train], raw, strings[train:], raw, weights, float(raw.mean()), float(raw.std()))
    both = data.property_of(data.train), data.property_of(data.test)
    return PropertyData(data.train, both[0], data.test, both[1], weights, data.offset, data.scale)


def run(entrant: Entrant, data: PropertyData, ctx: Context) -> Mapping[str, Any]:
    """Let the entrant fit; ask for the test's properties and, where it can write, for strings with properties drawn at random."""
    model = entrant.build(vocab=len(data.weights), length=data.train.shape[1])
    with whole_fit(ctx):
        model.fit(data.train, data.train_property, ctx)
    with ctx.timer("predict"):
        found = np.asarray(model.predict(data.test), dtype=np.float64)
    with ctx.count_flops():
        model.predict(data.test[:1])
    outcome = {"module": model, "prediction": found, "target": data.test_property}
    if hasattr(model, "generate"):
        rng = ctx.rng("wanted")
        wanted = rng.permutation(data.test_property)
        written = np.asarray(model.generate(data.test, wanted, rng))
        same = written.shape == data.test.shape and bool(((written >= 0) == (data.test >= 0)).all())
        if not same or written.max() >= len(data.weights):
            raise AssayError(
                f"{entrant.id}: generate(seeds, wanted, rng) must return strings of the seeds' lengths, tokens 0..V-1"
            )
        outcome |= {"wanted": wanted, "reached": data.property_of(written), "changed": written != data.test}
    return outcome


def rmse(outcome: Mapping[str, Any]) -> float:
    """Root mean squared error of the predicted property, in standard deviations."""
    return float(np.sqrt(np.mean((outcome["prediction"] - outcome["target"]) ** 2)))


def rank_correlation(outcome: Mapping[str, Any]) -> float:
    """Spearman's correlation of wanted and true property of the strings written; 0 where the written ones are all alike."""
    if np.ptp(outcome["reached"]) == 0:
        return 0.0
    from scipy.stats import spearmanr

    return float(spearmanr(outcome["wanted"], outcome["reached"]).statistic)


class RegressionHead(nn.Module):
    """Baseline: strings (B, T) -> property (B,): two layers of attention over the tokens, their mean, a linear map."""

    def __init__(self, vocab: int, length: int, width: int = 48) -> None:
        super().__init__()
        self.embed, self.places = nn.Embedding(vocab + 1, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, Attention(width, 4, causal=False)) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 1)

    def forward(self, strings: Tensor) -> Tensor:
        """Return the properties."""
        real = strings >= 0
        x = self.embed(strings.masked_fill(~real, self.embed.num_embeddings - 1)) + self.places.weight
        for block in self.blocks:
            x, _ = block(x)
        mean = (self.norm(x) * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        return self.head(mean).squeeze(-1)

    def fit(self, strings: Ints, values: Floats, ctx: Context) -> None:
        """Minimise the squared error."""
        ctx.prepare(self)
        x, y, draw = (
            torch.tensor(strings),
            torch.tensor(values).float(),
            batches(len(strings), ctx.budget["batch"], ctx),
        )

        def loss(_: int) -> Tensor:
            index = next(draw)
            return nn.functional.mse_loss(self(x[index]), y[index])

        train(self, loss, ctx)

    def predict(self, strings: Ints) -> Floats:
        """Return the properties (M,)."""
        return predict(self, torch.tensor(strings)).double().numpy()


class RidgeCounts:
    """Baseline: ridge regression on the shares of the residues: an oracle, as the property is linear in them."""

    def __init__(self, vocab: int, length: int) -> None:
        from sklearn.linear_model import Ridge

        self.vocab, self.ridge = vocab, Ridge(1e-3)

    def _shares(self, strings: Ints) -> Floats:
        return (strings[..., None] == np.arange(self.vocab)).sum(1) / (strings >= 0).sum(1, keepdims=True)

    def fit(self, strings: Ints, values: Floats, ctx: Context) -> None:
        """Fit the weights."""
        self.ridge.fit(self._shares(strings), values)

    def predict(self, strings: Ints) -> Floats:
        """Return the properties (M,)."""
        found: Floats = self.ridge.predict(self._shares(strings))
        return found


ID = "sequences/property-strings"
DATASETS = [
    Dataset(
        "boman-peptides",
        "strings-with-property",
        boman_peptides,
        title="random peptides and their solubility, synthetic",
    )
]
MODELS = [Model("regression-head", ID, RegressionHead), Model("ridge-counts", ID, RidgeCounts)]
METRICS = [
    Metric("rmse", rmse, ("prediction", "target"), "down", "deviations", bounds=(0.0, float("inf"))),
    Metric("spearman", rank_correlation, ("wanted", "reached"), "up", "correlation", bounds=(-1.0, 1.0)),
]
TASK = Task(
    ID,
    schema="strings-with-property",
    run=run,
    metrics=("rmse", "spearman"),
    dataset="boman-peptides",
    title="Predict a string's property, and write strings that have it",
    contract="build(vocab, length) gives a model: fit(strings (N, T) int64 with -1 behind the end, property (N,), ctx), then "
    "predict(strings) -> (M,). Optional: generate(seeds (M, T), wanted (M,), rng) -> strings of the seeds' lengths, some of "
    "whose tokens are new.",
    budgets={
        "smoke": {"steps": 40, "batch": 32, "lr": 2e-3},
        "small": {"steps": 1_000, "batch": 64, "lr": 2e-3},
        "full": {"steps": 50_000, "batch": 256, "lr": 5e-4},
    },
    baselines=("regression-head", "ridge-counts"),
)
