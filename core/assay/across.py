"""From leaderboards to statements over all data sets of an arena: performance profiles and interquartile means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.leaderboard import Leaderboard

RESAMPLES = 2000
TAUS = (1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Profile:
    """Performance profiles (Dolan and More 2002): `shares[entrant][i]` is the share of data sets on which the entrant's
    mean is within a factor `taus[i]` of the best entrant's. An entrant that failed on a data set is within none.
    """

    metric: str
    datasets: tuple[str, ...]
    taus: tuple[float, ...]
    shares: Mapping[str, tuple[float, ...]]
    reason: str = ""


@dataclass(frozen=True)
class Centre:
    """An entrant's interquartile mean over seeds and data sets, with its 95 % stratified bootstrap interval."""

    entrant: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Centres:
    """Interquartile means (Agarwal et al. 2021, arXiv:2108.13264), best first.

    With several data sets each is put on a scale of its own before: 0 its worst value of any entrant and seed, 1 its
    best (`scaled`). `left_out` names entrants that have no value on some data set.
    """

    metric: str
    datasets: tuple[str, ...]
    scaled: bool
    rows: tuple[Centre, ...]
    left_out: tuple[str, ...] = ()


def profile(boards: Sequence[Leaderboard]) -> Profile:
    """Return the profiles of all entrants over the boards' data sets. Ratios need positive values: else a reason."""
    metric, datasets = boards[0].metric, tuple(board.dataset for board in boards)
    entrants = sorted({row.entrant for board in boards for row in board.rows})
    ratios: dict[str, list[float]] = {name: [] for name in entrants}
    for board in boards:
        means = {row.entrant: row.mean for row in board.rows if row.rank}
        if not means or min(means.values()) <= 0:
            return Profile(
                metric, datasets, TAUS, {}, f"a ratio to the best needs positive values; {board.dataset} has others"
            )
        best = max(means.values()) if board.direction == "up" else min(means.values())
        for name in entrants:
            mean = means.get(name)
            ratios[name].append(
                float("inf") if mean is None else best / mean if board.direction == "up" else mean / best
            )
    shares = {
        name: tuple(float(np.mean(np.array(r) <= tau * (1 + 1e-12))) for tau in TAUS) for name, r in ratios.items()
    }
    order = sorted(entrants, key=lambda name: ([-s for s in shares[name]], name))
    return Profile(metric, datasets, TAUS, {name: shares[name] for name in order})


def centres(boards: Sequence[Leaderboard], *, resamples: int = RESAMPLES) -> Centres:
    """Return interquartile means over seeds and data sets; the bootstrap draws seeds anew within each data set."""
    scaled = len(boards) > 1
    columns = [_column(board, scaled) for board in boards]
    everyone = {name for column in columns for name in column}
    complete = sorted(name for name in everyone if all(name in column for column in columns))
    rng = np.random.default_rng(0)
    rows = []
    for name in complete:
        strata = [column[name] for column in columns]
        drawn = np.concatenate([s[rng.integers(0, len(s), (resamples, len(s)))] for s in strata], axis=1)
        low, high = np.quantile(interquartile_mean(drawn), (0.025, 0.975))
        rows.append(Centre(name, float(interquartile_mean(np.concatenate(strata))), float(low), float(high)))
    rows.sort(key=lambda row: row.mean, reverse=scaled or boards[0].direction == "up")
    datasets = tuple(board.dataset for board in boards)
    return Centres(boards[0].metric, datasets, scaled, tuple(rows), tuple(sorted(everyone - set(complete))))


def interquartile_mean(values: Array) -> Array:
    """Return the mean of the middle half over the last axis: a quarter (rounded down) is cut off at either end."""
    cut = values.shape[-1] // 4
    ordered = np.sort(values, axis=-1)
    return np.asarray(ordered[..., cut : values.shape[-1] - cut].mean(axis=-1))


def _column(board: Leaderboard, scaled: bool) -> dict[str, Array]:
    values = {row.entrant: np.array(list(row.values.values())) for row in board.rows if row.values}
    if not scaled or not values:
        return values
    everything = np.concatenate(list(values.values()))
    low, high = float(everything.min()), float(everything.max())
    worst, best = (low, high) if board.direction == "up" else (high, low)
    return {name: (v - worst) / (best - worst) if high > low else np.ones_like(v) for name, v in values.items()}
