"""Records as arenas: for each task, data set and scale the leaderboards, learning curves and runs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import gt
from typing import Any

import numpy as np
from scipy import special

from assay.leaderboard import ALPHA, Leaderboard, comparable, entrants, latest, mean_costs, rank
from assay.report.figures import EXACT, ROUGH, Index, column, short, shorts, thinned
from assay.spec import COSTS, Record
from assay.tables import Columns

POINTS = 32
"""Points of a learning curve that are kept: more cannot be told apart at the size it is drawn in."""
DIGEST = 12
"""Hexadecimal digits by which the page names a record."""
Line = tuple[list[float], list[float]]
"""Steps and the values logged at them."""
Known = Mapping[str, Mapping[str, tuple[str, str]]]
"""(direction, unit) by metric by task, as `Store.metrics` returns it for one task."""


class Shared:
    """What many runs repeat: kept once for the page."""

    def __init__(self) -> None:
        self.environments, self.reasons = Index(), Index()
        self.reasons.place(("", ""))


def arenas(
    records: Iterable[Record], known: Known, shared: Shared, curves: Mapping[str, Columns]
) -> list[dict[str, Any]]:
    """Return an arena for each (task, data set, scale), from the newest record of each cell. `curves` are by digest."""
    groups: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in latest(records):
        groups[record.cell.task, record.cell.dataset, record.cell.scale].append(record)
    return [_arena(key, group, known.get(key[0], {}), shared, curves) for key, group in sorted(groups.items())]


def _arena(
    key: tuple[str, str, str],
    records: list[Record],
    known: Mapping[str, tuple[str, str]],
    shared: Shared,
    curves: Mapping[str, Columns],
) -> dict[str, Any]:
    current, notes = comparable(records)
    by_entrant = entrants(current)
    place = {name: i for i, name in enumerate(sorted(by_entrant))}
    current = [record for name in place for record in by_entrant[name]]
    costs = {name: mean_costs(group) for name, group in by_entrant.items()}
    logged = {name: [c for r in group if (c := curves.get(r.digest))] for name, group in by_entrant.items()}
    boards = []
    for metric in _metrics(current, known):
        direction, unit = known[metric.partition("[")[0]]
        rows = rank(by_entrant, metric, direction, costs=costs)
        best = Leaderboard(*key, metric, direction, unit, tuple(rows)).best
        shown = [
            [
                place[r.entrant],
                r.rank,
                short(r.mean),
                short(r.low),
                short(r.high),
                len(r.values),
                int(r.entrant == best),
            ]
            for r in rows
        ]
        boards.append({"metric": metric, "direction": direction, "unit": unit, "rows": shown})
    return {
        "task": key[0],
        "dataset": key[1],
        "scale": key[2],
        "entrants": [_entrant(name, by_entrant[name], costs[name]) for name in place],
        "boards": boards,
        "notes": list(notes),
        "curves": {str(i): curve for name, i in place.items() if (curve := _curve(logged[name]))},
        "runs": _runs(current, [i for name, i in place.items() for _ in by_entrant[name]], shared),
    }


def _metrics(records: Sequence[Record], known: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return the metrics of the task that the records have, in its order, each before those under conditions."""
    found = dict.fromkeys(key for record in records for key in record.metrics)
    order = {name: i for i, name in enumerate(known)}
    return sorted((k for k in found if k.partition("[")[0] in order), key=lambda k: order[k.partition("[")[0]])


def _entrant(name: str, records: Sequence[Record], costs: Mapping[str, float]) -> dict[str, Any]:
    mean = {c: short(costs[c], 4) for c in COSTS if c in costs}
    failed = sum(not r.ok for r in records)
    return {"name": name, "model": records[0].cell.model, "costs": mean, "failed": failed}


def _curve(curves: Iterable[Columns]) -> dict[str, Any]:
    """Return the mean over seeds of each logged value, and half the width of its 95 % t interval, at shared steps."""
    series: dict[str, list[Line]] = defaultdict(list)
    for curve in curves:
        for name in curve:
            if name != "step":
                series[name].append(_line(curve["step"], curve[name]))
    return {name: _band(lines) for name, lines in series.items()}


def _line(steps: list[Any], values: list[Any]) -> Line:
    """Return (steps, values) by rising steps, without those steps at which nothing was logged."""
    if None in values or any(map(gt, steps, steps[1:])):
        pairs = sorted((step, value) for step, value in zip(steps, values, strict=True) if value is not None)
        return [step for step, _ in pairs], [value for _, value in pairs]
    return steps, values


def _band(lines: Sequence[Line]) -> dict[str, Any]:
    if all(steps == lines[0][0] for steps, _ in lines):
        grid = thinned(lines[0][0], POINTS)
        kept = set(grid)
        places = [i for i, step in enumerate(lines[0][0]) if step in kept]
        values = np.array([numbers for _, numbers in lines])[:, places]
    else:
        first, last = max(steps[0] for steps, _ in lines), min(steps[-1] for steps, _ in lines)
        grid = thinned((s for steps, _ in lines for s in steps if first <= s <= last), POINTS)
        values = np.array([np.interp(grid, steps, numbers) for steps, numbers in lines]).reshape(len(lines), len(grid))
    half: list[float | int | None] = []
    if len(lines) > 1:
        t = float(special.stdtrit(len(lines) - 1, 1 - ALPHA / 2)) / math.sqrt(len(lines))
        half = shorts((t * values.std(0, ddof=1)).tolist(), 2)
    return {"step": shorts(grid), "mean": shorts(values.mean(0).tolist(), 4), "half": half}


def _runs(records: Sequence[Record], entrants: Sequence[int], shared: Shared) -> dict[str, Any]:
    """Return the runs by column. Metrics under a condition are left to the leaderboards and to `assay export`."""
    start = min(int(r.finished) for r in records)
    names = dict.fromkeys(k for r in records for k in r.metrics if "[" not in k)
    costs = dict.fromkeys(k for r in records for k in r.costs)
    return {
        "entrant": list(entrants),
        "seed": [r.cell.seed for r in records],
        "reason": [shared.reasons.place((r.reason, r.detail[-1500:])) for r in records],
        "environment": [shared.environments.place(tuple(r.environment.items())) for r in records],
        "seconds": [short(r.seconds, ROUGH) for r in records],
        "start": start,
        "finished": [int(r.finished) - start for r in records],
        "digest": "".join(r.digest[:DIGEST].ljust(DIGEST, "0") for r in records),
        "metrics": {k: column([r.metrics.get(k) for r in records], entrants, EXACT) for k in names},
        "costs": {k: column([r.costs.get(k) for r in records], entrants, ROUGH) for k in costs},
    }
