"""From records to a leaderboard: mean and interval of each entrant, and ranks that claim no more than was found."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay import stats
from assay.spec import Record, show_params

ALPHA = 0.05


@dataclass(frozen=True)
class Row:
    """An entrant's line. `rank` is 1 + the number of entrants that are better beyond chance; None if all cells failed.

    `low` and `high` are the 95 % t interval of the mean over seeds, NaN for one seed. `costs` are means over seeds.
    """

    entrant: str
    rank: int | None
    values: Mapping[int, float]
    mean: float
    low: float
    high: float
    costs: Mapping[str, float]
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Leaderboard:
    """The entrants of a task on one data set by one metric, best first. `notes` say what was left out and why."""

    task: str
    dataset: str
    scale: str
    metric: str
    direction: str
    unit: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def label(record: Record, *, backend: bool = False) -> str:
    """Return how an entrant is named in a table: its id, parameters that differ from its own, its backend."""
    cell = record.cell
    text = f"{cell.model}({show_params(cell.params)})" if cell.params else cell.model
    return f"{text} @{cell.backend}" if backend else text


def latest(records: Iterable[Record]) -> list[Record]:
    """Return the newest record of each cell: a cell whose sources changed leaves older ones in the store."""
    newest = {record.cell: record for record in sorted(records, key=lambda r: r.finished)}
    return list(newest.values())


def leaderboards(
    records: Iterable[Record], metric: str, direction: str, unit: str, *, alpha: float = ALPHA
) -> list[Leaderboard]:
    """Return a leaderboard for each (task, data set, scale) among the records, from records of its newest protocol."""
    groups: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in latest(records):
        groups[record.cell.task, record.cell.dataset, record.cell.scale].append(record)
    boards = []
    for (task, dataset, scale), group in sorted(groups.items()):
        newest = max(group, key=lambda r: r.finished).protocol
        current = [r for r in group if r.protocol == newest]
        older = {label(r) for r in group if r.protocol != newest} - {label(r) for r in current}
        notes = (
            [f"left out, as measured under an older protocol: {', '.join(sorted(older))}; run them again"]
            if older
            else []
        )
        rows = _rows(current, metric, direction, alpha)
        boards.append(Leaderboard(task, dataset, scale, metric, direction, unit, tuple(rows), tuple(notes)))
    return boards


def _rows(records: Sequence[Record], metric: str, direction: str, alpha: float) -> list[Row]:
    several = len({r.cell.backend for r in records}) > 1
    by_entrant: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_entrant[label(record, backend=several)].append(record)
    values = {
        name: {r.cell.seed: v for r in group if r.ok and (v := r.value(metric)) is not None}
        for name, group in by_entrant.items()
    }
    ranks = _ranks({name: v for name, v in values.items() if v}, direction, alpha)
    rows = []
    for name, group in by_entrant.items():
        numbers = np.array(list(values[name].values()))
        failures = tuple(f"seed {r.cell.seed}: {r.reason}" for r in group if not r.ok)
        if not len(numbers) and not failures:
            continue
        mean = float(numbers.mean()) if len(numbers) else math.nan
        low, high = stats.mean_interval(numbers, alpha) if len(numbers) > 1 else (math.nan, math.nan)
        rows.append(Row(name, ranks.get(name), values[name], mean, low, high, _mean_costs(group), failures))
    sign = -1 if direction == "up" else 1
    return sorted(rows, key=lambda row: (row.rank is None, sign * row.mean if row.rank else 0, row.entrant))


def _mean_costs(records: Sequence[Record]) -> dict[str, float]:
    costs: dict[str, list[float]] = defaultdict(list)
    for record in records:
        for name, value in record.costs.items():
            costs[name].append(value)
    return {name: sum(v) / len(v) for name, v in costs.items()}


def _ranks(values: Mapping[str, Mapping[int, float]], direction: str, alpha: float) -> dict[str, int]:
    """Return 1 + the number of entrants that are better by a paired two-sided t test, Holm-corrected over all pairs."""
    pairs = list(itertools.combinations(values, 2))
    tests = [_compare(values[a], values[b], alpha) for a, b in pairs]
    adjusted = stats.holm([min(1.0, 2 * min(t.p_holds, t.p_fails)) for t in tests])
    ranks = dict.fromkeys(values, 1)
    for (a, b), test, p in zip(pairs, tests, adjusted, strict=True):
        if p <= alpha:
            a_is_larger = test.p_holds < test.p_fails
            ranks[b if a_is_larger == (direction == "up") else a] += 1
    return ranks


def _compare(a: Mapping[int, float], b: Mapping[int, float], alpha: float) -> stats.Test:
    shared = sorted(set(a) & set(b))
    if not shared:
        return stats.undecided(math.nan, "no seed in common")
    return stats.above([a[s] - b[s] for s in shared], 0.0, alpha)
