"""From records and kept scores of examples to differences between entrants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay import examples
from assay.errors import AssayError
from assay.leaderboard import label
from assay.resampling import Difference, difference
from assay.spec import Record

Scores = dict[int, NDArray[np.float64]]


def differ(records: Sequence[Record], metric: str, direction: str, place: Path) -> dict[str, list[Difference]]:
    """Return by data set how its best entrant differs from each other one, nearest first.

    Raises:
        AssayError: Nothing was kept, or two entrants were tested on different examples at the same seed.
    """
    by_dataset: dict[str, dict[str, Scores]] = defaultdict(lambda: defaultdict(dict))
    prints: dict[str, dict[int, str]] = defaultdict(dict)
    for record in records:
        kept = examples.read(place, record.digest, metric) if record.ok else None
        if kept is not None:
            scores, fingerprint = kept
            dataset, seed = record.cell.dataset, record.cell.seed
            if prints[dataset].setdefault(seed, fingerprint) != fingerprint:
                raise AssayError(f"{dataset} seed {seed}: {label(record)} was tested on other data; run all again")
            by_dataset[dataset][label(record, backend=record.cell.backend != "cpu")][seed] = scores
    if not by_dataset:
        raise AssayError(f"no scores of examples by {metric!r} are kept in {place}: assay run ... --keep-examples")
    found = {}
    for dataset, entrants in sorted(by_dataset.items()):
        fixed = len(prints[dataset]) > 1 and len(set(prints[dataset].values())) == 1
        sign = -1.0 if direction == "up" else 1.0
        means = {name: sign * float(np.mean([s.mean() for s in scores.values()])) for name, scores in entrants.items()}
        best, *others = sorted(entrants, key=lambda name: (means[name], name))
        found[dataset] = [
            difference(best, other, entrants[best], entrants[other], fixed=fixed)
            for other in others
            if set(entrants[best]) & set(entrants[other])
        ]
    return found
