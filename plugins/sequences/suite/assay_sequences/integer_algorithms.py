"""Task sequences/integer-algorithms: one small decoder, a problem of integers, and the examples that an entrant gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from assay import AssayError, Context, Entrant, Metric, Model, Schema, Task
from numpy.typing import NDArray
from torch import Tensor, nn

from assay_sequences.kit.decoding import greedy
from assay_sequences.kit.models import decoder
from assay_sequences.kit.training import cross_entropy, predict, train

Ints = NDArray[np.int64]
Pairs = tuple[Ints, Ints]
"""Prompts (N, P) and answers (N, A)."""


@dataclass(frozen=True)
class Problem:
    """A problem with its test examples, which `fresh` never returns.

    `draw(rng, n)` returns clean random prompts (n, P) and answers (n, A); all of a call have one length. It is a frozen
    dataclass whose fields tell what the problem is (the hidden bits of a parity, the algorithm of a trace, ...). The last
    `final` tokens of an answer count, all for 0. Tokens are below `vocab`; `blank` is one that no example holds. `tests` holds
    "same" and perhaps "long".
    """

    vocab: int
    draw: Callable[[np.random.Generator, int], Pairs]
    tests: Mapping[str, Pairs]
    final: int = 0
    budget: Mapping[str, Any] = field(default_factory=dict)

    @property
    def blank(self) -> int:
        """The token that stands for nothing."""
        return self.vocab - 1

    @cached_property
    def known(self) -> frozenset[bytes]:
        """The prompts of the tests."""
        return frozenset(row.tobytes() for prompts, _ in self.tests.values() for row in prompts)

    def fresh(self, rng: np.random.Generator, n: int) -> Pairs:
        """Return n clean examples, none of whose prompts is in the test."""
        prompts, answers = self.draw(rng, n)
        while again := [i for i, row in enumerate(prompts) if row.tobytes() in self.known]:
            others = self.draw(rng, n)
            if others[0].shape == prompts.shape:  # a problem of several lengths draws one length a call
                prompts[again], answers[again] = others[0][again], others[1][again]
        return prompts, answers


def coded(prompts: Ints) -> NDArray[np.void]:
    """Return prompts (N, P) as N values that compare whole rows."""
    rows = np.ascontiguousarray(prompts)
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()


class CleanStream:
    """Baseline: fresh clean examples at every step."""

    def batches(self, problem: Problem, steps: int, size: int, rng: np.random.Generator) -> Iterator[Pairs]:
        """Yield prompts (size, P) and answers (size, A) for each step."""
        for _ in range(steps):
            yield problem.fresh(rng, size)


class RotaryStream(CleanStream):
    """Baseline: the same examples for a decoder with rotary instead of learned positions, which can read longer ones."""

    def model(self, vocab: int, length: int) -> nn.Module:
        """Return the decoder."""
        return decoder(vocab, length, positions="rope")


def run(entrant: Entrant, data: Problem, ctx: Context) -> Mapping[str, Any]:
    """Train the shared decoder (or the entrant's) on the entrant's batches by the loss on answers; decode the clean tests."""
    budget = {**ctx.budget, **data.budget}
    regime = entrant.build()
    blanks: int | None = getattr(regime, "parallel", None)
    stream = regime.batches(data, budget["steps"], budget["batch"], ctx.rng("training"))
    longest = max(x.shape[1] + max(y.shape[1], blanks or 0) for x, y in data.tests.values())
    build = getattr(regime, "model", None)
    model = ctx.prepare(build(data.vocab, longest) if build is not None else decoder(data.vocab, longest))

    def loss(_: int) -> Tensor:
        prompts, answers = (torch.from_numpy(x).to(ctx.device) for x in next(stream))
        if blanks is not None:
            return cross_entropy(model(padded(prompts, blanks, data.blank))[:, -answers.shape[1] :], answers)
        logits = model(torch.cat([prompts, answers[:, :-1]], 1))
        return cross_entropy(logits[:, prompts.shape[1] - 1 :], answers)

    train(model, loss, ctx, steps=budget["steps"], lr=budget.get("lr"), schedule=budget.get("schedule"))
    regime.trained = model
    outcome: dict[str, Any] = {"module": regime}
    with ctx.timer("predict"):
        for name, (prompts, answers) in data.tests.items():
            length = getattr(regime, "answer_length", None) or answers.shape[1]
            count = data.final or answers.shape[1]
            if length < count:
                raise AssayError(f"{entrant.id}: answers have {length} tokens, the last {count} count")
            found = _answered(model, torch.tensor(prompts).to(ctx.device), length, blanks, data)
            right = found[:, -count:] == torch.tensor(answers[:, -count:])
            outcome["correct" if name == "same" else f"correct_{name}"] = right
    with ctx.count_flops():
        model(padded(torch.tensor(data.tests["same"][0][:1]).to(ctx.device), blanks or 0, data.blank))
    return outcome


def padded(prompts: Tensor, blanks: int, blank: int) -> Tensor:
    """Return prompts (B, P) with so many blank tokens behind them."""
    return torch.cat([prompts, prompts.new_full((len(prompts), blanks), blank)], 1)


def _answered(model: nn.Module, prompts: Tensor, answer: int, blanks: int | None, data: Problem) -> Tensor:
    """Return answers (N, A): token by token, or all at once from the last A places."""
    if blanks is not None:
        return predict(lambda x: model(padded(x, blanks, data.blank))[:, -answer:].argmax(-1), prompts).long()
    return predict(lambda x: greedy(model, x, answer), prompts).long()


def exact(outcome: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return 1 for each test example all of whose counting answer tokens are right, else 0."""
    return outcome["correct"].all(1).double().numpy()


def exact_match(outcome: Mapping[str, Any]) -> float:
    """Share of the test examples with all counting answer tokens right."""
    return float(exact(outcome).mean())


@dataclass(frozen=True)
class Pool:
    """Draws from given examples with repetition."""

    prompts: Ints
    answers: Ints

    def __call__(self, rng: np.random.Generator, n: int) -> Pairs:
        """Return n of the examples."""
        chosen = rng.integers(len(self.prompts), size=n)
        return self.prompts[chosen], self.answers[chosen]


def split(arrays: Mapping[str, Any], rng: np.random.Generator) -> Problem:
    """Return a user's examples, 20 % to test by the generator; training draws from the others with repetition."""
    prompts, answers = arrays["prompts"], arrays["answers"]
    if min(prompts.min(), answers.min()) < 0:
        raise AssayError("prompts and answers are tokens: 0 or more")
    test, rest = np.split(rng.permutation(len(prompts)), [max(1, len(prompts) // 5)])
    rest = rest[~np.isin(coded(prompts[rest]), coded(prompts[test]))]
    if not len(rest):
        raise AssayError("every prompt is in the test: give more than one example of different prompts")
    vocab = int(max(prompts.max(), answers.max())) + 2
    return Problem(vocab, Pool(prompts[rest], answers[rest]), {"same": (prompts[test], answers[test])})


SCHEMA = Schema("prompts-and-answers", {"prompts": "int64[n,P]", "answers": "int64[n,A]"}, split)
METRICS = [Metric("exact_match", exact_match, ("correct",), "up", "fraction", bounds=(0.0, 1.0), examples=exact)]
TASK = Task(
    "sequences/integer-algorithms",
    schema=SCHEMA.id,
    run=run,
    metrics=("exact_match", "accuracy", "accuracy_long"),
    dataset="gcd",
    title="Learn an algorithm on integers from its examples",
    contract="build() gives a training regime: batches(problem, steps, size, rng) yields (prompts (B, P), answers (B, A)) "
    "int64 a step; problem.fresh(rng, n) draws clean ones, disjoint from the test. Optional: model(vocab, length) -> module, "
    "tokens (B, T) to logits (B, T, vocab), replaces the decoder; parallel = k puts k blank tokens behind the prompt and reads "
    "the whole answer off the last places at once; answer_length = A where answers are not as long as the clean ones (their "
    "last tokens count). Afterwards `trained` is the model.",
    budgets={
        "smoke": {"steps": 40, "batch": 16, "lr": 2e-3},
        "small": {"steps": 800, "batch": 64, "lr": 2e-3},
        "full": {"steps": 50_000, "batch": 256, "lr": 1e-3},
    },
    baselines=("clean-stream", "rope-transformer"),
)
MODELS = [Model("clean-stream", TASK.id, CleanStream), Model("rope-transformer", TASK.id, RotaryStream)]
