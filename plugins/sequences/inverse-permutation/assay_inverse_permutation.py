"""The Impossibility of Inverse Permutation Learning (Alur et al., 2025, arXiv:2509.24125): the mask hides what is asked for.

A permutation and then the permuted string are read; the string in its own order is wanted, all of it in one pass. Behind the
mask the place of letter j has not seen the letter when it comes later; n tokens without content are enough to mend that.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from assay import Claim, Model, Paper, hookimpl, score, worst
from assay_sequences.integer_algorithms import Pairs, Problem
from assay_sequences.kit import SequenceModel, decoder
from torch import Tensor, nn

SHARP = 1e3
"""Attention logit of a match: softmax is hard to double precision."""
PLACES, LETTERS = 5, 8


class ReadOut:
    """Reads the answer off the last places of one pass: those of the string itself, or of `scratch` blank tokens behind it."""

    def __init__(self, scratch: int = 0, causal: bool = True, layers: int = 2) -> None:
        self.parallel, self.causal, self.layers = scratch, causal, layers

    def model(self, vocab: int, length: int) -> SequenceModel:
        """Return the transformer (learned places), tokens (B, T) to logits (B, T, vocab)."""
        return decoder(vocab, length, layers=self.layers, causal=self.causal)

    def batches(self, problem: Problem, steps: int, size: int, rng: np.random.Generator) -> Iterator[Pairs]:
        """Yield fresh prompts (size, 2n) and answers (size, n) for each step."""
        for _ in range(steps):
            yield problem.fresh(rng, size)


class Attention(nn.Module):
    """(B, T, D) -> (B, T, D), one head without residual projections: x + softmax(x A x^T) x V, behind the mask or not."""

    def __init__(self, scores: Tensor, values: Tensor, causal: bool) -> None:
        super().__init__()
        self.scores, self.values, self.causal = scores, values, causal

    def forward(self, x: Tensor) -> Tensor:
        """Return the rows with what they copy."""
        logits = x @ self.scores @ x.mT
        if self.causal:
            length = x.shape[-2]
            logits = logits.masked_fill(torch.ones(length, length, dtype=torch.bool).triu(1), -torch.inf)
        return x + logits.softmax(-1) @ x @ self.values


def construction(scratch: bool, causal: bool) -> nn.Sequential:
    """Return two hand-set layers after the paper's constructions. A row of x is [place, P, letter, copied P, answer].

    Layer 1: the row of letter i copies row i of the permutation matrix, by place. Layer 2: the row of target j finds the
    letter whose copied row is e_j, and copies it. Targets are the rows of the string or, with `scratch`, those behind it.
    """
    n, rows = PLACES, (3 if scratch else 2) * PLACES
    place, perm, letter = 0, rows, rows + n
    copied, answer = letter + LETTERS, letter + LETTERS + n
    size = answer + LETTERS
    by_place, copy_perm, by_match, copy_letter = (torch.zeros(size, size) for _ in range(4))
    target = rows - n
    for i in range(n):
        by_place[place + n + i, place + i] = SHARP
        by_match[place + target + i, copied + i] = SHARP
        by_match[place + target + i, place + n : place + 2 * n] = SHARP  # letters only: rows of P match themselves
        copy_perm[perm + i, copied + i] = 1
    for c in range(LETTERS):
        copy_letter[letter + c, answer + c] = 1
    return nn.Sequential(Attention(by_place, copy_perm, causal), Attention(by_match, copy_letter, causal))


def construction_error(rng: np.random.Generator, scratch: bool = False, causal: bool = False) -> Mapping[str, float]:
    """Largest difference from the string in order, over all 120 permutations of 5 letters with random embeddings."""
    n, rows = PLACES, (3 if scratch else 2) * PLACES
    perms = np.array(list(itertools.permutations(range(n))))
    strings = torch.tensor(rng.standard_normal((len(perms), n, LETTERS)))
    x = torch.zeros(len(perms), rows, rows + 2 * (n + LETTERS))
    x[:, :, :rows] = torch.eye(rows)
    x[:, :n, rows : rows + n] = torch.eye(n)[torch.tensor(perms)]  # row i is e_pi(i)
    order = torch.tensor(perms)[..., None].expand_as(strings)
    x[:, n : 2 * n, rows + n : rows + n + LETTERS] = strings.gather(1, order)  # letter i is y_pi(i)
    found = construction(scratch, causal)(x)[:, -n:, -LETTERS:]
    return {"max_error": float((found - strings).abs().max())}


def unseen_change(rng: np.random.Generator, scratch: int = 0, layers: int = 2) -> Mapping[str, float]:
    """Largest change of the logits that answer letter j when that letter, which stands at place i > j, becomes another.

    Random weights, 20 random permutations. What does not change at all gives two different strings the same answer there.
    """
    n, vocab = PLACES, PLACES + LETTERS + 1
    model, largest = decoder(vocab, 2 * n + scratch, layers=layers), 0.0
    for _ in range(20):
        pi, letters = rng.permutation(n), rng.integers(n, n + LETTERS, size=n)
        tokens = torch.tensor(np.concatenate([pi, letters, np.full(scratch, vocab - 1)]))
        late = [(i, int(j)) for i, j in enumerate(pi) if i > j]
        if not late:
            continue
        others = tokens.repeat(len(late), 1)
        for row, (i, _) in enumerate(late):
            others[row, n + i] = n + (tokens[n + i] - n + 1) % LETTERS
        with torch.no_grad():
            change = (model(others) - model(tokens[None]))[:, -n:].abs().amax(-1)
        largest = max(largest, *(float(change[row, j]) for row, (_, j) in enumerate(late)))
    return {"invariance_error": largest}


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants: trained ones, the constructions of the proofs, and random ones that show what the mask hides."""
    learn, exact = "sequences/integer-algorithms", "sequences/layer-identities"
    data = ("inverse-permutation",)
    return [
        Model("decoder-scratch", learn, ReadOut, {"scratch": PLACES}, datasets=data),
        Model("decoder-plain", learn, ReadOut, knobs={"layers": (2, 4)}, ablates="decoder-scratch", datasets=data),
        Model("encoder-full", learn, ReadOut, {"causal": False}, datasets=data),
        Model("construct-scratch", exact, construction_error, {"scratch": True, "causal": True}),
        Model("construct-encoder", exact, construction_error),
        Model("construct-plain", exact, construction_error, {"causal": True}, ablates="construct-scratch"),
        Model("unseen-scratch", exact, unseen_change, {"scratch": PLACES}, {"layers": (2, 8)}),
        Model("unseen-plain", exact, unseen_change, knobs={"layers": (2, 8)}, ablates="unseen-scratch"),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    accuracy = score("accuracy", task="sequences/integer-algorithms", dataset="inverse-permutation")
    error, change = (score(name, task="sequences/layer-identities") for name in ("max_error", "invariance_error"))
    return [
        Paper(
            "inverse-permutation",
            title="The Impossibility of Inverse Permutation Learning in Transformer Models",
            year=2025,
            arxiv="2509.24125",
            family="sequences",
            notes="Behind the mask the place of letter j knows it only if it came no later: with n places and V letters, drawn "
            "with repetition, no model of any depth exceeds (n+1)/(2n) + (n-1)/(2n)/V, 0.650 for n = 5 and V = 8. The bound "
            "of the claim leaves 0.015 for the finite test set. Trained decoders of two and four layers lie on that ceiling "
            "(.643 to .652): they learn all that can be known and guess the rest. With scratch tokens every letter is right, "
            "without the mask .999 or more. Answers are read in one pass: token by token the answer itself would be scratch "
            "space. The paper's theorems are shown by constructions of our own after its idea, attention alone with hard "
            "softmax, over all 120 permutations of 5; that nothing leaks is shown on random weights. Trained models have MLPs "
            "and are told apart by mask and blank tokens alone. The encoder is one without a decoder behind it. The rate is "
            "constant, as the data set has it.",
            claims=[
                Claim(
                    "impossible",
                    accuracy("decoder-plain") < 0.665,
                    says="A decoder-only transformer cannot put a permuted string back in order: what the mask hides is guessed.",
                    published="proved",
                ),
                Claim(
                    "depth-is-no-help",
                    accuracy("decoder-plain", layers=4) - accuracy("decoder-plain", layers=2) < 0.05,
                    says="Four layers do no better than two.",
                    published="proved",
                    seeds=3,
                ),
                Claim(
                    "hidden-at-any-depth",
                    (worst(change("unseen-plain", layers=8)) <= 1e-12) & (worst(change("unseen-scratch")) >= 1e-6),
                    says="The logits for a letter that comes too late do not depend on it, in eight layers; scratch tokens "
                    "see it in two.",
                    published="proved",
                ),
                Claim(
                    "scratch-construction",
                    (worst(error("construct-scratch")) <= 1e-6) & (worst(error("construct-plain")) > 0.5),
                    says="Behind the causal mask two layers are exact given n scratch tokens, and not without them.",
                    published="proved",
                ),
                Claim(
                    "encoder-construction",
                    worst(error("construct-encoder")) <= 1e-6,
                    says="Without the causal mask two hand-set layers are exact.",
                    published="proved",
                ),
                Claim(
                    "scratch-learns",
                    accuracy("decoder-scratch") - accuracy("decoder-plain") > 0.2,
                    says="Padding with scratch tokens that carry nothing makes it learnable.",
                    seeds=3,
                ),
                Claim(
                    "encoder-learns",
                    accuracy("encoder-full") - accuracy("decoder-plain") > 0.2,
                    says="So does taking the causal mask away.",
                    seeds=3,
                ),
            ],
        )
    ]
