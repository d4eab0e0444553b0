"""Verdicts that a store keeps: what `assay verify` found last on each paper, at each scale and on each backend.

The report shows them where nothing is recorded beside the plugin, without importing it to judge anew.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from assay.store import Store
from assay.tables import VERDICTS, insert


def keep(store: Store, content: Mapping[str, Any]) -> None:
    """Keep a verification as data (`assay.recording.as_dict`) in place of the last one at its scale and backend."""
    told = {"content": json.dumps(content), "finished": time.time()}
    key = {name: content[name] for name in ("paper", "scale", "backend")}
    statement = insert(store.dialect, VERDICTS).values(**key, **told)
    store.execute(statement.on_conflict_do_update(index_elements=list(key), set_=told))


def kept(store: Store) -> list[dict[str, Any]]:
    """Return the verifications that a store keeps, oldest first, each with the moment `finished` (seconds since 1970)."""
    query = sa.select(VERDICTS.c.content, VERDICTS.c.finished).order_by(VERDICTS.c.finished)
    rows = store.transaction(lambda connection: list(connection.execute(query).all()))
    return [{**json.loads(row.content), "finished": row.finished} for row in rows]
