"""Whether a claim could be refuted at all: its verdict when the entrants are exchanged, broken or shuffled.

Nothing runs: the stored samples are put in each other's places, and the claim is judged on its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from assay.claims import Claim
from assay.errors import AssayError
from assay.expressions import Score
from assay.store import Store
from assay.verdicts import Outcome, Sample, judge
from assay.verifying import Trial, prepare, sample_of

Samples = Mapping[Score, Sample]
FAR = 1e9
"""Stands for the end of a metric without a bound."""


@dataclass(frozen=True)
class Break:
    """What became of a claim's verdict when its samples were tampered with in the way that `how` says."""

    claim: str
    how: str
    outcome: Outcome


def self_test(paper: str, *, scale: str = "small", backend: str = "cpu", store: str | None = None) -> list[Break]:
    """Return what every way of breaking does to each claim of an installed paper, from the store alone.

    A claim for which no break gives anything but `holds` cannot be refuted by what is stored: it says nothing, or
    nothing was run that could take its entrant's place. Claims without measurements are left out.
    """
    trial = prepare(paper, scale, backend)
    counts = {c.id: c.seeds for c in trial.paper.claims}
    found = []
    with Store(store, create=False) as opened:
        samples = trial.samples(counts, opened.get(job.digest for job in trial.jobs(counts)))
        for claim in trial.paper.claims:
            if claim.id in samples and all(sample.values for sample in samples[claim.id].values()):
                found += broken(claim, samples[claim.id], stand_ins(claim, trial, opened))
    return found


def broken(claim: Claim, samples: Samples, others: Mapping[str, Samples] | None = None) -> list[Break]:
    """Return the verdicts of a claim under every break. `others` maps how to samples that take the claim's places."""
    breaks = [*swapped(samples), *shuffled(samples), *((others or {}).items()), *extremes(samples)]
    return [Break(claim.id, how, judge([claim], {claim.id: changed})[0].outcome) for how, changed in breaks]


def swapped(samples: Samples) -> Iterator[tuple[str, Samples]]:
    """Yield the samples with two entrants exchanged, and with any two measurements of one metric exchanged."""
    entrants = dict.fromkeys(score.entrant for score in samples)
    for a, b in itertools.combinations(entrants, 2):
        names = {a: b, b: a}
        places = {s: replace(s, entrant=names.get(s.entrant, s.entrant)) for s in samples}
        if all(place in samples for place in places.values()):
            yield f"{a} and {b} exchanged", {s: samples[place] for s, place in places.items()}
    for first, second in itertools.combinations(samples, 2):
        if (first.metric, first.task) == (second.metric, second.task) and first.entrant == second.entrant:
            yield f"{first} and {second} exchanged", {**samples, first: samples[second], second: samples[first]}


def shuffled(samples: Samples) -> Iterator[tuple[str, Samples]]:
    """Yield the samples with the values of each metric dealt out anew among its measurements at every seed."""
    rng = np.random.default_rng(0)
    seeds = sorted(set.intersection(*(set(sample.values) for sample in samples.values())))
    groups: dict[tuple[str, str], list[Score]] = {}
    for score in samples:
        groups.setdefault((score.metric, score.task), []).append(score)
    if all(len(group) == 1 for group in groups.values()):
        return
    values: dict[Score, dict[int, float]] = {score: {} for score in samples}
    for group in groups.values():
        for seed in seeds:
            for score, i in zip(group, rng.permutation(len(group)), strict=True):
                values[score][seed] = samples[group[i]].values[seed]
    yield "labels shuffled", {s: replace(sample, values=values[s]) for s, sample in samples.items()}


def extremes(samples: Samples) -> Iterator[tuple[str, Samples]]:
    """Yield the samples with each measurement at either end of what its metric can be, exact, at every seed.

    A claim that holds at all of them is true by the metric's definition alone.
    """
    for score, sample in samples.items():
        for name, end in zip(("lowest", "highest"), sample.bounds, strict=True):
            value = max(-FAR, min(FAR, end))
            changed = {s: replace(other, exact=True) for s, other in samples.items()}
            changed[score] = replace(sample, values=dict.fromkeys(sample.values, value), exact=True)
            yield f"{score} at its {name}", changed


def stand_ins(claim: Claim, trial: Trial, store: Store) -> dict[str, Samples]:
    """Return the claim's samples with one entrant replaced by another of its task, where the store has that one too."""
    scores = claim.check.scores()
    found: dict[str, Samples] = {}
    own = {s: sample_of(trial.measurements[s], trial.planner, range(claim.seeds), store) for s in scores}
    for name, task in dict.fromkeys((s.entrant, s.task) for s in scores):
        for (arena, other), model in trial.catalog.models.items():
            if arena != task or other == name:
                continue
            places = {s: replace(s, entrant=other) for s in scores if s.entrant == name}
            try:
                cells = {s: trial.planner.measurement(p, trial.scale, trial.backend) for s, p in places.items()}
            except AssayError:
                continue  # it lacks a parameter or a condition that the claim asks for
            taken = {s: sample_of(cell, trial.planner, range(claim.seeds), store) for s, cell in cells.items()}
            if all(sample.values for sample in taken.values()):
                kind = "its ablation " if model.ablates == name else ""
                found[f"{kind}{other} in place of {name}"] = {**own, **taken}
    return found
