"""Ctrl-C once: what is done is stored, and the same command goes on from there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import assay
import pytest

SLOW = """
import time
from assay import Model, hookimpl
from assay_toy.line import Zero

class Slow(Zero):
    def fit(self, x, y):
        time.sleep(0.05)

@hookimpl
def assay_models():
    return [Model("slow", "toy/line", Slow)]
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for a child there")
def test_an_interrupted_run_keeps_what_is_done_and_says_how_to_go_on(toy):
    toy.write("assay-slow", SLOW, ["family:toy", "task:toy/line"])
    command = ["-m", "assay.cli", "run", "toy/line", "--entrants", "slow", "--datasets", "clean", "--seeds", "400"]
    environment = {**os.environ, "PYTHONPATH": str(toy.folder)}
    child = subprocess.Popen([sys.executable, *command], env=environment, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    first = child.stderr.readline()  # a cell ended
    child.send_signal(signal.SIGINT)
    rest = child.communicate(timeout=120)[1]
    assert child.returncode == 130
    assert first.startswith("1/400 ") and "Traceback" not in rest
    assert "the same command goes on from there" in rest.splitlines()[-1]
    stored = len(assay.records())
    assert 1 <= stored < 400 and f"{stored} of 400 cells are stored" in rest
    again = assay.run("toy/line", entrants=["slow"], datasets=["clean"], seeds=stored + 1)
    assert (again.resumed, len(again)) == (stored, stored + 1)
