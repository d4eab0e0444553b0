"""assay new: what it writes is sound as it stands, and says what is still to be written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from assay import scaffold
from assay.checks import runner
from assay.checks.subject import subjects
from assay.cli import main
from assay.errors import AssayError
from assay.scaffold import Wanted

ROOT = Path(__file__).parent.parent
PLUGINS = {
    "paper": Wanted("paper", "my-pool", "sets", "My pooling", "Me et al.", 2020, "2001.00001"),
    "paper of the other task": Wanted("paper", "my-sum", "sets", task="sets/set-statistics"),
    "family": Wanted("family", "apples"),
    "dataset": Wanted("dataset", "blobs", "sets"),
    "metric": Wanted("metric", "top-five", "sets"),
    "backend": Wanted("backend", "tpu"),
}
UNFINISHED = {"finished", "verdict-recorded", "readme-fresh"}
"""What a paper that is still to be written breaks; `assay check --fix` writes its README."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    into = tmp_path_factory.mktemp("new")
    return {name: scaffold.write(wanted, into)[0].parent for name, wanted in PLUGINS.items()}


@pytest.mark.parametrize("name", PLUGINS)
def test_it_breaks_nothing_but_what_is_not_implemented_yet(name, folders):
    (subject,) = subjects([str(folders[name])])
    report = runner.examine(subject, runner.checks(smoke=False))
    assert {r.check for r in report.results if r.state == "found"} <= UNFINISHED


def test_a_new_family_runs_as_it_stands(folders):
    (subject,) = subjects([str(folders["family"])])
    report = runner.examine(subject, [c for c in runner.checks() if c.stage == "smoke"])
    assert [r for r in report.results if r.state == "found"] == []


@pytest.mark.parametrize("tool", [["ruff", "check"], ["ruff", "format", "--check"]], ids=" ".join)
def test_ruff_has_nothing_to_say(tool, folders):
    pytest.importorskip("ruff")
    command = [sys.executable, "-m", *tool, "--config", str(ROOT / "pyproject.toml"), *map(str, folders.values())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_mypy_has_nothing_to_say(folders):
    pytest.importorskip("mypy")
    files = [str(path) for folder in folders.values() for path in folder.rglob("*.py") if "test_" not in path.name]
    options = ["--strict", "--ignore-missing-imports", "--follow-imports=silent", "--disable-error-code=no-any-return"]
    options += ["--disable-error-code=misc", "--disable-error-code=untyped-decorator"]
    done = subprocess.run([sys.executable, "-m", "mypy", *options, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_its_own_tests_pass(folders):
    paths = [str(folder) for folder in folders.values()]
    path = ":".join(paths)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", paths[0], *paths]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PYTHONPATH": path, "PATH": "/usr/bin"}
    )
    assert done.returncode == 0, done.stdout


def test_nothing_is_overwritten(folders):
    with pytest.raises(AssayError, match="exists already"):
        scaffold.write(PLUGINS["paper"], folders["paper"].parent)


@pytest.mark.parametrize("name", ["My_Pool", "3d", ""])
def test_a_name_that_cannot_be_one_is_refused(name, tmp_path):
    with pytest.raises(AssayError, match="small letters"):
        scaffold.write(Wanted("paper", name, "sets"), tmp_path)


def test_an_unknown_family_gets_a_suggestion(tmp_path, capsys):
    assert main(["new", "my-pool", "--family", "set", "--into", str(tmp_path)]) == 2
    assert "did you mean 'sets'" in capsys.readouterr().err


def test_without_arguments_it_asks(tmp_path, monkeypatch):
    answers = iter(["paper", "my-pool", "sets", "My pooling", "Me et al.", "2020", ""])
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert main(["new", "--into", str(tmp_path)]) == 0
    assert "(Me et al., 2020)" in (tmp_path / "my-pool/assay_my_pool.py").read_text()


def test_without_a_terminal_it_says_what_to_give(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert main(["new"]) == 2
    assert "assay new PAPER --family F" in capsys.readouterr().err
