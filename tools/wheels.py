"""Build or install the wheels of every distribution of a checkout, all at once.

    wheels.py build ROOT OUT [--editable]    one process, about a second per hundred distributions; needs hatchling
    wheels.py install OUT                    one offline call of pip, in place of all assay distributions installed
    wheels.py switch OUT                     unpacks them beside OUT, once, and puts that folder on the path of this Python
                                             in place of the last: a tenth of a second, for a change of commits

A pip call for each distribution would take minutes where this takes seconds.
"""

import contextlib
import importlib.metadata
import io
import os
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
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


def switch(out: str) -> None:
    """Make this Python use the wheels of OUT in place of those of its last call, without the help of pip."""
    wheels = Path(out).resolve()
    unpacked = wheels.with_name("unpacked")
    if not unpacked.exists():
        with tempfile.TemporaryDirectory(dir=wheels.parent) as scratch:
            for wheel in wheels.glob("*.whl"):
                zipfile.ZipFile(wheel).extractall(Path(scratch, "all"))
            Path(scratch, "all").rename(unpacked)
    Path(sysconfig.get_path("purelib"), "assay-checkout.pth").write_text(f"{unpacked}\n", encoding="utf-8")


if __name__ == "__main__":
    {"build": build, "install": install, "switch": switch}[sys.argv[1]](*sys.argv[2:])
