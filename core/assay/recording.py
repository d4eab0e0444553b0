"""Verdicts as plain data: what `assay verify --json` prints and `--record` keeps beside a plugin in verdict.json."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import assay
from assay.verdicts import ALPHA, Verdict, Verification

SCHEMA = 1
"""Version of the form; a reader refuses a newer one."""


def as_dict(found: Verification) -> dict[str, Any]:
    """Return a verification as JSON-ready data (docs/verdicts.md describes the form)."""
    return {
        "schema": SCHEMA,
        "paper": found.paper.id,
        "assay": assay.__version__,
        "scale": found.scale,
        "backend": found.backend,
        "alpha": ALPHA,
        "seconds": round(found.seconds, 1),
        "environment": dict(found.records[0].environment) if found.records else {},
        "claims": [_claim(verdict) for verdict in found.verdicts],
    }


def _claim(found: Verdict) -> dict[str, Any]:
    claim, test = found.claim, found.test
    return {
        "id": claim.id,
        "says": claim.says,
        "check": str(claim.check),
        "published": claim.published,
        "verdict": found.outcome,
        "reason": found.reason,
        "effect": _number(test.effect),
        "interval": None if math.isnan(test.low) else [_number(test.low), _number(test.high)],
        "standardised": _number(test.standardised),
        "p": _number(found.p),
        "level": _number(found.level),
        "method": test.method,
        "per_seed": {str(seed): value for seed, value in found.per_seed.items()},
        "failures": list(found.failures),
        "looks": list(found.looks),
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def outcomes(recorded: Mapping[str, Any]) -> dict[str, str]:
    """Return the verdict by claim id of a recorded file."""
    return {claim["id"]: claim["verdict"] for claim in recorded.get("claims", ())}
