"""Universal pre-training (Bloem, 2025, arXiv:2506.20057): learn from noise that random computers have rewritten."""

from __future__ import annotations

from typing import Literal

import torch
from assay import Claim, Context, Model, Paper, hookimpl, score
from assay_sequences.kit import SequenceModel, cross_entropy, generator, train
from assay_sequences.mixers import SoftmaxAttention
from torch import Tensor

Source = Literal["iterated", "once", "noise"]
GROUPS, ROWS, EVERY, BATCH = 8, 8, 8, 8
"""Computers drawn at a time, sequences that each rewrites, steps of training until the next are drawn, sequences a step."""


class Computers:
    """Random LSTMs, one for each group of rows: tokens (G, B) and states -> the next tokens' logits (G, B, V).

    One layer of `size` cells. Each matrix, U(-1, 1) / sqrt(size), is multiplied by a factor of its own, U(0, `top`): what an LSTM
    writes is near uniform while they are small. Each samples at a temperature in [.5, 1].
    """

    def __init__(self, groups: int, vocab: int, draw: torch.Generator, size: int = 64, top: float = 50.0) -> None:
        def weights(rows: int, columns: int) -> Tensor:
            factor = top * torch.rand(groups, 1, 1, generator=draw)
            return factor * (2 * torch.rand(groups, rows, columns, generator=draw) - 1) / size**0.5

        embedding = torch.randn(groups, vocab, size, generator=draw)
        self.into = embedding @ weights(size, 4 * size) + weights(1, 4 * size)
        self.recur, self.out = weights(size, 4 * size), weights(size, vocab)
        self.heat = 0.5 + 0.5 * torch.rand(groups, 1, 1, generator=draw)
        self.group, self.draw, self.size = torch.arange(groups)[:, None], draw, size

    def step(self, tokens: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states (G, B, size) after tokens (G, B): c <- f c + i g, h = o tanh c."""
        gates = torch.baddbmm(self.into[self.group, tokens], h, self.recur)
        i, f, o = gates[..., : 3 * self.size].sigmoid().chunk(3, -1)
        c = f * c + i * gates[..., 3 * self.size :].tanh()
        return o * c.tanh(), c

    def rewrite(self, rows: Tensor) -> Tensor:
        """Return new sequences (G, B, T): each computer reads the first half of a row, then writes T tokens of its own."""
        h = c = torch.zeros(*rows.shape[:2], self.size)
        length = rows.shape[2]
        for t in range(length // 2):
            h, c = self.step(rows[..., t], h, c)
        written = []
        for _ in range(length):
            logits = h @ self.out / self.heat
            noise = torch.empty_like(logits).exponential_(generator=self.draw).log()
            written.append((logits - noise).argmax(-1))
            h, c = self.step(written[-1], h, c)
        return torch.stack(written, -1)


class Buffer:
    """Sequences (512, T), at first uniform noise, that ever new computers read and replace.

    Before a computer reads it, a row is noise or a constant with probability `reset`, half each; 1: all read noise.
    """

    def __init__(self, vocab: int, length: int, draw: torch.Generator, reset: float = 0.01, rows: int = 512) -> None:
        self.vocab, self.draw, self.reset = vocab, draw, reset
        self.rows = self.noise(rows, length)

    def noise(self, rows: int, length: int) -> Tensor:
        """Return uniform tokens (rows, length)."""
        return torch.randint(self.vocab, (rows, length), generator=self.draw)

    def turn(self) -> None:
        """Let 8 new computers rewrite 8 rows each."""
        chosen = torch.randperm(len(self.rows), generator=self.draw)[: GROUPS * ROWS]
        old, fresh = self.rows[chosen], self.noise(len(chosen), self.rows.shape[1])
        kind = torch.rand(len(chosen), 1, generator=self.draw) / self.reset
        old = torch.where(kind < 1, torch.where(kind < 0.5, fresh[:, :1].expand_as(fresh), fresh), old)
        computers = Computers(GROUPS, self.vocab, self.draw)
        self.rows[chosen] = computers.rewrite(old.unflatten(0, (GROUPS, ROWS))).flatten(0, 1)

    def batch(self, size: int) -> Tensor:
        """Return random rows (size, T)."""
        return self.rows[torch.randint(len(self.rows), (size,), generator=self.draw)]


class Pretrained(SoftmaxAttention):
    """(B, T, d_model) -> the same: the suite's rotary transformer, which predicts synthetic tokens before it sees data.

    `source`: "iterated" buffer, "once" (computers always read noise), or uniform "noise" itself.
    """

    def __init__(self, d_model: int, n_heads: int, max_len: int, source: Source = "iterated") -> None:
        super().__init__(d_model, n_heads, max_len)
        self.source = source

    def pretrain(self, model: SequenceModel, steps: int, ctx: Context, length: int = 129) -> None:
        """Train the whole model on the next token of rows (8, length)."""
        vocab = model.embed.num_embeddings
        buffer = Buffer(vocab, length, generator(ctx, "computers"), 0.01 if self.source == "iterated" else 1.0)
        computing = self.source != "noise"
        for _ in range(min(steps, 40) if computing else 0):  # each row is rewritten five times before training
            buffer.turn()

        def loss(step: int) -> Tensor:
            if computing and step % EVERY == 0:
                buffer.turn()
            rows = buffer.batch(BATCH) if computing else buffer.noise(BATCH, length)
            return cross_entropy(model(rows[:, :-1]), rows[:, 1:])

        train(model, loss, ctx, steps=steps)
        for point in ctx.curve:
            point["pretraining"] = point.pop("loss")


TASK = "sequences/token-models"


@hookimpl
def assay_models() -> list[Model]:
    """Return the three kinds of pretraining."""
    return [
        Model("universal-pt", TASK, Pretrained),
        Model("universal-pt-noniterated", TASK, Pretrained, {"source": "once"}, ablates="universal-pt"),
        Model("uniform-noise-pt", TASK, Pretrained, {"source": "noise"}, ablates="universal-pt"),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    bits = score("bits_per_token", task=TASK, dataset="kjv-bytes")
    early = {name: bits(name, test="early") for name in ("universal-pt", "uniform-noise-pt", "rope-transformer")}
    return [
        Paper(
            "universal-pretraining",
            title="Universal pre-training by iterated random computation",
            year=2025,
            arxiv="2506.20057",
            family="sequences",
            notes="Two layers of width 64, 32 symbols and 4,800 random sequences of 128 stand for the paper's 8-bit tokens "
            "and millions of sequences. Behind 150 steps on text the pretrained model is at 2.83 to 2.85 bits a "
            "letter, the same from random weights at 2.94 to 2.97, one pretrained on uniform noise at 3.12 to 3.26: "
            "worse than not at all. The head start does not last here: behind all 600 steps random weights are ahead "
            "by .06 to .11 bits, and at four times the trained length pretraining costs up to .8 bits. The gain is "
            "before data, not at equal compute: pretraining takes 600 steps of its own. Zero-shot it reaches 4.91 to "
            "5.00 bits, where chance is 5, untrained weights have 5.2 to 5.3, and an add-1/2 predictor from the "
            "counts of each sequence has 4.4: learning in context has hardly begun (on a pilot seed, with weaker "
            "computers, the loss falls from 5.2 bits in the first sixteen places to 5.0 in the last). A computer here "
            "is one layer of 64 LSTM cells that reads half of an old sequence and then writes its own; eight are "
            "drawn at a time, and each matrix has its own factor, uniform up to 50, as in one of the authors' "
            "settings. Where one factor of 1 to 5 multiplied all weights, what was written could not be told from "
            "noise (4.8 bits of entropy of single letters in a sequence, as for noise). The source whose computers "
            "always read noise is an entrant, but no claim is made of it: a buffer that is rewritten again is hardly "
            "more predictable in a sequence than one that is written once.",
            claims=[
                Claim(
                    "zero-shot",
                    bits("universal-pt", test="zero-shot") < 4.85,
                    says="Pretrained on random computation alone, the model predicts text better than chance, 5 bits a letter.",
                    seeds=3,
                ),
                Claim(
                    "faster-finetune",
                    early["rope-transformer"] - early["universal-pt"] > 0.05,
                    says="Behind the same 150 steps on text it is ahead of the same model from random weights.",
                    published="faster convergence (abstract)",
                    seeds=3,
                ),
                Claim(
                    "computation-needed",
                    early["uniform-noise-pt"] - early["universal-pt"] > 0.05,
                    says="The gain comes from the computation: pretraining on uniform noise is worth less.",
                    seeds=3,
                ),
            ],
        )
    ]
