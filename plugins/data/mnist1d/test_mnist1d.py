"""The bundled signals are the ones that derive.py took."""

import hashlib

import numpy as np
import pytest
from assay_data_mnist1d import load


@pytest.fixture(scope="module")
def data():
    """Load the signals and labels once."""
    return load()


def test_shapes_and_dtypes(data):
    """5,000 signals of 40 steps, 500 a class."""
    signals, labels = data
    assert (signals.shape, signals.dtype) == ((5000, 40), np.float32)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(np.bincount(labels), [500] * 10)


def test_signals_are_standardised(data):
    """Mean 0 and variance 1 over all steps."""
    assert abs(data[0].mean()) < 1e-4
    assert abs(data[0].std() - 1) < 1e-4


def test_content(data):
    """Signals and labels, byte by byte."""
    digest = hashlib.sha256(data[0].tobytes() + data[1].astype("<i8").tobytes()).hexdigest()
    assert digest == "f7e6b4ae1766612049bfa012eb07881b5a4d2a1f4c0fd4cc7ce4b79fb0853cdb"
