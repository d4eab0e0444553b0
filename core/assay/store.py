"""Records in a database, by SQLAlchemy URL: SQLite in WAL mode unless told otherwise, PostgreSQL for many hosts.

A record is written whole, in one transaction, as soon as its cell ends; a cell that runs again replaces its record.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from assay.errors import AssayError, RunError
from assay.spec import Cell, Metric, Record
from assay.tables import (
    END_LEASE,
    ENVIRONMENTS,
    META,
    METRICS,
    RECORDS,
    SCHEMA,
    VERDICTS,
    VERSION,
    Columns,
    columns,
    put_record,
    record_of,
    row_of,
)
from assay.tables import insert as insert_into

T = TypeVar("T")
CHUNK = 500
"""Digests a query: below every database's limit on parameters."""
BUSY_SECONDS = 30.0
"""How long a write waits for another program that holds the database."""
RECONNECT_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Pauses before a lost connection to a server is made anew."""


def default_url() -> str:
    """Return the store's address: the environment variable ASSAY_STORE, else `.assay/records.db` in this folder."""
    return os.environ.get("ASSAY_STORE") or ".assay/records.db"


class Store:
    """An open store. Use it as a context manager, or call `close`.

    `address` is a path (SQLite) or a SQLAlchemy URL. Raises AssayError when it cannot be opened or is of a newer schema,
    RunError when it breaks later.
    """

    def __init__(self, address: str | os.PathLike[str] | None = None, *, create: bool = True) -> None:
        self.address = str(address or default_url())
        self.exists = True
        url = _with_driver(self.address) if "://" in self.address else self._sqlite(create)
        try:
            self._engine = sa.create_engine(url)
            if self.dialect == "sqlite":
                sa.event.listen(self._engine, "connect", _tune_sqlite)
            self._connection = self._engine.connect()
            self._prepare()
        except sa.exc.SQLAlchemyError as error:
            raise AssayError(f"cannot open the store {self.shown}: {_cause(error)}") from error
        except ModuleNotFoundError as error:
            hint = ": pip install 'assay[postgresql]'" if "psycopg" in str(error.name) else ""
            raise AssayError(f"the store {self.shown} needs the driver {error.name}, not installed{hint}") from error
        self._environment_ids: dict[str, int] = {}

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @property
    def shown(self) -> str:
        """The address without a password."""
        return str(sa.make_url(self.address)) if "://" in self.address else self.address

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
        """Make or migrate the tables, one program at a time."""
        with self._connection.begin():
            if not sa.inspect(self._connection).has_table(SCHEMA.name) or self._version() < VERSION:
                if self.dialect == "postgresql":
                    self._connection.execute(sa.text("SELECT pg_advisory_xact_lock(4153534159)"))
                elif not self._connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
                    self._connection.exec_driver_sql("BEGIN IMMEDIATE")
                META.create_all(self._connection)  # version 2 added the leases, 3 the verdicts
                self._connection.execute(SCHEMA.delete())
                self._connection.execute(SCHEMA.insert().values(version=VERSION))
            version = self._version()
        if version > VERSION:
            raise AssayError(
                f"the store {self.shown} has schema {version}, this assay knows up to {VERSION}: upgrade assay, "
                "or name another store by --store"
            )

    def _version(self) -> int:
        return int(self._connection.execute(sa.select(SCHEMA.c.version)).scalar_one())

    def transaction(self, work: Callable[[sa.Connection], T]) -> T:
        """Do some work in one transaction; once more on a new connection when the server's was lost. Raise RunError."""
        pauses = iter(RECONNECT_SECONDS)
        while True:
            try:
                with self._connection.begin():
                    return work(self._connection)
            except sa.exc.SQLAlchemyError as error:
                lost = isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
                pause = next(pauses, None) if lost else None
                if pause is None:
                    raise RunError(
                        f"the store {self.shown} cannot be used: {_cause(error)}. What was stored before is safe; "
                        "when this is mended, the same command goes on from there"
                    ) from error
                time.sleep(pause)
                self._connection.close()
                self._connection = self._reconnected()

    def _reconnected(self) -> sa.Connection:
        try:
            return self._engine.connect()
        except sa.exc.SQLAlchemyError:
            return self._connection  # closed: its next use fails, and the next pause follows

    def execute(self, statement: Any) -> None:
        """Execute a statement in a transaction of its own."""
        self.transaction(lambda connection: connection.execute(statement))

    def put(self, record: Record) -> None:
        """Write a record durably, in place of one with the same digest, and end the lease on its cell."""
        row = row_of(record, self._environment_id(record.environment))
        write = put_record(self.dialect)

        def work(connection: sa.Connection) -> None:
            connection.execute(write, row)
            connection.execute(END_LEASE, {"ended": record.digest})

        self.transaction(work)

    def describe(self, task: str, metrics: Iterable[Metric]) -> None:
        """Keep what a task's metrics mean, so that records can be read where no plugin is installed."""
        rows = [
            {"task": task, "metric": m.id, "position": i, "direction": m.direction, "unit": m.unit}
            for i, m in enumerate(metrics)
        ]
        statement = insert_into(self.dialect, METRICS)
        replaced = {name: statement.excluded[name] for name in ("position", "direction", "unit")}
        upsert = statement.on_conflict_do_update(index_elements=["task", "metric"], set_=replaced)
        stale = METRICS.delete().where(METRICS.c.task == task, METRICS.c.metric.not_in([row["metric"] for row in rows]))

        def work(connection: sa.Connection) -> None:
            connection.execute(stale)
            if rows:
                connection.execute(upsert, rows)

        self.transaction(work)

    def metrics(self, task: str) -> dict[str, tuple[str, str]]:
        """Return (direction, unit) by metric of a task, in the task's order, which puts its main metric first."""
        query = sa.select(METRICS).where(METRICS.c.task == task).order_by(METRICS.c.position)
        return {row.metric: (row.direction, row.unit) for row in self._read(query)}

    def _environment_id(self, environment: Mapping[str, str]) -> int:
        content = json.dumps(dict(environment), sort_keys=True)
        if content not in self._environment_ids:
            add = insert_into(self.dialect, ENVIRONMENTS).on_conflict_do_nothing()
            find = sa.select(ENVIRONMENTS.c.id).where(ENVIRONMENTS.c.content == content)

            def work(connection: sa.Connection) -> int:
                connection.execute(add, {"content": content})
                return int(connection.execute(find).scalar_one())

            self._environment_ids[content] = self.transaction(work)
        return self._environment_ids[content]

    def ends(self, digests: Iterable[str]) -> dict[str, tuple[float, bool]]:
        """Return, for those of the digests that have a record, when the cell ended and whether it succeeded."""
        query = sa.select(RECORDS.c.digest, RECORDS.c.finished, RECORDS.c.reason)
        return {row.digest: (row.finished, not row.reason) for row in self._by_digest(query, digests)}

    def get(self, digests: Iterable[str]) -> dict[str, Record]:
        """Return the records of the digests that are stored, failed ones included."""
        rows = self._by_digest(sa.select(RECORDS, ENVIRONMENTS.c.content).join(ENVIRONMENTS), digests)
        return {row.digest: record_of(row._mapping) for row in rows}

    def durations(self, cells: Iterable[Cell]) -> dict[tuple[str, str, str, str, str], float]:
        """Return the mean seconds of past cells by (task, dataset, model, scale, backend), for those cells' tasks."""
        key = (RECORDS.c.task, RECORDS.c.dataset, RECORDS.c.model, RECORDS.c.scale, RECORDS.c.backend)
        tasks = sorted({cell.task for cell in cells})
        query = sa.select(*key, sa.func.avg(RECORDS.c.seconds)).where(RECORDS.c.reason == "", RECORDS.c.task.in_(tasks))
        return {tuple(row[:5]): float(row[5]) for row in self._read(query.group_by(*key))}

    def records(self, *, curves: bool = True, **equal: Any) -> Iterator[Record]:
        """Yield records whose columns equal what is given (`task=...`, `scale=...`), oldest first.

        Without `curves` theirs are empty, which takes half of the time.
        """
        conditions = (RECORDS.c[name] == value for name, value in equal.items() if value is not None)
        read = [c if curves or c.name != "curve" else sa.literal("[]").label("curve") for c in RECORDS.c]
        query = sa.select(*read, ENVIRONMENTS.c.content).join(ENVIRONMENTS).where(*conditions)
        for row in self._read(query.order_by(RECORDS.c.finished)):
            yield record_of(row._mapping)

    def curves(self) -> Iterator[tuple[str, Columns]]:
        """Yield the digest and the learning curve of each record, by columns."""
        for digest, curve in self._read(sa.select(RECORDS.c.digest, RECORDS.c.curve)):
            found = json.loads(curve)
            yield digest, found if isinstance(found, dict) else columns(found)

    def _by_digest(self, query: Any, digests: Iterable[str]) -> Iterator[Any]:
        wanted = list(digests)
        for i in range(0, len(wanted), CHUNK):
            yield from self._read(query.where(RECORDS.c.digest.in_(wanted[i : i + CHUNK])))

    def _read(self, query: Any) -> list[Any]:
        return self.transaction(lambda connection: list(connection.execute(query).all()))

    def __len__(self) -> int:
        return int(self._read(sa.select(sa.func.count()).select_from(RECORDS))[0][0])

    def stamp(self) -> str:
        """Return a text that changes whenever a record or a verdict is written."""
        ends = (sa.select(sa.func.count(), sa.func.max(table.c.finished)) for table in (RECORDS, VERDICTS))
        return "-".join(str(value) for query in ends for value in self._read(query)[0])

    def close(self) -> None:
        """Close the connection. What was put is on disk already."""
        self._connection.close()
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _with_driver(url: str) -> str:
    """Return a URL in which PostgreSQL has the driver that assay installs."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in ("postgresql", "postgres") else url


def _cause(error: Exception) -> object:
    return getattr(error, "orig", None) or error


def _tune_sqlite(connection: Any, _: Any) -> None:
    """Readers and one writer do not block each other, and a write survives the death of the process at any moment."""
    for pragma in (f"busy_timeout={int(BUSY_SECONDS * 1000)}", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:  # SQLite does not wait, as it does elsewhere, to enter WAL mode
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
