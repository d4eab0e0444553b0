"""The bundled digits are the ones that derive.py took, and in no order."""

import hashlib

import numpy as np
import pytest
from assay_data_mnist10k import load


@pytest.fixture(scope="module")
def digits():
    """Load the images and labels once."""
    return load()


def test_shapes_and_dtypes(digits):
    """10,000 images of 28 x 28 bytes, using the whole range from paper to ink."""
    images, labels = digits
    assert (images.shape, images.dtype) == ((10_000, 28, 28), np.uint8)
    assert (labels.shape, labels.dtype) == ((10_000,), np.int64)
    assert (images.min(), images.max()) == (0, 255)


def test_class_counts(digits):
    """The counts of the npm package, class by class."""
    counts = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    np.testing.assert_array_equal(np.bincount(digits[1]), counts)


def test_content(digits):
    """Images and labels, byte by byte."""
    images, labels = digits
    digest = hashlib.sha256(images.tobytes() + labels.astype("<i8").tobytes()).hexdigest()
    assert digest == "0d99067b950ac36ba8ead46de372d1cb98e5c8dae81d1cd1435bb1e0cd7ca3c6"


def test_no_digit_occurs_twice(digits):
    """A split by index is a split by image."""
    assert len({image.tobytes() for image in digits[0]}) == 10_000


def test_order_is_not_by_class(digits):
    """Every run of 1,000 digits has each class about as often as the whole."""
    counts = np.stack([np.bincount(run, minlength=10) for run in digits[1].reshape(10, 1000)])
    assert counts.min() > 50
    assert counts.max() < 150


def test_labels_belong_to_their_images(digits):
    """The class mean nearest to an image is its own for most digits: over 80 % on MNIST, 10 % by chance."""
    images, labels = digits
    pixels = images.reshape(-1, 784) / 255
    means = np.stack([pixels[:5000][labels[:5000] == k].mean(0) for k in range(10)])
    distances = (means**2).sum(1) - 2 * pixels[5000:] @ means.T
    assert (distances.argmin(1) == labels[5000:]).mean() > 0.75
