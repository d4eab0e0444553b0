"""Records in a database, by SQLAlchemy URL: SQLite in WAL mode unless told otherwise.

A record is written whole, in one transaction, as soon as its cell ends; a cell that runs again replaces its record.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from assay.errors import AssayError
from assay.spec import Cell, Metric, Record, freeze

VERSION = 1
"""Version of the tables; a store of a newer one is refused, an older one migrated."""

_meta = sa.MetaData()
_schema = sa.Table("assay_schema", _meta, sa.Column("version", sa.Integer, nullable=False))
_environments = sa.Table(
    "environments",
    _meta,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("content", sa.Text, nullable=False, unique=True),
)
_records = sa.Table(
    "records",
    _meta,
    sa.Column("digest", sa.String(32), primary_key=True),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("params", sa.Text, nullable=False),
    sa.Column("seed", sa.Integer, nullable=False),
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
_metrics = sa.Table(
    "metrics",
    _meta,
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("metric", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
)
CHUNK = 500
"""Digests a query: below every database's limit on parameters."""


def default_url() -> str:
    """Return the store's address: the environment variable ASSAY_STORE, else `.assay/records.db` in this folder."""
    return os.environ.get("ASSAY_STORE") or ".assay/records.db"


class Store:
    """An open store. Use it as a context manager, or call `close`.

    `address` is a path (SQLite) or a SQLAlchemy URL. Raises AssayError when it cannot be opened or is of a newer schema.
    """

    def __init__(self, address: str | os.PathLike[str] | None = None, *, create: bool = True) -> None:
        self.address = str(address or default_url())
        self.exists = True
        url = self.address if "://" in self.address else self._sqlite(create)
        try:
            self._engine = sa.create_engine(url)
            if self._engine.dialect.name == "sqlite":
                sa.event.listen(self._engine, "connect", _tune_sqlite)
            self._connection = self._engine.connect()
            self._prepare()
        except sa.exc.SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise AssayError(f"cannot open the store {self.address}: {cause}") from error
        except ModuleNotFoundError as error:
            raise AssayError(f"the store {self.address} needs a driver that is not installed: {error.name}") from error
        self._environment_ids: dict[str, int] = {}

    def _sqlite(self, create: bool) -> str:
        path = Path(self.address)
        self.exists = path.exists()
        if not self.exists and not create:
            return "sqlite://"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AssayError(
                f"cannot open the store {self.address}: {error.strerror}; name another by --store"
            ) from error
        return f"sqlite:///{path}"

    def _prepare(self) -> None:
        with self._connection.begin():
            if not sa.inspect(self._connection).has_table(_schema.name):
                _meta.create_all(self._connection)
                self._connection.execute(_schema.insert().values(version=VERSION))
            version = self._connection.execute(sa.select(_schema.c.version)).scalar_one()
        if version > VERSION:
            raise AssayError(
                f"the store {self.address} has schema {version}, this assay knows up to {VERSION}: upgrade assay, "
                "or name another store by --store"
            )

    def put(self, record: Record) -> None:
        """Write a record durably, in place of one with the same digest."""
        row = _row(record, self._environment_id(record.environment))
        statement = _upsert(self._engine.dialect.name)
        with self._connection.begin():
            self._connection.execute(statement, row)

    def describe(self, task: str, metrics: Iterable[Metric]) -> None:
        """Keep what a task's metrics mean, so that records can be read where no plugin is installed."""
        rows = [
            {"task": task, "metric": m.id, "position": i, "direction": m.direction, "unit": m.unit}
            for i, m in enumerate(metrics)
        ]
        with self._connection.begin():
            self._connection.execute(_metrics.delete().where(_metrics.c.task == task))
            self._connection.execute(_metrics.insert(), rows)

    def metrics(self, task: str) -> dict[str, tuple[str, str]]:
        """Return (direction, unit) by metric of a task, in the task's order, which puts its main metric first."""
        query = sa.select(_metrics).where(_metrics.c.task == task).order_by(_metrics.c.position)
        with self._connection.begin():
            return {row.metric: (row.direction, row.unit) for row in self._connection.execute(query)}

    def _environment_id(self, environment: Mapping[str, str]) -> int:
        content = json.dumps(dict(environment), sort_keys=True)
        if content not in self._environment_ids:
            find = sa.select(_environments.c.id).where(_environments.c.content == content)
            with self._connection.begin():
                found = self._connection.execute(find).scalar()
                if found is None:
                    self._connection.execute(
                        _insert(self._engine.dialect.name, _environments).on_conflict_do_nothing(), {"content": content}
                    )
                    found = self._connection.execute(find).scalar_one()
            self._environment_ids[content] = found
        return self._environment_ids[content]

    def finished(self, digests: Iterable[str]) -> set[str]:
        """Return those of the digests whose cells succeeded."""
        wanted = list(digests)
        done: set[str] = set()
        with self._connection.begin():
            for i in range(0, len(wanted), CHUNK):
                query = sa.select(_records.c.digest).where(
                    _records.c.digest.in_(wanted[i : i + CHUNK]), _records.c.reason == ""
                )
                done.update(self._connection.execute(query).scalars())
        return done

    def get(self, digests: Iterable[str]) -> dict[str, Record]:
        """Return the records of the digests that are stored, failed ones included."""
        wanted = list(digests)
        found: dict[str, Record] = {}
        for i in range(0, len(wanted), CHUNK):
            found.update((r.digest, r) for r in self._select(_records.c.digest.in_(wanted[i : i + CHUNK])))
        return found

    def records(self, **equal: Any) -> Iterator[Record]:
        """Yield records whose columns equal what is given (`task=...`, `scale=...`), oldest first."""
        yield from self._select(*(_records.c[name] == value for name, value in equal.items() if value is not None))

    def _select(self, *conditions: Any) -> Iterator[Record]:
        query = (
            sa.select(_records, _environments.c.content)
            .join(_environments)
            .where(*conditions)
            .order_by(_records.c.finished)
        )
        with self._connection.begin():
            rows = self._connection.execute(query).mappings().all()
        yield from map(_record, rows)

    def __len__(self) -> int:
        with self._connection.begin():
            return int(self._connection.execute(sa.select(sa.func.count()).select_from(_records)).scalar_one())

    def stamp(self) -> str:
        """Return a text that changes whenever a record is written."""
        with self._connection.begin():
            query = sa.select(sa.func.count(), sa.func.max(_records.c.finished))
            return " ".join(map(str, self._connection.execute(query).one()))

    def close(self) -> None:
        """Close the connection. What was put is on disk already."""
        self._connection.close()
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _tune_sqlite(connection: Any, _: Any) -> None:
    """Readers and one writer do not block each other, and a write survives the death of the process at any moment."""
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _insert(dialect: str, table: sa.Table) -> Any:
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def _upsert(dialect: str) -> Any:
    insert = _insert(dialect, _records)
    replaced = {c.name: insert.excluded[c.name] for c in _records.c if not c.primary_key}
    return insert.on_conflict_do_update(index_elements=["digest"], set_=replaced)


def _row(record: Record, environment: int) -> dict[str, Any]:
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
        "curve": json.dumps([dict(point) for point in record.curve]),
        "reason": record.reason,
        "detail": record.detail,
        "seconds": record.seconds,
        "finished": record.finished,
        "environment": environment,
        "protocol": record.protocol,
    }


def _record(row: Any) -> Record:
    params = freeze({name: _hashable(value) for name, value in json.loads(row["params"]).items()})
    cell = Cell(
        row["task"], row["dataset"], row["model"], params, row["seed"], row["scale"], row["backend"], row["source"]
    )
    return Record(
        cell,
        row["digest"],
        json.loads(row["metrics"]),
        json.loads(row["costs"]),
        tuple(json.loads(row["curve"])),
        row["reason"],
        row["detail"],
        row["seconds"],
        json.loads(row["content"]),
        row["finished"],
        row["protocol"],
    )


def _hashable(value: Any) -> Any:
    return tuple(_hashable(v) for v in value) if isinstance(value, list) else value
