"""What a check must see through, and what it must not take for a mistake: beside the one mutant that each has."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest
import torch
from assay.checks import data, manners, runner, smoke
from kit import PLUGINS, copied, subject
from scipy import sparse

PAPER, SUITE = "paper/assay_weights.py", "suite/assay_sums/__init__.py"
REPORT = '        """Return the size of the weights."""\n'


def paper(*lines: str) -> tuple[str, str, str]:
    """Return the change by which the entrant's report does something more."""
    return (PAPER, REPORT, REPORT + "".join(f"        {line}\n" for line in lines))


def result(check, folder, which, monkeypatch):
    return runner.apply(runner.check_by_id(check), subject(folder, which, monkeypatch))


CAUGHT = {
    "settings: threads": ("settings", "import torch", "torch.set_num_threads(7)"),
    "generators: torch's": ("generators", "import torch", "torch.manual_seed(0)"),
    "settings: dtype": ("settings", "import torch", "torch.set_default_dtype(torch.float64)"),
    "settings: working folder": ("settings", "import os", "os.chdir('/')"),
    "files: at home": ("files", "from pathlib import Path", "Path.home().joinpath('left').write_text('x')"),
    "files: by numpy": ("files", "import numpy", "numpy.save('left', numpy.zeros(3))"),
    "files: elsewhere": ("files", "import pathlib", "pathlib.Path(__file__).with_name('left.txt').write_text('x')"),
    "files: a folder": ("files", "import os", "os.mkdir('left')"),
    "network: a datagram": (
        "network",
        "import socket",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    ),
    "network: by urllib": (
        "network",
        "import contextlib, urllib.request",
        "with contextlib.suppress(OSError): urllib.request.urlopen('http://localhost:1')",
    ),
    "processes: a fork": ("processes", "import os, time", "os.fork() or (time.sleep(60), os._exit(0))"),
    "processes: a thread": (
        "processes",
        "import sys, threading",
        "threading.Thread(target=sys.trap.wait, args=(60,)).start()",
    ),
    "quiet: on stderr": ("quiet", "import sys", "print('x', file=sys.stderr)"),
    "quiet: below python": ("quiet", "import os", "os.write(1, b'garbage')"),
    "deterministic: the clock": ("deterministic", "import time", "return {'size': time.perf_counter()}"),
}


@pytest.mark.parametrize("name", CAUGHT)
def test_it_is_caught_in_other_guises_too(name, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "trap", threading.Event(), raising=False)
    check, *lines = CAUGHT[name]
    try:
        found = result(check, copied(tmp_path / "weights", paper(*lines)), "paper", monkeypatch)
    finally:
        sys.trap.set()
    assert found.state == "found", found


ALLOWED = {
    "a seed that is taken back": (
        "generators",
        "import torch",
        "with torch.random.fork_rng(devices=[]): torch.manual_seed(0)",
    ),
    "files in the scratch folder": ("files", "(ctx.scratch / 'mine').write_text('x')", ""),
    "a temporary file": ("files", "import tempfile", "tempfile.TemporaryFile().close()"),
    "a process that ended": ("processes", "import subprocess", "subprocess.run(['true'])"),
    "a thread that ended": ("processes", "import threading", "t = threading.Thread(); t.start(); t.join()"),
    "global generators, which the core seeds and puts back": (
        "generators",
        "import random, numpy, torch",
        "random.random(), numpy.random.rand(), torch.rand(2)",
    ),
    "a setting that is put back": (
        "settings",
        "import torch",
        "torch.set_default_dtype(torch.float64), torch.set_default_dtype(torch.float32)",
    ),
    "nothing at /dev/null": ("files", "import os", "open(os.devnull, 'w').close()"),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_allowed_passes(name, tmp_path, monkeypatch):
    check, *lines = ALLOWED[name]
    folder = copied(tmp_path / "weights", paper(*filter(None, lines)))
    assert result(check, folder, "paper", monkeypatch).state == "passed"


def test_an_entrant_that_never_ends_is_stopped(tmp_path, monkeypatch):
    assert result("runs", PLUGINS, "paper", monkeypatch).state == "passed"  # what a cell imports is there then
    monkeypatch.setattr(smoke, "CELL_SECONDS", 0.3)
    folder = copied(tmp_path / "weights", paper("while True:", "    pass"))
    (finding, *_) = result("runs", folder, "paper", monkeypatch).findings
    assert "stopped after 0.3 s of processor time" in finding


def test_a_knob_value_that_takes_long_is_no_mistake(tmp_path, monkeypatch):
    monkeypatch.setattr(smoke, "KNOB_SECONDS", 0.2)
    folder = copied(tmp_path / "weights", paper("while self.linear.bias is None:", "    pass"))
    assert result("params-work", folder, "paper", monkeypatch).state == "passed"


def test_a_claim_may_speak_of_a_size_that_only_verdicts_reach():
    assert smoke._measured_as("numerics/gap[size=20]") == smoke._measured_as("numerics/gap[size=8]")
    assert smoke._measured_as('gap[m=5, points="2m, k=1"]') == ("gap", ("m", "points"))
    assert smoke._measured_as("gap") != smoke._measured_as("gap[size=8]")


class Thing:
    def __init__(self, value: float) -> None:
        self.value = value


@pytest.mark.parametrize(
    "make",
    [
        lambda x: torch.full((2000,), x),
        lambda x: sparse.csr_matrix(np.full((3, 3), x)),
        lambda x: {"a": [np.full(3, x), "text"]},
        lambda x: np.array([Thing(x), None], dtype=object),
        Thing,
    ],
    ids=["tensor", "sparse", "nested", "objects", "object"],
)
def test_data_compare_by_value(make):
    assert data._flat(make(1.0)) == data._flat(make(1.0))
    assert data._flat(make(1.0)) != data._flat(make(2.0))


def test_what_is_measured_in_seconds_may_differ_from_run_to_run(tmp_path, monkeypatch):
    clock = paper("import time", "return {'size': time.perf_counter()}")
    folder = copied(tmp_path / "weights", clock, (PAPER, '"down", "sum"', '"down", "s"'))
    assert result("deterministic", folder, "paper", monkeypatch).state == "passed"


def test_the_limit_is_that_of_the_scale():
    assert manners.CPU_SECONDS == 3.0
    assert smoke.CELL_SECONDS == 10 * manners.CPU_SECONDS
