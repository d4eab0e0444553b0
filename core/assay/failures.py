"""What is kept of a failure: texts that help, short enough to store."""

from __future__ import annotations

import os
import traceback


class DataError(Exception):
    """A data set that cannot be loaded."""


class CannotRun(Exception):
    """Raised by a backend for an entrant that it cannot run; the text says why."""


CANNOT = "cannot run on"
"""With these words begins the reason of a cell that its backend could not run."""


def shortened(text: str, limit: int = 1000) -> str:
    """Return a text of at most `limit` characters, without what a database cannot keep."""
    text = text.replace("\0", "")
    return text if len(text) <= limit else text[: limit - 3] + "..."


def joined(detail: str, output: str) -> str:
    """Return what is kept of a failure: the traceback or stack, then the last lines that it printed."""
    parts = [detail, f"last output:\n{output.strip()}" if output.strip() else ""]
    return shortened("\n\n".join(part.strip() for part in parts if part.strip()), 8000)


def short_traceback(error: BaseException, frames: int = 6) -> str:
    """Return the innermost frames of a traceback and the error, without the frames of assay itself."""
    error = error.__cause__ if isinstance(error, DataError) and error.__cause__ else error
    own = f"{os.sep}assay{os.sep}"
    stack = [f for f in traceback.extract_tb(error.__traceback__) if own not in f.filename]
    shown = traceback.format_exception_only(type(error), error)
    return "".join([*traceback.format_list(stack[-frames:]), *shown]).rstrip()[-4000:]
