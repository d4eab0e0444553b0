"""Every plugin of this repository conforms: by its files and code always, by running where it is not known to.

Entrants run for the plugins whose sources are not those of their recorded verdict, and for a tenth of the others, another
one every day. Each of the two has a share of processor time in an ordinary run, in an order of the day, so that the run stays
short however many plugins there are; `-m slow` runs what there was no time for.
"""

from __future__ import annotations

import time
import zlib
from datetime import date
from pathlib import Path

import pytest
from assay.checks import runner
from assay.checks.subject import Subject, subjects

ROOT = Path(__file__).parent.parent
TODAY = date.today().toordinal()
SECONDS = {"changed": 45.0, "today's tenth": 20.0}
"""Of the processor; a plugin that has begun is run to its end."""
MACHINE = {"smoke-time", "import-time"}
"""What depends on the machine: `assay check` looks at it, a test that must not fail on a slow one does not."""
STATIC = {check.id for check in runner.checks(smoke=False)}
RUNNING = [check for check in runner.checks() if check.id not in STATIC | MACHINE]


def draw(name: str, salt: object = "") -> int:
    """Return a number that looks drawn at random and is always the same."""
    return zlib.crc32(f"{salt}{name}".encode())


def in_turn(name: str, day: int) -> bool:
    """Whether a plugin is of the tenth whose turn it is on a day."""
    return draw(name) % 10 == day % 10


FOLDERS = sorted(str(path.parent) for path in ROOT.glob("plugins/*/*/pyproject.toml") if path.parts[-3] != "data")
TODAYS_ORDER = sorted(FOLDERS, key=lambda folder: draw(Path(folder).name, TODAY))


@pytest.fixture(scope="module")
def plugins() -> dict[str, Subject]:
    return {str(s.folder): s for s in subjects(FOLDERS)}


@pytest.fixture(scope="module")
def left() -> dict[str, float]:
    """Give the seconds that are left."""
    return dict(SECONDS)


def findings(report: runner.Report) -> list[str]:
    return [f"{r.check}: {finding}" for r in report.results if r.state == "found" for finding in r.findings]


def why_run(subject: Subject, day: int = TODAY) -> str | None:
    """Return which of SECONDS a plugin runs for, None for one that is known to conform and not in turn."""
    unknown = subject.plugin.paper and not subject.recorded.get("claims")
    if unknown or runner.apply(runner.check_by_id("verdict-fresh"), subject).state == "found":
        return "changed"
    return "today's tenth" if in_turn(subject.name, day) else None


def run(subject: Subject) -> list[str]:
    return findings(runner.examine(subject, RUNNING, cache=ROOT / ".assay" / "checks"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: Path(path).name)
def test_conforms(folder, plugins):
    report = runner.examine(plugins[folder], runner.checks(smoke=False))
    assert not findings(report)


@pytest.mark.parametrize("folder", TODAYS_ORDER, ids=lambda path: Path(path).name)
def test_conforms_when_it_runs(folder, plugins, left):
    why = why_run(plugins[folder])
    if why is None:
        pytest.skip("its sources are those of its verdict, and it is not of today's tenth")
    if left[why] <= 0:
        pytest.skip(f"{why}: no time is left for it in this run; -m slow runs it")
    start = time.process_time()
    found = run(plugins[folder])
    left[why] -= time.process_time() - start
    assert not found


@pytest.mark.slow
@pytest.mark.parametrize("folder", TODAYS_ORDER, ids=lambda path: Path(path).name)
def test_conforms_when_it_runs_however_long_it_takes(folder, plugins):
    if why_run(plugins[folder]) is None:
        pytest.skip("its sources are those of its verdict, and it is not of today's tenth")
    assert not run(plugins[folder])


def test_in_ten_days_every_plugin_has_its_turn_once():
    names = [f"paper-{i}" for i in range(366)]
    turns = [[name for name in names if in_turn(name, day)] for day in range(TODAY, TODAY + 10)]
    assert sorted(name for turn in turns for name in turn) == sorted(names)
    assert all(20 <= len(turn) <= 60 for turn in turns)
