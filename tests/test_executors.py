"""The same cells give the same records, whichever way they are run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import assay
import pytest
from assay.catalog import Catalog
from assay.cli import main
from assay.errors import AssayError
from assay.executors import parse_size, show_size
from assay.progress import Estimate, Event, Progress, duration, kind
from assay.spec import Cell, Record
from assay.store import Store

TASK = "faults/all"
HOW = {"datasets": ["draws"], "scale": "smoke"}
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the pool forks")


class Mine:
    """An entrant of this file, as one of a notebook: no module of a plugin has it."""

    def __init__(self, add: float = 0.0) -> None:
        self.add = add

    def __call__(self, data: Any, ctx: Any) -> float:
        return float(data[0]) + self.add


class TestChoice:
    def test_small_runs_are_inline(self) -> None:
        assert assay.Executor().name == "inline"

    def test_a_limit_means_the_pool(self) -> None:
        assert {assay.Executor(timeout=3).name, assay.Executor(workers=2).name, assay.Executor(isolate=True).name} == {
            "pool"
        }

    def test_an_address_means_dask(self) -> None:
        assert assay.Executor(address="tcp://host:8786").name == "dask"

    @pytest.mark.parametrize(
        ("how", "text"),
        [
            ({"name": "pol"}, "did you mean 'pool'"),
            ({"name": "inline", "timeout": 3}, "no limits"),
            ({"name": "pool", "address": "x"}, "for --executor dask"),
            ({"workers": 0}, "give 1 or more"),
            ({"timeout": -1}, "above 0"),
            ({"memory": "much"}, "give a size"),
            ({"address": "x", "workers": 2}, "leave --workers out"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, how: dict[str, Any], text: str) -> None:
        with pytest.raises(AssayError, match=text):
            assay.Executor(**how)

    @pytest.mark.parametrize(("text", "size"), [("2GiB", 2**31), ("500MB", 5 * 10**8), ("1.5k", 1500), ("64", 64)])
    def test_sizes_are_read(self, text: str, size: int) -> None:
        assert parse_size(text) == size

    def test_sizes_are_shown_as_they_are_written(self) -> None:
        assert (show_size(2**31), show_size(400 * 2**20)) == ("2 GiB", "400 MiB")


@needs_fork
class TestPool:
    def test_metrics_are_bit_identical_to_inline(self, faults: Path, tmp_path: Path) -> None:
        how: Any = dict(entrants=["sums"], seeds=3, **HOW)
        inline = assay.run(TASK, store=str(tmp_path / "a"), **how)
        pool = assay.run(TASK, store=str(tmp_path / "b"), executor="pool", **how)
        assert len({r.metrics["value"] for r in inline.records}) == 3
        assert [r.metrics for r in pool.records] == [r.metrics for r in inline.records]

    def test_a_class_without_a_module_travels_by_value(self, faults: Path, tmp_path: Path) -> None:
        pytest.importorskip("cloudpickle")
        how: Any = dict(entrants=["good"], models={"mine": Mine}, seeds=2, **HOW)
        done = assay.run(TASK, store=str(tmp_path / "a"), executor="pool", **how)
        same = assay.run(TASK, store=str(tmp_path / "b"), **how)
        assert not done.failed and [r.metrics for r in done.records] == [r.metrics for r in same.records]

    def test_a_class_of_a_file_and_own_data_travel_by_path(self, faults: Path, tmp_path: Path) -> None:
        import numpy as np

        (tmp_path / "net.py").write_text(
            "class Net:\n    def __init__(self, add=0.0):\n        self.add = add\n"
            "    def __call__(self, data, ctx):\n        return float(data[0]) + self.add\n"
        )
        np.savez(tmp_path / "x.npz", x=np.arange(5, dtype=np.float32) + 7)
        done = assay.run(
            TASK,
            entrants=["good"],
            models=[str(tmp_path / "net.py:Net")],
            data={"mine": str(tmp_path / "x.npz")},
            seeds=1,
            store=str(tmp_path / "s"),
            executor="pool",
        )
        assert {r.cell.model: r.metrics["value"] for r in done.records} == {"good": 9.0, "Net": 7.0}

    def test_hooks_fire_in_the_head_and_wrappers_in_the_worker(self, faults: Path, tmp_path: Path) -> None:
        events: list[Event] = []
        assay.run(
            TASK, entrants=["good"], seeds=3, store=str(tmp_path / "s"), executor="pool", progress=events.append, **HOW
        )
        assert Counter(event.what for event in events) == {"planned": 1, "started": 3, "finished": 3}
        assert events[-1].done == events[-1].total == 3

    def test_isolated_cells_never_share_a_process(self, faults: Path, tmp_path: Path) -> None:
        executor = assay.Executor("pool", isolate=True, workers=2)
        done = assay.run(TASK, entrants=["good"], seeds=20, store=str(tmp_path / "s"), executor=executor, **HOW)
        assert not done.failed and len(done.records) == 20

    def test_two_workers_run_at_a_time(self, faults: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FAULT_MEETING", str(tmp_path / "meeting"))
        (tmp_path / "meeting").mkdir()
        executor = assay.Executor("pool", workers=2)
        done = assay.run(TASK, entrants=["meets"], seeds=2, store=str(tmp_path / "s"), executor=executor, **HOW)
        assert [r.metrics["value"] for r in done.records] == [2, 2]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the workers of the cluster make their temporary files."""
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def client(fault_folder: Path, scratch: Path) -> Any:
    """Return a client of two workers, each a host of its own as far as dask can tell."""
    distributed = pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(fault_folder))
        patch.setenv("TMPDIR", str(scratch))
        with (
            dask.config.set({"distributed.scheduler.allowed-failures": 2}),
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=None, resources={"GPU": 1}, silence_logs=50
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


@needs_fork
class TestDask:
    def test_records_are_those_of_inline(self, client: Any, faults: Path, tmp_path: Path) -> None:
        how: Any = dict(entrants=["sums"], models={"mine": Mine}, seeds=30, **HOW)
        inline = assay.run(TASK, store=str(tmp_path / "a"), **how)
        dask = assay.run(TASK, store=str(tmp_path / "b"), executor=assay.Executor("dask", address=client), **how)
        assert len(dask.records) == 60 and not dask.failed
        assert [r.metrics for r in dask.records] == [r.metrics for r in inline.records]

    def test_limits_and_crashes_are_as_in_the_pool(self, client: Any, faults: Path, tmp_path: Path) -> None:
        executor = assay.Executor("dask", address=client.scheduler.address, timeout=1, resources={"GPU": 1})
        names = ["good", "exits", "hangs"]
        done = assay.run(TASK, entrants=names, seeds=2, store=str(tmp_path / "s"), executor=executor, **HOW)
        reasons = {r.cell.model: r.reason for r in done.records}
        assert reasons == {
            "good": "",
            "exits": "crash: exit status 0 before the cell ended",
            "hangs": "timeout 1 s",
        }

    def test_a_cell_that_takes_its_host_with_it_is_recorded_and_nothing_else_lost(
        self, client: Any, faults: Path, tmp_path: Path, scratch: Path
    ) -> None:
        where = ("--datasets", "draws", "--seeds", "1", "--store", str(tmp_path / "s"))
        status = main(
            ["run", TASK, "--entrants", "good,kills_host,sleeps", "--address", client.scheduler.address, *where]
        )
        with Store(tmp_path / "s") as store:
            reasons = {r.cell.model: r.reason for r in store.records()}
        lost = "crash: its dask worker was lost, again on every retry"
        assert (status, reasons) == (1, {"good": "", "sleeps": "", "kills_host": lost})
        wait_for(lambda: not list(scratch.glob("assay-pool-*")) and not running(scratch))

    @pytest.mark.slow
    def test_torch_trains_to_the_same_bits_inline_in_the_pool_and_on_dask(self, client: Any, tmp_path: Path) -> None:
        pytest.importorskip("assay_sets")
        how: Any = {"entrants": ["flat-mlp", "kme-ridge"], "datasets": ["shapes-3d"], "seeds": 2, "scale": "smoke"}
        ways = ("", "pool", assay.Executor("dask", address=client))
        found = [
            [
                r.metrics
                for r in assay.run("sets/point-clouds", store=str(tmp_path / str(i)), executor=way, **how).records
            ]
            for i, way in enumerate(ways)
        ]
        assert all(found[0]) and found[0] == found[1] == found[2]

    def test_an_address_without_a_scheduler_is_an_error(
        self, faults: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("assay.executors.dask.CONNECT_SECONDS", 0.5)
        executor = assay.Executor("dask", address="tcp://127.0.0.1:1")
        with pytest.raises(AssayError, match="no dask scheduler answers"):
            assay.run(TASK, entrants=["good"], seeds=1, store=str(tmp_path / "s"), executor=executor, **HOW)


def running(folder: Path) -> list[str]:
    """Return the fork servers, and the workers forked from them, whose files are in a folder."""
    mark = f"{folder}/assay-pool-".encode()
    return [str(path) for path in Path("/proc").glob("[0-9]*") if mark in command_line(path)]


def command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def start(folder: Path, *arguments: str, sleep: float = 0.05) -> subprocess.Popen[str]:
    """Start assay's command line in the background."""
    return subprocess.Popen(
        [sys.executable, "-m", "assay.cli", "run", TASK, "--datasets", "draws", "--store", "s.db", *arguments],
        cwd=folder,
        env={**os.environ, "FAULT_SLEEP": str(sleep)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def stored(folder: Path) -> int:
    if not (folder / "s.db").exists():
        return 0
    with Store(folder / "s.db") as store:
        return len(store)


def wait_for(condition: Any, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


both = pytest.mark.parametrize("how", [(), pytest.param(("--workers", "2"), marks=needs_fork)], ids=["inline", "pool"])


class TestInterruption:
    @both
    def test_ctrl_c_once_stores_what_is_under_way_and_says_how_to_resume(
        self, faults: Path, tmp_path: Path, how: tuple[str, ...]
    ) -> None:
        run = start(tmp_path, "--entrants", "sleeps", "--seeds", "400", *how, sleep=0.2)
        wait_for(lambda: stored(tmp_path) >= 1)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=120)
        kept = stored(tmp_path)
        assert run.returncode == 130 and 1 <= kept < 400
        assert f"{kept} of 400 cells are stored; the same command goes on from there" in errors
        assert "Traceback" not in errors

    @both
    def test_ctrl_c_twice_stops_now(self, faults: Path, tmp_path: Path, how: tuple[str, ...]) -> None:
        run = start(tmp_path, "--entrants", "good,sleeps", "--seeds", "1", *how, sleep=600)
        wait_for(lambda: stored(tmp_path) >= 1)
        run.send_signal(signal.SIGINT)
        assert run.stderr is not None
        while "again stops at once" not in run.stderr.readline():
            pass
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=120)
        assert run.returncode == 130 and "1 of 2 cells are stored" in errors and "Traceback" not in errors

    def test_a_killed_run_is_resumed_at_once(self, faults: Path, tmp_path: Path) -> None:
        run = start(tmp_path, "--entrants", "sleeps", "--seeds", "20", sleep=0.05)
        wait_for(lambda: stored(tmp_path) >= 3)
        run.kill()
        run.communicate()
        kept = stored(tmp_path)
        again = start(tmp_path, "--entrants", "sleeps", "--seeds", "20", "--json", sleep=0)
        out, errors = again.communicate(timeout=120)
        events = [json.loads(line) for line in errors.splitlines()]
        assert again.returncode == 0 and len(out.splitlines()) == 20
        assert sum(event["event"] == "finished" for event in events) == 20 - kept


@pytest.mark.parametrize("reason", ["", "timeout 3 s"])
def test_what_another_run_ends_meanwhile_is_taken_over_whatever_its_clock_says(
    faults: Path, tmp_path: Path, reason: str
) -> None:
    record = assay.run(TASK, entrants=["good"], seeds=3, store=str(tmp_path / "a"), **HOW).records[1]
    events: list[Event] = []

    def other(event: Event) -> None:
        events.append(event)
        if event.what == "planned":
            with Store(tmp_path / "b") as store:
                store.put(replace(record, finished=1.0, reason=reason))

    done = assay.run(TASK, entrants=["good"], seeds=3, store=str(tmp_path / "b"), progress=other, **HOW)
    assert [event.cell.seed for event in events if event.what == "started" and event.cell] == [0, 2]
    assert (events[-1].done, done.resumed, len(done.failed)) == (3, 1, bool(reason))


CELL = Cell("t/a", "t/d", "m", (), 0, "small")


class TestProgress:
    def test_the_time_left_comes_from_past_cells_of_the_kind(self) -> None:
        other = Cell("t/a", "t/d", "n", (), 0, "small")
        estimate = Estimate({kind(CELL): 10.0}, {kind(CELL): 3, kind(other): 1}, processes=2)
        assert estimate.left() == (3 * 10 + 10) / 2

    def test_nothing_known_is_no_estimate(self) -> None:
        assert Estimate({}, {kind(CELL): 3}, processes=2).left() is None

    def test_a_log_has_a_line_a_cell(self, capsys: pytest.CaptureFixture[str]) -> None:
        record = Record(CELL, "0", reason="timeout 3 s", seconds=3.0)
        Progress(sys.stdout)(Event("finished", 1, 2, 1, 1, 61.0, CELL, record))
        assert capsys.readouterr().out == "1/2 t/a d m seed=0 small: timeout 3 s (3.00 s, about 1 min 1 s left)\n"

    def test_json_lines_tell_every_event(self, capsys: pytest.CaptureFixture[str]) -> None:
        Progress(sys.stdout, style="json")(Event("started", 0, 2, 0, 1, None, CELL))
        assert json.loads(capsys.readouterr().out) == {
            "event": "started",
            "done": 0,
            "total": 2,
            "failed": 0,
            "running": 1,
            "seconds_left": None,
            "cell": "t/a d m seed=0 small",
        }

    def test_a_terminal_keeps_one_line_and_shows_failures_above_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        record = Record(CELL, "0", reason="crash: signal 11")
        Progress(sys.stdout, style="live")(Event("finished", 1, 3, 1, 2, 5.0, CELL, record))
        out = capsys.readouterr().out
        assert "t/a d m seed=0 small: crash: signal 11\n" in out
        assert out.endswith("1/3 cells, 1 failed, 2 running, about 5 s left  t/a d m seed=0 small")

    def test_durations_read_as_a_person_says_them(self) -> None:
        assert [duration(s) for s in (0.2, 59.5, 150, 7300)] == ["1 s", "1 min 0 s", "2 min 30 s", "2 h 1 min"]


def test_the_default_needs_no_fork(faults: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    assert not assay.run(TASK, entrants=["good"], seeds=1, store=str(tmp_path / "s"), **HOW).failed
    with pytest.raises(AssayError, match="use --executor inline or dask"):
        assay.run(TASK, entrants=["good"], seeds=1, store=str(tmp_path / "t"), executor="pool", **HOW)


def test_a_plugin_that_fails_to_listen_does_not_stop_a_run(
    faults: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Listener:
        @assay.hookimpl
        def assay_cell_finished(self, cell: Cell, record: Record) -> None:
            raise RuntimeError("no network")

    load = Catalog.load

    def loaded(self: Catalog, **how: Any) -> Catalog:
        self.manager.register(Listener())
        return load(self, **how)

    monkeypatch.setattr(Catalog, "load", loaded)
    assert not assay.run(TASK, entrants=["good"], seeds=1, store=str(tmp_path / "s"), **HOW).failed
    assert "RuntimeError: no network" in capsys.readouterr().err
