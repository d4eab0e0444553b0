"""Verdicts as plain data: what `assay verify --json` prints and `--record` keeps beside a plugin in verdict.json."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import assay
from assay.catalog import Plugin
from assay.errors import AssayError
from assay.recorded import FILE, SCHEMA, digest, folder
from assay.spec import Record
from assay.verdicts import ALPHA, Verdict, Verification

DIGITS = 9
"""Significant digits of a recorded number: more than any verdict needs, fewer than machines disagree on."""


def as_dict(found: Verification) -> dict[str, Any]:
    """Return a verification as JSON-ready data (docs/verdicts.md describes the form)."""
    claims = [_claim(verdict) for verdict in found.verdicts]
    return {
        "schema": SCHEMA,
        "paper": found.paper.id,
        "title": found.paper.title,
        "year": found.paper.year,
        "arxiv": found.paper.arxiv,
        "family": found.paper.family,
        "notes": " ".join(found.paper.notes.split()),
        "entrants": [{"id": m.id, "task": m.task, "ablates": m.ablates} for m in found.entrants],
        "assay": assay.__version__,
        "scale": found.scale,
        "backend": found.backend,
        "alpha": ALPHA,
        "seconds": round(found.seconds, 1),
        "environment": _environment(found.records),
        "claims": claims,
        "sources": dict(found.sources),
        "digest": digest(found.sources, claims),
    }


def write(found: Verification, plugin: Plugin, to: str | None = None) -> Path:
    """Write verdict.json into the plugin's source folder, or the folder `to`; return its path.

    The same verdicts from the same records give the same bytes. Raises AssayError when there is no such folder.
    """
    place = Path(to) if to else folder(plugin)
    if place is None:
        raise AssayError(
            f"{plugin.name} is not installed from a source folder that holds its pyproject.toml: "
            "name the folder for its verdict.json by --record-to DIR"
        )
    path = place / FILE
    try:
        path.write_text(text(found), encoding="utf-8")
    except OSError as error:
        raise AssayError(f"cannot write {path}: {error.strerror}; name another folder by --record-to DIR") from error
    return path


def text(found: Verification) -> str:
    """Return the content of verdict.json."""
    return json.dumps(as_dict(found), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _claim(found: Verdict) -> dict[str, Any]:
    claim, test = found.claim, found.test
    return {
        "id": claim.id,
        "says": claim.says,
        "check": str(claim.check),
        "refuted_by": claim.check.refuted_by(),
        "published": claim.published,
        "verdict": found.outcome,
        "reason": found.reason,
        "effect": plain(test.effect),
        "interval": None if math.isnan(test.low) else [plain(test.low), plain(test.high)],
        "confidence": plain(found.confidence),
        "standardised": plain(test.standardised),
        "sd": plain(test.sd),
        "p": plain(found.p),
        "level": plain(found.level),
        "p_permutation": plain(test.permutation),
        "method": test.method,
        "seeds": len(found.per_seed),
        "per_seed": {str(seed): plain(value) for seed, value in found.per_seed.items()},
        "failures": list(found.failures),
        "looks": list(found.looks),
        "seconds": round(found.seconds, 1),
    }


def _environment(records: Iterable[Record]) -> dict[str, str]:
    """Return versions and machine; where records differ, each value that occurs."""
    seen: dict[str, set[str]] = {}
    for record in records:
        for name, value in record.environment.items():
            seen.setdefault(name, set()).add(value)
    return {name: ", ".join(sorted(values)) for name, values in sorted(seen.items())}


def plain(value: Any) -> Any:
    """Return a value as JSON can keep it: floats rounded to DIGITS, those that are not finite as null."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
