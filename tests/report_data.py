"""Synthetic records and verdicts of any number, for the tests and measurements of the report."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay.spec import Cell, Metric, Record, freeze

ENTRANTS, SEEDS = 20, 20
METRICS = {"accuracy": ("up", "fraction"), "perm_gap": ("down", "relative")}
NAMES = [
    "attention",
    "sparse",
    "kernel",
    "spectral",
    "robust",
    "meta",
    "flow",
    "graph",
    "causal",
    "online",
    "tree",
    "bandit",
]


def metrics() -> list[Metric]:
    """Return the metrics of the synthetic tasks, as a store keeps them."""
    return [Metric(name, len, (), direction, unit) for name, (direction, unit) in METRICS.items()]


def record(task: str, entrant: int, seed: int, *, reason: str = "", params: dict[str, Any] | None = None) -> Record:
    """Return the record of a cell; later entrants are better and costlier."""
    rng = random.Random(f"{task} {entrant} {seed} {params}")
    quality = min(0.99, 0.4 + 0.5 * entrant / ENTRANTS + rng.gauss(0, 0.02))
    curve = [{"step": i * 10, "loss": 2.3 * 0.98 ** (i * (1 + entrant / 9)) + rng.gauss(0, 0.02)} for i in range(40)]
    costs = {"fit_seconds": rng.uniform(0.5, 1) * 1.4**entrant, "predict_seconds": rng.uniform(1e-3, 2e-3)}
    costs |= {
        "peak_memory": float(rng.randrange(10**6, 10**8)),
        "parameters": 1e4 * 1.5**entrant,
        "flops": 2e5 * 2.0**entrant,
    }
    return Record(
        Cell(task, f"{task.partition('/')[0]}/main", f"entrant-{entrant:02}", freeze(params or {}), seed, "small"),
        f"{rng.getrandbits(128):032x}",
        {} if reason else {"accuracy": quality, "perm_gap": rng.random(), "accuracy[keep=0.5]": quality * 0.9},
        costs,
        () if reason else tuple(curve),
        reason,
        "Traceback (most recent call last):\n  ..." if reason else "",
        rng.uniform(1, 9),
        {"python": "3.11.7", "torch": "2.13.0"},
        1.7e9 + rng.randrange(10**6),
        "p",
    )


def records(n: int) -> Iterator[Record]:
    """Yield so many records, 400 an arena, one in 200 failed."""
    for i in range(n):
        arena, rest = divmod(i, ENTRANTS * SEEDS)
        reason = (
            ("timeout: no end after 120 s", "error: RuntimeError: loss is not finite")[i % 2] if i % 200 == 7 else ""
        )
        yield record(f"{NAMES[arena % len(NAMES)]}/task-{arena}", rest % ENTRANTS, rest // ENTRANTS, reason=reason)


def verdict(paper: int, claims: int = 3) -> dict[str, Any]:
    """Return the recorded verdicts of a made-up paper."""
    rng = random.Random(paper)
    family = NAMES[paper % len(NAMES)] + ("" if paper % 24 < 12 else "-learning")
    outcomes = rng.choices(["holds", "fails", "inconclusive", "untested"], [6, 1, 2, 1], k=claims)
    return {
        "schema": 1,
        "paper": f"paper-{paper:03}",
        "title": f"{family.replace('-', ' ').title()} Networks That Learn Something, Part {paper}",
        "year": 1995 + paper % 30,
        "arxiv": f"{1000 + paper}.{paper:05}",
        "family": family,
        "notes": "What was learnt when the claims were run, in a sentence or two of the usual length.",
        "entrants": [
            {"id": f"entrant-{paper % ENTRANTS:02}", "task": f"{NAMES[paper % len(NAMES)]}/task-0", "ablates": None}
        ],
        "assay": "0.1.0",
        "scale": "small",
        "backend": "cpu",
        "alpha": 0.05,
        "seconds": rng.uniform(20, 100),
        "environment": {"python": "3.11.7", "torch": "2.13.0"},
        "claims": [_claim(i, outcome, rng) for i, outcome in enumerate(outcomes)],
        "sources": {},
        "digest": "0" * 32,
    }


def _claim(i: int, outcome: str, rng: random.Random) -> dict[str, Any]:
    centre = {"holds": 0.12, "fails": -0.06, "inconclusive": 0.05, "untested": 0.0}[outcome]
    seeds = {str(s): rng.gauss(centre, 0.02) for s in range(5)} if outcome != "untested" else {}
    found = (
        {"effect": centre, "interval": [centre - 0.025, centre + 0.025], "p": 0.003, "level": 0.0167} if seeds else {}
    )
    return {
        "id": f"claim-{i}",
        "says": "It is better than the usual baseline by more than a margin that matters in use.",
        "check": "accuracy(mine) - accuracy(baseline) > 0.05",
        "refuted_by": "accuracy(mine) - accuracy(baseline) <= 0.05",
        "published": "93.1 against 88.2 %",
        "verdict": outcome,
        "reason": "",
        "method": "paired t",
        "standardised": 2.1,
        "per_seed": seeds,
        "failures": [],
        "looks": [5],
        **found,
    }


def write_verdicts(folder: Path, papers: int) -> Path:
    """Write so many verdict.json files, each in a folder of its own."""
    for i in range(papers):
        place = folder / f"paper-{i:03}"
        place.mkdir(parents=True, exist_ok=True)
        (place / "verdict.json").write_text(json.dumps(verdict(i)))
    return folder
