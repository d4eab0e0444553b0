"""Results as text for a terminal of 80 columns. Pure functions from values to lines."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from assay.leaderboard import Leaderboard
    from assay.verdicts import Verdict, Verification

WIDTH = 80
COLOURS = {"holds": "32", "fails": "31", "inconclusive": "33", "untested": "90"}


def coloured(stream: TextIO) -> bool:
    """Whether colour is wanted: a terminal, and no NO_COLOR in the environment."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, outcome: str, colour: bool) -> str:
    """Return the text in the colour of an outcome. The word itself always stands there too."""
    return f"\x1b[{COLOURS[outcome]}m{text}\x1b[0m" if colour else text


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> str:
    """Return columns aligned by their widest entry; those in `right` are set flush right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    flush = set(right)

    def line(cells: Sequence[str]) -> str:
        padded = (c.rjust(w) if i in flush else c.ljust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True)))
        return "  ".join(padded).rstrip()

    return "\n".join(line(cells) for cells in lines)


def number(value: float | None, digits: int = 3) -> str:
    """Return a number in few characters: `0.931`, `1.2e-08`, `-` for none."""
    if value is None or math.isnan(value):
        return "-"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e4:
        return (
            f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
            if abs(value) >= 1
            else f"{value:.{digits}f}"
        )
    return f"{value:.1e}"


def amount(value: float | None, unit: str = "") -> str:
    """Return a large count with a decimal prefix: `12.3 M`, and `4.1 MB` with the unit B."""
    if value is None or math.isnan(value):
        return "-"
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.3g} {prefix}{unit}"
    return f"{value:.3g}{' ' if unit else ''}{unit}"


def leaderboard(board: Leaderboard) -> str:
    """Return a leaderboard as a table, with its notes and the failures of its entrants."""
    arrow = "higher is better" if board.direction == "up" else "lower is better"
    seeds = max((len(row.values) for row in board.rows), default=0)
    where = f"{board.task} on {board.dataset.partition('/')[2] or board.dataset}"
    title = f"{where}: {board.metric} ({arrow}), {board.scale}, {seeds} seed{'s' if seeds != 1 else ''}"
    header = ["rank", "entrant", board.metric[:18], "95 % interval", "fit s", "pred s", "memory", "params", "FLOP"]
    rows = []
    for row in board.rows:
        interval = f"[{number(row.low)}, {number(row.high)}]" if not math.isnan(row.low) else "-"
        costs = row.costs.get
        rows.append(
            [
                "-" if row.rank is None else str(row.rank),
                row.entrant,
                number(row.mean),
                interval,
                number(costs("fit_seconds"), 2),
                number(costs("predict_seconds"), 2),
                amount(costs("peak_memory"), "B"),
                amount(costs("parameters")),
                amount(costs("flops")),
            ]
        )
    lines = [title, table(header, rows, right=(0, 2, 4, 5, 6, 7, 8))]
    lines += [f"  {row.entrant}: {failure}" for row in board.rows for failure in row.failures]
    lines += textwrap.wrap(
        "Entrants that differ by no more than chance share a rank (paired t, Holm over all pairs).", WIDTH
    )
    return "\n".join([*lines, *board.notes])


def verdict(found: Verdict, *, colour: bool = False) -> str:
    """Return a verdict in plain words: what was tested, what was found, how sure, beside the published figure."""
    claim, test = found.claim, found.test
    lines = [f"{paint(found.outcome.upper(), found.outcome, colour)}  {claim.id}"]
    lines += _wrapped(f'"{claim.says}"')
    lines += _wrapped(f"tested     {claim.check}")
    if not math.isnan(test.effect):
        lines += _wrapped(f"found      {_found(found)}")
        lines += _wrapped(f"how sure   {_how_sure(found)}")
    if found.reason:
        lines += _wrapped(f"because    {found.reason}")
    for failure in found.failures[:3]:
        lines += _wrapped(f"failed     {failure}")
    if claim.published:
        lines += _wrapped(f"published  {claim.published}")
    return "\n".join(lines)


def verification(found: Verification, *, colour: bool = False) -> str:
    """Return the verdicts on a paper with a closing line of counts."""
    paper = found.paper
    where = f"{found.scale}, {found.backend}, {found.seconds:.1f} s of cells"
    counts = [f"{n} {o}" for o in COLOURS if (n := sum(v.outcome == o for v in found.verdicts))]
    head = f"{paper.title} ({paper.year}{f', arXiv:{paper.arxiv}' if paper.arxiv else ''})"
    parts = [head, *(verdict(v, colour=colour) for v in found.verdicts), f"{', '.join(counts)}  ({where})"]
    if paper.notes:
        parts.insert(-1, textwrap.fill(f"Notes: {' '.join(paper.notes.split())}", WIDTH))
    return "\n\n".join(parts)


def _found(found: Verdict) -> str:
    test = found.test
    text = f"{number(test.effect)}"
    if not math.isnan(test.low) and test.low != test.high:
        text += f", 95 % interval [{number(test.low)}, {number(test.high)}]"
    if not math.isnan(test.standardised):
        text += f", {test.standardised:+.1f} standard deviations from the bound"
    return text


def _how_sure(found: Verdict) -> str:
    seeds = f"{len(found.per_seed)} seed{'s' if len(found.per_seed) != 1 else ''}"
    looks = f", looked at {', '.join(map(str, found.looks))} seeds" if len(found.looks) > 1 else ""
    if found.test.certain:
        return f"{found.test.method}, {seeds}, no chance involved"
    return f"{found.test.method}, {seeds}, adjusted p = {number(found.p)} (level {number(found.level)}){looks}"


def _wrapped(text: str) -> list[str]:
    head = 11 if text[:11].endswith("  ") or (len(text) > 11 and text[10] == " " and text[9] == " ") else 0
    return textwrap.wrap(
        text, WIDTH - 2, initial_indent="  ", subsequent_indent=" " * (2 + head), break_long_words=False
    )
