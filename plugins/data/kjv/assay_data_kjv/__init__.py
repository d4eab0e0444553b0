"""The King James Bible (standard text of 1769), verse by verse, as distributed by eBible.org and Debian."""

import gzip
from importlib.resources import files

__all__ = ["load"]


def load() -> list[str]:
    """Read the 31,102 verses from Genesis 1:1 to Revelation 22:21, without numbers, headings and markup."""
    with (files(__name__) / "verses.txt.gz").open("rb") as file:
        return gzip.decompress(file.read()).decode().splitlines()
