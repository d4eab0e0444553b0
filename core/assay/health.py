"""Whether a store is sound, for `assay doctor`."""

from __future__ import annotations

import sqlalchemy as sa

from assay.store import Store
from assay.tables import RECORDS


def failures(store: Store) -> int:
    """Return how many records are of cells that failed."""
    query = sa.select(sa.func.count()).select_from(RECORDS).where(RECORDS.c.reason != "")
    return store.transaction(lambda connection: int(connection.execute(query).scalar_one()))


def damage(store: Store) -> list[str]:
    """Return what is wrong with the file of a SQLite store, nothing when it is sound; a server sees to its own.

    Raises RunError when so much is wrong that it cannot be looked at.
    """
    if store.dialect != "sqlite":
        return []

    def look(connection: sa.Connection) -> list[str]:
        structure = [text for (text,) in connection.exec_driver_sql("PRAGMA integrity_check(3)") if text != "ok"]
        orphans = list(connection.exec_driver_sql("PRAGMA foreign_key_check"))
        return structure + [
            f"row {row[1]} of {row[0]} names a row of {row[2]} that is not there" for row in orphans[:3]
        ]

    return store.transaction(look)
