"""Runs what a paper's claims need and has them judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from assay.catalog import Catalog
from assay.cell import Job
from assay.claims import Claim
from assay.errors import AssayError
from assay.executors import Executor
from assay.expressions import Score
from assay.plan import Measurement, Planner, seeds_of
from assay.running import Progress, execute
from assay.spec import Record
from assay.stats import spend
from assay.store import Store
from assay.verdicts import ALPHA, Sample, Verdict, Verification, judge


@dataclass
class _Needs:
    """What a paper's claims need: where each score is found, and why a claim cannot be tested."""

    measurements: dict[Score, Measurement] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def verify(
    paper: str,
    *,
    seeds: int | None = None,
    until_conclusive: int | None = None,
    scale: str = "small",
    backend: str = "cpu",
    store: str | None = None,
    force: bool = False,
    executor: str | Executor = "",
    progress: Progress | None = None,
) -> Verification:
    """Run what a paper's claims need and judge them.

    Args:
        paper: Id of an installed paper.
        seeds: Number of seeds for every claim; each claim's own number when None.
        until_conclusive: Add seeds in looks, doubling them up to this number, until every claim is decided. Alpha is
            spent over the looks (`assay.stats.spend`), so that looking more often costs no error.
        scale: `smoke`, `small` or `full`; a claim may pin its own.
        backend: Where to run; a claim may pin its own.
        store: Path or URL of the records.
        force: Run cells again that are in the store.
        executor: `inline`, `pool`, `dask` or an `assay.Executor` with its limits.
        progress: Called with an `assay.progress.Event` as cells start and end.
    """
    if seeds is not None:
        seeds_of(seeds)
    chosen = executor if isinstance(executor, Executor) else Executor(executor)
    catalog = Catalog()
    plugin = catalog.plugin(paper)
    catalog.load(tasks=plugin.having("task"))
    found = catalog.paper(paper)
    planner = Planner(catalog)
    needs = _needs(found.claims, planner, scale, backend)
    first = {c.id: seeds or c.seeds for c in found.claims}
    looks = _looks(max(first.values(), default=1), until_conclusive)
    decided: dict[str, Verdict] = {}
    with Store(store) as opened:
        for look, level in zip(looks, spend(ALPHA, looks), strict=True):
            counts = {c: n if look == looks[0] else look for c, n in first.items()}
            jobs = _jobs(found.claims, needs, planner, counts)
            execute(jobs, catalog, opened, executor=chosen, force=force, progress=progress)
            records = opened.get(job.digest for job in jobs)
            samples = _samples(found.claims, needs, planner, counts, records)
            for verdict in judge(found.claims, samples, missing=needs.missing, alpha=level, looks=looks):
                if verdict.claim.id not in decided or decided[verdict.claim.id].outcome == "inconclusive":
                    decided[verdict.claim.id] = verdict
            if all(v.outcome != "inconclusive" for v in decided.values()):
                break
    ordered = tuple(decided[c.id] for c in found.claims)
    return Verification(found, ordered, scale, backend, tuple(records.values()))


def _needs(claims: Iterable[Claim], planner: Planner, scale: str, backend: str) -> _Needs:
    needs = _Needs()
    for claim in claims:
        try:
            for score in claim.check.scores():
                needs.measurements[score] = planner.measurement(score, scale, backend)
        except AssayError as error:
            needs.missing[claim.id] = str(error)
    return needs


def _looks(first: int, last: int | None) -> list[int]:
    """Return the numbers of seeds at which to look: the first, doubled up to the last."""
    if last is None or last <= first:
        return [first]
    looks = [first]
    while looks[-1] * 2 < last:
        looks.append(looks[-1] * 2)
    return [*looks, last]


def _jobs(claims: Iterable[Claim], needs: _Needs, planner: Planner, counts: Mapping[str, int]) -> list[Job]:
    jobs = {}
    for claim in claims:
        if claim.id not in needs.missing:
            for score in claim.check.scores():
                for job in planner.at_seeds(needs.measurements[score].cell, range(counts[claim.id])):
                    jobs[job.digest] = job
    return sorted(
        jobs.values(), key=lambda j: (j.cell.task, j.cell.dataset, j.cell.seed, j.cell.model, str(j.cell.params))
    )


def _samples(
    claims: Iterable[Claim],
    needs: _Needs,
    planner: Planner,
    counts: Mapping[str, int],
    records: Mapping[str, Record],
) -> dict[str, dict[Score, Sample]]:
    """Return by claim what was measured of each of its scores, on the claim's own seeds."""
    samples: dict[str, dict[Score, Sample]] = {}
    for claim in claims:
        if claim.id not in needs.missing:
            seeds = range(counts[claim.id])
            samples[claim.id] = {
                score: _sample(needs.measurements[score], planner, seeds, records) for score in claim.check.scores()
            }
    return samples


def _sample(place: Measurement, planner: Planner, seeds: Iterable[int], records: Mapping[str, Record]) -> Sample:
    values, failures = {}, {}
    for job in planner.at_seeds(place.cell, seeds):
        record = records.get(job.digest)
        if record is None:
            continue
        value = record.value(place.key)
        if not record.ok:
            failures[job.cell.seed] = record.reason
        elif value is None:
            failures[job.cell.seed] = f"has no metric {place.key}"
        else:
            values[job.cell.seed] = value
    return Sample(values, failures, place.exact)
