"""The one error that assay raises on purpose: it says what was wrong, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AssayError(Exception):
    """Bad input or a bad surrounding. The command line prints its text and exits with `status`."""

    status = 2


class RunError(AssayError):
    """Something that a run needs broke while it went on. What was stored is safe."""

    status = 1


def unknown(kind: str, name: str, known: Iterable[str], *, hint: str = "") -> AssayError:
    """Return an error for an id that does not exist, with the nearest known ids and a hint.

    >>> str(unknown("paper", "deepsets", ["deep-sets", "pointnet"]))
    "unknown paper 'deepsets'; did you mean 'deep-sets'?"
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        tail = "did you mean " + " or ".join(repr(n) for n in near) + "?"
    elif names:
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        tail = f"known: {shown}"
    else:
        tail = "none is installed"
    return AssayError(f"unknown {kind} {name!r}; {tail}{' ' + hint if hint else ''}")
