"""`assay report`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from assay.commands import common

HELP = "write the store and the recorded verdicts as one HTML page"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--out", metavar="FILE", default="assay-report.html", help="default assay-report.html")
    parser.add_argument("--title", default="assay report", help="heading of the page")
    text = "verdicts of papers: what `assay verify --json` printed, verdict.json files, or folders of those"
    parser.add_argument("--verdicts", action="append", metavar="PATH", help=text)
    text = "pages of `assay track publish` to link to: a folder, or an http address (default .asv/html, where it is)"
    parser.add_argument("--track", metavar="DIR_OR_URL", help=text)
    parser.add_argument("--serve", action="store_true", help="show it in a browser on this machine, kept up to date")
    parser.add_argument("--port", type=int, default=8765, help="for --serve (default 8765; 0 takes a free one)")
    common.stored(parser)


def run(args: argparse.Namespace) -> int:
    """Write the page, or serve it until interrupted."""
    from assay import report
    from assay.report import tracked
    from assay.report.content import paths

    pages = tracked.published(args.track)
    sources = report.Sources(args.store, paths(args.verdicts or ()), title=args.title)
    if args.serve:
        from assay.report.serve import serve

        serve(sources, args.port, pages)
        return 0
    data = {**report.gather(sources), "track": tracked.link(pages, Path(args.out).parent)}
    path = report.write(args.out, data)
    runs = sum(len(arena["runs"]["entrant"]) for arena in data["arenas"])
    if args.json:
        print(
            json.dumps({"path": str(path), "bytes": path.stat().st_size, "runs": runs, "papers": len(data["papers"])})
        )
    else:
        print(f"{path}: {len(data['papers'])} papers, {runs} runs, {path.stat().st_size / 1e6:.2f} MB")
    return 0
