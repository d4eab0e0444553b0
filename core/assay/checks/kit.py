"""A check, what it is applied to, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Stage = Literal["files", "code", "smoke"]
"""What a check needs: to read the folder, to import the plugin, or to run its entrants at smoke."""


class NotApplicable(Exception):
    """Raised by a check that has nothing to look at in a plugin; the text says why."""


@dataclass(frozen=True)
class Check:
    """One rule.

    `examine` takes an `assay.checks.subject.Subject` and yields what breaks the rule, in words that name the place;
    nothing when all is well. `reason` says in one line why the rule exists, `fix` what to do.
    """

    id: str
    stage: Stage
    reason: str
    fix: str
    examine: Callable[[Any], Iterable[str]]


class Result(NamedTuple):
    """What a check found in a plugin. `note` is why it was not applicable, or the reason of a waiver."""

    check: str
    state: Literal["passed", "found", "waived", "not applicable"]
    findings: tuple[str, ...] = ()
    note: str = ""
