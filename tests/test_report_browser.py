"""The page in Chromium, by tests/browser/report.test.mjs; skipped where node, Chromium or the npm packages are missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BROWSER = Path(__file__).parent / "browser"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")


pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium: apt-get install chromium, or CHROMIUM=path"),
    pytest.mark.skipif(not shutil.which("node"), reason="needs node 20 or newer"),
    pytest.mark.skipif(not (BROWSER / "node_modules").is_dir(), reason="needs: npm install --prefix tests/browser"),
]


def play(*options: str) -> None:
    """Run the browser's tests, those that are named by `--test-name-pattern=...`, or all."""
    environment = {**os.environ, "PYTHON": sys.executable, "CHROMIUM": str(CHROMIUM)}
    command = ["node", "--test", *options, str(BROWSER / "report.test.mjs")]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_page_opens_in_a_browser():
    play("--test-name-pattern=every view opens|strings from plugins|policy stops")


@pytest.mark.slow
def test_the_page_works_in_a_browser():
    play()
