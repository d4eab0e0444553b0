"""The pages of `assay track publish`, to which the report links: a folder, or the address at which they are served."""

from __future__ import annotations

import os
import re
import urllib.parse
from pathlib import Path

from assay.errors import AssayError

USUAL = Path(".asv", "html")
"""Where asv writes them (asv.conf.json)."""
INDEX = "index.html"


def published(named: str | None) -> Path | str | None:
    """Return the folder or the address of the pages that are named; the usual folder, or None, when none are.

    Raises AssayError when what is named holds no such pages.
    """
    if named and re.match(r"https?://", named):
        return named
    folder = Path(named) if named else USUAL
    if (folder / INDEX).is_file():
        return folder
    if named:
        raise AssayError(
            f"--track {named}: there is no {INDEX}; give the folder that assay track publish wrote, or an http address"
        )
    return None


def link(pages: Path | str | None, beside: Path) -> str:
    """Return what a report in the folder `beside` refers to them by, empty where there are none."""
    if not isinstance(pages, Path):
        return pages or ""
    index = (pages / INDEX).resolve()
    try:
        return urllib.parse.quote(Path(os.path.relpath(index, beside.resolve())).as_posix())
    except ValueError:  # on another drive
        return index.as_uri()
