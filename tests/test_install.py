"""assay install, uninstall, docs and list --available: what will be done is known before anything is."""

from __future__ import annotations

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import assay
import pytest
from assay import index, indexing, installing
from assay.cli import main
from assay.errors import AssayError
from assay.installing import Step
from kit import PLUGINS

ROOT = Path(__file__).parent.parent
ENTRY = {
    "paper": "weights",
    "name": "assay-weights",
    "title": "T",
    "family": "sums",
    "tasks": ["sums/columns"],
    "claims": {"a": "holds"},
    "requires": ["assay", "assay-sums", "torch"],
    "bytes": 7000,
    "extras": {"rivals": ["assay-rival"]},
}


@pytest.fixture
def known(monkeypatch):
    suite = {"name": "assay-sums", "requires": ["assay", "torch"], "bytes": 4000}
    monkeypatch.setattr(index, "distributions", lambda: {e["name"]: e for e in (suite, ENTRY)})


def planned(source, *papers: str, family=None, task=None) -> Step:
    offers = installing.offered(source)
    return installing.plan(installing.chosen(papers, family, task, offers), offers, source)


def wheel(folder: Path, name: str, *metadata: str) -> Path:
    """Write a wheel that holds one module, a paper's when its metadata say so, and its metadata."""
    module = name.replace("-", "_")
    path = folder / f"{module}-0.1.0-py3-none-any.whl"
    info = f"{module}-0.1.0.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 0.1.0", *metadata]
    files = {
        f"{module}.py": "",
        f"{info}/METADATA": "\n".join(lines) + "\n\n# Readme\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[assay]\n{name} = {module}\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for target, text in files.items():
            archive.writestr(target, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{target},,\n" for target in (*files, f"{info}/RECORD")))
    return path


WHEELS = {
    "assay-weights": (
        "Keywords: family:sums,task:sums/columns,paper:weights,claim:a",
        "Provides-Extra: rivals",
        "Requires-Dist: assay>=0.1",
        "Requires-Dist: assay-sums>=0.1",
        'Requires-Dist: assay-rival>=0.1; extra == "rivals"',
    ),
    "assay-sums": ("Keywords: family:sums,task:sums/columns", "Requires-Dist: assay>=0.1"),
}
"""A paper and its suite, which need no library."""


def test_the_index_is_what_the_plugins_of_the_repository_say():
    text = (ROOT / "core/assay/index.json").read_text(encoding="utf-8")
    assert text == indexing.dumps(indexing.build(ROOT / "plugins")), "python -m assay.indexing plugins"


def test_available_lists_papers_that_are_not_installed(known, capsys):
    assert main(["list", "--available", "--json"]) == 0
    by_id = {entry["paper"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert (by_id["weights"]["installed"], by_id["weights"]["claims"]) == (False, {"a": "holds"})


def test_available_lists_installed_papers_that_the_index_does_not_know(known, capsys):
    assert main(["list", "--available", "--json", "--family", "sets"]) == 0
    by_id = {entry["paper"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert by_id["deep-sets"]["installed"]
    assert set(by_id["deep-sets"]["claims"].values()) <= {"holds", "fails", "inconclusive", "untested"}


def test_an_unknown_paper_gets_a_suggestion(known):
    with pytest.raises(AssayError, match="did you mean 'weights'"):
        planned(None, "weight")


@pytest.mark.parametrize(("family", "task"), [("sums", None), (None, "sums/columns")])
def test_a_family_or_a_task_means_its_papers(known, family, task):
    assert "assay-weights" in planned(None, family=family, task=task).names


def test_an_index_is_asked_by_name_and_its_sizes_are_known(known):
    step = planned(None, "weights")
    assert installing.command(step, None)[-3:] == ["install", "assay-weights", "assay-sums"]
    assert step.bytes == 11_000
    assert step.extras == {"assay-weights[rivals]": ("assay-rival",)}


def test_a_checkout_brings_the_suite_along(known):
    step = planned(PLUGINS, "weights")
    assert step.targets == (str(PLUGINS / "paper"), str(PLUGINS / "suite"))
    assert 0 < step.bytes < 100_000


def test_a_folder_of_wheels_brings_what_the_metadata_require(known, tmp_path):
    wheels = [wheel(tmp_path, name, *metadata) for name, metadata in WHEELS.items()]
    step = planned(tmp_path, "weights")
    assert step.targets == tuple(map(str, wheels))
    assert step.bytes == sum(path.stat().st_size for path in wheels)
    assert step.extras == {"assay-weights[rivals]": ("assay-rival>=0.1",)}
    assert "--find-links" in installing.command(step, tmp_path)


def test_a_checkout_may_hold_papers_that_the_index_does_not_know(monkeypatch):
    monkeypatch.setattr(index, "distributions", dict)
    assert planned(PLUGINS, "weights").names == ("assay-weights", "assay-sums")


def test_a_suite_that_is_nowhere_is_an_error_that_says_where_it_was_looked_for(known, tmp_path):
    wheel(tmp_path, "assay-weights", *WHEELS["assay-weights"])
    with pytest.raises(AssayError, match=f"'assay-sums'.*{tmp_path}"):
        planned(tmp_path, "weights")


def test_what_is_installed_is_skipped():
    step = planned(None, "deep-sets")
    assert step.names == ()
    assert step.present == ("assay-deep-sets",)


def test_a_folder_without_plugins_is_refused(known, tmp_path):
    with pytest.raises(AssayError, match="neither plugin folders nor wheels"):
        planned(tmp_path, "weights")


def test_a_failing_installer_is_an_error_with_its_words(tmp_path):
    pytest.importorskip("pip")
    with pytest.raises(AssayError, match="failed"):
        installing.run([sys.executable, "-m", "pip", "install", "--no-index", str(tmp_path / "no.whl")])


def test_dry_run_installs_nothing(known, capsys):
    assert main(["install", "weights", "--from", str(PLUGINS), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "assay-weights will be installed" in out
    assert "kB of plugins" in out
    assert "would run:" in out


def test_without_a_terminal_it_does_not_ask(known, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    monkeypatch.setattr(installing, "run", lambda _: pytest.fail("installed"))
    assert main(["install", "weights", "--from", str(PLUGINS)]) == 2
    assert "--yes" in capsys.readouterr().err


def test_uninstall_names_the_distribution(capsys):
    assert main(["uninstall", "deep-sets", "--dry-run"]) == 0
    assert capsys.readouterr().out.split()[-1] == "assay-deep-sets"


def test_uninstalling_what_is_not_there_is_a_usage_error(capsys):
    assert main(["uninstall", "deep-set", "--dry-run"]) == 2
    assert "did you mean 'deep-sets'" in capsys.readouterr().err


def test_docs_prints_the_readme(capsys):
    assert main(["docs", "deep-sets"]) == 0
    assert capsys.readouterr().out.startswith("# Deep Sets")


class Environment:
    """A virtual environment without a network that has this assay, and as installer pip or uv alone."""

    def __init__(self, folder: Path, installer: str) -> None:
        self.folder, self.python = folder, folder / ".venv/bin/python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / ".venv")], check=True)
        (packages,) = (folder / ".venv").glob("lib/python*/site-packages")
        outer = folder / "outer"
        outer.mkdir()
        for path in Path(pytest.__file__).parents[1].iterdir():
            ours = path.name.startswith(("assay", "_assay")) or path.name.endswith(".pth")
            if not ours and not path.name.startswith("uv" if installer == "pip" else "pip"):
                (outer / path.name).symlink_to(path)
        (packages / "outer.pth").write_text(f"{outer}\n{Path(assay.__file__).parents[1]}\n")
        info = packages / f"assay-{assay.__version__}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: assay\nVersion: {assay.__version__}\n")
        (info / "RECORD").write_text("")
        (info / "INSTALLER").write_text("test\n")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "PYTHON"))}
        offline = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "UV_NO_INDEX": "1", "UV_NO_BUILD_ISOLATION": "1"}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}" if installer == "uv" else "/usr/bin:/bin"
        self.environment = {**kept, **offline, "PATH": path, "UV_CACHE_DIR": str(folder / "cache"), "HOME": str(folder)}

    def assay(self, *arguments: str, **variables: str) -> str:
        done = subprocess.run(
            [str(self.python), "-m", "assay.cli", *arguments],
            cwd=self.folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def papers(self) -> list[str]:
        return [p["name"] for p in json.loads(self.assay("list", "--json"))]


@pytest.fixture
def environment(request, tmp_path):
    pytest.importorskip(request.param, reason=f"{request.param} is not here")
    return Environment(tmp_path, request.param)


def sources(folder: Path) -> Path:
    """Write the folders of a paper and its suite that need no library, as a checkout has them."""
    for name, metadata in WHEELS.items():
        module, place = name.replace("-", "_"), folder / name.removeprefix("assay-")
        place.mkdir(parents=True)
        fields = [line.partition(": ")[::2] for line in metadata]
        (words,) = (value.split(",") for key, value in fields if key == "Keywords")
        requires = [value for key, value in fields if key == "Requires-Dist" and "extra" not in value]
        (place / f"{module}.py").write_text("")
        (place / "pyproject.toml").write_text(
            f'[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
            f'[project]\nname = "{name}"\nversion = "0.1.0"\nkeywords = {words}\ndependencies = {requires}\n'
            f'[project.entry-points.assay]\n{name} = "{module}"\n'
            f'[tool.hatch.build.targets.wheel]\nonly-include = ["{module}.py"]\n'
        )
    return folder


@pytest.mark.parametrize("environment", ["pip", "uv"], indirect=True)
@pytest.mark.parametrize("place", ["checkout", "wheels"])
def test_a_paper_comes_from_a_folder_with_its_suite_and_goes_alone(environment, place, tmp_path):
    folder = tmp_path / place
    folder.mkdir()
    if place == "checkout":
        sources(folder)
    else:
        for name, metadata in WHEELS.items():
            wheel(folder, name, *metadata)
    assert "assay-sums will be installed" in environment.assay("install", "weights", "--from", str(folder), "--yes")
    assert environment.papers() == ["assay-sums", "assay-weights"]
    assert "assay-weights is installed already" in environment.assay("install", "weights", "--from", str(folder))
    environment.assay("uninstall", "weights")
    assert environment.papers() == ["assay-sums"]


@pytest.mark.parametrize("environment", ["pip", "uv"], indirect=True)
def test_a_paper_comes_from_an_index(environment, tmp_path):
    """The index is a folder served as a package index is; the paper is one that the core knows."""
    root = tmp_path / "index"
    for name in ("assay-polynomial-width", "assay-sets", "assay-data-mnist10k"):
        (root / "simple" / name).mkdir(parents=True)
        path = wheel(
            root / "simple" / name, name, *(("Keywords: family:sets,paper:polynomial-width",) if "-p" in name else ())
        )
        (root / "simple" / name / "index.html").write_text(f'<a href="{path.name}">{path.name}</a>')
    handler = functools.partial(SilentHandler, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/simple/"
        told = {"PIP_INDEX_URL": address, "PIP_NO_INDEX": "0", "UV_DEFAULT_INDEX": address, "UV_NO_INDEX": "0"}
        out = environment.assay("install", "polynomial-width", "--yes", **told)
        server.shutdown()
    assert "about " in out and "of plugins" in out
    assert environment.papers() == ["assay-data-mnist10k", "assay-polynomial-width", "assay-sets"]


class SilentHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:
        pass
