"""Results as text for a terminal of 80 columns: functions from values to lines, without side effects."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from assay.text import amount as amount
from assay.text import number as number
from assay.text import seconds as seconds
from assay.text import table as table

if TYPE_CHECKING:
    from assay.leaderboard import Leaderboard
    from assay.power import Power
    from assay.recorded import Recorded
    from assay.verdicts import Verdict, Verification

WIDTH = 80
ALPHA = 0.05
COLOURS = {"holds": "32", "fails": "31", "inconclusive": "33", "untested": "90"}


def coloured(stream: TextIO) -> bool:
    """Whether colour is wanted: a terminal, and no NO_COLOR in the environment."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, outcome: str, colour: bool) -> str:
    """Return the text in the colour of an outcome. The word itself always stands there too."""
    return f"\x1b[{COLOURS[outcome]}m{text}\x1b[0m" if colour else text


def leaderboard(board: Leaderboard) -> str:
    """Return a leaderboard as a table, with its notes and the failures of its entrants."""
    arrow = "higher is better" if board.direction == "up" else "lower is better"
    seeds = max((len(row.values) for row in board.rows), default=0)
    where = f"{board.task} on {board.dataset.partition('/')[2] or board.dataset}"
    title = f"{where}: {board.metric} ({arrow}), {board.scale}, {seeds} seed{'s' if seeds != 1 else ''}"
    front = ["front"] if board.pareto else []
    header = ["rank", "", "entrant", board.metric[:18], "95 % interval", "fit s", "pred s", "memory", "params", "FLOP"]
    rows = []
    for row in board.rows:
        interval = f"[{number(row.low)}, {number(row.high)}]" if not math.isnan(row.low) else "-"
        costs = row.costs.get
        rows.append(
            [
                "-" if row.rank is None else str(row.rank),
                row.groups,
                row.entrant,
                number(row.mean),
                interval,
                seconds(costs("fit_seconds")),
                seconds(costs("predict_seconds")),
                amount(costs("peak_memory"), "B"),
                amount(costs("parameters")),
                amount(costs("flops")),
                *(["?" if row.front is None else "*" if row.front else ""] if front else []),
            ]
        )
    lines = [title, table(header + front, rows, right=(0, 3, 5, 6, 7, 8, 9))]
    lines += [f"  {row.entrant}: {failure}" for row in board.rows for failure in row.failures]
    lines += textwrap.wrap(
        "Rank: 1 + the number of entrants that are better beyond chance; entrants that share a letter are not told "
        "apart (paired t, Holm over all pairs)."
        + (f" Front: nobody is as good in {board.metric} at less {board.pareto}, by means." if front else ""),
        WIDTH,
    )
    return "\n".join([*lines, *board.notes])


def verdict(found: Verdict, scale: str, *, colour: bool = False) -> str:
    """Return a verdict in plain words: what was tested, what was found, how sure, beside the published figure.

    `scale` is the one at which the paper was verified; scores of the claim that pin another say so themselves.
    """
    claim, test = found.claim, found.test
    rows = [("tested", str(claim.check))]
    if not math.isnan(test.effect):
        rows += [("found", _found(found)), ("how sure", _how_sure(found, scale))]
    if found.reason:
        decided = found.outcome in ("holds", "fails") and not found.broken
        rows.append(("note" if decided else "because", found.reason))
    rows += [("failed", failure) for failure in found.failures[:3]]
    if len(found.failures) > 3:
        rows.append(("", f"and {len(found.failures) - 3} more cells"))
    if claim.published:
        rows.append(("published", claim.published))
    head = f"{paint(found.outcome.upper(), found.outcome, colour)}  {claim.id}"
    return "\n".join([head, *_said(claim.says), *_rows(rows)])


def verification(found: Verification, *, colour: bool = False) -> str:
    """Return the verdicts on a paper with a closing line of counts."""
    paper = found.paper
    counts = [f"{n} {o}" for o in COLOURS if (n := sum(v.outcome == o for v in found.verdicts))]
    where = f"scale {found.scale}, backend {found.backend}, {found.seconds:.1f} s of cells"
    head = f"{paper.title} ({paper.year}{f', arXiv:{paper.arxiv}' if paper.arxiv else ''})"
    parts = [textwrap.fill(head, WIDTH), *(verdict(v, found.scale, colour=colour) for v in found.verdicts)]
    if paper.notes:
        parts.append(textwrap.fill(f"Notes: {' '.join(paper.notes.split())}", WIDTH))
    return "\n\n".join([*parts, textwrap.fill(f"{', '.join(counts)}. {where}.", WIDTH)])


def paper(shown: Mapping[str, Any]) -> str:
    """Return a paper's entrants and claims, as `assay show` has them."""
    lines = [f"{shown['year']}{', arXiv:' + shown['arxiv'] if shown['arxiv'] else ''}"]
    for entrant in shown["entrants"]:
        ablates = f", ablates {entrant['ablates']}" if entrant["ablates"] else ""
        lines.append(f"entrant  {entrant['id']}  ({entrant['task']}{ablates})")
    for claim in shown["claims"]:
        rows = [("checks", claim["check"]), ("refuted by", claim["refuted_by"])]
        rows += [("published", claim["published"])] if claim["published"] else []
        lines += ["", f"claim    {claim['id']}", *_said(claim["says"]), *_rows(rows)]
    return "\n".join(lines)


def recorded(found: Recorded | None, paper: str, *, colour: bool = False) -> str:
    """Return recorded verdicts, one a line, and what changed since."""
    if found is None:
        return f"no verdict is recorded: assay verify {paper} --record"
    content = found.content
    lines = [f"recorded at scale {content['scale']}, backend {content['backend']}, assay {content['assay']}:"]
    rows = [
        [
            paint(claim["verdict"], claim["verdict"], colour),
            claim["id"],
            number(claim["effect"]),
            "-" if claim["interval"] is None else "[{}, {}]".format(*map(number, claim["interval"])),
            str(claim["seeds"]),
        ]
        for claim in content["claims"]
    ]
    lines.append(table(["verdict", "claim", "effect", "interval", "seeds"], rows, right=(2, 4)))
    if found.stale:
        more = f" and {len(found.changed) - 3} more" if len(found.changed) > 3 else ""
        text = f"STALE: {', '.join(found.changed[:3])}{more} changed since. Anew: assay verify {paper} --record"
        lines.append(textwrap.fill(text, WIDTH))
    return "\n".join(lines)


def power(rows: Sequence[Power], share: float) -> str:
    """Return what the seeds run could show, and how many a claim would need."""
    header = ["claim", "verdict", "seeds", "distance", "detectable", "seeds needed"]
    lines = [[r.claim, r.outcome, str(r.seeds), number(r.distance), number(r.detectable), r.needed_text] for r in rows]
    note = (
        "distance: how far the effect lies from the claim's bound (on logarithms for a ratio). detectable: the distance "
        f"that these seeds show with a probability of {share:g}. seeds needed: to show the distance seen; as rough as "
        "the variance seen."
    )
    return "\n".join([table(header, lines, right=(2, 3, 4, 5)), *textwrap.wrap(note, WIDTH)])


def _found(found: Verdict) -> str:
    from assay.expressions import All  # not at the top: `assay list` draws tables and needs no claims

    test = found.test
    text = number(test.effect)
    if not math.isnan(test.low) and test.low != test.high:
        sequential = found.confidence > 1 - ALPHA + 1e-9
        name = "interval, 95 % over all looks" if sequential else "95 % interval"
        text += f", {name} [{number(test.low)}, {number(test.high)}]"
    if isinstance(found.claim.check, All):
        text += " (the part furthest from holding)"
    if not math.isnan(test.standardised):
        side = "past" if test.standardised >= 0 else "short of"
        text += f", {abs(test.standardised):.1f} standard deviations {side} the bound"
    return text


def _how_sure(found: Verdict, scale: str) -> str:
    test = found.test
    seeds = f"{len(found.per_seed)} seed{'s' if len(found.per_seed) != 1 else ''} at scale {scale}"
    if test.certain:
        return f"{test.method}, {seeds}: no chance involved"
    text = f"{test.method}, {seeds}, adjusted p = {number(found.p)} (Holm level {number(found.level)})"
    if not math.isnan(test.permutation):
        text += f"; sign-flip check p = {number(test.permutation)}"
    if found.confidence > 1 - ALPHA + 1e-9:
        text += f"; looked at {', '.join(map(str, found.looks))} seeds"
    return f"{text}; {seconds(found.seconds)} s"


def _said(says: str) -> list[str]:
    return textwrap.wrap(f'"{says}"', WIDTH, initial_indent="  ", subsequent_indent="   ")


def _rows(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Return `name  text` lines with the texts under each other, wrapped at 80 columns."""
    return [
        line
        for name, text in rows
        for line in textwrap.wrap(
            text,
            WIDTH,
            initial_indent=f"  {name:<11}",
            subsequent_indent=" " * 13,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
