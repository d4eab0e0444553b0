"""Tiny plugins without torch, installed into a temporary folder with real metadata."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

import fault_plugin

settings.register_profile("assay", deadline=None)
settings.load_profile("assay")

TOY = Path(__file__).parent / "toy"
KNOWN = {
    "assay-toy": ("assay_toy", ["family:toy", "task:toy/line", "task:toy/sign"]),
    "assay-mean": (
        "assay_mean.py",
        ["family:toy", "task:toy/line", "paper:mean", "claim:line-beats-mean", "claim:bounded"],
    ),
    "assay-watch": ("assay_watch.py", []),
    "assay-backend-twin": ("assay_backend_twin.py", []),
}


class Plugins:
    """A folder of installed plugins, first on the path.

    `install("assay-toy")` takes a plugin of tests/toy; `write("assay-x", source, keywords)` makes one of a source.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, *names: str) -> Plugins:
        for name in names:
            source, keywords = KNOWN[name]
            if (TOY / source).is_dir():
                shutil.copytree(TOY / source, self.folder / source, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(TOY / source, self.folder)
            self._describe(name, keywords)
        return self

    def write(
        self,
        name: str,
        source: str,
        keywords: Sequence[str] = (),
        *,
        requires: Sequence[str] = (),
        version: str = "1.0",
    ) -> Plugins:
        (self.folder / f"{_module(name)}.py").write_text(source)
        self._describe(name, keywords, requires, version)
        return self

    def uninstall(self, name: str) -> None:
        shutil.rmtree(next(self.folder.glob(f"{_module(name)}-*.dist-info")))
        self.fresh()

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text in a source file, as an author does between two runs."""
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new))
        self.fresh()

    def fresh(self) -> None:
        """Forget the modules of the folder, as a new process would."""
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(str(self.folder.parent)):
                del sys.modules[name]
        importlib.invalidate_caches()

    def _describe(self, name: str, keywords: Sequence[str], requires: Sequence[str] = (), version: str = "1.0") -> None:
        info = self.folder / f"{_module(name)}-{version}.dist-info"
        info.mkdir()
        needs = "".join(f"Requires-Dist: {r}\n" for r in requires)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: About {name}\n"
            f"Keywords: {','.join(keywords)}\n{needs}\nText.\n"
        )
        (info / "entry_points.txt").write_text(f"[assay]\n{name} = {_module(name)}\n")
        self.fresh()


def _module(name: str) -> str:
    return name.replace("-", "_")


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugins]:
    """An empty folder of plugins; the working directory is an empty one beside it."""
    for folder in ("site", "work"):
        (tmp_path / folder).mkdir()
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("ASSAY_STORE", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    found = Plugins(tmp_path / "site")
    yield found
    found.fresh()


@pytest.fixture
def toy(plugins: Plugins) -> Plugins:
    """The toy suite and its paper."""
    return plugins.install("assay-toy", "assay-mean")


@pytest.fixture
def process(plugins: Plugins):
    """Start a Python process that sees the plugins: `process("-m", "assay.cli", "list")`."""

    def start(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        known = {**os.environ, "PYTHONPATH": str(plugins.folder), "PYTHONDONTWRITEBYTECODE": "1", **environment}
        return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=known, timeout=60)

    return start


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]):
    """Run the command line in this process: `command("list")` gives its exit status, output and errors."""
    from assay.cli import main

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = main(arguments)
        except SystemExit as stop:  # argparse
            status = int(stop.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return status, out, err

    return call


@pytest.fixture(scope="session")
def fault_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the plugin of bad entrants is installed."""
    folder = tmp_path_factory.mktemp("faults")
    fault_plugin.install(folder)
    return folder


@pytest.fixture
def faults(fault_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plugin of bad entrants on the path of this process and of those that it starts."""
    monkeypatch.syspath_prepend(str(fault_folder))
    monkeypatch.setenv("PYTHONPATH", str(fault_folder))
    return fault_folder
