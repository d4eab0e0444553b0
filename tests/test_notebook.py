"""Results in a notebook: a table and a plot; in a terminal: text."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from xml.etree import ElementTree

import assay
import pytest
import report_data as made
from assay import Claim, Paper, score
from assay.leaderboard import leaderboards
from assay.running import Run
from assay.store import Store
from assay.verdicts import Sample, Verification, judge

TASK = "sets/clouds"
HOSTILE = "<script>x</script>"


@pytest.fixture
def records():
    return [made.record(TASK, entrant, seed) for entrant in range(3) for seed in range(4)]


def parsed(html):
    return ElementTree.fromstring(html)


def test_a_leaderboard_is_a_table_and_a_plot_of_intervals(records):
    (board,) = leaderboards(records, "accuracy", "up", "fraction")
    page = parsed(board._repr_html_())
    assert len(page.findall(".//tbody/tr")) == 3
    assert len(page.findall(".//svg/circle")) == len(page.findall(".//svg/line")) == 3
    places = [float(circle.get("cx")) for circle in page.findall(".//svg/circle")]
    assert places == sorted(places, reverse=True)


def test_names_of_entrants_are_escaped(records):
    odd = [replace(r, cell=replace(r.cell, model=HOSTILE)) for r in records[:4]]
    shown = leaderboards(odd, "accuracy", "up", "fraction")._repr_html_()
    assert "<script" not in shown and "&lt;script&gt;" in shown


def test_a_terminal_shows_a_leaderboard_as_text(records):
    (board,) = boards = leaderboards(records, "accuracy", "up", "fraction")
    assert repr(boards) == repr(board)
    assert repr(board).splitlines()[1].split()[:3] == ["rank", "entrant", "accuracy"]
    assert "<" not in repr(board)


def test_compare_gives_what_a_notebook_shows(records, tmp_path):
    with Store(tmp_path / "r.db") as store:
        store.describe(TASK, made.metrics())
        for record in records:
            store.put(record)
    assert "<svg" in assay.compare(TASK, store=str(tmp_path / "r.db"))._repr_html_()


def test_verdicts_are_a_table_with_their_reasons():
    a, b = (score("accuracy", task=TASK)(name) for name in ("a", "b"))
    claim = Claim("beats", a - b > 0.05, says="a beats b", published="0.9 & more")
    samples = {"beats": {a: Sample(dict.fromkeys(range(5), 0.9)), b: Sample({s: 0.5 + s / 100 for s in range(5)})}}
    verdicts = judge([claim], samples)
    found = Verification(
        Paper("p", title=HOSTILE, year=2020, family="sets", claims=[claim]), tuple(verdicts), "small", "cpu", ()
    )
    cells = [cell.text for cell in parsed(found._repr_html_()).findall(".//tbody/tr/td")]
    assert cells[:2] == ["beats", "holds"] and "0.9 & more" in cells
    assert "holds" in repr(found)


def test_a_run_tells_what_became_of_each_entrant(records, tmp_path):
    failed = made.record(TASK, 9, 0, reason="timeout")
    with Store(tmp_path / "r.db") as store:
        for record in (*records, failed):
            store.put(record)
    jobs = [SimpleNamespace(digest=r.digest) for r in (*records, failed)]
    done = Run(jobs, 4, (failed,), str(tmp_path / "r.db"), (TASK,))
    text = repr(done)
    assert text.startswith("13 cells: 9 run, 4 resumed, 1 failed")
    assert "timeout" in text.splitlines()[-1]
    assert len(parsed(done._repr_html_()).findall(".//tbody/tr")) == 4
