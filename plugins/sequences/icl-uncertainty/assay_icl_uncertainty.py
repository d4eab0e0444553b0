"""In-context uncertainty quantification (arXiv:2405.15115): a transformer that predicts mean and variance in context."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from assay import Claim, Model, Paper, hookimpl, score, trend
from assay_sequences.icl_regression import Floats, PairTransformer
from torch import Tensor, nn

MOST_NOISE = 5.24
"""Where the process cuts the noise variance: the 99.9 % point of InvGamma(3, 1)."""


class UncertaintyTransformer(PairTransformer):
    """x (B, T, d), y (B, T) -> (B, T, 2): mean m and log-variance s of y_t, both read from the pairs before t.

    The loss is the task's, E[(s + (y - m)^2 exp(-s)) / 2]. Over all functions of the prompt H it is least at m = E[y | H]
    and exp(s) = Var[y | H], the Bayes rule of the prior that the prompts are drawn from. With `pool` > 0 they are drawn
    from as many fixed tasks (w, s2), drawn once from the prior of linear-nig: then a transformer can also learn the tasks
    by heart, in its weights.
    """

    def __init__(self, process: Any, length: int, pool: int = 0) -> None:
        super().__init__(process.dim, length)
        self.dim, self.pool = process.dim, pool
        self.tasks: tuple[Floats, Floats] | None = None
        if pool:
            self.draw = self.draw_from_pool

    def draw_from_pool(self, rng: np.random.Generator, tasks: int, length: int) -> tuple[Floats, Floats, Floats]:
        """Return x (B, T, d), y and f (B, T), each prompt of a task of the pool, which the first call draws."""
        if self.tasks is None:
            s2 = np.minimum(1 / rng.gamma(3.0, 1.0, self.pool), MOST_NOISE)
            self.tasks = rng.standard_normal((self.pool, self.dim)) * np.sqrt(s2)[:, None], s2
        w, s2 = (part[rng.integers(self.pool, size=tasks)] for part in self.tasks)
        x = rng.standard_normal((tasks, length, self.dim))
        f = np.einsum("ntd,nd->nt", x, w)
        return x, f + np.sqrt(s2)[:, None] * rng.standard_normal(f.shape), f


class OneVariance(PairTransformer):
    """x (B, T, d), y (B, T) -> (B, T, 2): the mean in context, and one log-variance for all prompts and places."""

    def __init__(self, process: Any, length: int) -> None:
        super().__init__(process.dim, length, outputs=1)
        self.log_variance = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the means, and the one log-variance beside each."""
        mean = super().forward(x, y)
        return torch.cat([mean, self.log_variance.expand_as(mean)], -1)


TASK = "sequences/icl-regression"


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants; all of them know what linear-nig is."""
    nig = ("linear-nig",)
    return [
        Model("icl-uq", TASK, UncertaintyTransformer, datasets=nig),
        Model("icl-uq-pool", TASK, UncertaintyTransformer, {"pool": 8}, knobs={"pool": (8, 32, 512)}, datasets=nig),
        Model("icl-mean-only", TASK, OneVariance, ablates="icl-uq", datasets=nig),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    nll = score("excess_nll", task=TASK, dataset="linear-nig", pairs="5-")
    early = score("excess_mse", task=TASK, dataset="linear-nig", pairs="2-8")
    gap = score("variance_gap", task=TASK, dataset="linear-nig")
    return [
        Paper(
            "icl-uncertainty",
            title="Towards Better Understanding of In-Context Learning Ability from In-Context Uncertainty Quantification",
            year=2024,
            arxiv="2405.15115",
            family="sequences",
            notes="Two dimensions, 12 pairs and 2,000 steps of 32 prompts stand for the paper's larger runs. Departures: a "
            "token holds x_t and the whole pair before it. With one token for each x and each y, as on a pilot seed, the "
            "2,000 steps end on the plateau before anything is learnt in context (.27 nats above the Bayes rule after 5 "
            "pairs, mean error .50 of the variance of y). The paper's covariate and length shifts are not tested. Found, "
            "after 5 pairs and more: the transformer is .032 to .042 nats above the Bayes rule, least squares .27 to .30. "
            "By the mean alone the two are closer, .028 to .046 of the variance of y against .048 to .063: with many "
            "pairs and two weights least squares is nearly Bayes, and with three pairs or fewer its error has no finite "
            "mean, which is why the claim is a ratio. One variance for all costs .065 to .114 nats more, on every seed "
            "more than the margin, but three seeds do not decide; its means are no worse, if anything nearer to Bayes. A "
            "pool of 8 tasks costs .07, .10 and .37 nats on new tasks: all lie beyond the margin, but how much depends on "
            "the eight. With 32 tasks, on a pilot seed, it was .02: in two dimensions few tasks are many. As the noise "
            "grows eightfold the distance of the log-variance to the Bayes rule doubles (.16 to .18, then .31 to .38); a "
            "network that only extrapolates badly would show the same, so this says that it is not the Bayes rule there "
            "and not what else it is.",
            claims=[
                Claim(
                    "near-bayes",
                    nll("icl-uq") <= 0.1,
                    says="In distribution the trained transformer is near the Bayes optimum for mean and variance together.",
                    published="near Bayes-optimum (abstract)",
                    seeds=3,
                ),
                Claim(
                    "uncertainty-in-context",
                    nll("icl-mean-only") - nll("icl-uq") > 0.05,
                    says="Its variance depends on the prompt: it is worth more than one variance for all of them.",
                    seeds=3,
                ),
                Claim(
                    "uses-prior",
                    (nll("ols") - nll("icl-uq") > 0.1) & (early("icl-uq") / early("ols") < 0.1),
                    says="It uses the prior: mean and variance are better than those of least squares, which has none.",
                    seeds=3,
                ),
                Claim(
                    "in-weights-without-diversity",
                    nll("icl-uq-pool") - nll("icl-uq") > 0.05,
                    says="Trained on few tasks it learns these in its weights, and is worse on new tasks.",
                    seeds=3,
                ),
                Claim(
                    "not-bayes-under-shift",
                    trend(gap("icl-uq"), over="noise", at=(1, 2, 4, 8)) > 0,
                    says="As the noise leaves the training prior, its variance leaves the Bayes rule of that prior.",
                    published="not necessarily Bayesian inference under task shifts (abstract)",
                    seeds=3,
                ),
            ],
        )
    ]
