"""Task sequences/token-models: what a causal layer can compute, token by token, and at four times the trained length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from assay import AssayError, Context, Entrant, Metric, Probe, Schema, Task
from numpy.typing import NDArray
from torch import Tensor, nn

from assay_sequences.kit.decoding import looks_ahead
from assay_sequences.kit.models import SequenceModel
from assay_sequences.kit.training import cross_entropy, train

Samples = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Tokens (N, T) and targets (N, T), -100 where nothing is asked."""
EARLY = 150
"""Step of the evaluation `test="early"`; `test="zero-shot"` is before the first."""


@dataclass(frozen=True)
class TokenData:
    """Sequences to train on and to be asked about.

    `train` are phases that share the steps evenly, each read from its start again when it ends. `tests` holds "same" (the
    training length) and, where they make sense, "double", "long" (four times) and others. `layers` and `width` are those
    of every entrant; `budget` holds what the data need instead of the task's budget.
    """

    vocab: int
    train: tuple[Samples, ...]
    tests: Mapping[str, Samples]
    layers: int = 1
    width: int = 32
    budget: Mapping[str, Any] = field(default_factory=dict)


def model_of(entrant: Entrant, data: TokenData) -> SequenceModel:
    """Return the network around an entrant's mixers, one built for each layer."""
    longest = max(tokens.shape[1] for tokens, _ in (*data.train, *data.tests.values()))

    def build() -> nn.Module:
        return entrant.build(d_model=data.width, n_heads=2, max_len=longest)

    first = build()
    layers = getattr(first, "layers", None) or data.layers
    mixers = [first, *(build() for _ in range(layers - 1))]
    places = longest if getattr(first, "wants_abs_pos", False) else 0
    return SequenceModel(data.vocab, data.width, mixers, places=places)


def run(entrant: Entrant, data: TokenData, ctx: Context) -> Mapping[str, Any]:
    """Train by cross-entropy on the marked places, each sequence once if there are enough; evaluate every test."""
    budget = {**ctx.budget, **data.budget}
    model = ctx.prepare(model_of(entrant, data))
    tests = {name: (torch.tensor(x), torch.tensor(y)) for name, (x, y) in data.tests.items()}
    sample = tests["same"][0][:4]
    with torch.no_grad():
        model.eval()
        if (gap := looks_ahead(model, sample.to(ctx.device), data.vocab)) > 1e-3:
            raise AssayError(f"{entrant.id} is not causal: outputs change by {gap:.2g} with tokens that come later")
    early: list[tuple[dict[str, Any], dict[str, Any]]] = []
    steps = budget["steps"]
    spent = _pretrain(model, budget, ctx)
    asked = budget.get("early", False)

    def watch(done: int) -> bool:
        for name, step in (("zero-shot", 0), ("early", EARLY)) if asked else ():
            if done == step:
                early.append(({"test": name}, scored(model, *tests["same"], ctx)))
        return False

    stream = _stream(data.train, steps, budget["batch"])

    def loss(_: int) -> Tensor:
        tokens, targets = next(stream)
        return cross_entropy(model(tokens.to(ctx.device)), targets.to(ctx.device))

    train(model, loss, ctx, steps=steps, lr=budget.get("lr"), watch=watch if asked else None, every=EARLY)
    with ctx.timer("predict"):
        fields = {name: scored(model, *test, ctx) for name, test in tests.items()}
    with ctx.count_flops():
        model(sample[:1].to(ctx.device))
    outcome = {"module": model.blocks[0].mixer, "model": model, **fields.pop("same"), "pretrain_steps": spent}
    if "long" in fields:
        outcome |= {"correct_long": fields["long"]["correct"], "last_long": fields["long"]["last"]}
    return {**outcome, "conditions": early + [({"test": name}, found) for name, found in fields.items()]}


def _pretrain(model: SequenceModel, budget: Mapping[str, Any], ctx: Context) -> int:
    """Let the first mixer pretrain the whole model if it wants to; return the steps that it may take for that."""
    pretrain = getattr(model.blocks[0].mixer, "pretrain", None)
    if pretrain is None:
        return 0
    pretrain(model, budget.get("pretrain", budget["steps"]), ctx)
    return int(budget.get("pretrain", budget["steps"]))


def _stream(phases: tuple[Samples, ...], steps: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches (B, T) of tokens and targets: every phase in its share of the steps, from the start when it ends."""
    tensors = [(torch.tensor(x), torch.tensor(y)) for x, y in phases]
    share = -(-steps // len(phases))
    for step in range(steps):
        tokens, targets = tensors[step // share]
        count = min(size, len(tokens))
        start = (step % share) * count % (len(tokens) - count + 1)
        yield tokens[start : start + count], targets[start : start + count]


@torch.no_grad()
def scored(model: nn.Module, tokens: Tensor, targets: Tensor, ctx: Context) -> dict[str, Any]:
    """Return at all marked places whether the likeliest token is right and its log2-probability, and the last four a row."""
    right, bits, last = [], [], []
    for x, y in zip(tokens.split(128), targets.split(128), strict=True):
        logits = model(x.to(ctx.device)).float().cpu()
        marked = y != -100
        hit = (logits.argmax(-1) == y) & marked
        likely = logits.log_softmax(-1).gather(-1, y.clamp_min(0)[..., None]).squeeze(-1)
        bits.append(-likely[marked] / np.log(2))
        right.append(hit[marked])
        recent = marked & (marked.flip(1).cumsum(1).flip(1) <= 4)
        last.append(hit[recent])
    return {"correct": torch.cat(right), "bits": torch.cat(bits), "last": torch.cat(last)}


def probe(entrant: Entrant, data: TokenData, ctx: Context) -> Probe:
    """Return an entrant's mixer with eight sequences of states."""
    length = data.tests["same"][0].shape[1]
    mixer = entrant.build(d_model=data.width, n_heads=2, max_len=length)
    module = _First(mixer) if getattr(mixer, "carries", False) else mixer
    states = torch.randn(8, length, data.width, generator=torch.Generator().manual_seed(0))
    return Probe(module, (states,), (8, length, data.width))


class _First(nn.Module):
    """A mixer that carries a second value, as the first layer calls it."""

    def __init__(self, mixer: nn.Module) -> None:
        super().__init__()
        self.mixer = mixer

    def forward(self, x: Tensor) -> Tensor:
        """Return the mixed states (B, T, width)."""
        return self.mixer(x, None)[0]


def last_accuracy(outcome: Mapping[str, Any]) -> float:
    """Share right of the last four marked places of each sequence: early ones are easy."""
    return float(outcome["last"].float().mean())


def last_accuracy_long(outcome: Mapping[str, Any]) -> float:
    """The same at four times the training length."""
    return float(outcome["last_long"].float().mean())


def bits_per_token(outcome: Mapping[str, Any]) -> float:
    """Mean negative log2-probability of the right token at marked places."""
    return float(outcome["bits"].mean())


def split(arrays: Mapping[str, Any], rng: np.random.Generator) -> TokenData:
    """Return a user's sequences, 80 % to train on and 20 % to test, by the generator. Targets are tokens, or -100 for none."""
    tokens, targets = arrays["tokens"], arrays["targets"]
    if tokens.min() < 0 or targets.min() < -100 or (targets != -100).sum() == 0:
        raise AssayError("tokens must be 0 or more; targets tokens too, or -100 where nothing is asked, not everywhere")
    order = rng.permutation(len(tokens))
    test, rest = np.split(order, [max(1, len(tokens) // 5)])
    vocab = int(max(tokens.max(), targets.max())) + 1
    return TokenData(vocab, ((tokens[rest], targets[rest]),), {"same": (tokens[test], targets[test])}, layers=2)


SCHEMA = Schema("marked-tokens", {"tokens": "int64[n,T]", "targets": "int64[n,T]"}, split)
METRICS = [
    Metric("last_accuracy", last_accuracy, ("last",), "up", "fraction", bounds=(0.0, 1.0)),
    Metric("last_accuracy_long", last_accuracy_long, ("last_long",), "up", "fraction", bounds=(0.0, 1.0)),
    Metric("bits_per_token", bits_per_token, ("bits",), "down", "bits", bounds=(0.0, float("inf"))),
]
TASK = Task(
    "sequences/token-models",
    schema=SCHEMA.id,
    run=run,
    metrics=("accuracy", "accuracy_long", "last_accuracy", "last_accuracy_long", "bits_per_token"),
    dataset="s3-word",
    title="Predict marked tokens with a causal layer",
    contract="build(d_model, n_heads, max_len) gives a causal mixer: states (B, T, d_model) float32 to the same shape, any T up "
    "to max_len. One is built a layer. Optional: wants_abs_pos = True adds learned absolute positions; carries = True has it "
    "called with, and return, a second value that goes from layer to layer, None at first; layers = n takes another depth than "
    "the data's; pretrain(model, steps, ctx) is called before the budget begins.",
    budgets={
        "smoke": {"steps": 40, "batch": 16, "lr": 2e-3},
        "small": {"steps": 800, "batch": 64, "lr": 2e-3},
        "full": {"steps": 20_000, "batch": 256, "lr": 1e-3},
    },
    baselines=("rope-transformer", "nope-transformer", "linear-attention", "gated-linear-rnn", "gru"),
    conditions={"test": ("double", "long", "sparse", "dense", "zero-shot", "early")},
    probe=probe,
)
