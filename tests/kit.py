"""The little family that the conformance kit is tested with, copied, changed and loaded afresh."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path

import pytest
from assay.catalog import Catalog
from assay.checks.subject import Subject, plugin_of

PLUGINS = Path(__file__).parent / "kit_plugins"
MODULES = ("assay_weights", "assay_sums")


def copied(folder: Path, *changes: tuple[str, str, str]) -> Path:
    """Copy the little family to a folder and replace text: (file, old, new), each old text present."""
    shutil.copytree(PLUGINS, folder, ignore=shutil.ignore_patterns("__pycache__", "conftest.py"))
    for name, old, new in changes:
        path = folder / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new) if old else new, encoding="utf-8")
    return folder


def subject(folder: Path, which: str, monkeypatch: pytest.MonkeyPatch) -> Subject:
    """Return the `paper` or `suite` of a copy, as freshly imported."""
    for name in [n for n in sys.modules if n.partition(".")[0] in MODULES]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("paper", "suite"):
        monkeypatch.syspath_prepend(folder / name)
    importlib.invalidate_caches()
    plugins = {name: plugin_of(folder / name) for name in ("paper", "suite")}
    return Subject(plugins[which], folder / which, Catalog(plugins.values()))
