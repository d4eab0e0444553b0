"""Changes as lines of text and as plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from assay.tracking.judging import ALPHA, Change

SCALES = {"seconds": ((1, "s"), (1e-3, "ms"), (1e-6, "us")), "bytes": ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))}


def text(changes: Sequence[Change], subjects: dict[str, str]) -> str:
    """Return changes grouped by commit, and in it by paper and quantity; what one round cannot tell comes last."""
    lines = []
    sure = [change for change in changes if change.sure]
    for commit in dict.fromkeys(change.commit for change in sure):
        lines.append(f"{commit[:10]} {subjects.get(commit, '')}".rstrip())
        here = [change for change in sure if change.commit == commit]
        for paper, name in dict.fromkeys((change.track.paper, change.track.name) for change in here):
            same = [change for change in here if (change.track.paper, change.track.name) == (paper, name)]
            lines.append(f"  {_line(same)}")
    if not sure:
        lines.append("nothing is worse beyond chance")
    open_ = [change for change in changes if not change.sure]
    if open_:
        lines.append(f"{len(open_)} more may be worse, but one round cannot tell: assay track run --rounds 3")
        lines += [f"  {_line([change])}" for change in open_[:10]]
    if any(change.doubt > 0 for change in sure):
        lines.append(f"(chance: that a report like this has the line though nothing changed; shown below {ALPHA:g})")
    return "\n".join(lines)


def _line(same: Sequence[Change]) -> str:
    """Return one line for changes of one quantity of one paper, the surest and largest told in full."""
    worst = min(same, key=lambda c: (c.doubt, -(c.after if c.after is not None else math.inf) / (c.before or 1)))
    track = worst.track
    where = f"{track.entrant} on {track.dataset}" if track.dataset else track.entrant
    more = f" and {len(same) - 1} more" if len(same) > 1 else ""
    if worst.after is None:
        return f"{track.paper}: {track.name} fails since (was {quantity(worst.before, track.unit)}), {where}{more}"
    ratio = f" ({worst.after / worst.before:.2f}x)" if worst.before > 0 else ""
    values = f"{quantity(worst.before, track.unit)} -> {quantity(worst.after, track.unit)}{ratio}"
    return f"{track.paper}: {track.name} {values}, {certainty(worst)}, {where}{more}"


def certainty(change: Change) -> str:
    """Return how sure a change is, in words."""
    if math.isnan(change.doubt):
        return "unsure"
    return "certain" if change.doubt == 0 else f"chance {change.doubt:.1g}"


def quantity(value: float, unit: str) -> str:
    """Return a value with its unit: `120 ms`, `18 MiB`, `0.31`."""
    for size, name in SCALES.get(unit, ()):
        if value >= size:
            return f"{value / size:.3g} {name}"
    return f"{value:.4g}"


def data(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return changes as JSON takes them; `doubt` is null where one round cannot tell."""
    return [
        {
            "commit": change.commit,
            "previous": change.previous,
            "paper": change.track.paper,
            "entrant": change.track.entrant,
            "dataset": change.track.dataset,
            "track": change.track.name,
            "benchmark": change.track.benchmark,
            "environment": change.track.environment,
            "unit": change.track.unit,
            "before": change.before,
            "after": change.after,
            "doubt": None if math.isnan(change.doubt) else change.doubt,
            "alarm": change.sure,
        }
        for change in changes
    ]
