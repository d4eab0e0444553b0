"""The toy family that the conformance kit is tested with, copied, changed and loaded afresh."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path

import pytest
from assay import digest
from assay.catalog import Catalog
from assay.checks.subject import Subject, plugin_of

TOY = Path(__file__).parent / "toy"
MODULES = ("assay_toy", "assay_toys")


def copied(folder: Path, *changes: tuple[str, str, str]) -> Path:
    """Copy the toy family to a folder and replace text: (file, old, new), each old text present."""
    shutil.copytree(TOY, folder, ignore=shutil.ignore_patterns("__pycache__", "conftest.py"))
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
    digest._source_file.cache_clear()
    digest._is_users.cache_clear()
    plugins = {name: plugin_of(folder / name) for name in ("paper", "suite")}
    return Subject(plugins[which], folder / which, Catalog(plugins.values()))
