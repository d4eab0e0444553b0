"""Everything that the page shows, as plain data made from the store and the recorded verdicts."""

from __future__ import annotations

import contextlib
import datetime
import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import assay
from assay import judged
from assay.catalog import Plugin
from assay.report.arenas import Known, Shared, arenas
from assay.report.papers import papers
from assay.spec import COSTS, Record
from assay.store import Store
from assay.tables import Columns, columns

SCHEMA = 1
"""Version of the form of the data in a page (docs/report.md)."""


@dataclass(frozen=True)
class Sources:
    """What a report is made from: the store's address, further files of verdicts, and the plugins (None: installed)."""

    store: str | None = None
    verdicts: tuple[Path, ...] = ()
    plugins: tuple[Plugin, ...] | None = None
    title: str = "assay report"


def gather(sources: Sources) -> dict[str, Any]:
    """Return the page's data. Reads, imports no plugin; raises AssayError when the store or a file cannot be read."""
    with _uncollected(), Store(sources.store, create=False) as store:
        records = list(store.records(curves=False))
        known = {task: store.metrics(task) for task in {r.cell.task for r in records}}
        told = papers(sources.verdicts, sources.plugins, judged.kept(store))
        return compose(records, known, told, sources.title, dict(store.curves()))


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from going through a million objects that all stay: it takes a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def compose(
    records: Sequence[Record],
    known: Known,
    papers: Sequence[Any],
    title: str,
    curves: Mapping[str, Columns] | None = None,
) -> dict[str, Any]:
    """Return the page's data from what was read. `curves` are by digest; those of the records when None."""
    shared = Shared()
    if curves is None:
        curves = {record.digest: columns(record.curve) for record in records}
    found = arenas(records, known, shared, curves)
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "schema": SCHEMA,
        "title": title,
        "assay": assay.__version__,
        "made": now.isoformat(timespec="seconds"),
        "papers": [{k: v for k, v in paper.items() if v} for paper in papers],
        "arenas": found,
        "superseded": len(records) - sum(len(a["runs"]["entrant"]) for a in found),
        "costs": {name: cost.unit for name, cost in COSTS.items()},
        "environments": [dict(pairs) for pairs in shared.environments.values],
        "reasons": [list(pair) for pair in shared.reasons.values],
    }


def paths(texts: Iterable[str]) -> tuple[Path, ...]:
    """Return the paths that a user named."""
    return tuple(Path(text) for text in texts)
