"""What needs to go right for an induction head (arXiv:2404.07129): parts of the circuit held fixed while the rest learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from assay import Claim, Context, Metric, Model, Paper, hookimpl, score, trend, worst
from assay_sequences.icl_classes import Regime, World
from assay_sequences.icl_labels import LabelTransformer, tensors
from assay_sequences.kit import Block, rotate
from torch import Tensor, nn

Clamp = Literal["none", "previous", "self", "match"]
WIDTH, HEADS = 64, 4
ABLATED = (0, 1, 2, 3, 4)
"""How many heads of the second layer are silenced, the strongest first."""


class PatternAttention(nn.Module):
    """(B, T, width) -> (B, T, width): causal attention with rotary positions, whose pattern can be `forced` (..., T, T).

    What `hidden` (T, T) marks is not attended to. `keep` (H,) multiplies the heads' outputs, 0 silences one; `pattern`
    (B, H, T, T) is the pattern last used.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.forced: Tensor | None = None
        self.hidden: Tensor | None = None
        self.keep, self.pattern = torch.ones(heads), torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the heads read, in sum."""
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, 2))
        if self.forced is None:
            places = torch.arange(x.shape[1], device=x.device)
            scores = rotate(q, places) @ rotate(k, places).mT * q.shape[-1] ** -0.5
            unseen = torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1)
            if self.hidden is not None:
                unseen |= self.hidden
            pattern = scores.masked_fill(unseen, -torch.inf).softmax(-1)
        else:
            pattern = self.forced.expand(len(x), self.heads, -1, -1)
        self.pattern = pattern.detach()
        read = pattern @ v * self.keep.to(x)[:, None, None]
        return self.out(read.transpose(1, 2).flatten(2))


class InductionTransformer(LabelTransformer):
    """Items (B, 3, 32), labels (B, 2) -> logits (B, 32): two layers of attention and no MLP, on x_1 l_1 x_2 l_2 x_query.

    An induction head of layer 2 attends from the query to the label behind the item that is like it, which it finds
    because a head of layer 1 has brought each item to the token after it, and copies that label. `clamp` fixes a part of
    this in training and in tests: "previous" makes each token but the query attend to the token before in layer 1, "self"
    to its own alone, "match" makes the query attend to the right label in layer 2.

    Two labels leave detours, which are closed unless `detours`. A head that attends to the first label, the less the
    better the first item matches, against one that does so always, answers in one layer: so the query sees its own token
    alone in layer 1 and labels alone in layer 2. With learned places layer 1 could bring the place of the item that matches
    and layer 2 read the next: so positions are rotary.
    """

    regime = Regime(burstiness=1.0, context=2, labels="random")

    def __init__(self, clamp: Clamp = "none", detours: bool = False) -> None:
        super().__init__(width=WIDTH, heads=HEADS, hidden=0)
        self.blocks = nn.ModuleList(Block(WIDTH, PatternAttention(WIDTH, HEADS), expand=0) for _ in range(2))
        del self.places
        self.register_buffer("places", torch.zeros(2 * self.regime.context + 1, WIDTH))
        self.clamp, self.detours = clamp, detours

    def forward(self, items: Tensor, labels: Tensor) -> Tensor:
        """Return the logits."""
        first, second = (block.mixer for block in self.blocks)
        length = 2 * items.shape[1] - 1
        own = torch.eye(length, device=items.device)
        if not self.detours:
            query, place = torch.meshgrid(torch.arange(length), torch.arange(length), indexing="ij")
            last = (query == length - 1).to(items.device)
            first.hidden = last & (place < length - 1).to(items.device)
            second.hidden = last & (place % 2 == 0).to(items.device)
        if self.clamp == "previous":
            first.forced = torch.cat([own[:1], own[:-2], own[-1:]])
        elif self.clamp == "self":
            first.forced = own
        elif self.clamp == "match":
            alike = (items[:, :-1] @ items[:, -1:].mT).argmax(1)[:, 0]
            second.forced = torch.cat([own[:-1].expand(len(items), -1, -1), own[2 * alike + 1][:, None]], 1)[:, None]
        return super().forward(items, labels)

    @torch.no_grad()
    def report(self, data: World, ctx: Context) -> Mapping[str, Any]:
        """Return each head's induction strength (H,) in layer 2, and the answers with the strongest ones silenced."""
        items, labels, query = tensors(data.in_context(ctx.rng("in-context"), ctx.budget["tests"], self.regime))
        self(items, labels)
        second: Any = self.blocks[1].mixer
        strengths = induction_strengths(second.pattern, labels, query)
        order, conditions = strengths.abs().argsort(descending=True), []
        for count in ABLATED:
            second.keep = torch.ones(HEADS).index_fill(0, order[:count], 0.0)
            fields = {"icl_logits": self(items, labels), "icl_labels": query}
            conditions.append(({"heads_ablated": count}, fields))
        second.keep = torch.ones(HEADS)
        return {"strengths": strengths, "conditions": conditions}


def induction_strengths(pattern: Tensor, labels: Tensor, query: Tensor) -> Tensor:
    """Return of patterns (B, H, T, T) the query's attention to the right label less that to the other: (H,)."""
    to_labels = pattern[:, :, -1, 1::2]
    right = (labels == query[:, None])[:, None].to(to_labels)
    return (to_labels * (2 * right - 1)).sum(-1).mean(0)


def induction_strength(outcome: Mapping[str, Any]) -> float:
    """Attention of layer 2's strongest head to the one label less that to the other, without its sign.

    A head that attends to the wrong one of two labels and copies its opposite does as well.
    """
    return float(outcome["strengths"].abs().max())


def hand_set(
    rng: np.random.Generator, previous: bool = True, context: int = 8, sequences: int = 200
) -> Mapping[str, float]:
    """Set the circuit by hand and return the largest distance of what it copies, (0, 1)-vectors of labels, from the truth.

    Layer 1 attends by places, to the token before or to its own; layer 2 matches the query with what layer 1 has read and
    copies the label there. Items are new ones of `context` classes, within .1 of the centre, no class comes twice.
    """
    centres = rng.standard_normal((sequences, context, 32)) / 32**0.5
    asked, rows = rng.integers(context, size=sequences), np.arange(sequences)
    world = World(centres[0])
    items = torch.from_numpy(
        world.items(rng, np.concatenate([centres, centres[rows, asked][:, None]], 1), 0.1)
    ).double()
    labels = torch.from_numpy(rng.permuted(np.tile(np.arange(context) % 2, (sequences, 1)), axis=1))
    length = 2 * context + 1
    item, label = torch.zeros(sequences, length, 32), torch.zeros(sequences, length, 2)
    item[:, ::2], label[:, 1::2] = items, torch.eye(2)[labels]
    place = torch.eye(length)
    keys = place.roll(-1, 0) if previous else place  # the key of place s is what the query of place s + 1 asks for
    read = (1_000 * place @ keys.mT).tril().softmax(-1) @ item
    pattern = (1_000 * item[:, -1:] @ read.mT).softmax(-1)
    copied = (pattern @ label)[:, 0]
    return {"max_error": float((copied - torch.eye(2)[labels[rows, asked]]).abs().max())}


TASK, IDENTITIES = "sequences/icl-labels", "sequences/layer-identities"


@hookimpl
def assay_models() -> list[Model]:
    """Return the transformer, free and with a part of the circuit held fixed."""
    ablated = {"heads_ablated": ABLATED}
    return [
        Model("ih-plain", TASK, InductionTransformer, conditions=ablated),
        Model("ih-clamp-prev", TASK, InductionTransformer, {"clamp": "previous"}, conditions=ablated),
        Model("ih-clamp-match", TASK, InductionTransformer, {"clamp": "match"}, conditions=ablated),
        Model("ih-no-prev", TASK, InductionTransformer, {"clamp": "self"}, conditions=ablated, ablates="ih-plain"),
        Model("ih-detours-no-prev", TASK, InductionTransformer, {"clamp": "self", "detours": True}, conditions=ablated),
        Model("ih-hand-set", IDENTITIES, hand_set, knobs={"context": (2, 8, 32)}),
        Model("ih-hand-set-self", IDENTITIES, hand_set, {"previous": False}, ablates="ih-hand-set"),
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return how much a head is an induction head."""
    return [Metric("induction_strength", induction_strength, ("strengths",), "up", "attention", bounds=(0.0, 1.0))]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    steps, icl = score("steps_to_threshold", task=TASK), score("icl_accuracy", task=TASK)
    strength, error = score("induction_strength", task=TASK), score("max_error", task=IDENTITIES)
    return [
        Paper(
            "induction-heads",
            title="What needs to go right for an induction head? A mechanistic study of in-context learning circuits and "
            "their formation",
            year=2024,
            arxiv="2404.07129",
            family="sequences",
            notes="Gaussian classes, 4 heads of 16 and training that ends when .9 is reached stand for Omniglot and the paper's "
            "longer runs; steps are asked for every 50. The task of two items and two labels has detours, which is the "
            "main thing found. Without any attention to the token before, a network whose query sees all tokens reaches "
            ".86 to .91 on every seed, after 1,400 steps and more: previous-token-needed fails. It needs one layer and "
            "two heads, one of which attends to the first label less when the first item matches, against one that does "
            "so always; a test sets this by hand, and silencing one head brings it to .55 to .62. So the other claims "
            "close the detours: the query sees its own token alone in layer 1 and labels alone in layer 2. There nothing "
            "can be answered without the token before, by construction (a test), and induction heads form after 250 to "
            "800 steps. On pilot seeds with open detours and 8 heads, holding layer 1 to the token before made learning "
            "slower (1,350 steps against 450): it takes the detour away from layer 1. With closed detours it takes 250 to "
            "450 steps against 250 to 800, but the order differs by seed (150 later once, 450 earlier once) and five "
            "seeds do not decide. Given the match, 50 steps are enough, the first time that is asked, on every seed; the "
            "difference is 200 to 750 steps, each beyond the margin, and inconclusive only because the free network's "
            "time varies so much. Silencing heads, strongest first, lowers accuracy on all seeds, so heads-add-up holds, "
            "but on two of five seeds the first head takes all of it (.92 to .51, .93 to .55): redundancy is the "
            "exception here. Strength is taken without its sign: with two labels a head may attend to the wrong one and "
            "copy its opposite. The hand-set circuit is exact; its layer 1 held to its own token is wrong by 1.",
            claims=[
                Claim(
                    "induction-head-forms",
                    (icl("ih-plain") >= 0.8) & (strength("ih-plain") >= 0.2),
                    says="Where the detours are closed, an induction head forms: the network learns to answer in context, and "
                    "a head of layer 2 attends to one of the labels.",
                    seeds=5,
                ),
                Claim(
                    "previous-token-first",
                    steps("ih-plain") - steps("ih-clamp-prev") > 100,
                    says="With attention to the token before given from the start, learning in context comes earlier.",
                    published="three subcircuits interact to drive formation, yielding the phase change (abstract)",
                    seeds=5,
                ),
                Claim(
                    "match-first",
                    steps("ih-plain") - steps("ih-clamp-match") > 100,
                    says="With attention to the right label given, only copying is left to learn, and it comes earlier too.",
                    seeds=5,
                ),
                Claim(
                    "previous-token-needed",
                    icl("ih-detours-no-prev") <= 0.6,
                    says="Without attention to the token before no learning in context forms, though the query sees all tokens.",
                    seeds=3,
                ),
                Claim(
                    "heads-add-up",
                    trend(icl("ih-plain"), over="heads_ablated", at=ABLATED) < 0,
                    says="Induction heads add up: accuracy falls step by step as more of them are silenced.",
                    published="diverse and additive (abstract)",
                    seeds=5,
                ),
                Claim(
                    "circuit-is-enough",
                    worst(error("ih-hand-set")) <= 1e-6,
                    says="Previous token, match and copy, set by hand, answer new classes exactly.",
                ),
            ],
        )
    ]
