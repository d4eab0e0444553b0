"""Runs what a paper's claims need and has them judged."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from assay import judged, recording
from assay.catalog import Catalog, Plugin
from assay.cell import Job
from assay.claims import Claim
from assay.errors import AssayError, unknown
from assay.executors import Executor
from assay.expressions import Score
from assay.plan import Measurement, Planner, seeds_of
from assay.reach import Reach
from assay.running import Progress, execute
from assay.sources import closure
from assay.spec import SCALES, Model, Paper, Record
from assay.stats import spend
from assay.store import Store
from assay.verdicts import ALPHA, Sample, Verdict, Verification, judge


@dataclass
class Trial:
    """A paper with where its claims' scores are found (`measurements`), and by claim id why it cannot be tested."""

    paper: Paper
    plugin: Plugin
    catalog: Catalog
    planner: Planner
    scale: str
    backend: str
    measurements: dict[Score, Measurement] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def entrants(self) -> list[Model]:
        """The entrants that the paper itself registers."""
        origins = self.catalog.origins
        return [m for key, m in self.catalog.models.items() if origins.get(("model", key)) == self.plugin.name]

    @property
    def own(self) -> set[str]:
        """The ids of the paper's own entrants."""
        return {m.id for m in self.entrants}

    def jobs(self, counts: Mapping[str, int]) -> list[Job]:
        """Return the jobs that the claims need, each claim at its number of seeds, neighbours sharing their data."""
        jobs = {}
        for claim in self._testable():
            for score in claim.check.scores():
                for job in self.planner.at_seeds(self.measurements[score].cell, range(counts[claim.id])):
                    jobs[job.digest] = job
        return sorted(
            jobs.values(), key=lambda j: (j.cell.task, j.cell.dataset, j.cell.seed, j.cell.model, str(j.cell.params))
        )

    def samples(self, counts: Mapping[str, int], records: Mapping[str, Record]) -> dict[str, dict[Score, Sample]]:
        """Return by claim what was measured of each of its scores, on the claim's own seeds."""
        return {
            claim.id: {
                score: _sample(self.measurements[score], self.planner, range(counts[claim.id]), records)
                for score in claim.check.scores()
            }
            for claim in self._testable()
        }

    def _testable(self) -> list[Claim]:
        return [claim for claim in self.paper.claims if claim.id not in self.missing]


def prepare(paper: str, scale: str, backend: str) -> Trial:
    """Load a paper and find where its claims' scores are measured."""
    if scale not in SCALES:
        raise unknown("scale", scale, SCALES)
    catalog = Catalog()
    plugin = catalog.plugin(paper)
    catalog.load(tasks=plugin.having("task"))
    trial = Trial(catalog.paper(paper), plugin, catalog, Planner(catalog), scale, backend)
    catalog.backend(backend)
    for claim in trial.paper.claims:
        try:
            for score in claim.check.scores():
                if absent := _absent(score, catalog, plugin):
                    raise AssayError(absent)
                trial.measurements[score] = trial.planner.measurement(score, scale, backend)
        except AssayError as error:
            trial.missing[claim.id] = str(error)
    return trial


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
    """Run what a paper's claims need, judge them, and keep the verdicts in the store.

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
    trial = prepare(paper, scale, backend)
    claims = trial.paper.claims
    first = {c.id: seeds or c.seeds for c in claims}
    looks = _looks(max((n for c, n in first.items() if c not in trial.missing), default=1), until_conclusive)
    decided: dict[str, Verdict] = {}
    jobs: list[Job] = []
    with Store(store) as opened:
        for taken, level in enumerate(spend(ALPHA, looks), start=1):
            counts = first if taken == 1 else dict.fromkeys(first, looks[taken - 1])
            known = {job.digest for job in jobs}
            jobs = trial.jobs(counts)
            fresh = [job for job in jobs if job.digest not in known]
            execute(fresh, trial.catalog, opened, executor=chosen, force=force, progress=progress)
            records = opened.get(job.digest for job in jobs)
            samples = trial.samples(counts, records)
            for verdict in judge(claims, samples, missing=trial.missing, own=trial.own, alpha=level):
                name = verdict.claim.id
                if name not in decided or decided[name].outcome == "inconclusive":
                    tested = verdict.outcome != "untested"
                    decided[name] = replace(verdict, looks=(first[name], *looks[1:taken]) if tested else ())
            if all(v.outcome != "inconclusive" for v in decided.values()):
                break
    ordered = tuple(decided[c.id] for c in claims)
    reach = Reach(p.module.partition(".")[0] for p in trial.catalog.plugins)
    sources = closure(jobs, trial.plugin.module, reach)
    kept = tuple(records[d] for d in sorted(records))
    found = Verification(trial.paper, ordered, scale, backend, kept, sources, tuple(trial.entrants))
    with Store(store) as opened:
        judged.keep(opened, recording.as_dict(found))
    return found


def stored(paper: str, *, scale: str = "small", backend: str = "cpu", store: str | None = None) -> list[Verdict]:
    """Return the verdicts on a paper's claims from the store alone, each at its own number of seeds; nothing runs.

    Raises:
        AssayError: The store has no record of what the claims need.
    """
    trial = prepare(paper, scale, backend)
    counts = {c.id: c.seeds for c in trial.paper.claims}
    with Store(store, create=False) as opened:
        records = opened.get(job.digest for job in trial.jobs(counts))
        if not records:
            raise AssayError(
                f"{opened.address} has no record of what {paper} claims at scale {scale!r}: "
                f"assay verify {paper} --scale {scale}"
            )
    return judge(trial.paper.claims, trial.samples(counts, records), missing=trial.missing, own=trial.own)


def _absent(score: Score, catalog: Catalog, plugin: Plugin) -> str:
    """Say how to install the task or entrant of a score when it is not there; empty when it is.

    A claim's rivals stand among the plugin's optional requirements; one that does not is named after its entrant.
    """
    if score.task not in catalog.tasks:
        if score.task not in plugin.having("task"):
            renew = f"assay check {plugin.paper} --fix, then install it again"
            return f"the installed keywords of {plugin.name} lack {score.task}: {renew}"
        return f"task {score.task} is not installed: pip install assay-{score.task.partition('/')[0]}"
    if (score.task, score.entrant) in catalog.models:
        return ""
    near = [
        name for name in _requirements(plugin.name) if f"{score.entrant}-".startswith(name.removeprefix("assay-") + "-")
    ]
    name = max(near, key=len, default=f"assay-{score.entrant}")
    if name in {p.name for p in catalog.plugins}:
        return ""  # it is there, and has no such entrant: the planner says which it has
    return f"entrant {score.entrant} is not installed: pip install {name}"


def _requirements(distribution: str) -> list[str]:
    """Return the names of the distributions that one requires, the optional ones too."""
    found = (re.match(r"[A-Za-z0-9._-]+", text) for text in importlib.metadata.requires(distribution) or ())
    return [match[0] for match in found if match]


def _looks(first: int, last: int | None) -> list[int]:
    """Return the numbers of seeds at which to look: the first, doubled up to the last."""
    if last is None or last <= first:
        return [first]
    looks = [first]
    while looks[-1] * 2 < last:
        looks.append(looks[-1] * 2)
    return [*looks, last]


def sample_of(place: Measurement, planner: Planner, seeds: Iterable[int], store: Store) -> Sample:
    """Return what a store has of a measurement at some seeds."""
    seeds = list(seeds)
    records = store.get(job.digest for job in planner.at_seeds(place.cell, seeds))
    return _sample(place, planner, seeds, records)


def _sample(place: Measurement, planner: Planner, seeds: Iterable[int], records: Mapping[str, Record]) -> Sample:
    values, failures, cells = {}, {}, {}
    for job in planner.at_seeds(place.cell, seeds):
        record = records.get(job.digest)
        if record is None:
            continue
        cells[job.digest] = record.seconds
        value = record.value(place.key)
        if not record.ok:
            failures[job.cell.seed] = record.reason
        elif value is None:
            failures[job.cell.seed] = f"has no metric {place.key}"
        else:
            values[job.cell.seed] = value
    return Sample(values, failures, place.exact, cells, place.bounds)
