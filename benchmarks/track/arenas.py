"""Every entrant of every paper of the checkout, one parameterised suite an arena.

What there is comes from the keywords of the plugins' pyproject.toml (`model:TASK/ID`, `dataset:TASK/ID`) in the working
tree: parameters are the same at every commit, and no plugin is imported to know them. Cells run once a round, in
`setup_cache`, in the family's own protocol at scale smoke; the tracks look up what came of them. Each seed gives one
sample. An entrant that a commit does not have is n/a.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
SEEDS = [int(s) for s in os.environ.get("ASSAY_TRACK_SEEDS", "0,1,2").split(",")]
PAPERS = [p for p in os.environ.get("ASSAY_TRACK_PAPERS", "").split(",") if p]


def places():
    """Return by task its entrants, with the paper or the suite of each, and its data sets."""
    found = {}
    for file in sorted([*ROOT.glob("pyproject.toml"), *ROOT.glob("plugins/*/*/pyproject.toml")]):
        text = file.read_text(encoding="utf-8")
        words = re.findall(r"[\"'](model|dataset|paper):([^\"'\s]+)[\"']", text)
        owner = dict(words).get("paper") or re.search(r"^name\s*=\s*[\"']([^\"']+)", text, re.MULTILINE)[1]
        for kind, place in words:
            task, _, name = place.rpartition("/")
            if kind == "model":
                found.setdefault(task, ({}, set()))[0][name] = owner
            elif kind == "dataset":
                found.setdefault(task, ({}, set()))[1].add(name)
    return {task: (dict(sorted(e.items())), sorted(d)) for task, (e, d) in sorted(found.items()) if e and d}


PLACES = places()


def measure():
    """Return by (task, entrant, data set) the samples by track, one a seed, or the reason of a failure."""
    os.environ["ASSAY_CLOCK"] = "cpu"  # on a shared machine wall seconds tell more of the neighbours
    from assay.catalog import Catalog
    from assay.plan import Planner, Selection
    from assay.running import execute
    from assay.store import Store

    followed = {
        task: [name for name, paper in entrants.items() if not PAPERS or paper in PAPERS]
        for task, (entrants, _) in PLACES.items()
    }
    catalog = Catalog().load(tasks={task for task, names in followed.items() if names})
    there = {task: [name for name in names if (task, name) in catalog.models] for task, names in followed.items()}
    names = tuple(sorted({name for names in there.values() for name in names}))
    tasks = tuple(task for task, names in there.items() if names)
    if not tasks:
        return {}
    planner = Planner(catalog)
    jobs = planner.jobs(Selection(tasks, names, seeds=tuple(SEEDS), scale="smoke"))
    firsts = {job.task.id: job.cell for job in reversed(jobs)}
    # what a process does once (imports, first allocations) falls on a cell of each arena that is not looked at
    warm = [job for cell in firsts.values() for job in planner.at_seeds(cell, [10**6])]
    found = {}
    with tempfile.TemporaryDirectory() as folder, Store(str(Path(folder, "records.db"))) as store:
        execute([*warm, *jobs], catalog, store)
        records = store.get([job.digest for job in jobs])
        for record in (records[job.digest] for job in jobs):
            task = catalog.tasks[record.cell.task]
            metric = catalog.metric(task, task.metrics[0])
            place = (task.id, record.cell.model, record.cell.dataset.removeprefix(task.family + "/"))
            if record.reason or isinstance(found.get(place), str):
                found[place] = record.reason or found[place]
                continue
            values = {**record.costs, "error": error(record.metrics.get(metric.id), metric)}
            for name, value in values.items():
                found.setdefault(place, {}).setdefault(name, []).append(value)
    return found


def error(value, metric):
    """Return a metric as asv reads it, lower is better: 1 - value for a gain up to 1, -value for other gains."""
    if value is None:
        return float("nan")
    if metric.direction == "down":
        return value
    return 1 - value if metric.bounds[1] == 1 else -value


class Arena:
    """The tracks of one task; subclasses are made below, one a task."""

    task = ""
    version = "1"
    timeout = 3600

    def setup_cache(self):
        return measure()

    setup_cache.timeout = 3600

    def setup(self, cache, entrant, dataset):
        found = cache.get((self.task, entrant, dataset))
        if found is None:
            raise NotImplementedError("not there at this commit")
        if isinstance(found, str):  # an extra that this environment lacks is no failure of the commit
            raise (NotImplementedError if "No module named" in found else RuntimeError)(found)

    def _samples(self, cache, entrant, dataset, name):
        """Return what asv's own timings return, so that it keeps the samples of all rounds and their statistics."""
        values = cache[self.task, entrant, dataset].get(name)
        return {"samples": values, "number": 1} if values else float("nan")

    def track_error(self, cache, entrant, dataset):
        return self._samples(cache, entrant, dataset, "error")

    def track_time_fit(self, cache, entrant, dataset):
        return self._samples(cache, entrant, dataset, "fit_seconds")

    def track_time_predict(self, cache, entrant, dataset):
        return self._samples(cache, entrant, dataset, "predict_seconds")

    def track_peakmem_fit(self, cache, entrant, dataset):
        return self._samples(cache, entrant, dataset, "peak_memory")

    def track_flops(self, cache, entrant, dataset):
        return self._samples(cache, entrant, dataset, "flops")

    def track_parameters(self, cache, entrant, dataset):
        return self._samples(cache, entrant, dataset, "parameters")

    track_error.unit = "error"
    track_time_fit.unit = track_time_predict.unit = "seconds"
    track_time_fit.type = track_time_predict.type = "time"
    track_peakmem_fit.unit = "bytes"
    track_peakmem_fit.type = "peakmemory"
    track_flops.unit = "FLOP"
    track_parameters.unit = "parameters"


for _task, (_entrants, _datasets) in PLACES.items():
    _name = "".join(part.capitalize() for part in _task.replace("/", "-").split("-"))
    _params = {"params": ([*_entrants], _datasets), "param_names": ["entrant", "dataset"]}
    globals()[_name] = type(_name, (Arena,), {"task": _task, **_params})
del Arena
