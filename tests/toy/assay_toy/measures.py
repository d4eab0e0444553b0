"""What is measured."""

import numpy as np


def squared_error(outcome) -> float:
    return float(np.mean((outcome["prediction"] - outcome["y"]) ** 2))


def share_right(outcome) -> float:
    return float(np.mean(outcome["prediction"] == outcome["y"]))
