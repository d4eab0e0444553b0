"""verdict.json: what is kept, that the same verdicts give the same bytes, and that a changed source shows as stale."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest
from assay import AssayError, Claim, Paper, recorded, recording, score, sources
from assay.catalog import Plugin
from assay.reach import Reach
from assay.spec import Cell, Record
from assay.verdicts import Sample, Verification, judge

acc = score("accuracy", task="toy/arena")
A, B = acc("a"), acc("b")
CLAIM = Claim("beats", A - B > 0.05, says="a beats b", published="0.9 against 0.8")

SOURCE = '''
"""A toy paper."""
from toyverdict_inside import helper

MARGIN = 0.05


def build(width=3):
    """Build it."""
    return helper(width)


def unrelated():
    return 1


def assay_papers():
    return [Claim("beats", a - b > MARGIN, says="a beats b")]
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A paper installed from a source folder, with a second module of which one function is used."""
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "toyverdict.py").write_text(SOURCE)
    inside = "def helper(n):\n    return n + 1\n\n\ndef idle():\n    return 0\n"
    (tmp_path / "toyverdict_inside.py").write_text(inside)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield Plugin("toy", "0", "Toy", "toyverdict", ("paper:toy",))
    for name in ("toyverdict", "toyverdict_inside"):
        sys.modules.pop(name, None)


@pytest.fixture
def verification(plugin):
    importlib.import_module("toyverdict")
    reach = Reach(["toyverdict", "toyverdict_inside"])
    places = reach.reached("toyverdict", "build") | reach.reached("toyverdict", "assay_papers")
    found = sources._now(f"{module}:{symbol}" for module, symbol in places)
    samples = {A: Sample({i: 0.9 + 0.01 * i for i in range(5)}), B: Sample({i: 0.5 + 0.02 * i for i in range(5)})}
    records = tuple(
        Record(Cell("toy/arena", "toy/data", "a", (), i, "smoke"), str(i), seconds=1.0, environment={"torch": v})
        for i, v in enumerate(("2.1", "2.2"))
    )
    paper = Paper("toy", "Toy", 2020, "toy", [CLAIM])
    return Verification(paper, tuple(judge([CLAIM], {"beats": samples})), "smoke", "cpu", records, found)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_was_found_is_read_again(plugin, verification):
    path = recording.write(verification, plugin)
    found = recorded.read(plugin)
    (claim,) = found.content["claims"]
    assert path.name == "verdict.json"
    assert found.outcomes == {"beats": "holds"}
    assert not found.stale
    assert found.summary() == "1 holds"
    assert claim["per_seed"] == {str(i): round(0.4 - 0.01 * i, 9) for i in range(5)}
    assert claim["published"] == "0.9 against 0.8"
    assert found.content["environment"] == {"torch": "2.1, 2.2"}


def test_the_same_verdicts_give_the_same_bytes(verification):
    text = recording.text(verification)
    assert text == recording.text(verification)
    assert json.loads(text) == recording.as_dict(verification)
    assert "nan" not in text.lower()


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("toyverdict.py", "helper(width)", "helper(width) * 2", "toyverdict:build"),
        ("toyverdict.py", "MARGIN = 0.05", "MARGIN = 0.01", "toyverdict:MARGIN"),
        ("toyverdict_inside.py", "return n + 1", "return n + 2", "toyverdict_inside:helper"),
    ],
)
def test_a_change_of_what_was_tested_makes_it_stale(plugin, verification, tmp_path, file, old, new, changed):
    recording.write(verification, plugin)
    edit(tmp_path / file, old, new)
    assert recorded.read(plugin).changed == (changed,)
    assert recorded.read(plugin).summary() == "1 holds (stale)"


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("toyverdict.py", "return 1", "return 2"),
        ("toyverdict.py", '"""Build it."""', '"""Build it well."""  # a comment'),
        ("toyverdict.py", 'says="a beats b"', 'says="a is better than b"'),
        ("toyverdict_inside.py", "return 0", "return 1"),
    ],
)
def test_words_and_what_nothing_reaches_leave_it_fresh(plugin, verification, tmp_path, file, old, new):
    recording.write(verification, plugin)
    edit(tmp_path / file, old, new)
    assert not recorded.read(plugin).stale


def test_a_source_that_is_gone_makes_it_stale(plugin, verification, tmp_path):
    recording.write(verification, plugin)
    (tmp_path / "toyverdict_inside.py").unlink()
    assert "toyverdict_inside:helper" in recorded.read(plugin).changed


def test_a_file_changed_by_hand_shows(plugin, verification, tmp_path):
    recording.write(verification, plugin)
    edit(tmp_path / "verdict.json", '"verdict": "holds"', '"verdict": "fails"')
    assert recorded.read(plugin).changed == ("verdict.json itself",)


def test_reading_imports_no_plugin(plugin, verification):
    recording.write(verification, plugin)
    for name in ("toyverdict", "toyverdict_inside"):
        del sys.modules[name]
    recorded.read(plugin)
    assert not {"toyverdict", "toyverdict_inside"} & set(sys.modules)


def test_an_empty_file_means_never(plugin, tmp_path):
    (tmp_path / "verdict.json").write_text("{}\n")
    assert recorded.read(plugin) is None


@pytest.mark.parametrize(
    ("content", "says"), [("{", "no JSON"), ('{"schema": 99}', "upgrade assay"), ("[1]", "schema")]
)
def test_a_file_that_cannot_be_read_says_what_to_do(plugin, tmp_path, content, says):
    (tmp_path / "verdict.json").write_text(content)
    with pytest.raises(AssayError, match=says):
        recorded.read(plugin)


def test_without_a_source_folder_the_user_names_one(plugin, verification, tmp_path):
    (tmp_path / "pyproject.toml").unlink()
    with pytest.raises(AssayError, match="--record-to DIR"):
        recording.write(verification, plugin)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert recording.write(verification, plugin, str(elsewhere)) == elsewhere / "verdict.json"


def test_a_folder_that_is_not_there_is_an_error(plugin, verification, tmp_path):
    with pytest.raises(AssayError, match="another folder"):
        recording.write(verification, plugin, str(tmp_path / "nowhere"))


def test_the_terminal_says_all_of_it_in_eighty_columns(verification):
    from assay import render

    text = render.verification(verification)
    assert max(map(len, text.splitlines())) <= 80
    assert all(word in text for word in ("HOLDS", "a beats b", "95 % interval", "5 seeds", "0.9 against 0.8", "smoke"))


def test_the_parameters_of_a_baseline_count(tmp_path, monkeypatch):
    """Its class has not changed, the call that makes it an entrant has."""
    path = tmp_path / "toybaselines.py"
    path.write_text('MODELS = [Model("flat", "t/a", Net, {"width": 3}), Model("deep", "t/a", Net)]\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    recorded_then = sources._now(["toybaselines#flat"])
    edit(path, 'Model("deep", "t/a", Net)', 'Model("deep", "t/a", Net, {"width": 9})')
    assert sources.changed(recorded_then) == []
    edit(path, '{"width": 3}', '{"width": 4}')
    assert sources.changed(recorded_then) == ["toybaselines#flat"]


def test_the_copy_in_a_wheel_is_read_where_there_is_no_source_folder(plugin, verification, tmp_path):
    info = tmp_path / "toy-0.dist-info" / "extra_metadata"
    info.mkdir(parents=True)
    (info.parent / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 0\n")
    (info / "verdict.json").write_text(recording.text(verification))
    (tmp_path / "pyproject.toml").unlink()
    found = recorded.read(plugin)
    assert found.where == "verdict.json in the wheel of toy"
    assert found.outcomes == {"beats": "holds"}


def test_listing_verdicts_needs_neither_numpy_nor_torch():
    heavy = "{'numpy', 'scipy', 'sqlalchemy', 'torch'} & set(sys.modules)"
    program = f"import sys; from assay import recorded; recorded.read; assert not {heavy}, {heavy}"
    subprocess.run([sys.executable, "-c", program], check=True)
