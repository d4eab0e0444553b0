"""From records to a leaderboard: mean and interval of each entrant, and ranks that claim no more than was found."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay import stats
from assay.errors import unknown
from assay.spec import COSTS, Record, show_params

ALPHA = 0.05


@dataclass(frozen=True)
class Row:
    """An entrant's line. `rank` is 1 + the number of entrants that are better beyond chance; None if all cells failed.

    `low` and `high` are the 95 % t interval of the mean over seeds, NaN for one seed. `costs` are means over seeds.
    Entrants that share a letter of `groups` are not told apart by the data. `front` says whether no entrant is at least
    as good in quality and cost and better in one of them; None when it was not asked for or the cost is not known.
    """

    entrant: str
    rank: int | None
    values: Mapping[int, float]
    mean: float
    low: float
    high: float
    costs: Mapping[str, float]
    failures: tuple[str, ...]
    groups: str = ""
    front: bool | None = None


@dataclass(frozen=True)
class Leaderboard:
    """The entrants of a task on one data set by one metric, best first. `notes` say what was left out and why.

    `pareto` is the cost against which the quality front was found, empty when it was not asked for.
    """

    task: str
    dataset: str
    scale: str
    metric: str
    direction: str
    unit: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    pareto: str = ""


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
    measured = {name: v for name, v in values.items() if v}
    exact = metric in COSTS and COSTS[metric].exact
    better = _better(measured, direction, exact, alpha)
    ranks = {name: 1 + sum(worse == name for _, worse in better) for name in measured}
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
    rows.sort(key=lambda row: (row.rank is None, sign * row.mean if row.rank else 0, row.entrant))
    letters = _letters([row.entrant for row in rows if row.rank], better)
    return [replace(row, groups=letters.get(row.entrant, "")) for row in rows]


def _mean_costs(records: Sequence[Record]) -> dict[str, float]:
    costs: dict[str, list[float]] = defaultdict(list)
    for record in records:
        for name, value in record.costs.items():
            costs[name].append(value)
    return {name: sum(v) / len(v) for name, v in costs.items()}


def _better(
    values: Mapping[str, Mapping[int, float]], direction: str, exact: bool, alpha: float
) -> set[tuple[str, str]]:
    """Return the pairs (better, worse) that a paired two-sided t test tells apart, Holm-corrected over all pairs."""
    pairs = list(itertools.combinations(values, 2))
    tests = [_compare(values[a], values[b], exact, alpha) for a, b in pairs]
    adjusted = stats.holm([min(1.0, 2 * min(t.p_holds, t.p_fails)) for t in tests])
    found = set()
    for (a, b), test, p in zip(pairs, tests, adjusted, strict=True):
        if p <= alpha:
            a_is_larger = test.p_holds < test.p_fails
            found.add((a, b) if a_is_larger == (direction == "up") else (b, a))
    return found


def _compare(a: Mapping[int, float], b: Mapping[int, float], exact: bool, alpha: float) -> stats.Test:
    shared = sorted(set(a) & set(b))
    if not shared:
        return stats.undecided(math.nan, "no seed in common")
    test = stats.above([a[s] - b[s] for s in shared], 0.0, alpha, exact=exact)
    return stats.undecided(0.0, "equal") if exact and test.certain and test.effect == 0 else test


def groups(entrants: Sequence[str], better: Collection[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Return the critical-difference groups: the largest sets of entrants of which no two are told apart.

    Each in the order of `entrants`, groups by their first members: the maximal cliques (Bron and Kerbosch 1973) of
    "not told apart".
    """
    apart = {frozenset(pair) for pair in better}
    near = {a: {b for b in entrants if b != a and frozenset((a, b)) not in apart} for a in entrants}
    found: list[tuple[str, ...]] = []

    def grow(clique: set[str], candidates: set[str], done: set[str]) -> None:
        if not candidates and not done:
            found.append(tuple(e for e in entrants if e in clique))
            return
        pivot = max(candidates | done, key=lambda e: len(near[e] & candidates))
        for entrant in sorted(candidates - near[pivot], key=entrants.index):
            grow(clique | {entrant}, candidates & near[entrant], done & near[entrant])
            candidates = candidates - {entrant}
            done = done | {entrant}

    if entrants:
        grow(set(), set(entrants), set())
    return sorted(found, key=lambda group: [entrants.index(e) for e in group])


def _letters(entrants: Sequence[str], better: Collection[tuple[str, str]]) -> dict[str, str]:
    """Return the letters of the groups that each entrant is in: a, b, ..., z, aa, ... beyond."""
    letters: dict[str, str] = dict.fromkeys(entrants, "")
    for i, group in enumerate(groups(entrants, better)):
        letter = chr(ord("a") + i % 26) * (1 + i // 26)
        for entrant in group:
            letters[entrant] += letter
    return letters


def with_front(board: Leaderboard, cost: str) -> Leaderboard:
    """Return the board with the entrants marked that no other beats in mean quality and mean cost together.

    Raises:
        AssayError: No entrant has that cost.
    """
    if not any(cost in row.costs for row in board.rows):
        raise unknown("cost", cost, {name for row in board.rows for name in row.costs})
    sign = -1 if board.direction == "up" else 1
    points = {row.entrant: (sign * row.mean, row.costs[cost]) for row in board.rows if row.rank and cost in row.costs}

    def beaten(point: tuple[float, float]) -> bool:
        return any(other != point and other[0] <= point[0] and other[1] <= point[1] for other in points.values())

    rows = (
        replace(row, front=not beaten(points[row.entrant]) if row.entrant in points else None) for row in board.rows
    )
    return replace(board, rows=tuple(rows), pareto=cost)
