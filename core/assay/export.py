"""Records and leaderboards for other tools: a tidy table as CSV, Parquet or JSON, a leaderboard as LaTeX or Markdown.

The table has a row a record and a column a variable; docs/report.md describes the columns. SCHEMA is raised when one
changes its name or meaning; new columns may come without.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from assay.errors import AssayError
from assay.leaderboard import Leaderboard, Row
from assay.spec import Record
from assay.text import number

SCHEMA = 1
"""Version of the table of records."""
Rows = list[dict[str, Any]]
ORDER = (
    *("schema", "task", "dataset", "model", "param", "seed", "scale", "backend", "source", "metric", "cost"),
    *("reason", "detail", "seconds", "finished", "digest", "protocol", "environment"),
)
"""Order of the columns; `param`, `metric`, `cost` and `environment` stand for all `param.NAME` and so on."""
_SPECIAL = {c: "\\" + c for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def flat(record: Record) -> dict[str, Any]:
    """Return a record as one row: what it is, what was measured, how it ended, and where it ran."""
    cell = record.cell
    finished = datetime.datetime.fromtimestamp(record.finished, datetime.timezone.utc)
    return {
        "schema": SCHEMA,
        "task": cell.task,
        "dataset": cell.dataset,
        "model": cell.model,
        **{f"param.{name}": value for name, value in cell.params},
        "seed": cell.seed,
        "scale": cell.scale,
        "backend": cell.backend,
        "source": cell.source,
        **{f"metric.{name}": value for name, value in record.metrics.items()},
        **{f"cost.{name}": value for name, value in record.costs.items()},
        "reason": record.reason,
        "detail": record.detail,
        "seconds": record.seconds,
        "finished": finished.isoformat(timespec="milliseconds"),
        "digest": record.digest,
        "protocol": record.protocol,
        **{f"environment.{name}": value for name, value in record.environment.items()},
    }


def table(records: Iterable[Record]) -> Rows:
    """Return records as rows that all have the same columns, None where a record has no such value.

    Columns of one kind (`param.`, `metric.`, `cost.`, `environment.`) stand together. Values of a parameter that are of
    several types become JSON, so that a column has one type.
    """
    rows = [flat(record) for record in records]
    found = dict.fromkeys(name for row in rows for name in row)
    names = sorted(found or ORDER, key=lambda name: ORDER.index(name.partition(".")[0]))
    mixed = {n for n in names if n.startswith("param.") and len({type(row[n]) for row in rows if n in row}) > 1}
    return [{n: json.dumps(row[n]) if n in mixed and n in row else row.get(n) for n in names} for row in rows]


def as_csv(rows: Rows) -> str:
    """Return rows as CSV with a header; what is missing is empty."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]) if rows else ["schema"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def as_json(rows: Rows) -> str:
    """Return `{"schema": 1, "records": [...]}`; what is missing is left out of a record."""
    kept = [{name: value for name, value in row.items() if value is not None} for row in rows]
    return json.dumps({"schema": SCHEMA, "records": kept}, indent=1, ensure_ascii=False) + "\n"


def to_parquet(rows: Rows, path: Path) -> None:
    """Write rows as Parquet, with the schema's version as metadata `assay_schema`."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise AssayError("Parquet needs pyarrow: pip install 'assay[pandas]'") from error
    found = pyarrow.Table.from_pylist(rows)
    parquet.write_table(found.replace_schema_metadata({"assay_schema": str(SCHEMA)}), path)


def as_latex(boards: Sequence[Leaderboard]) -> str:
    r"""Return leaderboards of one task and metric as a table with booktabs, a column a data set.

    Bold is an entrant that is better than every other beyond chance; without one, nothing is bold.
    """
    first = boards[0]
    header = ["Entrant", *(_latex(_short(board.dataset)) for board in boards)]
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(_caption(boards))}}}",
        rf"\label{{tab:{first.task.replace('/', '-')}-{''.join(c for c in first.metric if c.isalnum())}}}",
        rf"\begin{{tabular}}{{l{'r' * len(boards)}}}",
        r"\toprule",
        " & ".join(header) + r" \\",
        r"\midrule",
        *(
            " & ".join([_latex(name), *(_latex_cell(*cell) for cell in cells)]) + r" \\"
            for name, cells in _across(boards)
        ),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def as_markdown(boards: Sequence[Leaderboard]) -> str:
    """Return leaderboards of one task and metric as a Markdown table, a column a data set; bold as in `as_latex`."""
    lines = [
        f"| Entrant | {' | '.join(_markdown(_short(board.dataset)) for board in boards)} |",
        f"| :-- |{' --: |' * len(boards)}",
        *(
            f"| {_markdown(name)} | {' | '.join(_markdown_cell(*cell) for cell in cells)} |"
            for name, cells in _across(boards)
        ),
        "",
        _caption(boards),
    ]
    return "\n".join(lines) + "\n"


def _across(boards: Sequence[Leaderboard]) -> list[tuple[str, list[tuple[Row | None, bool]]]]:
    """Return for each entrant its row on each board and whether it is the best there, in the order of the first board."""
    names = dict.fromkeys(row.entrant for board in boards for row in board.rows)
    by_name = [{row.entrant: row for row in board.rows} for board in boards]
    best = [board.best for board in boards]
    return [(name, [(r.get(name), b == name) for r, b in zip(by_name, best, strict=True)]) for name in names]


def _figures(row: Row) -> tuple[str, str]:
    """Return the mean, and half of its 95 % interval (empty for one seed), to as many decimals as the half deserves."""
    half = (row.high - row.low) / 2
    if not math.isfinite(half) or half <= 0:
        return number(row.mean), ""
    decimals = max(0, 1 - math.floor(math.log10(half)))
    if decimals > 6 or abs(row.mean) >= 1e6:
        return number(row.mean), number(half, 2)
    return f"{row.mean:.{decimals}f}", f"{half:.{decimals}f}"


def _latex_cell(row: Row | None, best: bool) -> str:
    if row is None or math.isnan(row.mean):
        return "--" if row is None else "failed"
    mean, half = _figures(row)
    shown = rf"\mathbf{{{mean}}}" if best else mean
    return f"${shown} \\pm {half}$" if half else f"${shown}$"


def _markdown_cell(row: Row | None, best: bool) -> str:
    if row is None or math.isnan(row.mean):
        return "-" if row is None else "failed"
    mean, half = _figures(row)
    return (f"**{mean}**" if best else mean) + (f" ± {half}" if half else "")


def _caption(boards: Sequence[Leaderboard]) -> str:
    first = boards[0]
    seeds = sorted({len(row.values) for board in boards for row in board.rows if row.values}) or [0]
    counted = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    arrow = "higher" if first.direction == "up" else "lower"
    return (
        f"{first.task}: {first.metric} in {first.unit} ({arrow} is better), mean and half of the 95 % interval over "
        f"{counted} seeds at scale {first.scale}. Bold: better than every other entrant beyond chance (paired t test, "
        "Holm over all pairs)."
    )


def _latex(text: str) -> str:
    return "".join(_SPECIAL.get(c, c) for c in text)


def _markdown(text: str) -> str:
    return "".join(f"\\{c}" if c in "|*_`<>[]\\" else c for c in text)


def _short(dataset: str) -> str:
    return dataset.partition("/")[2] or dataset
