"""Papers with their verdicts: recorded beside what is installed, kept in the store, or in files that the user names."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from assay import recorded
from assay.catalog import Plugin, installed
from assay.errors import AssayError
from assay.report.figures import EXACT, short
from assay.sources import changed
from assay.spec import SCALES

NUMBER = r"(-?[\d.]+(?:e[+-]?\d+)?)"
_SIDE = re.compile(rf"(>=|<=|>|<) {NUMBER}\)?$")
_BAND = re.compile(rf"= {NUMBER} \+- {NUMBER}\)?$")
SEEDS = 50
"""Numbers by seed that are kept of a claim: no plot shows more of them apart."""


def papers(
    files: Iterable[Path], plugins: Iterable[Plugin] | None = None, kept: Iterable[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Return every installed paper, and every paper of the files and of the store, ordered by family and id.

    A file (what `assay verify --json` printed, or a verdict.json; a folder is searched for those) counts before what is
    recorded for the installed paper, and that before what the store keeps (`kept`, oldest first), unless it is stale and
    the store's is not. What the store keeps is told beside it in any case (`here`). Raises AssayError when a file cannot
    be read.
    """
    found = {p.paper: _installed(p) for p in (installed() if plugins is None else plugins) if p.paper}
    own: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for content in kept:
        present = content["paper"] in found
        stale = changed(content["sources"]) if present else []
        own[content["paper"]].append(
            {**_told(content), "stale": stale, "origin": "store", "finished": content["finished"]}
        )
    for name, told in own.items():
        known = found.get(name, _blank(name))
        best = max(told, key=lambda t: (not t["stale"], SCALES.index(t["tested"]["scale"]), t["finished"]))
        shown = best if not known["tested"] or (known["stale"] and not best["stale"]) else {}
        found[name] = {**known, **shown, "here": [_brief(t) for t in told]}
    for path in _files(files):
        content = _content(path)
        known = found.get(content["paper"], _blank(content["paper"]))
        found[content["paper"]] = {**known, **_told(content), "stale": [], "problem": "", "origin": "file"}
    return sorted(found.values(), key=lambda p: (p["family"], p["id"]))


def _brief(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page tells of a verification beside the one that it shows whole."""
    names = ("id", "verdict", "effect", "interval", "seeds", "reason")
    claims = [{k: claim[k] for k in names if k in claim} for claim in told["claims"]]
    tested = told["tested"]
    when = {"scale": tested["scale"], "backend": tested["backend"], "finished": int(told["finished"])}
    return {**when, "stale": bool(told["stale"]), "claims": claims}


def claimed(check: str) -> list[list[float | None]]:
    """Return the region [low, high] that each part of a printed hypothesis claims, None for an open end.

    >>> claimed('accuracy(a) - accuracy(b) > 0.05'), claimed('(f(a) <= 0) & (f(b) = 1 +- 0.1)')
    ([[0.05, None]], [[None, 0.0], [0.9, 1.1]])
    """
    regions: list[list[float | None]] = []
    for part in check.split(") & ("):
        side, band = _SIDE.search(part), _BAND.search(part)
        if side:
            bound = float(side[2])
            regions.append([bound, None] if ">" in side[1] else [None, bound])
        elif band:
            regions.append([short(float(band[1]) - float(band[2])), short(float(band[1]) + float(band[2]))])
    return regions


def _blank(paper: str) -> dict[str, Any]:
    told = {"id": paper, "title": paper, "family": "", "version": "", "distribution": "", "tasks": [], "claims": []}
    return {
        **told,
        "year": None,
        "arxiv": None,
        "notes": "",
        "entrants": [],
        "tested": None,
        "stale": [],
        "problem": "",
        "origin": "",
        "here": [],
    }


def _installed(plugin: Plugin) -> dict[str, Any]:
    """Return a paper as its metadata tells it, with what is recorded; a record that is damaged is a problem to show."""
    paper = _blank(plugin.paper) | {
        "title": plugin.title,
        "family": plugin.family,
        "version": plugin.version,
        "distribution": plugin.name,
        "tasks": list(plugin.having("task")),
        "claims": [{"id": claim, "verdict": "untested"} for claim in plugin.having("claim")],
        "entrants": [_entrant(model) for model in plugin.having("model")],
    }
    try:
        found = recorded.read(plugin)
    except AssayError as error:
        return paper | {"problem": str(error)}
    if not found:
        return paper
    return paper | _told(found.content) | {"stale": list(found.changed), "origin": "recorded"}


def _entrant(model: str) -> dict[str, Any]:
    """Return an entrant by the keyword TASK/ID; what it ablates is known once it was verified."""
    task, _, name = model.rpartition("/")
    return {"id": name, "task": task, "ablates": None}


def _told(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a recorded verification tells about a paper."""
    told = {k: content[k] for k in ("title", "year", "arxiv", "family", "notes", "entrants") if content.get(k)}
    tested = {k: content.get(k) for k in ("assay", "scale", "backend", "alpha", "seconds", "environment", "digest")}
    return {**told, "claims": [_claim(claim) for claim in content["claims"]], "tested": tested}


def _claim(claim: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("id", "says", "check", "refuted_by", "published", "verdict", "reason", "method", "failures", "looks")
    numbers = {k: short(claim.get(k), EXACT) for k in ("effect", "standardised", "p", "level", "confidence")}
    interval, per_seed = claim.get("interval"), claim.get("per_seed") or {}
    return {
        **{k: claim[k] for k in kept if claim.get(k)},
        **{k: v for k, v in numbers.items() if v is not None},
        **({"interval": [short(v, EXACT) for v in interval]} if interval else {}),
        "seeds": len(per_seed),
        "per_seed": [[int(seed), _rounded(value)] for seed, value in list(per_seed.items())[:SEEDS]],
        "claimed": claimed(claim.get("check", "")),
    }


def _rounded(value: Any) -> Any:
    return [_rounded(v) for v in value] if isinstance(value, list) else short(value, EXACT)


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob(recorded.FILE))
        else:
            yield path


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AssayError(f"cannot read the verdicts {path}: {error.strerror}") from error
    except ValueError as error:
        raise AssayError(f"the verdicts {path} are no JSON: {error}") from error
    if not isinstance(content, dict) or not {"schema", "paper", "claims"} <= set(content):
        raise AssayError(f"{path} holds no verdicts: give a verdict.json, or what assay verify PAPER --json printed")
    if content["schema"] > recorded.SCHEMA:
        raise AssayError(f"{path} has schema {content['schema']}, this assay knows up to {recorded.SCHEMA}: upgrade it")
    return content
