"""Backends side by side: an entrant's quality and costs on each, as differences and ratios with intervals."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay import stats
from assay.leaderboard import ALPHA, comparable, label, latest
from assay.spec import CPU, Record

RATIOS = ("fit_seconds", "predict_seconds", "forward_seconds", "peak_memory", "energy")
"""Costs that are compared by ratios."""
Values = Mapping[int, float]


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and its 95 % t interval, NaN for one seed."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """An entrant on one backend.

    `difference` is its metric less that on the reference backend, paired by seed; `ratios` are costs over those on the
    reference, as geometric means with the interval of the logarithms. Both are empty on the reference itself and where
    no seed has both. `compile_seconds`, `forward_spread` (interquartile range over median) and `roofline_share` are
    medians over seeds.
    """

    entrant: str
    backend: str
    seeds: int
    metric: Interval | None
    difference: Interval | None
    ratios: Mapping[str, Interval]
    compile_seconds: float | None
    forward_spread: float | None
    roofline_share: float | None
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """All entrants of one task, data set and scale, on all backends; `devices` are those that the records name."""

    task: str
    dataset: str
    scale: str
    metric: str
    unit: str
    reference: str
    devices: Mapping[str, tuple[str, ...]]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()


def comparisons(records: Iterable[Record], metric: str, unit: str) -> list[Comparison]:
    """Return a comparison for each (task, data set, scale); the CPU is the reference where it was run."""
    groups: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in latest(records):
        groups[record.cell.task, record.cell.dataset, record.cell.scale].append(record)
    return [_comparison(key, group, metric, unit) for key, group in sorted(groups.items())]


def _comparison(key: tuple[str, str, str], records: Sequence[Record], metric: str, unit: str) -> Comparison:
    current, notes = comparable(records)
    backends = sorted({r.cell.backend for r in current}, key=lambda name: (name != CPU.id, name))
    found: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in current:
        found[label(record)][record.cell.backend].append(record)
    lines = [
        _line(entrant, backend, on[backend], on.get(backends[0], ()) if backend != backends[0] else (), metric)
        for entrant, on in sorted(found.items())
        for backend in backends
        if backend in on
    ]
    devices = {b: _devices(r for r in current if r.cell.backend == b) for b in backends}
    return Comparison(*key, metric, unit, backends[0], devices, tuple(lines), notes)


def _devices(records: Iterable[Record]) -> tuple[str, ...]:
    return tuple(sorted({name for r in records if (name := r.environment.get("device"))}))


def _line(entrant: str, backend: str, records: Sequence[Record], reference: Sequence[Record], metric: str) -> Line:
    values = _values(records, metric)
    pairs = _pairs(values, _values(reference, metric))
    ratios = {cost: _pairs(_values(records, cost), _values(reference, cost)) for cost in RATIOS}
    calls = _pairs(_values(records, "forward_spread"), _values(records, "forward_seconds"))
    return Line(
        entrant,
        backend,
        len(values),
        _interval(list(values.values())),
        _interval([a - b for a, b in pairs]),
        {cost: ratio for cost, found in ratios.items() if (ratio := _ratio(found))},
        _median(_values(records, "compile_seconds").values()),
        _median(spread / seconds for spread, seconds in calls if seconds),
        _median(_values(records, "roofline_share").values()),
        tuple(f"seed {r.cell.seed}: {r.reason}" for r in records if not r.ok),
    )


def _values(records: Sequence[Record], name: str) -> dict[int, float]:
    return {r.cell.seed: v for r in records if r.ok and (v := r.value(name)) is not None}


def _pairs(values: Values, reference: Values) -> list[tuple[float, float]]:
    return [(values[seed], reference[seed]) for seed in sorted(values.keys() & reference.keys())]


def _interval(values: Sequence[float]) -> Interval | None:
    if not values:
        return None
    low, high = stats.mean_interval(np.array(values), ALPHA) if len(values) > 1 else (math.nan, math.nan)
    return Interval(float(np.mean(values)), low, high)


def _ratio(pairs: Sequence[tuple[float, float]]) -> Interval | None:
    if not pairs or min(min(pair) for pair in pairs) <= 0:
        return None
    logs = _interval([math.log(a / b) for a, b in pairs])
    return logs and Interval(math.exp(logs.value), math.exp(logs.low), math.exp(logs.high))


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return float(np.median(found)) if found else None
