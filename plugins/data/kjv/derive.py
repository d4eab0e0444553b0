"""Derive assay_data_kjv/verses.txt.gz from Debian's package `sword-text-kjv` (needs apt-get and dpkg): python derive.py."""

import gzip
import re
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

TARGET = Path(__file__).parent / "assay_data_kjv" / "verses.txt.gz"
MODULE = Path("usr/share/sword/modules/texts/ztext/engKJV2006eb")


def verses(module: Path, testament: str) -> list[str]:
    """Return the verses of a testament, without markup, in the order of the book.

    The module keeps compressed blocks (.bzz), where each begins (.bzs: offset, packed and plain size) and for each verse
    its block, offset and size (.bzv).
    """
    packed = (module / f"{testament}.bzz").read_bytes()
    sizes = struct.iter_unpack("<III", (module / f"{testament}.bzs").read_bytes())
    blocks = [zlib.decompress(packed[start : start + length]) for start, length, _ in sizes]
    index = struct.iter_unpack("<IIH", (module / f"{testament}.bzv").read_bytes())
    found = [blocks[block][start : start + size].decode() for block, start, size in index if size]
    bare = [re.sub(r"<(title|note)\b.*?</\1>", " ", verse, flags=re.S) for verse in found]
    texts = [" ".join(re.sub(r"<[^>]*>", "", verse).replace("\N{PILCROW SIGN}", " ").split()) for verse in bare]
    return [text for text in texts if text]


def derive() -> None:
    """Write TARGET: one verse a line, UTF-8."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "download", "sword-text-kjv"], cwd=folder, check=True)
        package = next(Path(folder).glob("*.deb"))
        subprocess.run(["dpkg", "-x", package, folder], check=True)
        module = Path(folder) / MODULE
        text = "\n".join(verses(module, "ot") + verses(module, "nt")) + "\n"
    TARGET.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    derive()
