"""RNN transducer (Graves, 2012, arXiv:1211.3711): strings of any length, each symbol given the frames and the symbols before."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product

import numpy as np
import torch
from assay import Claim, Model, Paper, hookimpl, score, worst
from assay_sequences.unaligned_transduction import Encoder
from torch import Tensor, nn

CAP = 5
"""Symbols that decoding may emit at one frame."""


def log_likelihood(blank: Tensor, emit: Tensor, lengths: Tensor, sizes: Tensor) -> Tensor:
    """Return log P(y | x) (B,) from log-probabilities of a blank (B, T, U + 1) and of the next symbol (B, T, U).

    alpha(t, u) = alpha(t-1, u) blank(t-1, u) + alpha(t, u-1) emit(t, u-1), alpha(1, 0) = 1, and
    P = alpha(T, U) blank(T, U), the last blank included. Along u the sum is a prefix sum of logarithms: with
    E(t, u) the sum of emit(t, .) below u, alpha(t, u) = E(t, u) + logcumsumexp_u(alpha(t-1, u) + blank(t-1, u) - E(t, u)).
    """
    paths = torch.cat([torch.zeros_like(blank[..., :1]), emit.cumsum(-1)], -1)
    alpha, rows = paths[:, 0], []
    for t in range(blank.shape[1]):
        if t:
            alpha = paths[:, t] + torch.logcumsumexp(alpha + blank[:, t - 1] - paths[:, t], -1)
        rows.append(alpha + blank[:, t])
    ends = torch.stack(rows, 1)
    return ends[torch.arange(len(ends), device=ends.device), lengths.to(ends.device) - 1, sizes]


class Transducer(nn.Module):
    """Frames (B, T, inputs) -> strings: softmax_k(f_t + g_u) over a blank (0) and symbols.

    f comes from the suite's bidirectional encoder, g from an LSTM over the symbols before; without `history` that LSTM sees
    zeros, so that g knows how many symbols there were and not which.
    """

    def __init__(self, inputs: int, symbols: int, history: bool = True) -> None:
        super().__init__()
        self.encoder, self.head = Encoder(inputs), nn.Linear(128, symbols + 1)
        self.prediction = nn.LSTM(symbols, 64, batch_first=True)
        self.prediction_head = nn.Linear(64, symbols + 1, bias=False)
        self.symbols, self.history = symbols, history

    def vectors(self, labels: Tensor) -> Tensor:
        """Return the prediction network's inputs, one-hot (..., symbols); zeros for -1, as at the string's start."""
        found = nn.functional.one_hot(labels.clamp_min(0), self.symbols) * (labels >= 0)[..., None]
        return found.to(self.head.weight) * float(self.history)

    def lattice(self, frames: Tensor, lengths: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-probabilities of a blank (B, T, U + 1) and of the next symbol (B, T, U)."""
        f = self.head(self.encoder(frames, lengths))
        start = nn.functional.pad(labels, (1, 0), value=-1)
        g = self.prediction_head(self.prediction(self.vectors(start))[0])
        scores = (f[:, :, None] + g[:, None]).log_softmax(-1)
        wanted = (labels.clamp_min(0) + 1)[:, None, :, None].expand(-1, f.shape[1], -1, 1)
        return scores[..., 0], scores[:, :, :-1].gather(-1, wanted)[..., 0]

    def loss(self, frames: Tensor, lengths: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over strings of -log P(y | x) a symbol, as torch's CTC loss counts."""
        sizes = (labels >= 0).sum(1)
        found = log_likelihood(*self.lattice(frames, lengths, labels), lengths, sizes)
        return -(found / sizes.clamp_min(1)).mean()

    def decode(self, frames: Tensor, lengths: Tensor) -> list[list[int]]:
        """Return the greedy strings: the likeliest symbol at a frame until it is a blank, at most CAP a frame."""
        f = self.head(self.encoder(frames, lengths))
        batch = len(frames)
        g, state = self.prediction(self.vectors(torch.full((batch, 1), -1, device=frames.device)))
        strings: list[list[int]] = [[] for _ in range(batch)]
        for t in range(f.shape[1]):
            open_ = (lengths > t).to(frames.device)
            for _ in range(CAP):
                best = (f[:, t] + self.prediction_head(g[:, 0])).argmax(-1)
                open_ = open_ & (best > 0)
                if not open_.any():
                    break
                for row in open_.nonzero()[:, 0].tolist():
                    strings[row].append(int(best[row]) - 1)
                after, moved = self.prediction(self.vectors((best - 1)[:, None]), state)
                g = torch.where(open_[:, None, None], after, g)
                state = tuple(torch.where(open_[None, :, None], a, b) for a, b in zip(moved, state, strict=True))
        return strings


def all_alignments(blank: Tensor, emit: Tensor) -> Tensor:
    """Return log P of one string from a blank's (T, U + 1) and symbols' (T, U) log-probabilities: all paths, one by one."""
    frames, size = emit.shape
    paths = []
    for places in combinations(range(frames - 1 + size), size):  # which moves are symbols; the last blank comes on top
        t = u = 0
        total = blank[frames - 1, size]
        for move in range(frames - 1 + size):
            if move in places:
                total, u = total + emit[t, u], u + 1
            else:
                total, t = total + blank[t, u], t + 1
        paths.append(total)
    return torch.stack(paths).logsumexp(0)


def every_alignment(
    rng: np.random.Generator, frames: int = 4, longest: int = 3, symbols: int = 2
) -> Mapping[str, float]:
    """Compare the recursion with the sum over alignments for every string of at most `longest` symbols of random networks.

    `max_error`: the largest difference of logarithms, over 1..frames frames; `gap`: by how much all these strings'
    probabilities together exceed 1, 0 if they do not.
    """
    model, error, excess = Transducer(3, symbols).requires_grad_(False), 0.0, 0.0
    for length in range(1, frames + 1):
        x, total = torch.tensor(rng.standard_normal((1, length, 3))), 0.0
        for size in range(longest + 1):
            for string in product(range(symbols), repeat=size):
                labels, lengths = torch.tensor([string], dtype=torch.long).reshape(1, size), torch.tensor([length])
                blank, emit = model.lattice(x, lengths, labels)
                found = log_likelihood(blank, emit, lengths, torch.tensor([size]))[0]
                error = max(error, float((found - all_alignments(blank[0], emit[0])).abs()))
                total += float(found.exp())
        excess = max(excess, total - 1.0)
    return {"max_error": error, "gap": excess}


TASK, IDENTITIES = "sequences/unaligned-transduction", "sequences/layer-identities"


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants of both tasks."""
    return [
        Model("rnn-transducer", TASK, Transducer),
        Model("rnnt-no-history", TASK, Transducer, {"history": False}, ablates="rnn-transducer"),
        Model("rnn-transducer", IDENTITIES, every_alignment, knobs={"frames": (2, 3, 4)}),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    error, gap = (score(name, task=IDENTITIES)("rnn-transducer") for name in ("max_error", "gap"))
    short = score("label_error_rate", task=TASK, dataset="stretched-tokens")
    long = score("label_error_rate", task=TASK, dataset="stretched-long")
    return [
        Paper(
            "rnn-transducer",
            title="Sequence Transduction with Recurrent Neural Networks",
            year=2012,
            arxiv="1211.3711",
            family="sequences",
            notes="Strings of 4 to 8 symbols stand for TIMIT, 400 steps for the training there. Decoding is greedy, at most five "
            "symbols a frame, where the paper searches with a beam. The loss is a mean over symbols, as the CTC baseline's is. "
            "CTC makes fewer errors on every seed (.041 against .070 in the mean). Only what stands around two of the symbols "
            "tells them apart, and the bidirectional encoder that all entrants share sees that without any history of outputs; "
            "the transducer has more to learn in the same steps. Within the transducer history counts for much: without it three "
            "labels in ten are wrong. On strings longer than their frames CTC has nothing to learn from, as their "
            "probability is 0 whatever its weights; a perfect one would still miss half of the labels, and the transducer "
            "misses a fifth.",
            claims=[
                Claim(
                    "sums-all-alignments",
                    (worst(error) <= 1e-9) & (worst(gap) <= 1e-9),
                    says="The recursion is the sum over all alignments, and all strings' probabilities sum to at most one.",
                    published="proved",
                ),
                Claim(
                    "output-dependencies",
                    short("ctc") - short("rnn-transducer") > 0.02,
                    says="Modelling what follows what in the output beats CTC.",
                    published="fewer phoneme errors than CTC on TIMIT",
                ),
                Claim(
                    "history-is-used",
                    short("rnnt-no-history") - short("rnn-transducer") > 0.02,
                    says="The prediction network needs to know which symbols were given, not only how many.",
                    seeds=3,
                ),
                Claim(
                    "longer-outputs",
                    long("ctc") - long("rnn-transducer") > 0.2,
                    says="It gives outputs that are longer than the input, which CTC cannot.",
                ),
            ],
        )
    ]
