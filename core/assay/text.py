"""Numbers and tables as plain text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> str:
    """Return columns aligned by their widest entry; those in `right` are set flush right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    flush = set(right)

    def line(cells: Sequence[str]) -> str:
        padded = (c.rjust(w) if i in flush else c.ljust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True)))
        return "  ".join(padded).rstrip()

    return "\n".join(line(cells) for cells in lines)


def number(value: float | None, digits: int = 3) -> str:
    """Return a number in few characters: `0.931`, `1.2e-08`, `-` for none."""
    if value is None or math.isnan(value):
        return "-"
    if value == 0:
        return "0"
    if 10**-digits <= abs(value) < 1e4:
        return (
            f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
            if abs(value) >= 1
            else f"{value:.{digits}f}"
        )
    return f"{value:.1e}"


def amount(value: float | None, unit: str = "") -> str:
    """Return a large count with a decimal prefix: `12.3 M`, and `4.1 MB` with the unit B."""
    if value is None or math.isnan(value):
        return "-"
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.3g} {prefix}{unit}"
    return f"{value:.3g}{' ' if unit else ''}{unit}"


def seconds(value: float | None) -> str:
    """Return seconds to two digits: `12`, `0.41`, `0.0058`."""
    return "-" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.2g}"
