"""Progress of a run: a live line on a terminal, plain lines in a log, or JSON lines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TextIO

from assay.spec import Cell, Record

Kind = tuple[str, str, str, str, str]


@dataclass(frozen=True)
class Event:
    """What `assay.run(progress=...)` is called with: something happened, and how things stand since.

    `planned` comes once, when it is known what is to run; `started` and `finished` for each cell, `waiting` when the
    cells that are left are being run by another run on the same store. `left` is the estimate of the seconds to go, None
    before anything is known; `record` is there when a cell finished.
    """

    what: Literal["planned", "started", "finished", "waiting"]
    done: int
    total: int
    failed: int
    running: int
    left: float | None
    cell: Cell | None = None
    record: Record | None = None


def kind(cell: Cell) -> Kind:
    """Return what cells have in common that take about as long."""
    return (cell.task, cell.dataset, cell.model, cell.scale, cell.backend)


class Estimate:
    """Seconds that are left, from what cells of the same kind took before; others from the mean of those."""

    def __init__(self, past: Mapping[Kind, float], todo: Mapping[Kind, int], processes: int) -> None:
        self._known = dict(past)
        self._todo = dict(todo)
        self._processes = processes
        self._begin: float | None = None
        self._work = 0.0

    def ended(self, record: Record) -> None:
        """Take note of a cell that ended."""
        if self._begin is None:
            self._begin = time.monotonic() - record.seconds  # the start of the processes does not count
        what = kind(record.cell)
        self._todo[what] -= 1
        self._work += record.seconds
        self._known[what] = 0.5 * self._known.get(what, record.seconds) + 0.5 * record.seconds

    def left(self) -> float | None:
        """Return the seconds to go, None before any duration is known."""
        todo = {what: count for what, count in self._todo.items() if count > 0}
        if not todo:
            return 0.0
        known = [self._known[what] for what in self._todo if what in self._known]
        if not known:
            return None
        typical = sum(known) / len(known)
        work = sum(count * self._known.get(what, typical) for what, count in todo.items())
        return work / self._speed(sum(todo.values()))

    def _speed(self, todo: int) -> float:
        """Return the seconds of cells that are done in one: measured once there is enough of it, else the processes."""
        elapsed = time.monotonic() - self._begin if self._begin is not None else 0.0
        if elapsed > 10 and self._work:
            return self._work / elapsed
        return min(self._processes, todo)


class Progress:
    """Shows events; call it as `assay.run(progress=...)` does. `style` is chosen by the stream when empty."""

    def __init__(self, stream: TextIO | None = None, *, style: Literal["", "live", "plain", "json"] = "") -> None:
        self._stream = stream or sys.stderr
        self._style = style or ("live" if self._stream.isatty() else "plain")
        self._shown = 0.0
        self._gone = False
        self.last: Event | None = None

    def __call__(self, event: Event) -> None:
        """Show an event."""
        self.last = event
        text = {"live": self._live, "plain": self._plain, "json": self._json}[self._style](event)
        if text and not self._gone:
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):  # whoever read it has gone (`2>&1 | head`): the run goes on without
                self._gone = True

    def _live(self, event: Event) -> str:
        over, record, now = event.done == event.total, event.record, time.monotonic()
        if not over and not (record and record.reason) and now - self._shown < 0.05:
            return ""  # a terminal that is far away should not slow the run down
        self._shown = now
        above = f"\r\x1b[K{record.cell}: {record.reason}\n" if record and not record.ok else ""
        return f"{above}\r\x1b[K{self._state(event):.110}" + ("\n" if over and event.total else "")

    def _state(self, event: Event) -> str:
        failed = f", {event.failed} failed" if event.failed else ""
        running = f", {event.running} running" if event.running > 1 else ""
        left = f", about {duration(event.left)} left" if event.left else ""
        wait = ", the rest is run by another run" if event.what == "waiting" else ""
        return f"{event.done}/{event.total} cells{failed}{running}{left}{wait}  {event.cell or ''}"

    def _plain(self, event: Event) -> str:
        if event.what == "waiting":
            return f"{event.done}/{event.total} waiting for cells that another run is at\n"
        record = event.record
        if record is None:
            return ""
        state = "ok" if record.ok else record.reason
        left = f", about {duration(event.left)} left" if event.left else ""
        return f"{event.done}/{event.total} {record.cell}: {state} ({record.seconds:.2f} s{left})\n"

    def _json(self, event: Event) -> str:
        cell = event.cell
        row: dict[str, object] = {
            "event": event.what,
            "done": event.done,
            "total": event.total,
            "failed": event.failed,
            "running": event.running,
            "seconds_left": None if event.left is None else round(event.left, 1),
        }
        if cell:
            row["cell"] = str(cell)
        if event.record:
            row |= {"seconds": event.record.seconds, "reason": event.record.reason, "digest": event.record.digest}
        return json.dumps(row) + "\n"


def duration(seconds: float) -> str:
    """Return seconds as a person says them.

    >>> duration(42.3), duration(150), duration(7300)
    ('43 s', '2 min 30 s', '2 h 2 min')
    """
    whole = int(seconds) + (seconds > int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
