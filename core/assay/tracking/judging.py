"""What got worse, at which commit, and how sure that is.

**Seconds and bytes** are noisy. A commit's level is the median over its rounds of log values, after the effect that a
round has on all commits (its seed, the machine at that hour) is taken out; asv's step detection says where levels
change; a one-sided t-test says whether a step is beyond chance. Its variance is the scatter of rounds about their
commit's level, or that of neighbouring commits' levels where this is larger: runs on different days differ by more than
runs within one.

**Errors, operations and parameters** have no noise: the same code gives the same value at the same seed, so any
difference is the commit's doing. Rounds use different seeds. A value that is the same at every seed is certain to be
worse; one that varies is judged against its scatter between seeds, or reshuffling a seed would raise alarms.

Every probability is multiplied by the number of places at which chance had an opportunity (Bonferroni), so that `doubt`
is the chance that such a report contains it though nothing changed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from assay.tracking.results import Track

FACTOR = 1.25
"""Seconds and bytes must grow by this factor: less is not worth an alarm, however sure."""
ALPHA = 0.05
"""Chance of any false alarm in one report."""
LEAST = {"seconds": 2e-4, "bytes": 4e6}
"""Changes below this are those of clocks and allocators; smaller values count as this."""
NORMAL = 1.4826
"""Standard deviation of a normal distribution, in median absolute deviations."""
QUIET = 0.02
"""Least standard deviation of a logarithm that is believed: few rounds may agree by luck."""


@dataclass(frozen=True)
class Change:
    """A track that is worse since a commit.

    Attributes:
        track: What is worse, where.
        commit: The first commit with results that has it.
        previous: The last one before with results.
        before: Level before: a median.
        after: Level since, None where it fails.
        doubt: Chance that the report contains it though nothing changed: 0 where no noise is in it, NaN where one round
            cannot tell.
    """

    track: Track
    commit: str
    previous: str
    before: float
    after: float | None
    doubt: float

    @property
    def sure(self) -> bool:
        """Whether it is an alarm."""
        return self.doubt < ALPHA


def compared(tracks: Sequence[Track], before: str, after: str, order: Sequence[str]) -> list[Change]:
    """Return what is worse at one commit than at another, surest first; the history of `order` tells the noise."""
    changes = []
    tests = 0
    for track in tracks:
        if before in track.samples and after in track.samples:
            pair, tested = _between(track, [before], [after], _scatter(track, order) if track.noisy else (math.nan, 0))
            changes += pair
            tests += tested
    return _adjusted(changes, tests)


def regressions(tracks: Sequence[Track], order: Sequence[str]) -> list[Change]:
    """Return every step for the worse along the commits of `order`, oldest first."""
    changes = []
    tests = 0
    for track in tracks:
        present = [commit for commit in order if commit in track.samples]
        found, tested = (_noisy_steps if track.noisy else _exact_steps)(track, present)
        changes += found
        tests += tested
    return sorted(_adjusted(changes, tests), key=lambda change: order.index(change.commit))


def _adjusted(changes: Sequence[Change], tests: int) -> list[Change]:
    """Return changes with their doubt for so many tests, surest first, those that chance explains left out."""
    judged = [replace(change, doubt=change.doubt * max(tests, 1)) for change in changes]
    kept = [change for change in judged if change.sure or math.isnan(change.doubt)]
    return sorted(kept, key=lambda c: (math.isnan(c.doubt), c.doubt, c.track.paper, c.track.name, c.track.entrant))


def _exact_steps(track: Track, present: Sequence[str]) -> tuple[list[Change], int]:
    """Return the changes between neighbours of a track without noise."""
    changes: list[Change] = []
    tests = 0
    for old, new in itertools.pairwise(present):
        found, tested = _between(track, [old], [new], (math.nan, 0))
        changes += found
        tests += tested
    return changes, tests


def _noisy_steps(track: Track, present: Sequence[str]) -> tuple[list[Change], int]:
    """Return the steps that asv's detection sees in a noisy track, and the places where it could have seen one."""
    from asv.step_detect import detect_steps

    changes: list[Change] = []
    measured = [commit for commit in present if track.samples[commit]]
    for old, new in itertools.pairwise(present):
        if track.samples[old] and not track.samples[new]:
            changes += _between(track, [old], [new], (math.nan, 0))[0]
    if len(measured) < 2:
        return changes, 0
    levels, _ = _levels(track, measured)
    if float(np.ptp(levels)) < math.log(FACTOR):
        return changes, len(measured) - 1
    noise = _scatter(track, present)
    bounds = [slice(left, right) for left, right, *_ in detect_steps(list(levels))]
    for before, after in itertools.pairwise(bounds):
        changes += _between(track, measured[before], measured[after], noise)[0]
    return changes, len(measured) - 1


def _between(
    track: Track, old: Sequence[str], new: Sequence[str], noise: tuple[float, int]
) -> tuple[list[Change], int]:
    """Return the change between two stretches of commits when it is for the worse, and whether chance had a say."""
    previous, commit = old[-1], new[0]
    was = [value for c in old for value in track.samples[c] or ()]
    now = [value for c in new for value in track.samples[c] or ()]
    if not was:
        return [], 0
    if not now:
        return [Change(track, commit, previous, float(np.median(was)), None, 0.0)], 0
    if track.noisy:
        return _grown(track, old, new, noise), 1
    rounds = min(len(was), len(now))
    a, b = np.array(was[:rounds]), np.array(now[:rounds])
    if np.allclose(a, b, rtol=1e-9, atol=1e-12):
        return [], 0
    scatter = math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2) if rounds > 1 else 0.0
    rise = float(b.mean() - a.mean())
    if rise <= 0:
        return [], 1
    if rounds == 1 and track.name == "error":
        return [Change(track, commit, previous, float(a[0]), float(b[0]), math.nan)], 0
    if scatter <= 1e-9 * abs(rise):
        return [Change(track, commit, previous, float(np.median(a)), float(np.median(b)), 0.0)], 0
    doubt = float(stats.t.sf(rise / (scatter * math.sqrt(2 / rounds)), 2 * (rounds - 1)))
    return [Change(track, commit, previous, float(np.median(a)), float(np.median(b)), doubt)], 1


def _grown(track: Track, old: Sequence[str], new: Sequence[str], noise: tuple[float, int]) -> list[Change]:
    """Return the change of a noisy track when its level has grown enough, with the chance of a step so large."""
    together = [commit for commit in (*old, *new) if track.samples[commit]]
    levels, _ = _levels(track, together)
    left = sum(1 for commit in old if track.samples[commit])
    was, now = float(np.median(levels[:left])), float(np.median(levels[left:]))
    if now - was < math.log(FACTOR):
        return []
    deviation, freedom = noise
    doubt = math.nan
    if freedom:
        t = (now - was) / (deviation * math.sqrt(1 / left + 1 / (len(levels) - left)))
        doubt = float(stats.t.sf(t, freedom))
    return [Change(track, new[0], old[-1], math.exp(was), math.exp(now), doubt)]


def _levels(track: Track, commits: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the level (log) of each commit, and what is left of each round without it (commits, rounds)."""
    rounds = min(len(track.samples[commit] or ()) for commit in commits)
    least = LEAST.get(track.unit, 0.0)
    values = np.array([(track.samples[commit] or ())[:rounds] for commit in commits], dtype=float)
    logs = np.log(np.maximum(values, least or np.finfo(float).tiny))
    logs -= np.median(logs - np.median(logs, axis=1, keepdims=True), axis=0)
    levels = np.median(logs, axis=1)
    return levels, logs - logs.mean(axis=1, keepdims=True)


def _scatter(track: Track, order: Sequence[str]) -> tuple[float, int]:
    """Return the standard deviation of a commit's level and its degrees of freedom, 0 when nothing tells."""
    measured = [commit for commit in order if track.samples.get(commit)]
    repeated = [commit for commit in measured if len(track.samples[commit] or ()) > 1]
    measured = repeated if len(repeated) > 1 else measured
    if len(measured) < 2:
        return math.nan, 0
    levels, left = _levels(track, measured)
    commits, rounds = left.shape
    deviation, freedom = 0.0, (commits - 1) * (rounds - 1)
    if freedom:
        left -= left.mean(axis=0)
        of_median = 1.0 if rounds == 2 else math.pi / 2  # its variance over that of the mean, at most
        deviation = math.sqrt(max(float((left**2).sum()) / freedom, QUIET**2) * of_median / rounds)
    if commits >= 6:
        between = NORMAL * float(np.median(np.abs(np.diff(levels)))) / math.sqrt(2)
        if between > deviation:
            deviation, freedom = between, commits - 2
    return deviation, freedom
