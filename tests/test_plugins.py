"""Every plugin of this repository conforms: by its files and code always, by running where it is not known to.

Entrants run for the plugins whose recorded verdict does not fit their claims any more, and for a tenth of the others,
another one every day.
"""

from __future__ import annotations

import zlib
from datetime import date
from pathlib import Path

import pytest
from assay.checks import runner
from assay.checks.subject import Subject, subjects

ROOT = Path(__file__).parent.parent
FOLDERS = sorted(str(path.parent) for path in ROOT.glob("plugins/*/*/pyproject.toml") if path.parts[-3] != "data")
STATIC = {check.id for check in runner.checks(smoke=False)}


@pytest.fixture(scope="module")
def plugins() -> dict[str, Subject]:
    return {str(s.folder): s for s in subjects(FOLDERS)}


def findings(report: runner.Report) -> list[str]:
    return [f"{r.check}: {finding}" for r in report.results if r.state == "found" for finding in r.findings]


def todays(subject: Subject) -> bool:
    """Whether a plugin is of the tenth whose turn it is today."""
    return zlib.crc32(subject.name.encode()) % 10 == date.today().toordinal() % 10


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: Path(path).name)
def test_conforms(folder, plugins):
    report = runner.examine(plugins[folder], runner.checks(smoke=False))
    assert not findings(report)


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: Path(path).name)
def test_conforms_when_it_runs(folder, plugins):
    subject = plugins[folder]
    current = runner.apply(runner.check_by_id("verdict-fresh"), subject).state != "found"
    if current and not todays(subject):
        pytest.skip("recorded as it is, and not of today's tenth")
    running = [check for check in runner.checks() if check.id not in STATIC]
    assert not findings(runner.examine(subject, running, cache=ROOT / ".assay" / "checks"))
