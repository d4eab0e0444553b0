"""assay puts research papers to the test: entrants in arenas, executable claims, verdicts with intervals."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
API = 1
"""Version of what plugins program against: raised when a plugin written for the last one would no longer work."""

if TYPE_CHECKING:
    from assay.api import compare, records, run, verify
    from assay.claims import Claim, score, slope, trend, within, worst
    from assay.context import Context
    from assay.errors import AssayError
    from assay.executors import Executor
    from assay.failures import CannotRun
    from assay.hooks import hookimpl
    from assay.spec import Backend, Dataset, Entrant, Metric, Model, Paper, Probe, Schema, Suite, Task

_HOMES = {
    "assay.api": ("compare", "records", "run", "verify"),
    "assay.claims": ("Claim", "score", "slope", "trend", "within", "worst"),
    "assay.context": ("Context",),
    "assay.errors": ("AssayError",),
    "assay.executors": ("Executor",),
    "assay.failures": ("CannotRun",),
    "assay.hooks": ("hookimpl",),
    "assay.spec": ("Backend", "Dataset", "Entrant", "Metric", "Model", "Paper", "Probe", "Schema", "Suite", "Task"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AssayError",
    "Backend",
    "CannotRun",
    "Claim",
    "Context",
    "Dataset",
    "Entrant",
    "Executor",
    "Metric",
    "Model",
    "Paper",
    "Probe",
    "Schema",
    "Suite",
    "Task",
    "compare",
    "hookimpl",
    "records",
    "run",
    "score",
    "slope",
    "trend",
    "verify",
    "within",
    "worst",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `assay --help` and `assay list` stay fast."""
    if name not in _HOME:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
