"""Has asv measure commits, within a budget of minutes, in rounds that are interleaved over the commits."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence

from assay.errors import AssayError, unknown
from assay.tracking.checkout import asv, commits, git
from assay.tracking.judging import Change
from assay.tracking.results import CORE, class_name, owners, rounds, tracks


def run(
    revisions: Sequence[str] = ("HEAD",),
    *,
    papers: Sequence[str] = (),
    minutes: float = 60.0,
    wanted: int = 3,
    isolated: bool = False,
    machine: str = "",
) -> tuple[int, int]:
    """Measure commits until each has so many rounds or the minutes are over; return (rounds done, rounds left).

    A round measures each entrant once at one commit. The first round of all commits comes before the second of any, to
    and fro, so that a slow hour of the machine falls on all alike; what was measured before is not measured again.

    Args:
        revisions: Ranges and names of commits.
        papers: Only their entrants; all entrants and the core when empty.
        minutes: No round is begun that would end later, as far as the past ones tell. The first always runs.
        wanted: Rounds.
        isolated: In asv's own environment, which pip fills as asv.conf.json says, instead of one with the libraries
            of the running Python.
        machine: The name under which asv keeps the results; this machine's when empty.

    Raises:
        AssayError: A commit or a paper does not exist, or asv could not run.
    """
    chosen = commits(revisions)
    known = set(owners().values())
    for paper in papers:
        if paper not in known:
            raise unknown("paper", paper, known)
    kind = _environment(isolated)
    named = ("--machine", machine) if machine else ()
    asv("machine", "--yes", *named, capture=True)
    begin, durations = time.monotonic(), [0.0]
    todo = _todo(chosen, papers, wanted, kind, machine)
    for count, (commit, number) in enumerate(todo):
        if count and time.monotonic() - begin + sum(durations) / count > 60 * minutes:
            return count, len(todo) - count
        print(f"assay: {commit[:8]}, round {number + 1} of {wanted}", file=sys.stderr, flush=True)
        start = time.monotonic()
        _measure(commit, number, papers, (*kind, *named))
        durations.append(time.monotonic() - start)
    return len(todo), 0


def bisect(change: Change, *, isolated: bool = False) -> str:
    """Have asv search the commits between a change and the results before it; return the commit that it finds."""
    between = commits([f"{change.previous}..{change.commit}"])
    if len(between) < 2:
        return change.commit
    track = change.track
    place = re.escape(f"('{track.entrant}', '{track.dataset}')") if track.entrant != CORE else ""
    done = asv(
        "find",
        *_environment(isolated),
        *("--launch-method", "forkserver", "--skip-save", "--show-stderr"),
        f"{change.previous}^..{change.commit}",
        f"^{re.escape(track.benchmark)}{place}$",
        environment={"ASSAY_TRACK_PAPERS": track.paper},
        capture=True,
    )
    found = re.search(r"Greatest regression found: ([0-9a-f]+)", done.stdout)
    if found is None:
        raise AssayError(f"asv could not search {change.previous[:8]}..{change.commit[:8]}:\n{done.stdout[-2000:]}")
    return git("rev-parse", found[1]).strip()


def _environment(isolated: bool) -> tuple[str, ...]:
    return () if isolated else ("-E", f"same:{sys.version_info[0]}.{sys.version_info[1]}")


def _todo(
    chosen: Sequence[str], papers: Sequence[str], wanted: int, kind: Sequence[str], machine: str = ""
) -> list[tuple[str, int]]:
    """Return (commit, round) that are missing, in the order in which to measure them."""
    found = [t for t in tracks(machine)[0] if t.environment.startswith("same-") == bool(kind)]
    newest = {t.environment for t in found}
    counted = {environment: rounds(found, environment, papers) for environment in newest}
    here = max(counted.values(), key=len, default={})
    order = []
    for number in range(wanted):
        missing = [commit for commit in chosen if here.get(commit, 0) <= number]
        order += [(commit, number) for commit in (missing if number % 2 == 0 else reversed(missing))]
    return order


def _measure(commit: str, number: int, papers: Sequence[str], options: Sequence[str]) -> None:
    """Have asv measure one round of a commit and append it to what it has."""
    entrants: dict[str, list[str]] = {}
    for (task, name), paper in owners().items():
        if paper in papers:
            entrants.setdefault(class_name(task), []).append(re.escape(name))
    selected = [rf"\.{arena}\.track_\w+\('({'|'.join(names)})', " for arena, names in entrants.items()]
    done = asv(
        "run",
        *("HASHFILE:-", "--no-pull", "--append-samples", "-a", "rounds=1"),
        *("--launch-method", "forkserver", "--show-stderr"),
        *options,
        *(word for pattern in selected for word in ("--bench", pattern)),
        environment={"ASSAY_TRACK_PAPERS": ",".join(papers), "ASSAY_TRACK_SEEDS": str(number)},
        text=commit + "\n",
    )
    if done.returncode == 1:
        raise AssayError(f"asv could not run at {commit[:8]}: see above")
    if done.returncode:
        print(f"assay: something failed at {commit[:8]}: see above", file=sys.stderr, flush=True)
