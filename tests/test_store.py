"""Records in SQLite and in PostgreSQL: the same tests on both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import assay
import postgresql
import pytest
import sqlalchemy as sa
from assay import judged
from assay import leases as leasing
from assay.errors import AssayError, RunError
from assay.leases import Leases
from assay.spec import Cell, Metric, Record
from assay.store import Store
from assay.tables import LEASES, RECORDS, SCHEMA, VERSION
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CELL = Cell("t/a", "t/d", "m", (("depth", 2), ("widths", (8, 16))), 3, "small")
RECORD = Record(
    CELL,
    "d0",
    {"accuracy": 0.5},
    {"fit_seconds": 1.5},
    ({"step": 0, "loss": 2.0},),
    "",
    "",
    2.0,
    {"python": "3"},
    10.0,
    "p",
)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL database, or a skip with the reason why there is none."""
    if reason := postgresql.missing():
        pytest.skip(reason)
    with postgresql.cluster() as url:
        yield url


@pytest.fixture
def empty_server(server: str) -> str:
    """The URL of a PostgreSQL database without tables."""
    url = server.replace("://", "+psycopg://")
    with sa.create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    return server


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "records.db")
    url: str = request.getfixturevalue("empty_server")
    return url


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    with Store(address) as opened:
        yield opened


def test_a_record_comes_back_as_it_was_put(store: Store) -> None:
    store.put(RECORD)
    assert store.get(["d0", "absent"]) == {"d0": RECORD}
    assert list(store.records(task="t/a", scale="small")) == [RECORD]


def test_a_cell_that_runs_again_replaces_its_record(store: Store) -> None:
    store.put(replace(RECORD, reason="timeout 3 s", metrics={}))
    assert store.ends(["d0"]) == {"d0": (10.0, False)}
    store.put(RECORD)
    assert len(store) == 1 and store.ends(["d0"]) == {"d0": (10.0, True)}


def test_metrics_keep_the_tasks_order(store: Store) -> None:
    metrics = [Metric(name, float, (), "up", "%") for name in ("z", "a")]  # type: ignore[arg-type]
    store.describe("t/a", [*metrics, Metric("old", float, (), "up", "")])  # type: ignore[arg-type]
    store.describe("t/a", metrics)
    assert store.metrics("t/a") == {"z": ("up", "%"), "a": ("up", "%")}


def test_past_durations_are_means_of_what_succeeded(store: Store) -> None:
    for i, (seconds, reason) in enumerate([(1.0, ""), (3.0, ""), (60.0, "timeout 60 s")]):
        store.put(replace(RECORD, digest=f"d{i}", seconds=seconds, reason=reason))
    assert store.durations([CELL]) == {("t/a", "t/d", "m", "small", "cpu"): 2.0}


def test_large_seeds_are_kept(store: Store) -> None:
    store.put(replace(RECORD, cell=replace(CELL, seed=2**40)))
    assert store.get(["d0"])["d0"].cell.seed == 2**40


def test_thousands_of_digests_can_be_asked_for(store: Store) -> None:
    store.put(RECORD)
    assert set(store.ends([*(f"x{i}" for i in range(3000)), "d0"])) == {"d0"}


text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | text
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    params=st.dictionaries(text, scalars | st.tuples(scalars, scalars), max_size=3),
    metrics=st.dictionaries(text, st.floats(allow_nan=False, allow_infinity=False), max_size=3),
    reason=text,
)
def test_any_record_comes_back_as_it_was_put(
    store: Store, params: dict[str, object], metrics: dict[str, float], reason: str
) -> None:
    record = replace(RECORD, cell=replace(CELL, params=tuple(sorted(params.items()))), metrics=metrics, reason=reason)
    store.put(record)
    assert store.get(["d0"])["d0"] == record


class TestLeases:
    def test_what_one_run_holds_no_other_gets(self, address: str, store: Store) -> None:
        with Store(address) as second, Leases(store) as mine, Leases(second) as others:
            assert mine.take(["a", "b"]) == {"a", "b"}
            assert others.take(["b", "c"]) == {"c"}
            assert mine.take(["a", "b", "c"]) == {"a", "b"}

    def test_the_end_of_a_run_gives_its_leases_back(self, address: str, store: Store) -> None:
        with Leases(store) as mine:
            mine.take(["a"])
        with Leases(store) as others:
            assert others.take(["a"]) == {"a"}

    def test_a_stored_record_ends_its_lease(self, address: str, store: Store) -> None:
        with Store(address) as second, Leases(store) as mine, Leases(second) as others:
            mine.take(["d0"])
            store.put(RECORD)
            assert others.take(["d0"]) == {"d0"}

    def test_a_lease_of_another_host_runs_out(self, store: Store) -> None:
        rows = [
            {"digest": "late", "owner": "elsewhere/1/1/1/x", "expires": time.time() - 5},
            {"digest": "held", "owner": "elsewhere/1/1/1/x", "expires": time.time() + 50},
        ]
        store.transaction(lambda connection: connection.execute(LEASES.insert(), rows))
        with Leases(store) as mine:
            assert mine.take(["late", "held"]) == {"late"}

    def test_a_lease_of_a_dead_process_of_this_host_is_void_at_once(self, address: str, store: Store) -> None:
        code = "import os, sys; from assay.leases import Leases; from assay.store import Store\n"
        code += "Leases(Store(sys.argv[1])).take(['a']); os._exit(9)"
        subprocess.run([sys.executable, "-c", code, address], check=False)
        with Leases(store) as mine:
            assert mine.take(["a"]) == {"a"}

    def test_leases_are_renewed_while_a_run_lives(
        self, address: str, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(leasing, "SECONDS", 0.4)
        with Leases(store) as mine:
            mine.take(["a"])
            first = expiry(store)
            deadline = time.monotonic() + 60
            while expiry(store) <= first and time.monotonic() < deadline:
                time.sleep(0.02)
            assert expiry(store) > first


def expiry(store: Store) -> float:
    return store.transaction(lambda connection: float(connection.execute(sa.select(LEASES.c.expires)).scalar_one()))


def test_many_writers_at_once_lose_nothing(address: str) -> None:
    def write(writer: int) -> None:
        with Store(address) as own:
            for i in range(25):
                own.put(replace(RECORD, digest=f"{writer}-{i}", environment={"writer": str(writer % 2)}))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    with Store(address) as store:
        assert len(store) == 100 and {r.environment["writer"] for r in store.records()} == {"0", "1"}


def test_many_may_make_the_store_at_once(address: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        opened = list(threads.map(lambda _: Store(address), range(4)))
    for store in opened:
        store.close()


def test_two_runs_at_once_run_no_cell_twice(address: str, faults: Path, tmp_path: Path) -> None:
    (tmp_path / "meeting").mkdir()
    command = [sys.executable, "-m", "assay.cli", "run", "faults/all", "--entrants", "meets", "--seeds", "20"]
    environment = {**os.environ, "FAULT_MEETING": str(tmp_path / "meeting")}
    runs = [
        subprocess.Popen(
            [*command, "--datasets", "draws", "--store", address], env=environment, text=True, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    ran = [int(run.communicate(timeout=120)[0].partition(" run,")[0].rpartition(" ")[2]) for run in runs]
    assert sum(ran) == 20 and min(ran) >= 1
    with Store(address) as store:
        assert len(store) == 20


def test_a_store_of_an_older_schema_is_migrated(address: str) -> None:
    with Store(address) as store:
        store.put(RECORD)
        store.transaction(lambda connection: LEASES.drop(connection))
        store.execute(SCHEMA.update().values(version=1))
    with Store(address) as store, Leases(store) as leases:
        assert store.get(["d0"]) == {"d0": RECORD} and leases.take(["d0"]) == {"d0"}


def test_learning_curves_of_an_older_schema_are_read(address: str) -> None:
    curve = [{"step": 0, "loss": 2.0}, {"step": 5, "loss": 1.0, "test": 0.5}]
    with Store(address) as store:
        store.put(RECORD)
        store.execute(RECORDS.update().values(curve=json.dumps(curve)))
        assert next(store.records()).curve == tuple(curve)
        assert dict(store.curves()) == {"d0": {"step": [0, 5], "loss": [2.0, 1.0], "test": [None, 0.5]}}


def test_a_curve_is_what_was_logged_and_can_be_left_out(address: str) -> None:
    curve = ({"step": 0, "loss": 2.0}, {"step": 5, "test": 0.5})
    with Store(address) as store:
        store.put(replace(RECORD, curve=curve))
        assert next(store.records()).curve == curve
        assert next(store.records(curves=False)).curve == ()


def test_the_last_verdicts_at_a_scale_are_kept(address: str) -> None:
    with Store(address) as store:
        before = store.stamp()
        for scale, seconds in (("smoke", 1), ("small", 2), ("smoke", 3)):
            judged.keep(store, {"paper": "p", "scale": scale, "backend": "cpu", "seconds": seconds})
        found = [(content["scale"], content["seconds"]) for content in judged.kept(store)]
        assert found == [("small", 2), ("smoke", 3)] and store.stamp() != before


def test_a_store_of_a_newer_schema_is_refused(address: str) -> None:
    with Store(address) as store:
        store.execute(SCHEMA.update().values(version=VERSION + 1))
    with pytest.raises(AssayError, match="upgrade assay"):
        Store(address)


def test_a_lost_connection_is_made_again(empty_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.store.RECONNECT_SECONDS", (0.0, 0.1))
    with Store(empty_server) as store, Store(empty_server) as other:
        mine = store.transaction(lambda connection: connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())
        other.execute(sa.text(f"SELECT pg_terminate_backend({mine})"))
        store.put(RECORD)
        assert "d0" in store.get(["d0"])


def test_a_server_that_is_not_there_is_an_error_without_the_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(AssayError, match=r"cannot open the store postgresql://me:\*\*\*@127\.0\.0\.1:1/x"):
        Store("postgresql://me:secret@127.0.0.1:1/x")


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_text("x" * 5000)
    with pytest.raises(AssayError, match="file is not a database"):
        Store(tmp_path / "s.db")


def test_a_broken_store_says_that_what_was_stored_is_safe(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        store.execute(sa.text("DROP TABLE records"))
        with pytest.raises(RunError, match="What was stored before is safe"):
            store.put(RECORD)


def test_records_can_be_read_without_making_a_store(tmp_path: Path) -> None:
    with Store(tmp_path / "none.db", create=False) as store:
        assert len(store) == 0
    assert not (tmp_path / "none.db").exists()
    assert assay.records(str(tmp_path / "none.db")).empty
