"""Emergent properties with repeated examples (Charton and Kempe, 2024, arXiv:2410.07041): fewer examples, seen more often."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from assay import Claim, Context, Metric, Model, Paper, hookimpl, score
from assay_sequences.integer_algorithms import Ints, Pairs, Problem

LARGEST_GCD = 20


class Repeated:
    """A training regime: with probability `share` an example comes from a fixed random set of `distinct`, else it is new.

    `share` 1 is training on a data budget of `distinct` examples, 0 is single use, and a value between is the paper's two-set
    training: both sets are of one distribution and nothing is curated.
    """

    def __init__(self, distinct: int = 0, share: float = 1.0) -> None:
        self.distinct, self.share = distinct, share if distinct else 0.0

    def batches(self, problem: Problem, steps: int, size: int, rng: np.random.Generator) -> Iterator[Pairs]:
        """Yield prompts (size, P) and answers (size, A); the optimiser's steps are the same whatever is repeated."""
        pool = problem.fresh(rng, self.distinct) if self.distinct else None
        for _ in range(steps):
            again = rng.random(size) < self.share
            if pool is None or not again.any():
                yield problem.fresh(rng, size)
                continue
            chosen = rng.integers(self.distinct, size=size)
            prompts, answers = pool[0][chosen], pool[1][chosen]
            if not again.all():
                new = problem.fresh(rng, int((~again).sum()))
                prompts[~again], answers[~again] = new
            yield prompts, answers

    def report(self, data: Problem, ctx: Context) -> Mapping[str, Any]:
        """Return the greatest common divisor (N,) of each test example, where that is the problem."""
        if ctx.cell.dataset.rpartition("/")[2] not in ("gcd", "gcd-log"):
            return {}
        answers = data.tests["same"][1]
        values: Ints = answers @ 10 ** np.arange(answers.shape[1] - 1, -1, -1)
        return {"gcds": values}


def gcds_learned(outcome: Mapping[str, Any]) -> float:
    """How many g up to 20, of those in the test, are predicted right for more than half of the pairs that have it."""
    right = outcome["correct"].all(1).numpy()
    shares = [right[outcome["gcds"] == g] for g in range(1, LARGEST_GCD + 1)]
    return float(sum(part.mean() > 0.5 for part in shares if len(part)))


TASK = "sequences/integer-algorithms"


@hookimpl
def assay_models() -> list[Model]:
    """Return the regimes."""
    return [
        Model("repeat-1k", TASK, Repeated, {"distinct": 1_000}, knobs={"distinct": (100, 500, 1_000, 2_000, 10_000)}),
        Model("single-use", TASK, Repeated, ablates="repeat-1k"),
        Model("two-set", TASK, Repeated, {"distinct": 1_000, "share": 0.25}, knobs={"share": (0.1, 0.25, 0.5)}),
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the paper's own measure of progress on greatest common divisors."""
    return [Metric("gcds_learned", gcds_learned, ("correct", "gcds"), "up", "count", bounds=(0, LARGEST_GCD))]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    parity, gcd = (score("exact_match", task=TASK, dataset=name) for name in ("sparse-parity", "gcd"))
    learned = score("gcds_learned", task=TASK, dataset="gcd")
    return [
        Paper(
            "repeated-examples",
            title="Emergent properties with repeated examples",
            year=2024,
            arxiv="2410.07041",
            family="sequences",
            notes="Sparse parity, which is not the paper's, stands for its slowest problems, and 800 steps of 64 for its longer "
            "training; draws from the 65,536 prompts repeat now and then even where use is called single. A set of 1,000 is "
            "learnt on all three seeds (1, .96, 1) and its answer emerges earlier. Examples used once are learnt on two of "
            "three (1, .52, 1), 100 examples in part (1.00, .53, .85): whether the answer emerges within the steps is chance "
            "that lies with the seed, and three seeds are too few to tell a smaller chance. On two pilot seeds single use and "
            "10,000 examples stayed at chance (.50 to .52), 2,000 were learnt on one of them, 1,000 and 500 on both, which "
            "promised more than the verdict has; that is why its set is smaller than the 10,000 that were planned. Greatest "
            "common divisors up to 500: both regimes end between .79 and .84 and know 4 to 6 of the divisors up to 20; no "
            "difference is seen, and 800 steps may be too few for one.",
            claims=[
                Claim(
                    "repetition-helps",
                    parity("repeat-1k") - parity("single-use") > 0.2,
                    says="For a fixed number of steps a smaller set, seen more often, beats examples that are used once.",
                    published="smaller sets of repeated examples outperform larger sets of single-use examples (abstract)",
                    seeds=3,
                ),
                Claim(
                    "not-too-small",
                    parity("repeat-1k") - parity("repeat-1k", distinct=100) > 0.2,
                    says="Too small a set is learnt by heart: the best number of distinct examples lies between.",
                    seeds=3,
                ),
                Claim(
                    "two-set-training",
                    (gcd("two-set") - gcd("single-use") > 0.03) & (learned("two-set") - learned("single-use") > 0.5),
                    says="Mixing a small repeated set with examples used once learns greatest common divisors faster.",
                    published="faster learning and better performance (abstract)",
                ),
            ],
        )
    ]
