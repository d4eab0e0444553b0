"""`assay export [TASK]`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from assay.commands import common
from assay.errors import AssayError, unknown

HELP = "write records as csv, parquet, json or mlflow runs, or a leaderboard as latex or markdown"
RECORDS, BOARDS = ("csv", "parquet", "json", "mlflow"), ("latex", "markdown")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("task", nargs="?", help="only this task (a leaderboard needs one)")
    parser.add_argument("--to", required=True, metavar="FORMAT", help=", ".join((*RECORDS, *BOARDS)))
    parser.add_argument("--out", metavar="FILE|URI", help="default standard output; MLflow: its tracking URI")
    parser.add_argument("--scale", metavar="SCALE", help="only this scale (a leaderboard's default: small)")
    parser.add_argument("--dataset", help="only this data set")
    parser.add_argument("--metric", help="of the leaderboard (default: the task's main metric)")
    common.stored(parser)


def run(args: argparse.Namespace) -> int:
    """Write an export."""
    if args.to not in (*RECORDS, *BOARDS):
        raise unknown("format", args.to, (*RECORDS, *BOARDS))
    note = _boards(args) if args.to in BOARDS else _records(args)
    print(json.dumps(note) if args.json else note["said"], file=sys.stdout if args.json or args.out else sys.stderr)
    return 0


def _boards(args: argparse.Namespace) -> dict[str, object]:
    from assay import api, export

    if not args.task:
        raise AssayError(f"a {args.to} table is of one task: assay export sets/point-clouds --to {args.to}")
    boards = api.compare(
        args.task, metric=args.metric, dataset=args.dataset, scale=args.scale or "small", store=args.store
    )
    _put(export.as_latex(boards) if args.to == "latex" else export.as_markdown(boards), args.out)
    return {"tables": len(boards), "out": args.out, "said": f"{args.out or 'leaderboard'}: {len(boards)} data sets"}


def _records(args: argparse.Namespace) -> dict[str, object]:
    from assay import export
    from assay.store import Store

    if args.to == "parquet" and not args.out:
        raise AssayError("Parquet is no text: name a file by --out")
    with Store(args.store, create=False) as store:
        found = list(store.records(task=args.task, scale=args.scale))
        if args.dataset:
            found = [r for r in found if args.dataset in (r.cell.dataset, r.cell.dataset.partition("/")[2])]
        if not found:
            raise AssayError(f"the store {store.address} has no such record: assay run {args.task or 'TASK'}")
    if args.to == "mlflow":
        from assay.mlflow_export import to_mlflow

        written, present = to_mlflow(found, args.out)
        return {"written": written, "present": present, "said": f"{written} runs written, {present} were there already"}
    rows = export.table(found)
    if args.to == "parquet":
        export.to_parquet(rows, _parent(args.out))
    else:
        _put(export.as_csv(rows) if args.to == "csv" else export.as_json(rows), args.out)
    return {"records": len(rows), "out": args.out, "said": f"{args.out or args.to}: {len(rows)} records"}


def _put(text: str, out: str | None) -> None:
    if out is None:
        sys.stdout.write(text)
        return
    try:
        _parent(out).write_text(text, encoding="utf-8")
    except OSError as error:
        raise AssayError(f"cannot write {out}: {error.strerror}; name another file by --out") from error


def _parent(out: str) -> Path:
    path = Path(out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AssayError(f"cannot write {out}: {error.strerror}; name another file by --out") from error
    return path
