"""Writes a page that report.test.mjs opens into a folder: `python pages.py FOLDER small|large`; `serve` serves a store.

small.html: two arenas and four papers with hostile strings everywhere; large.html: 10,000 records and 366 papers.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import report_data as made
from assay.report import write
from assay.report.content import Sources, compose
from assay.report.papers import papers
from assay.report.serve import Server
from assay.store import Store

ATTACK = "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"


def known(records: list) -> dict:
    """Return what a store keeps about the metrics of the records' tasks."""
    return {r.cell.task: made.METRICS for r in records}


def small(folder: Path) -> None:
    """Write a page whose every text tries to get out."""
    records = [
        r
        for task in ("sets/clouds", "sets/sums")
        for r in (made.record(task, e, s) for e in range(6) for s in range(4))
    ]
    records.append(made.record("sets/clouds", 3, 9, reason=f"error: {ATTACK}"))
    records.append(replace(records[0], cell=replace(records[0].cell, model=ATTACK), digest="f" * 32))
    verdicts = made.write_verdicts(folder / "small", 3)
    here = [{**made.verdict(i), "scale": "smoke", "sources": {}, "finished": 1.7e9} for i in (1, 3)]
    told = papers([verdicts], plugins=[], kept=here)
    told[0] |= {"title": ATTACK, "notes": ATTACK, "stale": [f"module:{ATTACK}"]}
    told[0]["claims"][0] |= {"says": ATTACK, "published": ATTACK, "id": f"claim {ATTACK}"}
    trend = {"check": "(trend(gap(a), over n) > 0) & (gap(a) > 0.5)", "claimed": [[0, None], [0.5, None]]}
    told[1]["claims"][0] |= {
        **trend,
        "verdict": "holds",
        "effect": 0.9,
        "interval": None,
        "per_seed": [[0, [[1, 2], 0.9]]],
    }
    told[1]["claims"][1] |= {"check": "trend(gap(a), over n) > 0", "claimed": [[0, None]], "per_seed": [[0, [1, 2]]]}
    told[0]["entrants"] = [
        {"id": "entrant-02", "task": "sets/clouds", "ablates": "entrant-03"},
        {"id": "entrant-03", "task": "sets/clouds", "ablates": None},
    ]
    write(folder / "small.html", compose(records, known(records), told, f"Report {ATTACK}"))


def large(folder: Path) -> None:
    """Write a page of 10,000 records and 366 papers with 3 claims each."""
    records = list(made.records(10_000))
    told = papers([made.write_verdicts(folder / "large", 366)], plugins=[])
    write(folder / "large.html", compose(records, known(records), told, "Large"))


def serve(folder: Path) -> None:
    """Serve a store; each line on standard input adds a record to it."""
    address = str(folder / "live.db")
    with Store(address) as store, Server(Sources(address, plugins=())) as server:
        import threading

        store.describe("sets/clouds", made.metrics())
        store.put(made.record("sets/clouds", 0, 0))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.url, flush=True)
        for seed, _ in enumerate(sys.stdin, start=1):
            store.put(made.record("sets/clouds", 0, seed))
            print("added", flush=True)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    {"small": small, "large": large, "serve": serve}[sys.argv[2]](target)
