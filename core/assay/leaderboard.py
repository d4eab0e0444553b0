"""From records to a leaderboard: mean and interval of each entrant, and ranks that claim no more than was found."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay import notebook, stats
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

    def __repr__(self) -> str:
        """Return the table as text."""
        return notebook.leaderboard(self).text()

    def _repr_html_(self) -> str:
        return notebook.leaderboard(self).html()

    @property
    def best(self) -> str | None:
        """The entrant that is told apart from every other and better than all, None when there is none."""
        if len(self.rows) < 2 or not self.rows[0].rank:
            return None
        first = self.rows[0]  # beyond 26 groups letters repeat, and what is told apart may be taken for not
        shared = any(set(row.groups) & set(first.groups) for row in self.rows[1:])
        return None if shared else first.entrant


class Leaderboards(list[Leaderboard]):
    """Leaderboards, a list that a notebook shows whole."""

    def __repr__(self) -> str:
        """Return the tables as text."""
        return "\n\n".join(map(repr, self))

    def _repr_html_(self) -> str:
        return "".join(board._repr_html_() for board in self)


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
) -> Leaderboards:
    """Return a leaderboard for each (task, data set, scale) among the records, from records of its newest protocol."""
    groups: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in latest(records):
        groups[record.cell.task, record.cell.dataset, record.cell.scale].append(record)
    boards = Leaderboards()
    for (task, dataset, scale), group in sorted(groups.items()):
        current, notes = comparable(group)
        rows = rank(entrants(current), metric, direction, alpha)
        boards.append(Leaderboard(task, dataset, scale, metric, direction, unit, tuple(rows), notes))
    return boards


def comparable(records: Sequence[Record]) -> tuple[list[Record], tuple[str, ...]]:
    """Return the records of the newest protocol among those of one arena, and what is left out by that."""
    newest = max(records, key=lambda r: r.finished).protocol
    current = [r for r in records if r.protocol == newest]
    if len(current) == len(records):
        return current, ()
    older = {label(r) for r in records if r.protocol != newest} - {label(r) for r in current}
    note = f"left out, as measured under an older protocol: {', '.join(sorted(older))}; run them again"
    return current, (note,) if older else ()


def entrants(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Return the records of one arena by the name of their entrant; it names the backend where there are several."""
    several = len({r.cell.backend for r in records}) > 1
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[label(record, backend=several)].append(record)
    return dict(found)


def rank(
    by_entrant: Mapping[str, Sequence[Record]],
    metric: str,
    direction: str,
    alpha: float = ALPHA,
    *,
    costs: Mapping[str, Mapping[str, float]] | None = None,
) -> list[Row]:
    """Return the entrants of one arena by a metric, best first, from records of one protocol.

    `costs` are the `mean_costs` by entrant, where a caller that ranks by many metrics has them already.
    """
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
        spent = costs[name] if costs else mean_costs(group)
        rows.append(Row(name, ranks.get(name), values[name], mean, low, high, spent, failures))
    sign = -1 if direction == "up" else 1
    rows.sort(key=lambda row: (row.rank is None, sign * row.mean if row.rank else 0, row.entrant))
    letters = _letters([row.entrant for row in rows if row.rank], better)
    return [replace(row, groups=letters.get(row.entrant, "")) for row in rows]


def mean_costs(records: Sequence[Record]) -> dict[str, float]:
    """Return the mean of each cost over the records that have it."""
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
    tests = _compare_all(values, pairs, exact, alpha)
    adjusted = stats.holm([p for p, _ in tests])
    return {
        (a, b) if a_is_larger == (direction == "up") else (b, a)
        for (a, b), (_, a_is_larger), p in zip(pairs, tests, adjusted, strict=True)
        if p <= alpha
    }


def _compare_all(
    values: Mapping[str, Mapping[int, float]], pairs: Sequence[tuple[str, str]], exact: bool, alpha: float
) -> list[tuple[float, bool]]:
    """Return for each pair the two-sided p-value, and whether the first is larger.

    Pairs with the same seeds are tested together: one by one, the 190 pairs of 20 entrants take longer than all else.
    """
    found = [(1.0, False)] * len(pairs)
    by_seeds: dict[frozenset[int], list[int]] = defaultdict(list)
    for place, (a, b) in enumerate(pairs):
        by_seeds[frozenset(values[a].keys() & values[b].keys())].append(place)
    for shared, places in by_seeds.items():
        seeds = sorted(shared)
        names = {name for place in places for name in pairs[place]}
        table = {name: np.array([values[name][seed] for seed in seeds]) for name in names}
        rows = np.array([table[pairs[place][0]] - table[pairs[place][1]] for place in places])
        p, larger, varies = stats.t_tests(rows) if len(seeds) > 1 else (rows, rows, np.zeros(len(rows), dtype=bool))
        for i, place in enumerate(places):
            if varies[i]:
                found[place] = (float(p[i]), bool(larger[i]))
            elif seeds:
                found[place] = _compare(rows[i].tolist(), exact, alpha)
    return found


def _compare(differences: Sequence[float], exact: bool, alpha: float) -> tuple[float, bool]:
    test = stats.above(differences, 0.0, alpha, exact=exact)
    if exact and test.certain and test.effect == 0:
        return 1.0, False
    return min(1.0, 2 * min(test.p_holds, test.p_fails)), test.p_holds < test.p_fails


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
