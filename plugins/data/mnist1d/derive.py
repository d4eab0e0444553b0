"""Derive assay_data_mnist1d/signals.npz from the PyPI package `mnist1d` (must be installed): python derive.py."""

from pathlib import Path

import numpy as np
from mnist1d.data import get_dataset_args, make_dataset

TARGET = Path(__file__).parent / "assay_data_mnist1d" / "signals.npz"


def derive() -> None:
    """Write TARGET: the package's default data, training signals before test signals."""
    data = make_dataset(get_dataset_args())
    signals = np.concatenate([data["x"], data["x_test"]]).astype(np.float32)
    labels = np.concatenate([data["y"], data["y_test"]]).astype(np.uint8)
    np.savez_compressed(TARGET, signals=signals, labels=labels)


if __name__ == "__main__":
    derive()
