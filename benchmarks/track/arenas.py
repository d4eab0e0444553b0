"""Every entrant of every installed paper, one parameterised suite an arena, generated from the metadata of plugins.

Cells run once a commit, in `setup_cache`: `ROUNDS` rounds over all entrants, interleaved, so that a slow minute of the
machine falls on all of them. The tracks look medians up. An entrant that a commit does not have is n/a.
"""

from __future__ import annotations

import os
import statistics
from collections import defaultdict
from pathlib import Path

ROUNDS = int(os.environ.get("ASSAY_TRACK_ROUNDS", "3"))
PAPERS = [p for p in os.environ.get("ASSAY_TRACK_PAPERS", "").split(",") if p]
SEED = 0


def places() -> dict[str, tuple[list[str], list[str]]]:
    """Return (entrants, data sets) by task, from keywords `model:TASK/ID` and `dataset:TASK/ID`; imports no plugin."""
    from assay.catalog import installed

    found: dict[str, tuple[list[str], list[str]]] = {}
    plugins = installed()
    for plugin in plugins:
        for kind, position in (("model", 0), ("dataset", 1)):
            if kind == "model" and PAPERS and plugin.paper not in PAPERS:
                continue
            for place in plugin.having(kind):
                task, _, name = place.rpartition("/")
                found.setdefault(task, ([], []))[position].append(name)
    return {task: (sorted(models), sorted(sets)) for task, (models, sets) in sorted(found.items()) if models and sets}


def measure() -> dict[tuple[str, str, str], dict[str, float] | str]:
    """Return by (task, entrant, data set) the medians over rounds of error and costs, or the reason of a failure."""
    import assay
    from assay.catalog import Catalog

    rounds: dict[tuple[str, str, str], list[dict[str, float]]] = defaultdict(list)
    failures: dict[tuple[str, str, str], str] = {}
    for task, (entrants, _) in places().items():
        catalog = Catalog().load(tasks={task})
        wanted = [name for name in entrants if (task, name) in catalog.models]
        for number in range(ROUNDS if wanted else 0):
            store = Path(f"track-{task.replace('/', '-')}-{number}.db").resolve()
            for record in assay.run(task, entrants=wanted, seeds=[SEED], scale="smoke", store=str(store)).records:
                place = (task, record.cell.model, record.cell.dataset.partition("/")[2])
                if record.reason:
                    failures[place] = record.reason
                else:
                    main = catalog.metric(catalog.tasks[task], catalog.tasks[task].metrics[0])
                    rounds[place].append({**record.costs, "error": error(record.metrics.get(main.id), main)})
    medians = {
        place: {name: statistics.median(r[name] for r in rows if name in r) for name in rows[0]}
        for place, rows in rounds.items()
    }
    return {**medians, **failures}


def error(value, metric) -> float:
    """Return a metric as asv reads it, lower is better: 1 - value for a gain up to 1, -value for other gains."""
    if value is None:
        return float("nan")
    if metric.direction == "down":
        return value
    return 1 - value if metric.bounds[1] == 1 else -value


class Arena:
    """The tracks of one task; subclasses are made below, one a task."""

    task = ""
    timeout = 3600
    version = "1"

    def setup_cache(self):
        return measure()

    setup_cache.timeout = 3600

    def setup(self, cache, entrant, dataset):
        found = cache.get((self.task, entrant, dataset))
        if found is None:
            raise NotImplementedError("not there at this commit")
        if isinstance(found, str):
            raise RuntimeError(found)

    def _look_up(self, cache, entrant, dataset, name):
        return cache[self.task, entrant, dataset].get(name, float("nan"))

    def track_error(self, cache, entrant, dataset):
        return self._look_up(cache, entrant, dataset, "error")

    def track_fit(self, cache, entrant, dataset):
        return self._look_up(cache, entrant, dataset, "fit_seconds")

    def track_predict(self, cache, entrant, dataset):
        return self._look_up(cache, entrant, dataset, "predict_seconds")

    def track_peak_memory(self, cache, entrant, dataset):
        return self._look_up(cache, entrant, dataset, "peak_memory")

    def track_flops(self, cache, entrant, dataset):
        return self._look_up(cache, entrant, dataset, "flops")

    def track_parameters(self, cache, entrant, dataset):
        return self._look_up(cache, entrant, dataset, "parameters")

    track_error.unit = "error"
    track_fit.unit = track_predict.unit = "seconds"
    track_peak_memory.unit = "bytes"
    track_flops.unit = "FLOP"
    track_parameters.unit = "count"


for _task, _params in places().items():
    _name = "".join(part.capitalize() for part in _task.replace("/", "-").split("-"))
    globals()[_name] = type(_name, (Arena,), {"task": _task, "params": _params, "param_names": ["entrant", "dataset"]})
del Arena
