"""Global Lyapunov functions by symbolic transformers (Alfarano et al., 2024, arXiv:2410.08304): train from V to f, ask f to V."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from assay import Claim, Context, Metric, Model, Paper, hookimpl, score, worst
from assay_numerics.lyapunov import Field, Fields, Form, Pair, add, gradient, scaled, times
from torch import Tensor, nn

DEGREE, LARGEST, LONGEST = 5, 400, 24
"""Exponents are at most DEGREE, integers at most LARGEST in size, a field has at most LONGEST monomials."""
LOW, HIGH = -8, 8
"""Coefficients of a function."""
START = HIGH - LOW + 1
BATCH = 64


def tokens(f: Field) -> tuple[list[int], list[int]]:
    """Return a field as monomials: (component and exponents, coefficient), two numbers a token, 0 for padding."""
    kinds, values = [], []
    for k, part in enumerate(f):
        for (i, j), c in sorted(part.items()):
            kinds.append(1 + (k * (DEGREE + 1) + i) * (DEGREE + 1) + j)
            values.append(int(max(-LARGEST, min(LARGEST, c))) + LARGEST)
    pad = LONGEST - len(kinds)
    return kinds + [0] * pad, values + [0] * pad


class Translator(nn.Module):
    """Monomials of a field -> coefficients of V one after another: an encoder-decoder transformer (sec. 4).

    A token is a monomial whole, not a string of digits as in the paper: sequences are four times shorter.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.kind = nn.Embedding(2 * (DEGREE + 1) ** 2 + 1, width)
        self.value = nn.Embedding(2 * LARGEST + 1, width)
        self.written = nn.Embedding(START + 1, width)
        self.place = nn.Parameter(0.02 * torch.randn(5, width))
        shape = {"dim_feedforward": 2 * width, "dropout": 0.0, "batch_first": True}
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(width, 4, **shape), 2, enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(width, 4, **shape), 2)
        self.out = nn.Linear(width, START)

    def read(self, kinds: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return the memory (B, L, width) of fields (B, L), and where it is padding."""
        pad = kinds == 0
        return self.encoder(self.kind(kinds) + self.value(values), src_key_padding_mask=pad), pad

    def write(self, memory: Tensor, pad: Tensor, before: Tensor) -> Tensor:
        """Return logits (B, T, START) of each coefficient after those before it, (B, T), START first."""
        length = before.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        h = self.written(before) + self.place[:length]
        return self.out(self.decoder(h, memory, tgt_mask=mask, memory_key_padding_mask=pad, tgt_is_causal=True))


@dataclass
class Learned:
    """A translator trained on `sources`: backward pairs, forward pairs, or the first with some of the second mixed in."""

    sources: str = "backward"
    net: Translator = field(init=False)
    backward: Sequence[Pair] = field(init=False, repr=False)

    def train(self, backward: Sequence[Pair], forward: Sequence[Pair], steps: int, ctx: Context) -> None:
        """Minimise the cross-entropy of the coefficients: Adam, warm-up 100 steps to 1e-3, then a cosine to 0."""
        chosen = {"backward": backward, "forward": forward, "both": (*backward, *forward)}[self.sources]
        kept = [pair for pair in chosen if all(LOW <= c <= HIGH for c in pair.v)]
        coded = [tokens(pair.field) for pair in kept]
        kinds, values = (torch.tensor([c[part] for c in coded]) for part in (0, 1))
        v = torch.tensor([[int(c) - LOW for c in pair.v] for pair in kept])
        before = torch.cat([torch.full((len(v), 1), START), v[:, :-1]], 1)
        self.net, self.backward = Translator(), backward
        optimiser = torch.optim.Adam(self.net.parameters(), lr=1e-3)
        schedule = torch.optim.lr_scheduler.SequentialLR(
            optimiser,
            [
                torch.optim.lr_scheduler.LinearLR(optimiser, 0.01, total_iters=min(100, steps // 4)),
                torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps - min(100, steps // 4)),
            ],
            [min(100, steps // 4)],
        )
        rng = ctx.rng("batches")
        for step in range(steps):
            index = torch.as_tensor(rng.integers(len(kept), size=BATCH))
            longest = int((kinds[index] > 0).sum(1).max())
            memory, pad = self.net.read(kinds[index, :longest], values[index, :longest])
            logits = self.net.write(memory, pad, before[index])
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), v[index].flatten())
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            if step % max(1, steps // 20) == 0:
                ctx.log(step, loss=loss.item())
        self.net.eval()

    @torch.no_grad()
    def propose(self, fields: Sequence[Field], count: int) -> list[list[Form]]:
        """Return the `count` likeliest functions of each field, by beam search."""
        found: list[list[Form]] = []
        for f in fields:
            kinds, values = (torch.tensor([part]) for part in tokens(f))
            memory, pad = self.net.read(kinds, values)
            beam, scores = torch.full((1, 1), START), torch.zeros(1)
            for _ in range(5):
                logits = self.net.write(memory.expand(len(beam), -1, -1), pad.expand(len(beam), -1), beam)
                total = scores[:, None] + logits[:, -1].log_softmax(-1)
                scores, flat = total.flatten().topk(min(count, total.numel()))
                beam = torch.cat([beam[flat // START], (flat % START)[:, None]], 1)
            found.append([tuple(float(c + LOW) for c in row) for row in beam[:, 1:].tolist()])
        return found

    def report(self, data: Fields, ctx: Context) -> Mapping[str, Any]:
        """Return the largest coefficient left of scale grad V . f + h1^2 Vx^2 + h2^2 Vy^2, in integers."""
        left = []
        for pair in data.backward[:500]:
            (vx, vy), (scale, h1, h2) = gradient(pair.v), pair.recipe
            flow = scaled(add(times(vx, pair.field[0]), times(vy, pair.field[1])), scale)
            rest = add(flow, scaled(times(vx, vx), h1 * h1), scaled(times(vy, vy), h2 * h2))
            left.append(max((abs(c) for c in rest.values()), default=0))
        return {"identity_gap": max(left)}


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants."""
    task = "numerics/lyapunov"
    return [
        Model("lyapunov-backward", task, Learned),
        Model("lyapunov-backward-plus-forward", task, Learned, {"sources": "both"}),
        Model("lyapunov-forward-only", task, Learned, {"sources": "forward"}, ablates="lyapunov-backward-plus-forward"),
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the check of the backward identity."""
    return [
        Metric("identity_gap", lambda o: float(o["identity_gap"]), ("identity_gap",), "down", "coefficient", exact=True)
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    task = "numerics/lyapunov"
    valid, gap = score("valid_rate", task=task), score("identity_gap", task=task)
    both = "lyapunov-backward-plus-forward"
    return [
        Paper(
            "lyapunov-transformer",
            title="Global Lyapunov functions: a long-standing open problem in mathematics, with symbolic transformers",
            year=2024,
            arxiv="2410.08304",
            family="numerics",
            notes="Sums of squares by semidefinite programming (cvxpy), what a user would pick, certify 85 % of 20 backward "
            "and 95 % of 20 forward fields of a pilot without training; the claims compare with lookup and linearisation. "
            "On forward fields the nearest training pair certifies 85 %, more than the network from backward pairs alone "
            "(62 %) and no less than with forward pairs added (82 %): training does not yet beat looking up there. "
            "The verifier refuses what it cannot decide, so that rates are lower bounds. A token is a monomial whole, and "
            "12,000 backward pairs with 600 steps stand for a million and days of a GPU.",
            claims=[
                Claim(
                    "backward-is-sound",
                    worst(gap("lyapunov-backward")) <= 0,
                    says="Pairs drawn backwards are right by construction: grad V . f = -(h1 Vx)^2 - (h2 Vy)^2.",
                    published="proved",
                    seeds=3,
                ),
                Claim(
                    "learns-in-distribution",
                    (valid("lyapunov-backward") - valid("nearest-training-pair") > 0.1)
                    & (valid("lyapunov-backward") - valid("quadratic-lmi") > 0.1),
                    says="A transformer recovers valid functions of held-out systems, beyond lookup and linearisation.",
                    seeds=3,
                ),
                Claim(
                    "few-forward-samples-help",
                    valid(both, test="forward") - valid("lyapunov-backward", test="forward") > 0.05,
                    says="A handful of forward pairs among the training data markedly helps on forward systems.",
                    seeds=3,
                ),
            ],
        )
    ]
