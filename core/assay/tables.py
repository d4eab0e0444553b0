"""The tables of a store, and records as their rows."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

import sqlalchemy as sa

from assay.spec import Cell, Record, freeze

VERSION = 3
"""Version of the tables; a store of a newer one is refused, an older one migrated."""

Columns = dict[str, list[float | None]]
"""A learning curve by what was logged, `step` among it."""

META = sa.MetaData()
SCHEMA = sa.Table("assay_schema", META, sa.Column("version", sa.Integer, nullable=False))
ENVIRONMENTS = sa.Table(
    "environments",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("content", sa.Text, nullable=False, unique=True),
)
RECORDS = sa.Table(
    "records",
    META,
    sa.Column("digest", sa.String(32), primary_key=True),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("params", sa.Text, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("scale", sa.Text, nullable=False),
    sa.Column("backend", sa.Text, nullable=False),
    sa.Column("source", sa.Text),
    sa.Column("metrics", sa.Text, nullable=False),
    sa.Column("costs", sa.Text, nullable=False),
    sa.Column("curve", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("finished", sa.Float, nullable=False),
    sa.Column("environment", sa.Integer, sa.ForeignKey("environments.id"), nullable=False),
    sa.Column("protocol", sa.String(32), nullable=False),
    sa.Index("records_by_task", "task", "scale"),
)
METRICS = sa.Table(
    "metrics",
    META,
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("metric", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
)
LEASES = sa.Table(
    "leases",
    META,
    sa.Column("digest", sa.String(32), primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("expires", sa.Float, nullable=False),
)
VERDICTS = sa.Table(
    "verdicts",
    META,
    sa.Column("paper", sa.Text, primary_key=True),
    sa.Column("scale", sa.Text, primary_key=True),
    sa.Column("backend", sa.Text, primary_key=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("finished", sa.Float, nullable=False),
)
END_LEASE = LEASES.delete().where(LEASES.c.digest == sa.bindparam("ended"))
"""Ends the lease on the cell `ended`."""


def insert(dialect: str, table: sa.Table) -> Any:
    """Return an insert of the database's own kind, which can say what to do about a row that is there already."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


@functools.cache
def put_record(dialect: str) -> Any:
    """Return the statement that writes a record in place of one with the same digest."""
    statement = insert(dialect, RECORDS)
    replaced = {c.name: statement.excluded[c.name] for c in RECORDS.c if not c.primary_key}
    return statement.on_conflict_do_update(index_elements=["digest"], set_=replaced)


def row_of(record: Record, environment: int) -> dict[str, Any]:
    """Return a record as a row, with the id of its environment's row."""
    cell = record.cell
    return {
        "digest": record.digest,
        "task": cell.task,
        "dataset": cell.dataset,
        "model": cell.model,
        "params": json.dumps(dict(cell.params), sort_keys=True),
        "seed": cell.seed,
        "scale": cell.scale,
        "backend": cell.backend,
        "source": cell.source,
        "metrics": json.dumps(dict(record.metrics)),
        "costs": json.dumps(dict(record.costs)),
        "curve": json.dumps(columns(record.curve)),
        "reason": record.reason,
        "detail": record.detail,
        "seconds": record.seconds,
        "finished": record.finished,
        "environment": environment,
        "protocol": record.protocol,
    }


def record_of(row: Any) -> Record:
    """Return the record of a row joined with its environment's content."""
    kept = f"[{row['params']},{row['metrics']},{row['costs']},{row['curve']}]"  # one call for four
    named, metrics, costs, curve = json.loads(kept)
    params = freeze({name: _hashable(value) for name, value in named.items()})
    cell = Cell(
        row["task"], row["dataset"], row["model"], params, row["seed"], row["scale"], row["backend"], row["source"]
    )
    return Record(
        cell,
        row["digest"],
        metrics,
        costs,
        points(curve) if isinstance(curve, dict) else tuple(curve),  # before version 3: the points themselves
        row["reason"],
        row["detail"],
        row["seconds"],
        dict(_environment(row["content"])),
        row["finished"],
        row["protocol"],
    )


def columns(curve: Iterable[Mapping[str, float]]) -> Columns:
    """Return what was logged by name, a value a point, None where a point lacks it: a third of the text to parse."""
    logged = list(curve)
    return {name: [point.get(name) for point in logged] for name in dict.fromkeys(chain.from_iterable(logged))}


def points(curve: Columns) -> tuple[dict[str, float], ...]:
    """Return the points again of a curve by columns."""
    rows = zip(*curve.values(), strict=True)
    return tuple({name: v for name, v in zip(curve, row, strict=True) if v is not None} for row in rows)


@functools.lru_cache(maxsize=256)
def _environment(content: str) -> dict[str, str]:
    """Return an environment, parsed once: thousands of records share one."""
    found: dict[str, str] = json.loads(content)
    return found


def _hashable(value: Any) -> Any:
    return tuple(_hashable(v) for v in value) if isinstance(value, list) else value
