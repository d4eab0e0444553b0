"""assay install, uninstall, docs and list --available: what will be done is known before anything is."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import pytest
from assay import index, indexing, installing
from assay.cli import main
from assay.errors import AssayError
from kit import PLUGINS

ROOT = Path(__file__).parent.parent
ENTRY = {
    "paper": "weights",
    "name": "assay-weights",
    "title": "T",
    "family": "sums",
    "tasks": ["sums/columns"],
    "claims": {"a": "holds"},
}


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(index, "known", lambda: [ENTRY])


def wheel(folder: Path, name: str, *requires: str) -> Path:
    """Write a wheel that holds one empty module and its metadata."""
    module = name.replace("-", "_")
    path = folder / f"{module}-0.1.0-py3-none-any.whl"
    info = f"{module}-0.1.0.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 0.1.0", *(f"Requires-Dist: {r}" for r in requires)]
    files = {
        f"{module}.py": "",
        f"{info}/METADATA": "\n".join(metadata) + "\n\n# Readme\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for target, text in files.items():
            archive.writestr(target, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{target},,\n" for target in (*files, f"{info}/RECORD")))
    return path


def test_the_index_is_what_the_plugins_of_the_repository_say():
    text = (ROOT / "core/assay/index.json").read_text(encoding="utf-8")
    assert text == indexing.dumps(indexing.build(ROOT / "plugins")), "python -m assay.indexing plugins"


def test_available_lists_papers_that_are_not_installed(known, capsys):
    assert main(["list", "--available", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["paper"], entry["installed"], entry["claims"]) == ("weights", False, {"a": "holds"})


def test_an_unknown_paper_gets_a_suggestion(known):
    with pytest.raises(AssayError, match="did you mean 'weights'"):
        installing.chosen(["weight"], None, None)


@pytest.mark.parametrize(("family", "task"), [("sums", None), (None, "sums/columns")])
def test_a_family_or_a_task_means_its_papers(known, family, task):
    assert installing.chosen([], family, task) == [ENTRY]


def test_a_checkout_brings_the_suite_along(known):
    step = installing.plan([ENTRY], PLUGINS)
    assert set(step.names) == {"assay-weights", "assay-sums"}
    assert set(step.targets) == {str(PLUGINS / "paper"), str(PLUGINS / "suite")}
    assert 0 < step.bytes < 100_000


def test_a_folder_of_wheels_brings_what_the_metadata_require(known, tmp_path):
    wheels = [
        wheel(tmp_path, "assay-weights", "assay-sums>=0.1", "numpy>=1"),
        wheel(tmp_path, "assay-sums", "assay>=0.1"),
    ]
    step = installing.plan([ENTRY], tmp_path)
    assert set(step.targets) == {str(path) for path in wheels}
    assert "--find-links" in installing.command(step, tmp_path)


def test_an_index_is_asked_by_name(known):
    step = installing.plan([ENTRY], None)
    assert installing.command(step, None)[-2:] == ["install", "assay-weights"]


def test_what_is_installed_is_skipped(monkeypatch):
    entry = next(e for e in index.known() if e["paper"] == "deep-sets")
    step = installing.plan([entry], None)
    assert step.names == ()
    assert step.present == ("assay-deep-sets",)


def test_a_folder_without_plugins_is_refused(known, tmp_path):
    with pytest.raises(AssayError, match="neither plugin folders nor wheels"):
        installing.plan([ENTRY], tmp_path)


def test_an_installation_really_installs(tmp_path):
    pytest.importorskip("pip")
    path = wheel(tmp_path, "assay-weights")
    target = tmp_path / "there"
    installing.run(
        [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(target), str(path)]
    )
    assert (target / "assay_weights.py").exists()


def test_a_failing_installer_is_an_error_with_its_words(tmp_path):
    pytest.importorskip("pip")
    with pytest.raises(AssayError, match="failed"):
        installing.run([sys.executable, "-m", "pip", "install", "--no-index", str(tmp_path / "no.whl")])


def test_dry_run_installs_nothing(known, capsys):
    assert main(["install", "weights", "--from", str(PLUGINS), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "assay-weights will be installed" in out
    assert "kB of plugins" in out


def test_uninstall_names_the_distribution(capsys):
    assert main(["uninstall", "deep-sets", "--dry-run"]) == 0
    assert capsys.readouterr().out.split()[-1] == "assay-deep-sets"


def test_uninstalling_what_is_not_there_is_a_usage_error(capsys):
    assert main(["uninstall", "deep-set", "--dry-run"]) == 2
    assert "did you mean 'deep-sets'" in capsys.readouterr().err


def test_docs_prints_the_readme(capsys):
    assert main(["docs", "deep-sets"]) == 0
    assert capsys.readouterr().out.startswith("# Deep Sets")
