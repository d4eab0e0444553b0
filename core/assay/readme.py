"""READMEs of plugins, generated from what the code registers and what was recorded."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay import render, templating
from assay.recorded import OUTCOMES, outcomes
from assay.spec import show_params

if TYPE_CHECKING:
    from assay.checks.subject import Subject
    from assay.leaderboard import Leaderboard
    from assay.spec import Model, Task

RANKS = (
    "Rank: 1 + the number of entrants that are better beyond chance (paired t over the seeds in common, Holm over all "
    "pairs); entrants of one rank are not all alike."
)
BOARD = re.compile(r"<!-- leaderboard -->(.*?)\n<!-- /leaderboard -->", re.DOTALL)


def generated(subject: Subject, *, store: str | None = None) -> str:
    """Return the README of a paper or a family; not applicable to anything else. `store` renews its leaderboard."""
    if subject.offered("suite"):
        return family(subject, store)
    return paper(subject)


def paper(subject: Subject) -> str:
    """Return the README of a paper."""
    found = subject.paper
    link = f", [arXiv:{found.arxiv}](https://arxiv.org/abs/{found.arxiv})" if found.arxiv else ""
    tasks = {model.task: subject.placed(model) for model in subject.models}
    return templating.render(
        "paper.md.j2",
        paper=found,
        citation=f"{found.title} ({found.year}{link}), family `{found.family}`.",
        claims=[_claim(claim, subject.recorded) for claim in found.claims],
        models=[_model(model) for model in subject.models],
        distribution=subject.plugin.name,
        scale=subject.recorded.get("scale", "small"),
        recorded=bool(subject.recorded.get("claims")),
        tasks=[
            {"id": t.id, "small": _budget(t.budgets.get("small")), "full": _budget(t.budgets.get("full"))}
            for t in tasks.values()
        ],
    )


def family(subject: Subject, store: str | None = None) -> str:
    """Return the README of a family: its tasks, the papers that lie beside the suite, the leaderboard of a store."""
    schemas = {d.schema for d in subject.catalog.datasets.values()}
    tasks = [
        {
            "id": task.id,
            "title": task.title,
            "contract": task.contract,
            "metrics": ", ".join(f"`{m}`" for m in task.metrics),
            "baselines": ", ".join(f"`{b}`" for b in task.baselines),
            "datasets": ", ".join(
                f"`{key.partition('/')[2]}`{f' ({d.title})' if d.title else ''}"
                for key, d in sorted(subject.offered("dataset").items())
                if d.schema == task.schema
            ),
        }
        for task in subject.tasks
        if task.schema in schemas
    ]
    kept = BOARD.search(subject.text("README.md"))
    board = kept[1] if kept else ""
    if store:
        board = _boards(subject, store, board)
    papers = _papers(subject.root.parent)
    totals = _totals(papers)
    return templating.render(
        "family.md.j2", suite=subject.suite, tasks=tasks, papers=papers, totals=totals, leaderboard=board
    )


def _papers(folder: Path) -> list[dict[str, Any]]:
    """Return the papers whose folders lie in a family's, with their claims by verdict and the seconds of their cells."""
    from assay.checks.subject import plugin_of

    rows = []
    for path in sorted(folder.glob("*/pyproject.toml")):
        plugin = plugin_of(path.parent)
        if plugin.paper:
            verdicts = path.with_name("verdict.json")
            recorded = json.loads(verdicts.read_text(encoding="utf-8")) if verdicts.is_file() else {}
            found = outcomes(recorded)
            by_verdict: dict[str, list[str]] = {name: [] for name in OUTCOMES}
            for claim in plugin.having("claim"):
                by_verdict[found.get(claim, "untested")].append(claim)
            seconds = recorded.get("seconds")
            rows.append({"id": plugin.paper, "title": plugin.title, "claims": by_verdict, "seconds": seconds})
    return rows


def _totals(papers: Sequence[Mapping[str, Any]]) -> str:
    """Return `2 papers, 5 claims: 4 holds, 1 fails.`."""
    counts = {name: sum(len(paper["claims"][name]) for paper in papers) for name in OUTCOMES}
    found = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f"{len(papers)} {'paper' if len(papers) == 1 else 'papers'}, {sum(counts.values())} claims: {found}."


def _claim(claim: Any, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a claim, from the record when there is one."""
    row: Mapping[str, Any] = next((c for c in recorded.get("claims", ()) if c["id"] == claim.id), {})
    interval = row.get("interval")
    return {
        "id": claim.id,
        "says": claim.says.replace("|", "\\|"),
        "check": str(claim.check),
        "published": (claim.published or "-").replace("|", "\\|"),
        "verdict": f"**{row['verdict']}**" if row else "untested",
        "reason": row.get("reason", ""),
        "effect": render.number(row.get("effect")),
        "interval": f"[{render.number(interval[0])}, {render.number(interval[1])}]" if interval else "-",
        "seeds": len(row.get("per_seed", ())) or "-",
        "scale": recorded.get("scale", "-") if row else "-",
    }


def _model(model: Model) -> dict[str, Any]:
    knobs = "; ".join(f"`{name}`: {', '.join(map(str, values))}" for name, values in model.knobs.items())
    params = f"`{show_params(model.params)}`" if model.params else ""
    return {"id": model.id, "task": model.task, "ablates": model.ablates, "params": params, "knobs": knobs}


def _budget(budget: Mapping[str, Any] | None) -> str:
    return show_params(budget) if budget else ""


def _measured(task: Task, store: str, board: Leaderboard) -> Leaderboard:
    """Return a data set's leaderboard by the first of the task's metrics that its entrants have."""
    from assay.api import compare

    others = (m for m in task.metrics if m != board.metric)
    while not any(row.values for row in board.rows) and (metric := next(others, None)):
        board = compare(task.id, metric=metric, dataset=board.dataset, store=store)[0]
    return board


def _boards(subject: Subject, store: str, kept: str) -> str:
    """Return the leaderboards of a family's tasks as Markdown tables: from records, or as kept where there are none."""
    from assay.api import compare
    from assay.errors import AssayError

    found: list[str] = []
    before = re.split(r"\n\n(?=\*\*)", kept)[1:]
    for task in subject.tasks:
        of_task = {_place(block): block.rstrip() for block in before if block.startswith(f"**{task.id}**")}
        with contextlib.suppress(AssayError):  # nothing of this task was run into the store
            for board in map(partial(_measured, task, store), compare(task.id, store=store)):
                block = _table(task, board)
                of_task[_place(block)] = block
        found += of_task.values()
    return "\n\n".join(["", "## Leaderboard", RANKS, *found]) if found else ""


def _place(block: str) -> str:
    """Return `**task** on dataset` of a leaderboard's heading."""
    return block.partition(",")[0]


def _table(task: Task, board: Leaderboard) -> str:
    """Return a leaderboard under its heading."""
    dataset = board.dataset.partition("/")[2]
    lines = [f"**{task.id}** on {dataset}, {board.metric} ({board.unit}), {board.scale}", ""]
    lines += ["| rank | entrant | mean | 95 % interval | seeds | fit, s | parameters |", "|---" * 7 + "|"]
    for row in board.rows:
        low, high = render.number(row.low), render.number(row.high)
        cells = [f"{row.rank or '-'}", f"`{row.entrant}`", render.number(row.mean), f"[{low}, {high}]"]
        cells += [f"{len(row.values)}", render.number(row.costs.get("fit_seconds"))]
        lines.append(f"| {' | '.join([*cells, render.amount(row.costs.get('parameters'))])} |")
    return "\n".join(lines)
