"""Set Transformer (Lee et al., 2019, arXiv:1810.00825): attention among elements, and attention that pools them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from assay import Claim, Context, Metric, Model, Paper, hookimpl, score, slope, within
from assay_sets.baselines import pooled
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

SIZES = (1024, 2048, 4096)
"""Set sizes at which the encoder's operations are counted."""


class MAB(nn.Module):
    """X (B, n, d), Y (B, m, d) -> (B, n, d): LN(H + rFF(H)), H = LN(X + Multihead(X, Y, Y)), eq. 6 and 7.

    As in the authors' code the residual adds the projected queries, scores are divided by sqrt(d), and LN is left out
    unless `norm` asks for it.
    """

    def __init__(self, width: int, norm: bool, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.ff = (nn.Linear(width, width) for _ in range(4))
        self.norm1, self.norm2 = (nn.LayerNorm(width) if norm else nn.Identity() for _ in range(2))

    def forward(self, x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend from x to y; mask (B, m) is True where y is real."""
        q, k, v = self.q(x), self.k(y), self.v(y)
        split_q, split_k, split_v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v))
        scores = split_q @ split_k.transpose(-1, -2) / q.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None], -torch.inf)
        h = self.norm1(q + (scores.softmax(-1) @ split_v).transpose(1, 2).flatten(2))
        return self.norm2(h + self.ff(h).relu())


class SAB(nn.Module):
    """(B, n, d) -> (B, n, d): SAB(X) = MAB(X, X), eq. 8; O(n^2)."""

    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        self.mab = MAB(width, norm)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Let every element attend to every real one."""
        return self.mab(x, x, mask)


class ISAB(nn.Module):
    """(B, n, d) -> (B, n, d): MAB(X, H), H = MAB(I, X) with m learned inducing points I, eq. 9 and 10; O(n m)."""

    def __init__(self, width: int, norm: bool, inducing: int = 8) -> None:
        super().__init__()
        self.points = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, inducing, width)))
        self.read, self.write = MAB(width, norm), MAB(width, norm)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Let elements attend to a summary of the real ones."""
        return self.write(x, self.read(self.points.expand(len(x), -1, -1), x, mask))


class RFF(nn.Module):
    """(B, n, d) -> (B, n, d): an element-wise layer in place of attention."""

    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return each element's own features."""
        return self.net(x)


class PMA(nn.Module):
    """(B, n, d) -> (B, d): MAB(S, rFF(Z)) with one learned seed S, eq. 11."""

    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        self.seed = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, 1, width)))
        self.ff, self.mab = nn.Linear(width, width), MAB(width, norm)

    def forward(self, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool the real elements."""
        return self.mab(self.seed.expand(len(z), -1, -1), self.ff(z).relu(), mask)[:, 0]


ENCODERS = {"isab": ISAB, "sab": SAB, "rff": RFF}


class SetTransformer(nn.Module):
    """x (B, n, inputs), mask (B, n) or None -> (B, outputs): two encoder blocks, a pooling, a linear map (sec. 3.2)."""

    def __init__(
        self,
        inputs: int,
        outputs: int = 0,
        classes: int = 0,
        encoder: str = "isab",
        pool: str = "pma",
        norm: bool = False,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(ENCODERS[encoder](width, norm) for _ in range(2))
        self.pool = {"pma": lambda: PMA(width, norm), "mean": lambda: pooled}[pool]()
        self.out = nn.Linear(width, outputs or classes)

    def encode(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the elements' features in the light of the others."""
        x = self.embed(x)
        for block in self.blocks:
            x = block(x, mask)
        return x

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return predictions or logits."""
        return self.out(self.pool(self.encode(x, mask), mask))

    def report(self, data: Any, ctx: Context) -> Mapping[str, Any]:
        """Return the operations of the encoder on one set of each of SIZES, counted without computing them."""
        fields = [({"n": n}, {"encoder_operations": self.operations(n)}) for n in SIZES]
        return {"conditions": fields}

    def operations(self, n: int) -> int:
        """Return the floating-point operations of encoding one set of n elements."""
        counter = FlopCounterMode(display=False)
        with counter:
            copy.deepcopy(self).to("meta").encode(torch.empty(1, n, self.embed.in_features, device="meta"))
        return counter.get_total_flops()


def encoder_operations(outcome: Mapping[str, Any]) -> float:
    """Floating-point operations of encoding one set of the size that the condition names."""
    return float(outcome["encoder_operations"])


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants of both tasks."""
    sets, sizes = "sets/set-statistics", {"n": SIZES}
    knobs = {"encoder": tuple(ENCODERS), "pool": ("pma", "mean"), "norm": (True, False)}
    rff_mean, rff_pma = {"encoder": "rff", "pool": "mean"}, {"encoder": "rff"}
    return [
        Model("set-transformer", sets, SetTransformer, knobs=knobs, conditions=sizes),
        Model("set-transformer-sab", sets, SetTransformer, {"encoder": "sab"}, conditions=sizes),
        Model("set-transformer-rff-mean", sets, SetTransformer, rff_mean, conditions=sizes, ablates="set-transformer"),
        Model("set-transformer-rff-pma", sets, SetTransformer, rff_pma, conditions=sizes, ablates="set-transformer"),
        Model("set-transformer", "sets/point-clouds", SetTransformer, knobs=knobs, conditions=sizes),
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the cost of the encoder."""
    return [Metric("encoder_operations", encoder_operations, ("encoder_operations",), "down", "FLOP", exact=True)]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    task = "sets/set-statistics"
    count = score("exact_count_accuracy", task=task, dataset="unique-count")
    mae = score("mae", task=task, dataset="set-max")
    cost = score("encoder_operations", task=task, dataset="unique-count")
    return [
        Paper(
            "set-transformer",
            title="Set Transformer: A Framework for Attention-based Permutation-Invariant Neural Networks",
            year=2018,
            arxiv="1810.00825",
            family="sets",
            claims=[
                Claim(
                    "interactions-help-count",
                    count("set-transformer") - count("set-transformer-rff-mean") > 0.05,
                    says="Attention in encoder and pooling beats mean pooling where elements must be compared (counting).",
                    published="0.60 against 0.44 accuracy on Omniglot",
                ),
                Claim(
                    "isab-linear-cost",
                    within(slope(cost("set-transformer"), over="n", at=SIZES), of=1.0, tol=0.3)
                    & within(slope(cost("set-transformer-sab"), over="n", at=SIZES), of=2.0, tol=0.35),
                    says="An encoder of inducing points costs O(n m), one of full self-attention O(n^2).",
                    published="O(nm) and O(n^2)",
                ),
                Claim(
                    "max-regression",
                    mae("mean-pool-mlp") - mae("set-transformer") > 0.5,
                    says="In finding the maximum of a set it is far better than mean pooling.",
                    published="error 0.2 against 2.1",
                ),
            ],
            notes="""
                Layer normalisation (eq. 6, 7) is off, the default of the authors' code: with it the encoder of inducing
                points does not leave chance on point clouds within 400 steps. Costs are counted in operations, which
                are free of noise; the ablations replace the encoder's attention, and the pooling's too.
            """,
        )
    ]
