"""Progress of a run: a live line on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from assay.spec import Record


class Progress:
    """Counts cells as they end; call it as `assay.run(progress=...)` does."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._quiet = quiet
        self._start = time.monotonic()
        self.done = self.total = self.failed = 0

    def __call__(self, done: int, total: int, record: Record | None) -> None:
        """Take note of a cell that ended, or of the start of a run when there is none."""
        self.done, self.total = done, total
        if record is None:
            self._start, self.failed = time.monotonic(), 0
            return
        if not record.ok:
            self.failed += 1
        if self._quiet:
            return
        failed = f", {self.failed} failed" if self.failed else ""
        left = (time.monotonic() - self._start) / done * (total - done)
        if self._live:
            line = f"{done}/{total} cells{failed}, about {left:.0f} s left  {record.cell}"
            self._stream.write("\r\x1b[K" + line[:100] + ("\n" if done == total else ""))
        else:
            state = "ok" if record.ok else record.reason
            self._stream.write(f"{done}/{total} {record.cell}: {state} ({record.seconds:.2f} s)\n")
        self._stream.flush()
