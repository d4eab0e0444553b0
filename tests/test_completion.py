"""Completion knows commands, options and ids, and imports no plugin."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from assay import completing
from assay.cli import _parser, main


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
        (["list", "--family", "s"], ["sets"]),
        (["completion", "z"], ["zsh"]),
        (["no-such-command", "x"], []),
    ],
)
def test_candidates(words, wanted, parser):
    assert completing.candidates(words, parser) == wanted


def test_no_plugin_is_imported():
    code = (
        "import sys; from assay.cli import main; main(['complete', '--', 'verify', 'deep-s']); "
        "print([m for m in sys.modules if m.startswith(('assay_', 'torch', 'numpy', 'scipy', 'sqlalchemy'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["deep-sets", "[]"]


@pytest.mark.parametrize("shell", sorted(completing.SCRIPTS))
def test_the_script_is_valid_in_its_shell(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_bash_completes_with_the_script(tmp_path):
    if shutil.which("bash") is None:
        pytest.skip("bash is not here")
    (tmp_path / "assay").write_text(f'#!/bin/sh\nexec {sys.executable} -m assay.cli "$@"\n')
    (tmp_path / "assay").chmod(0o755)
    script = (
        completing.SCRIPTS["bash"] + 'COMP_WORDS=(assay verify deep-s); COMP_CWORD=2; _assay; echo "${COMPREPLY[@]}"\n'
    )
    command = ["bash", "-c", f"PATH={tmp_path}:$PATH\n{script}"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "deep-sets\n"
