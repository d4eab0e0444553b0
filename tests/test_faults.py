"""Whatever an entrant does, every other cell is stored, its own is a row with the reason, and nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import assay
import pytest
from assay import store as stores
from assay.cli import main
from assay.errors import RunError
from assay.executors import forkserver
from assay.executors.system import children
from assay.spec import Record
from assay.store import Store

TASK = "faults/all"
Reasons = Callable[..., dict[str, Record]]
needs_fork = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the pool's limits are Linux's")


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary files go; neither they nor a process or zombie of this test's may be left after it."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "torch"))  # kept by torch for the next process
    before = set(children(os.getpid()))
    yield folder
    nothing_is_left(folder, before)


def nothing_is_left(scratch: Path, before: set[int]) -> None:
    """Fail when there are temporary files, or processes beside those of before: children, or started with this TMPDIR.

    Python's own resource tracker, which is started once for the whole program, may come at any time and stays.
    """
    found = [shown(pid) for pid in {*children(os.getpid()), *started_with(scratch)} - before]
    left = [line for line in found if "resource_tracker" not in line]
    assert not left, f"processes are left: {left}"
    files = [str(path.relative_to(scratch)) for path in scratch.rglob("*")]
    assert not files, f"temporary files are left: {files}"


@pytest.fixture
def run(faults: Path, tmp_path: Path, scratch: Path) -> Reasons:
    """Run a bad entrant between cells of good ones, as the command line does; return records by entrant.

    What must hold after every fault is checked: all other cells are stored, the bad one is a row with its reason, the
    exit status says so, and no process, zombie or temporary file is left.
    """

    def run(bad: str, *how: str, datasets: str = "draws") -> dict[str, Record]:
        before = set(children(os.getpid()))
        where = ("--datasets", datasets, "--seeds", "2", "--store", str(tmp_path / "s"))
        status = main(["run", TASK, "--entrants", f"good,{bad},sleeps", *where, *(how or ("--workers", "1"))])
        nothing_is_left(scratch, before)
        with Store(tmp_path / "s") as store:
            records = list(store.records())
        assert len({r.digest for r in records}) == len(records) == 6 * len(datasets.split(","))
        assert all(r.ok for r in records if r.cell.model != bad and r.cell.dataset == "faults/draws")
        assert status == (0 if all(r.ok for r in records) else 1)
        return {
            r.cell.model: r for r in records if r.cell.seed == 1 and r.cell.dataset.endswith(datasets.split(",")[-1])
        }

    return run


def shown(pid: int) -> str:
    """Return a process's command line and state."""
    folder = Path(f"/proc/{pid}")
    try:
        return f"{(folder / 'cmdline').read_bytes()!r} {(folder / 'stat').read_text().rpartition(')')[2][:2]}"
    except OSError as error:
        return str(error)


def started_with(scratch: Path) -> list[int]:
    """Return the processes, zombies aside, that were started with temporary files there, whatever became of their parents."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"TMPDIR={scratch}".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found


@needs_fork
class TestPool:
    def test_an_exception_keeps_its_traceback_and_output(self, run: Reasons) -> None:
        record = run("raises")["raises"]
        assert record.reason == "error: ValueError: no good"
        assert "in raises" in record.detail and "before the error" in record.detail

    def test_a_hang_that_ignores_sigterm_is_ended_in_time_and_tells_where_it_hung(self, run: Reasons) -> None:
        record = run("hangs", "--timeout", "1", "--workers", "1")["hangs"]
        assert record.reason == "timeout 1 s"
        assert "in where_it_hangs" in record.detail and "about to hang" in record.detail
        assert 1 <= record.seconds < 60

    def test_a_stopped_process_is_ended_in_time(self, run: Reasons) -> None:
        assert run("stops", "--timeout", "0.3", "--workers", "1")["stops"].reason == "timeout 0.3 s"

    def test_an_exit_without_a_result_is_a_crash(self, run: Reasons) -> None:
        assert run("exits")["exits"].reason == "crash: exit status 0 before the cell ended"

    def test_sys_exit_is_an_error(self, run: Reasons) -> None:
        assert run("quits")["quits"].reason == "error: SystemExit: 0"

    def test_a_segfault_names_its_signal_and_stack(self, run: Reasons) -> None:
        record = run("segfaults")["segfaults"]
        assert record.reason == "crash: signal 11 (SIGSEGV)"
        assert "in segfaults" in record.detail and "about to fault" in record.detail

    def test_too_much_memory_is_stopped_at_the_limit(self, run: Reasons) -> None:
        assert run("eats", "--memory", "400MiB", "--workers", "1")["eats"].reason == "memory 400 MiB"

    def test_endless_output_is_bounded(self, run: Reasons) -> None:
        record = run("floods", "--timeout", "1", "--workers", "1")["floods"]
        assert record.reason == "timeout 1 s"
        assert "flood flood" in record.detail and len(record.detail) <= 8000

    def test_processes_left_behind_go_with_the_cell(self, run: Reasons) -> None:
        assert run("leaves")["leaves"].ok

    def test_a_forked_child_that_returns_makes_no_second_record(self, run: Reasons) -> None:
        assert run("returns_twice")["returns_twice"].ok

    def test_a_closed_stdout_spoils_only_its_own_process(self, run: Reasons) -> None:
        assert run("closes")["closes"].metrics == {"value": 2.0}

    def test_isolation_gives_the_same(self, run: Reasons) -> None:
        assert (
            run("exits", "--isolate", "--workers", "1")["exits"].reason == "crash: exit status 0 before the cell ended"
        )

    @pytest.mark.parametrize(
        ("what", "reason"),
        [("nan", "value is nan"), ("none", "value is None, not a number"), ("text", "value is 'good', not a number")],
    )
    def test_a_metric_that_is_no_number_is_a_failure(self, run: Reasons, what: str, reason: str) -> None:
        assert run(f"returns-{what}")[f"returns-{what}"].reason == f"invalid metric: {reason}"

    def test_a_data_set_that_cannot_be_loaded_fails_its_cells(self, run: Reasons) -> None:
        records = run("closes", datasets="draws,gone")
        assert {r.reason for r in records.values()} == {"error: data set faults/gone: OSError: no such host"}


def command(folder: Path, *arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    """Run assay's command line."""
    return subprocess.run(
        [sys.executable, "-m", "assay.cli", *arguments], cwd=folder, text=True, capture_output=True, **more
    )  # type: ignore[call-overload, no-any-return]


@needs_fork
def test_an_edited_plugin_is_not_run_under_the_old_digest(faults: Path, tmp_path: Path, scratch: Path) -> None:
    import fault_plugin

    module = fault_plugin.install(tmp_path / "own")
    driver = tmp_path / "driver.py"
    driver.write_text(
        "import assay, pathlib\n"
        f"path = pathlib.Path({str(module)!r})\n"
        "def edit(event):\n"
        "    if event.what == 'planned':\n"
        "        path.write_text(path.read_text().replace('return 1.0', 'return 1.5'))\n"
        f"done = assay.run('{TASK}', entrants=['good', 'edited'], datasets=['draws'], seeds=1, executor='pool', progress=edit)\n"
        "print(*(f'{r.cell.model}: {r.reason}' for r in done.records), len(done.failed), sep='\\n')\n"
    )
    env = {**os.environ, "PYTHONPATH": str(module.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, str(driver)], cwd=tmp_path, env=env, text=True, capture_output=True)
    good, edited, failed = done.stdout.splitlines()
    assert (good, failed) == ("good: ", "1"), done.stderr
    assert edited.startswith("edited: stale: the source of the cell's entrant is not the one that was planned")


@pytest.mark.parametrize(
    "rest",
    [
        "2>&1 | head -n 1",
        "--json | head -c 1",
        ">&- 2>&- <&-",
        pytest.param("--workers 1 >&- 2>&- <&-", marks=needs_fork),
    ],
)
def test_a_run_whose_reader_has_gone_goes_on_to_its_end(faults: Path, tmp_path: Path, scratch: Path, rest: str) -> None:
    words = f"run {TASK} --entrants good,raises --datasets draws --seeds 3 --store s {rest}"
    line = f"{sys.executable} -m assay.cli {words}; echo ${{PIPESTATUS[0]}} > status"
    subprocess.run(["bash", "-c", line], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert (tmp_path / "status").read_text() == "1\n"
    with Store(tmp_path / "s") as store:
        reasons = Counter(r.reason for r in store.records())
    assert reasons == {"": 3, "error: ValueError: no good": 3}


inline_and_pool = pytest.mark.parametrize("executor", ["inline", pytest.param("pool", marks=needs_fork)])


@pytest.mark.parametrize("how", [(), pytest.param(("--workers", "1"), marks=needs_fork)], ids=["inline", "pool"])
def test_a_full_disk_ends_the_run_and_keeps_what_was_stored(
    faults: Path, tmp_path: Path, scratch: Path, how: tuple[str, ...]
) -> None:
    resource = pytest.importorskip("resource")
    before = set(children(os.getpid()))
    arguments = ("run", TASK, "--entrants", "good", "--datasets", "draws", "--seeds", "300", "--store", "s.db", *how)
    full = command(
        tmp_path,
        *arguments,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000)),
    )
    assert full.returncode == 1 and "cannot be used" in full.stderr and "Traceback" not in full.stderr
    nothing_is_left(scratch, before)
    with Store(tmp_path / "s.db") as store:
        kept = len(store)
        assert kept > 10 and all(record.ok for record in store.records())
    resumed = command(tmp_path, *arguments)
    assert resumed.returncode == 0 and re.search(rf"300 cells: {300 - kept} run, {kept} resumed", resumed.stdout)


def test_a_locked_database_is_waited_for(faults: Path, tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "s.db"
    Store(path).close()
    holder = sqlite3.connect(path, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    threading.Timer(0.5, holder.rollback).start()
    assert not assay.run(TASK, entrants=["good"], datasets=["draws"], seeds=2, store=str(path)).failed


@inline_and_pool
def test_a_database_locked_for_good_ends_the_run_with_what_to_do(
    faults: Path, tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    monkeypatch.setattr(stores, "BUSY_SECONDS", 0.1)
    path = tmp_path / "s.db"
    holder = sqlite3.connect(path)

    def hold(event: object) -> None:
        if getattr(event, "done", 0) >= 2 and not holder.in_transaction:
            holder.execute("BEGIN IMMEDIATE")

    with pytest.raises(RunError, match=r"database is locked.*goes on from there"):
        assay.run(
            TASK, entrants=["sleeps"], datasets=["draws"], seeds=50, store=str(path), progress=hold, executor=executor
        )
    holder.rollback()
    with Store(path) as store:
        kept = len(store)
    assert 2 <= kept < 50
    done = assay.run(TASK, entrants=["sleeps"], datasets=["draws"], seeds=50, store=str(path), executor=executor)
    assert len(done.records) == 50 and not done.failed


@needs_fork
def test_a_fork_server_that_does_not_answer_is_ended_with_its_workers(
    faults: Path, tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forkserver, "CLOSING_SECONDS", 0.1)
    monkeypatch.setenv("FAULT_SLEEP", "30")
    before = set(children(os.getpid()))

    def stop(event: object) -> None:
        if getattr(event, "done", 0):
            (server,) = set(children(os.getpid())) - before
            os.kill(server, signal.SIGSTOP)
            raise KeyError("this program's own mistake")

    how = {"datasets": ["draws"], "seeds": 1, "store": str(tmp_path / "s"), "executor": "pool"}
    with pytest.raises(KeyError):
        assay.run(TASK, entrants=["good", "leaves", "sleeps"], progress=stop, **how)  # type: ignore[arg-type]


def test_the_temporary_folder_of_a_killed_run_goes_too(faults: Path, tmp_path: Path, scratch: Path) -> None:
    env = {**os.environ, "FAULT_SLEEP": "30"}
    head = subprocess.Popen(
        [sys.executable, "-m", "assay.cli", "run", TASK, "--entrants", "sleeps", "--workers", "1", "--seeds", "1"],
        cwd=tmp_path,
        env=env,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not list(scratch.glob("assay-pool-*/[0-9]*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    (server,) = children(head.pid)
    head.kill()
    head.wait()
    while (list(scratch.iterdir()) or alive(server)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not list(scratch.iterdir()) and not alive(server)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
