"""Numbers as the page keeps them: rounded to what is looked at, so that a page stays small."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

EXACT, ROUGH = 6, 3
"""Significant digits of what claims and rankings rest on, and of wall times and bands."""


def short(value: float | None, digits: int = EXACT) -> float | int | None:
    """Return a number rounded to some significant digits, whole ones as int, None for what is no finite number.

    >>> short(0.1299999952), short(83594.0), short(float("nan"))
    (0.13, 83594, None)
    """
    if value is None or not math.isfinite(value):
        return None
    rounded = value if value % 1 == 0 else float(f"{value:.{digits}g}")
    return int(rounded) if rounded % 1 == 0 and abs(rounded) < 1e15 else rounded


def shorts(values: Sequence[float | None], digits: int = EXACT) -> list[float | int | None]:
    """Return `short` of each value. One text for all and one way back: number by number takes three times as long."""
    finite = [v for v in values if v is not None and math.isfinite(v)]
    if len(finite) < len(values):
        return [short(value, digits) for value in values]
    rounded = map(float, (f"%.{digits}g " * len(finite) % tuple(finite)).split())
    return [
        short(exact, digits) if exact % 1 == 0 or value % 1 == 0 else value
        for exact, value in zip(finite, rounded, strict=True)
    ]


class Index:
    """Distinct values in the order met: a column that repeats itself is kept as positions in it."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[Any, int] = {}

    def place(self, value: Any) -> int:
        """Return the position of a value, which is added when it is new."""
        if value not in self._places:
            self._places[value] = len(self.values)
            self.values.append(value)
        return self._places[value]


def column(values: Sequence[float | None], groups: Sequence[int], digits: int) -> dict[str, Any]:
    """Return a column as `{"all": [...]}`, or as `{"each": [...]}` with a value a group where no group has two.

    A count of parameters is the same at every seed of an entrant: there is no need to say it at each.
    """
    each: dict[int, float | int | None] = {}
    shown = shorts(values, digits)
    for group, value in zip(groups, shown, strict=True):
        if value is not None and each.setdefault(group, value) != value:
            return {"all": shown}
    return {"each": [each.get(group) for group in range(max(groups, default=-1) + 1)]}


def thinned(values: Iterable[float], most: int) -> list[float]:
    """Return at most so many of some distinct values, evenly chosen from the sorted ones, the ends among them."""
    ordered = sorted(set(values))
    if len(ordered) <= most:
        return ordered
    return [ordered[round(i * (len(ordered) - 1) / (most - 1))] for i in range(most)]
