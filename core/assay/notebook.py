"""Results as a notebook and a terminal show them: a table and a plot of intervals, or the table as text.

It takes what it shows as it is, and imports none of the rooms whose results these are: they call it.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assay.text import amount, number, table

WIDTH, ROW = 360, 26
COLOUR = "#3b82c4"
"""Seen on white and on black."""


@dataclass(frozen=True)
class Point:
    """A named dot with its interval (NaN: none)."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Shown:
    """A table with a title, points to plot below it, and lines to add."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[int] = ()
    points: Sequence[Point] = ()
    notes: Sequence[str] = ()

    def text(self) -> str:
        """Return the table as lines."""
        return "\n".join([self.title, table(self.header, self.rows, right=self.right), *self.notes])

    def html(self) -> str:
        """Return the table with its plot. Every text is escaped; nothing is loaded, no script runs."""
        flush = set(self.right)

        def cells(row: Sequence[str], tag: str) -> str:
            sides = ("right" if i in flush else "left" for i in range(len(row)))
            style = [f'style="text-align:{side};padding:2px 8px"' for side in sides]
            return "".join(f"<{tag} {s}>{html.escape(c)}</{tag}>" for c, s in zip(row, style, strict=True))

        body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in self.rows)
        notes = "".join(f"<div>{html.escape(note)}</div>" for note in self.notes)
        return (
            f'<div style="margin-bottom:1.5em"><strong>{html.escape(self.title)}</strong>'
            f"<table><thead><tr>{cells(self.header, 'th')}</tr></thead><tbody>{body}</tbody></table>"
            f"{_plot(self.points)}{notes}</div>"
        )


def leaderboard(board: Any) -> Shown:
    """Return a leaderboard (`assay.leaderboard.Leaderboard`) to show."""
    header = ["rank", "entrant", board.metric, "95 % interval", "fit s", "params", "FLOP"]
    rows = [
        [
            "-" if row.rank is None else str(row.rank),
            row.entrant,
            number(row.mean),
            "-" if math.isnan(row.low) else f"[{number(row.low)}, {number(row.high)}]",
            number(row.costs.get("fit_seconds"), 2),
            amount(row.costs.get("parameters")),
            amount(row.costs.get("flops")),
        ]
        for row in board.rows
    ]
    better = "higher" if board.direction == "up" else "lower"
    title = f"{board.task} on {board.dataset}: {board.metric} ({better} is better), {board.scale}"
    failed = [f"{row.entrant}: {failure}" for row in board.rows for failure in row.failures]
    points = [Point(row.entrant, row.mean, row.low, row.high) for row in board.rows if not math.isnan(row.mean)]
    return Shown(title, header, rows, (0, 2, 4, 5, 6), points, (*failed, *board.notes))


def verification(found: Any) -> Shown:
    """Return verdicts on a paper (`assay.verdicts.Verification`) to show."""
    rows = [
        [
            v.claim.id,
            v.outcome,
            number(v.test.effect),
            "-" if math.isnan(v.test.low) else f"[{number(v.test.low)}, {number(v.test.high)}]",
            str(v.claim.check),
            v.claim.published or "-",
            v.reason,
        ]
        for v in found.verdicts
    ]
    header = ["claim", "verdict", "effect", "95 % interval", "tested", "published", "because"]
    title = f"{found.paper.title} ({found.paper.year}), {found.scale}, {found.seconds:.1f} s of cells"
    notes = [failure for v in found.verdicts for failure in v.failures]
    return Shown(title, header, rows, (2,), (), notes)


def run(done: Any) -> Shown:
    """Return a run (`assay.running.Run`) to show: each entrant with its cells and main metric."""
    groups: dict[tuple[str, str, str], list[Any]] = {}
    for record in done.records:
        groups.setdefault((record.cell.task, record.cell.dataset, record.cell.model), []).append(record)
    rows = []
    for (task, dataset, model), records in groups.items():
        name = next((name for record in records for name in record.metrics), "")
        values = [record.metrics[name] for record in records if name in record.metrics]
        mean = f"{name} {number(sum(values) / len(values))}" if values else "-"
        failed = sum(not record.ok for record in records)
        rows.append([model, task, dataset, str(len(records)), str(failed), mean])
    title = f"{len(done)} cells: {len(done) - done.resumed} run, {done.resumed} resumed, {len(done.failed)} failed"
    notes = [f"{record.cell}: {record.reason}" for record in done.failed[:5]]
    return Shown(title, ["entrant", "task", "data set", "cells", "failed", "mean"], rows, (3, 4), (), notes)


def _plot(points: Sequence[Point]) -> str:
    """Return dots with intervals as an SVG picture, a row each; nothing when there is no point."""
    if not points:
        return ""
    ends = [v for p in points for v in (p.value, p.low, p.high) if math.isfinite(v)]
    least, most = min(ends), max(ends)
    left = 10 + 7 * max(len(p.name) for p in points)

    def x(value: float) -> str:
        return f"{left + 10 + (value - least) / ((most - least) or 1.0) * WIDTH:.1f}"

    marks = []
    for i, p in enumerate(points):
        y = ROW * i + ROW // 2
        marks.append(f'<text x="{left}" y="{y + 4}" text-anchor="end">{html.escape(p.name)}</text>')
        if math.isfinite(p.low):
            line = f'x1="{x(p.low)}" x2="{x(p.high)}" y1="{y}" y2="{y}"'
            marks.append(f'<line {line} stroke="{COLOUR}" stroke-width="2"/>')
        told = f"{html.escape(p.name)} {number(p.value, 4)}"
        marks.append(f'<circle cx="{x(p.value)}" cy="{y}" r="4" fill="{COLOUR}"><title>{told}</title></circle>')
    height = ROW * len(points)
    for end, side in ((least, "start"), (most, "end")):
        marks.append(f'<text x="{x(end)}" y="{height + 14}" text-anchor="{side}">{number(end)}</text>')
    size = f'width="{left + WIDTH + 20}" height="{height + 20}"'
    says = f'role="img" aria-label="Means with 95 % intervals, {number(least)} to {number(most)}"'
    return f'<svg {size} {says} font-size="12" font-family="sans-serif" fill="currentColor">{"".join(marks)}</svg>'
