"""What `assay doctor` says of the executors and of the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from assay import doctor
from assay.spec import Cell, Record
from assay.store import Store
from assay.tables import LEASES, VERSION

RECORD = Record(Cell("t/a", "t/d", "m", (), 0, "small"), "d0", {"accuracy": 0.5}, environment={"python": "3"})
Look = Callable[[], dict[str, doctor.Finding]]


@pytest.fixture
def look(plugins, tmp_path: Path) -> Look:
    """Examine a store and return the findings by what they are about."""
    return lambda: {finding.what: finding for finding in doctor.examine(str(tmp_path / "s.db"))}


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / "s.db") as opened:
        yield opened


def test_the_ways_to_run_cells_are_named_with_their_limits(look: Look) -> None:
    found = look()
    assert "limits on time" in found["executor pool"].found
    assert "as many workers by default, 1 thread each" in found["cpus"].found
    assert "free for the store" in found["disk"].found and "not made yet" in found["store"].found


def test_a_system_that_cannot_fork_is_told_what_remains(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(doctor.os, "fork")
    assert look()["executor pool"].found == "this system cannot fork: inline and dask remain"


def test_a_library_that_is_not_there_comes_with_its_command(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda name: None if name == "distributed" else "1")
    assert look()["executor dask"].do == "pip install 'assay[dask]'"


def test_records_are_counted_and_failed_ones_told_apart(look: Look, store: Store) -> None:
    store.put(RECORD)
    store.put(Record(RECORD.cell, "d1", reason="timeout 3 s"))
    finding = look()["store"]
    assert finding.found.endswith(f"schema {VERSION}, 2 records, 1 of them failed")
    assert finding.ok and "tries the failed cells again" in finding.do


def test_a_sound_store_is_said_to_be_sound(look: Look, store: Store) -> None:
    store.put(RECORD)
    found = look()
    assert (found["store integrity"].found, found["store leases"].found) == ("sound", "0 held (by runs: 0)")


def test_damage_to_the_file_is_found_and_how_to_rescue_the_rest(look: Look, store: Store, tmp_path: Path) -> None:
    for i in range(300):
        store.put(Record(RECORD.cell, f"d{i:03}", {"accuracy": 0.5}))
    page = store.transaction(
        lambda c: c.exec_driver_sql("SELECT rootpage FROM sqlite_schema WHERE name = 'records_by_task'").scalar_one()
    )
    store.close()
    with (tmp_path / "s.db").open("r+b") as stream:
        stream.seek((page - 1) * 4096)
        stream.write(b"\xff" * 4096)
    finding = look()["store integrity"]
    assert not finding.ok and ".recover" in finding.do


def test_a_record_without_its_environment_is_damage(look: Look, store: Store) -> None:
    store.put(RECORD)
    store.execute(sa.text("PRAGMA foreign_keys=OFF"))
    store.execute(sa.text("DELETE FROM environments"))
    assert "names a row of environments that is not there" in look()["store integrity"].found


def test_leases_that_hold_and_those_of_runs_that_are_gone_are_told_apart(look: Look, store: Store) -> None:
    rows = [
        {"digest": "held", "owner": "elsewhere/1/1/1/x", "expires": time.time() + 50},
        {"digest": "late", "owner": "elsewhere/1/1/1/y", "expires": time.time() - 5},
    ]
    store.transaction(lambda connection: connection.execute(LEASES.insert(), rows))
    found = look()["store leases"].found
    assert found == "1 held (by runs: 1), 1 of runs that are gone: the next run takes these over"
