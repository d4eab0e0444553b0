"""The metrics that several arenas of this family share. A field named `correct` holds truth values, of any shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from assay import Metric
from numpy.typing import NDArray


def correct(outcome: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return 1 for each answer that is right, else 0."""
    return np.asarray(outcome["correct"], dtype=np.float64).ravel()


def accuracy(outcome: Mapping[str, Any]) -> float:
    """Share of the answers that are right: marked places, test signals, answer tokens."""
    return float(correct(outcome).mean())


def accuracy_long(outcome: Mapping[str, Any]) -> float:
    """The same on sequences longer than any trained on: four times as long, or with one digit more."""
    return float(np.asarray(outcome["correct_long"], dtype=np.float64).mean())


METRICS = [
    Metric("accuracy", accuracy, ("correct",), "up", "fraction", bounds=(0.0, 1.0), examples=correct),
    Metric("accuracy_long", accuracy_long, ("correct_long",), "up", "fraction", bounds=(0.0, 1.0)),
]
