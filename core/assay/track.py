"""The bridge to airspeed velocity: which commit made a method slower, hungrier or worse?

asv runs `benchmarks/track` at each commit and keeps the results in its own format; this room reads them with asv's
library and says what changed and how sure that is. Tracks of errors, operations and parameters have no noise: any
change is certain. Seconds and bytes have: they are averaged over an entrant's data sets and judged against their own
scatter over the history.
"""

from __future__ import annotations

import itertools
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.errors import AssayError

EXACT = ("track_error", "track_flops", "track_parameters")
"""Tracks without noise."""
FACTOR = 1.25
"""Seconds and bytes must grow by this factor to count: less is not worth an alarm."""
DOUBT = 0.001
"""Probability of so large a step by chance, below which it counts."""
UNKNOWN_NOISE = 0.2
"""Standard deviation of a logarithm that is assumed for a history too short to show its own."""


@dataclass(frozen=True)
class Change:
    """A track that is worse after than before. `doubt` is the probability of so large a step by chance, 0 without noise."""

    track: str
    entrant: str
    commit: str
    before: float
    after: float | None
    doubt: float

    def __str__(self) -> str:
        """Return the change in one line."""
        name = self.track.rpartition(".track_")[2] or self.track
        if self.after is None:
            return f"{self.commit[:8]}  {self.entrant}: {name} fails since (was {self.before:.4g})"
        sure = "certain" if self.doubt == 0 else f"p = {self.doubt:.1g}"
        ratio = f" ({self.after / self.before:.2f}x)" if self.before > 0 else ""
        return f"{self.commit[:8]}  {self.entrant}: {name} {self.before:.4g} -> {self.after:.4g}{ratio}, {sure}"


def root() -> Path:
    """Return the folder of asv.conf.json, this one or one above."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "asv.conf.json").is_file():
            return folder
    raise AssayError("there is no asv.conf.json here or above: run this in a checkout that is tracked")


def asv(*arguments: str, environment: Mapping[str, str] | None = None, quiet: bool = False) -> int:
    """Run asv in the checkout and return its exit status."""
    try:
        import asv as _  # noqa: F401
    except ImportError:
        raise AssayError("tracking needs asv: pip install 'assay[track]'") from None
    command = [sys.executable, "-m", "asv", *arguments]
    shown = subprocess.DEVNULL if quiet else None
    settings = {**os.environ, **(environment or {})}
    return subprocess.run(command, cwd=root(), env=settings, stdin=subprocess.DEVNULL, stdout=shown).returncode


def commits(revisions: str, *, history: bool = False) -> list[str]:
    """Return the commits of a range, or the one of a name (with `history` all before it too), newest first."""
    walk = "--first-parent" if history or ".." in revisions else "--no-walk"
    found = subprocess.run(["git", "rev-list", walk, revisions, "--"], cwd=root(), capture_output=True, text=True)
    if found.returncode:
        raise AssayError(f"git does not know {revisions!r}: {found.stderr.strip().splitlines()[0]}")
    return found.stdout.split()


def run(revisions: str = "HEAD", *, papers: Sequence[str] = (), minutes: float = 60.0, rounds: int = 3) -> list[str]:
    """Run the benchmarks at commits that have no results yet, newest first, while the minutes last; return those run."""
    todo = [c for c in commits(revisions) if c not in series()[1]]
    asv("machine", "--yes", quiet=True)
    environment = {"ASSAY_TRACK_PAPERS": ",".join(papers), "ASSAY_TRACK_ROUNDS": str(rounds)}
    deadline = time.monotonic() + 60 * minutes
    for count, commit in enumerate(todo):
        if time.monotonic() > deadline:
            print(f"assay: {minutes:g} minutes are over, {len(todo) - count} commits are left", file=sys.stderr)
            return todo[:count]
        if asv("run", f"{commit}^!", "--launch-method", "forkserver", environment=environment) == 1:
            raise AssayError(f"asv could not run at {commit[:8]}: see above")
    return todo


def compare(before: str, after: str) -> list[Change]:
    """Return what is worse at one commit than at another, surest first."""
    tracks, known = series()
    old, new = commits(before)[0], commits(after)[0]
    for name, commit in ((before, old), (after, new)):
        if commit not in known:
            raise AssayError(f"{name} ({commit[:8]}) has no results: assay track run {name}")
    changes = []
    for (track, entrant), values in tracks.items():
        if old in values and new in values:
            noise = _noise([v for v in values.values() if v is not None])
            changes.append(_change(track, entrant, new, [values[old]], [values[new]], noise))
    return sorted((c for c in changes if c), key=lambda c: (c.doubt, c.track, c.entrant))


def regressions() -> list[Change]:
    """Return every step for the worse in the history of HEAD, oldest first."""
    tracks, known = series()
    order = [c for c in reversed(commits("HEAD", history=True)) if c in known]
    changes = [c for key, values in tracks.items() for c in _steps(*key, values, order)]
    return sorted(changes, key=lambda c: (order.index(c.commit), c.doubt, c.track, c.entrant))


def bisect(changes: Sequence[Change]) -> None:
    """Let asv search for the commit of each change, between its neighbours with results."""
    _, known = series()
    order = [c for c in reversed(commits("HEAD", history=True)) if c in known]
    for change in changes:
        before = order[order.index(change.commit) - 1]
        asv("find", f"{before}..{change.commit}", f"{change.track}.*{change.entrant}")


def series() -> tuple[dict[tuple[str, str], dict[str, float | None]], set[str]]:
    """Return (tracks, commits with results).

    Tracks map (name, entrant) to a value by commit, None where it failed there; a commit without the entrant is left
    out. Values are geometric means over the entrant's data sets where all are positive, else plain means.
    """
    from asv.config import Config
    from asv.results import iter_results_for_machine

    config = Config.load(str(root() / "asv.conf.json"))
    tracks: dict[tuple[str, str], dict[str, float | None]] = defaultdict(dict)
    known = set()
    for result in iter_results_for_machine(str(root() / config.results_dir), platform.node()):
        known.add(result.commit_hash)
        for name in result.get_all_result_keys():
            params = result.get_result_params(name)
            groups: dict[str, list[float | None]] = defaultdict(list)
            places = itertools.product(*params) if params else [()]
            for place, value in zip(places, result.get_result_value(name, params) or [], strict=False):
                if value is None or not math.isnan(value):
                    groups[place[0].strip("'") if place else "core"].append(value)
            for entrant, values in groups.items():
                tracks[name, entrant][result.commit_hash] = _mean(values)
    return tracks, known


def _mean(values: Sequence[float | None]) -> float | None:
    """Return one value for an entrant's data sets; None as soon as one failed."""
    numbers = [v for v in values if v is not None]
    if len(numbers) < len(values):
        return None
    return statistics.geometric_mean(numbers) if min(numbers) > 0 else statistics.fmean(numbers)


def _steps(track: str, entrant: str, values: Mapping[str, float | None], order: Sequence[str]) -> list[Change]:
    """Return the steps for the worse in one track: between neighbours where there is no noise, else where asv sees them."""
    from asv.step_detect import detect_steps

    present = [c for c in order if c in values]
    numbers = [values[c] for c in present]
    noise = _noise([v for v in numbers if v is not None])
    if _is_exact(track) or None in numbers:
        cuts = list(range(1, len(present)))
        bounds = [(i, i + 1) for i in range(len(present))]
    else:
        bounds = [(left, right) for left, right, *_ in detect_steps([math.log(v or 1e-12) for v in numbers])]
        cuts = [left for left, _ in bounds[1:]]
    found = []
    for k, cut in enumerate(cuts):
        before, after = numbers[slice(*bounds[k])], numbers[slice(*bounds[k + 1])]
        found.append(_change(track, entrant, present[cut], before, after, noise))
    return [change for change in found if change]


def _change(
    track: str, entrant: str, commit: str, old: Sequence[float | None], new: Sequence[float | None], noise: float
) -> Change | None:
    """Return the change between two stretches of a track when it is for the worse and beyond chance, else None."""
    before = [v for v in old if v is not None]
    after = [v for v in new if v is not None]
    if not before:
        return None
    if not after:
        return Change(track, entrant, commit, before[-1], None, 0.0)
    was, now = statistics.median(before), statistics.median(after)
    if _is_exact(track):
        worse = now > was + 1e-9 * max(1.0, abs(was))
        return Change(track, entrant, commit, was, now, 0.0) if worse else None
    if was <= 0 or now < FACTOR * was:
        return None
    z = math.log(now / was) / (noise * math.sqrt(1 / len(before) + 1 / len(after)))
    doubt = math.erfc(z / math.sqrt(2))
    return Change(track, entrant, commit, was, now, doubt) if doubt < DOUBT else None


def _is_exact(track: str) -> bool:
    return track.rpartition(".")[2] in EXACT


def _noise(values: Sequence[float]) -> float:
    """Return the standard deviation of log values about their level: robust, from differences of neighbours."""
    logs = [math.log(v) for v in values if v > 0]
    if len(logs) < 5:
        return UNKNOWN_NOISE
    steps = [abs(b - a) for a, b in itertools.pairwise(logs)]
    return max(0.03, 1.4826 * statistics.median(steps) / math.sqrt(2))
