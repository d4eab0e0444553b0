"""asv with one more kind of environment, `same`: the libraries of the Python that runs assay, and the commit's own code.

A virtualenv that pip fills takes minutes and another torch. Here a fresh virtualenv sees what is installed already, by
links to everything but what the checkout itself builds, so that only its code differs between commits and its set-up
takes seconds. `python -m assay.tracking.libraries` is asv's command line with it.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from asv.plugins.virtualenv import Virtualenv
from packaging.utils import canonicalize_name

from assay.tracking.checkout import distributions

LINKS = Path("libraries", "site-packages")
"""Folder of the links in an environment; by its name assay knows libraries from a user's own code."""


class Same(Virtualenv):  # type: ignore[misc]
    """A virtualenv with links to the libraries of the running Python, whose versions are part of its name."""

    tool_name = "same"

    def __init__(self, conf: Any, python: str, requirements: dict[str, str], tagged_env_vars: Any) -> None:
        there: dict[str, str] = {canonicalize_name(d.name): d.version for d in importlib.metadata.distributions()}
        known = {name: there[name] for name in requirements if name in there}
        super().__init__(conf, python, known, tagged_env_vars)
        self._executable = sys.executable

    def _setup(self) -> None:
        subprocess.run(
            [sys.executable, "-m", "virtualenv", "--quiet", "-p", sys.executable, self._path],
            check=True,
            stdout=sys.stderr.fileno(),
        )
        links = Path(self._path, LINKS)
        links.mkdir(parents=True)
        entries, added = shared()
        for entry in entries:
            target = links / entry.name
            if not target.exists():
                target.symlink_to(entry)
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = Path(self.run(["-c", code]).strip())
        (site / "assay-libraries.pth").write_text("\n".join([str(links), *added, ""]), encoding="utf-8")


def shared() -> tuple[list[Path], list[str]]:
    """Return what the running Python has in its folders of packages, and the folders that its path files add.

    Both without the distributions that the checkout in this folder builds: those come from each commit.
    """
    built = distributions()
    own = set()
    for distribution in importlib.metadata.distributions():
        if canonicalize_name(distribution.name) in built:
            own |= {Path(str(file)).parts[0] for file in distribution.files or ()}
    folders = dict.fromkeys(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib"))
    entries = [e for folder in folders for e in sorted(folder.iterdir()) if e.name not in own]
    lines = [line.strip() for e in entries if e.suffix == ".pth" for line in e.read_text(encoding="utf-8").splitlines()]
    added = [line for line in lines if Path(line).is_dir()]
    return [e for e in entries if e.suffix != ".pth" and e.name != "__pycache__"], added


if __name__ == "__main__":
    from asv.main import main

    main()
