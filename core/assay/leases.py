"""Leases on cells, so that several runs on one store share the work and none runs what another is running.

A lease is a row that says who runs a cell and until when that holds; its owner renews it while it lives. One that has
run out, or whose owner on this host is dead, is void, so that nothing waits for a run that was killed.
"""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from assay.errors import RunError
from assay.store import Store
from assay.tables import LEASES, insert

SECONDS = 60.0
"""How long a lease holds when it is not renewed."""


class Leases:
    """The leases of one run: a context manager that renews them while it is open, and gives them back at the end."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._owner = f"{_place()}/{os.getpid()}/{_birth(os.getpid())}/{uuid.uuid4().hex[:8]}"
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="assay-leases", daemon=True)

    def __enter__(self) -> Leases:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        self._thread.join()
        self._store.execute(LEASES.delete().where(LEASES.c.owner == self._owner))

    def take(self, digests: Iterable[str]) -> set[str]:
        """Lease those of the digests that no other run holds; return them."""
        wanted = sorted(digests)  # in one order, so that two runs cannot wait for each other
        others = sa.select(LEASES.c.owner).where(LEASES.c.owner != self._owner).distinct()
        now = _now(self._store)

        def work(connection: sa.Connection) -> set[str]:
            void = LEASES.delete().where(LEASES.c.owner.in_(dead))
            taken = {"owner": self._owner, "expires": now + SECONDS}
            ask: Any = insert(self._store.dialect, LEASES).values(digest=sa.bindparam("leased"), **taken)
            connection.execute(void)
            connection.execute(
                ask.on_conflict_do_update(index_elements=["digest"], set_=taken, where=LEASES.c.expires < now),
                [{"leased": digest} for digest in wanted],
            )
            mine = sa.select(LEASES.c.digest).where(LEASES.c.owner == self._owner, LEASES.c.digest.in_(wanted))
            return set(connection.execute(mine).scalars())

        owners: list[str] = self._store.transaction(lambda c: list(c.execute(others).scalars()))
        dead = [owner for owner in owners if _dead(owner)]
        return self._store.transaction(work) if wanted else set()

    def release(self, digests: Iterable[str]) -> None:
        """Give leases back whose cells are not to be run."""
        given = list(digests)
        if given:
            mine = LEASES.delete().where(LEASES.c.owner == self._owner, LEASES.c.digest.in_(given))
            self._store.execute(mine)

    def _renew(self) -> None:
        """Renew from a thread of its own, over a connection of its own, as a long cell may keep the run busy."""
        while not self._done.wait(SECONDS / 4):
            try:
                with Store(self._store.address) as store:
                    later = LEASES.update().where(LEASES.c.owner == self._owner).values(expires=_now(store) + SECONDS)
                    store.execute(later)
            except RunError:
                continue  # the run itself meets the same trouble, and tells of it


class Held(NamedTuple):
    """The leases in a store: how many hold, of how many runs, and how many are void."""

    cells: int
    runs: int
    void: int


def held(store: Store) -> Held:
    """Return how many cells of a store are leased."""
    query = sa.select(LEASES.c.owner, LEASES.c.expires < _now(store))
    rows = store.transaction(lambda connection: list(connection.execute(query)))
    living = [owner for owner, late in rows if not late and not _dead(owner)]
    return Held(len(living), len(set(living)), len(rows) - len(living))


def _now(store: Store) -> Any:
    """Return the time of day as an expression: a server's own clock, as hosts may differ."""
    if store.dialect == "postgresql":
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Float)
    return sa.literal(time.time())


def _place() -> str:
    """Return what tells apart the process ids of different hosts and containers."""
    try:
        return f"{platform.node()}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return f"{platform.node()}/0"


def _birth(pid: int) -> str:
    """Return when a process was born, empty when it is gone; '?' where that cannot be told."""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            fields = stream.read().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except OSError:
        return "" if os.path.isdir("/proc/self") else "?"


def _dead(owner: str) -> bool:
    """Whether an owner is known to be gone: on this host, and its process is no more."""
    host, space, pid, birth, _ = owner.rsplit("/", 4)
    return f"{host}/{space}" == _place() and birth != "?" and _birth(int(pid)) != birth
