from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import fault_plugin


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
