"""Checks of what an entrant does beside its work while it runs at smoke."""

from __future__ import annotations

from collections.abc import Iterator

from assay.checks.kit import Check
from assay.checks.smoke import SEEDS, label, ran
from assay.checks.subject import Subject

CPU_SECONDS = 3.0
"""Of a smoke cell, by the definition of the scale."""


def generators(subject: Subject) -> Iterator[str]:
    """Global generators are neither drawn from nor seeded."""
    yield from (f"{label(run)}: {what}" for run in ran(subject) for what in dict.fromkeys(run.seen.generators))


def settings(subject: Subject) -> Iterator[str]:
    """Threads, defaults, environment and working folder stay as they are."""
    yield from (f"{label(run)}: {what}" for run in ran(subject) for what in run.seen.settings)


def files(subject: Subject) -> Iterator[str]:
    """No file outside the scratch folder."""
    yield from (f"{label(run)} leaves {what}" for run in ran(subject) for what in run.seen.files[:3])


def network(subject: Subject) -> Iterator[str]:
    """No connection."""
    yield from (f"{label(run)} connects to {what}" for run in ran(subject) for what in run.seen.network[:3])


def processes(subject: Subject) -> Iterator[str]:
    """No process or thread left behind."""
    yield from (f"{label(run)} leaves {what}" for run in ran(subject) for what in run.seen.processes)


def quiet(subject: Subject) -> Iterator[str]:
    """Nothing printed."""
    yield from (f"{label(run)} prints {run.seen.printed[:40]!r}" for run in ran(subject) if run.seen.printed)


def smoke_time(subject: Subject) -> Iterator[str]:
    """A smoke cell takes at most three seconds of the processor."""
    for run in ran(subject):
        if run.seen.cpu_seconds > CPU_SECONDS:
            yield f"{label(run)} takes {run.seen.cpu_seconds:.1f} s, a smoke cell may take {CPU_SECONDS:g}"


CHECKS = (
    Check("generators", "smoke", "global generators are shared with all other code", SEEDS, generators),
    Check(
        "settings", "smoke", "the next cell would run under changed settings", "leave them, or put them back", settings
    ),
    Check("files", "smoke", "cells run at the same time, in folders of others", "write to ctx.scratch", files),
    Check("network", "smoke", "a run must not depend on a server", "bring data by path, or in a distribution", network),
    Check("processes", "smoke", "what is left running slows every later cell", "join it", processes),
    Check("quiet", "smoke", "printing garbles progress and JSON", "use ctx.log", quiet),
    Check("smoke-time", "smoke", "smoke is what continuous integration runs", "shrink the smoke budget", smoke_time),
)
