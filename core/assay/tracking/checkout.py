"""The checkout that is tracked, its commits, and asv itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from assay.checks.subject import read_toml
from assay.errors import AssayError


def root() -> Path:
    """Return the folder of asv.conf.json, this one or one above."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "asv.conf.json").is_file():
            return folder
    raise AssayError(
        "there is no asv.conf.json here or above: run this in a checkout that is tracked (docs/tracking.md)"
    )


def needs_asv() -> None:
    """Raise an error that says what to install when asv is not there."""
    try:
        import asv as _asv  # noqa: F401
        import virtualenv as _virtualenv  # noqa: F401
    except ImportError as error:
        raise AssayError(f"tracking needs {error.name}: pip install 'assay[track]'") from None


def asv(
    *arguments: str, environment: Mapping[str, str] | None = None, text: str = "", capture: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run asv at the root with what `text` holds as its input; its output is captured or goes to stderr."""
    needs_asv()
    return subprocess.run(
        [sys.executable, "-m", "assay.tracking.libraries", *arguments],
        cwd=root(),
        env={**os.environ, **(environment or {})},
        input=text,
        stdout=subprocess.PIPE if capture else sys.stderr.fileno(),
        stderr=subprocess.STDOUT if capture else None,
        text=True,
    )


def git(*arguments: str) -> str:
    """Return what git prints; raise when it fails."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root(), capture_output=True, text=True)
    except FileNotFoundError:
        raise AssayError("tracking needs git, which is not installed") from None
    if done.returncode:
        reason = (done.stderr.strip() or "failed").splitlines()[0]
        raise AssayError(f"git {' '.join(arguments[:3])}: {reason}")
    return done.stdout


def commits(revisions: Sequence[str]) -> list[str]:
    """Return the commits that ranges (`v1..main`) and names (`main`, `HEAD~3`) mean, each once, newest first in a range."""
    found: list[str] = []
    for revision in revisions:
        walk = "--first-parent" if ".." in revision else "--no-walk"
        found += git("rev-list", walk, "--end-of-options", revision, "--").split()
    if not found:
        raise AssayError(f"no commit in {' '.join(revisions)}")
    return list(dict.fromkeys(found))


def history() -> list[str]:
    """Return the first-parent history of HEAD, oldest first."""
    return git("rev-list", "--first-parent", "--reverse", "HEAD").split()


def subject(commit: str) -> str:
    """Return the first line of a commit's message."""
    return git("log", "-1", "--format=%s", commit).strip()


def distributions() -> set[str]:
    """Return the names of the distributions that the checkout builds: what its commits can change."""
    return {canonicalize_name(project["name"]) for project in projects()}


def projects() -> list[dict[str, Any]]:
    """Return the `project` table of each pyproject.toml in the checkout."""
    files = [root() / name for name in git("ls-files", "*pyproject.toml").splitlines()]
    read = [read_toml(file) for file in files if file.exists()]
    return [project["project"] for project in read if "project" in project]
