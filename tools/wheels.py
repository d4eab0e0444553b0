"""Build or install the wheels of every distribution of a checkout, all at once.

    wheels.py build ROOT OUT [--editable]    one process, about a second per hundred distributions; needs hatchling
    wheels.py install OUT                    one offline call of pip, in place of all assay distributions installed

A pip call for each distribution would take minutes where this takes seconds.
"""

import contextlib
import importlib.metadata
import io
import os
import subprocess
import sys
from pathlib import Path


def build(root: str, out: str, *options: str) -> None:
    """Write a wheel for ROOT and for each plugins/*/*/pyproject.toml below it into OUT, which is emptied first."""
    from hatchling import build as backend

    target = Path(out).resolve()
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob("*.whl"):
        old.unlink()
    make = backend.build_editable if "--editable" in options else backend.build_wheel
    here = Path(root).resolve()
    for folder in [here, *sorted(p.parent for p in here.glob("plugins/*/*/pyproject.toml"))]:
        os.chdir(folder)
        with contextlib.redirect_stdout(io.StringIO()):
            make(str(target))


def install(out: str) -> None:
    """Install all wheels of OUT without fetching anything; distributions that OUT no longer has are removed."""
    wheels = sorted(map(str, Path(out).glob("*.whl")))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    names = {d.metadata["Name"] for d in importlib.metadata.distributions()}
    old = sorted(n for n in names if n == "assay" or n.startswith("assay-"))
    if old:
        subprocess.run([*pip, "uninstall", "-y", *old], check=True)
    subprocess.run([*pip, "install", "--no-deps", "--no-index", *wheels], check=True)


if __name__ == "__main__":
    {"build": build, "install": install}[sys.argv[1]](*sys.argv[2:])
