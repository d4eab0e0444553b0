"""Completion knows commands, options and ids, and imports no plugin."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time

import pytest
from assay import catalog, completing, index
from assay.cli import _parser

KEYWORDS = {
    "assay-sets": "family:sets task:sets/point-clouds task:sets/set-statistics model:sets/point-clouds/flat-mlp "
    "dataset:sets/point-clouds/shapes-3d dataset:sets/set-statistics/sums",
    "assay-deep-sets": "family:sets task:sets/point-clouds paper:deep-sets model:sets/point-clouds/deep-sets "
    "model:sets/point-clouds/deep-sets-max",
    "assay-backend-twin": "backend:twin",
}
INSTALLED = [
    catalog.Plugin(name, "1.0", "", name.replace("-", "_"), tuple(words.split())) for name, words in KEYWORDS.items()
]


@pytest.fixture(scope="module")
def parser():
    return _parser()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["ver"], ["verify"]),
        (["verify", "deep-s"], ["deep-sets"]),
        (["run", "sets/po"], ["sets/point-clouds"]),
        (["compare", "sets/se"], ["sets/set-statistics"]),
        (["run", "deep-sets", "--sc"], ["--scale"]),
        (["run", "deep-sets", "--scale", "s"], ["small", "smoke"]),
        (["run", "deep-sets", "--scale=s"], ["--scale=small", "--scale=smoke"]),
        (["run", "deep-sets", "--scale", "=", "s"], ["small", "smoke"]),  # as bash splits it
        (["run", "deep-sets", "--scale", "="], ["full", "small", "smoke"]),
        (["check", "--static", "deep-s"], ["deep-sets"]),
        (
            ["run", "sets/point-clouds", "--entrants", "flat-mlp,deep-sets-m"],
            ["flat-mlp,deep-sets-max"],
        ),
        (["run", "deep-sets", "--datasets", "sh"], ["shapes-3d"]),
        (["compare", "sets/point-clouds", "--dataset", "sh"], ["shapes-3d"]),
        (["run", "deep-sets", "--backend", ""], ["cpu", "twin"]),
        (["install", ""], ["set-gru"]),
        (["install", "--task", ""], ["sets/point-clouds", "sets/set-statistics", "words/copy"]),
        (["list", "--family", "se"], ["sets"]),
        (["track", "pub"], ["publish"]),
        (["track", "run", "--papers", "deep-s"], ["deep-sets"]),
        (["export", "--to", "m"], ["markdown", "mlflow"]),
        (["completion", "z"], ["zsh"]),
        (["verify", "deep-sets", "--store", ""], []),
        (["no-such-command", "x"], []),
    ],
)
def test_candidates(words, wanted, parser, monkeypatch):
    monkeypatch.setattr(catalog, "installed", lambda: INSTALLED)
    monkeypatch.setattr(index, "known", lambda: [{"paper": "set-gru", "family": "words", "tasks": ["words/copy"]}])
    assert completing.candidates(words, parser) == wanted


def test_no_plugin_is_imported():
    code = (
        "import sys; from assay.cli import main; main(['complete', '--', 'verify', 'deep-s']); "
        "print([m for m in sys.modules if m.startswith(('assay_', 'torch', 'numpy', 'scipy', 'sqlalchemy'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["deep-sets", "[]"]


@pytest.fixture
def shell_with_assay(tmp_path, monkeypatch):
    """Give a function that starts a shell, or skips; its `assay` completes, and otherwise only says what it was given."""
    script = tmp_path / "assay"
    script.write_text(
        f'#!/bin/sh\ncase "$1" in comple*) exec {sys.executable} -m assay.cli "$@";; esac\necho "RAN[$*]"\n'
    )
    script.chmod(0o755)
    (tmp_path / "my_net.py").write_text("")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.chdir(tmp_path)
    shells = []

    def start(shell: str, *arguments: str) -> Terminal:
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not here")
        shells.append(Terminal([shell, *arguments]))
        return shells[-1]

    yield start
    for shell in shells:
        shell.close()


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command: list[str]) -> None:
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)

    def type(self, keys: str, awaited: str, seconds: float = 60) -> str:
        """Type keys and return what the terminal shows, up to the awaited text."""
        os.write(self.ours, keys.encode())
        shown, end = "", time.monotonic() + seconds
        while awaited not in shown:
            ready, _, _ = select.select([self.ours], [], [], max(0, end - time.monotonic()))
            assert ready, f"{awaited!r} is not in {shown!r}"
            shown += os.read(self.ours, 4096).decode(errors="replace")
        return shown

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


PRESSED = [
    ("assay ver\tdeep-s\t\n", "RAN[verify deep-sets]"),
    ("assay run deep-sets --scale=sm\to\t\n", "RAN[run deep-sets --scale=smoke]"),
    ("assay run sets/point-clouds --entrants flat-mlp,point2point-l\t\n", "flat-mlp,point2point-lex]"),
    ("assay run deep-sets --model my_n\t\n", "RAN[run deep-sets --model my_net.py]"),
]
"""Keys, and what the command is given."""


@pytest.mark.parametrize(("shell", "options"), [("bash", ["--norc", "--noprofile", "-i"]), ("zsh", ["-f", "-i"])])
def test_the_tab_key_completes(shell, options, shell_with_assay):
    terminal = shell_with_assay(shell, *options)
    terminal.type("stty -echo; PS1=REA''DY:\n", "READY:")
    terminal.type(f'eval "$(assay completion {shell})" && echo DEFI""NED\n', "DEFINED")
    for keys, given in PRESSED:
        terminal.type(keys, given)


def test_zsh_completes_with_the_script_as_a_file(shell_with_assay, tmp_path):
    (tmp_path / "_assay").write_text(completing.SCRIPTS["zsh"])
    terminal = shell_with_assay("zsh", "-f", "-i")
    terminal.type(f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -D; PS1=REA''DY:\n", "READY:")
    terminal.type(*PRESSED[0])


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("assay ver", ["verify"]),
        ("assay verify deep-s", ["deep-sets"]),
        ("assay run deep-sets --scale ", ["full", "small", "smoke"]),
        ("assay run deep-sets --scale=sm", ["--scale=small", "--scale=smoke"]),
        ("assay run deep-sets --model my_n", ["my_net.py"]),
    ],
)
def test_fish_offers(line, offered, shell_with_assay):
    script = f"{completing.SCRIPTS['fish']}\ncomplete -C '{line}'"
    if shutil.which("fish") is None:
        pytest.skip("fish is not here")
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, check=True)
    assert [row.partition("\t")[0] for row in done.stdout.splitlines()] == offered
