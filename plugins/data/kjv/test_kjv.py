"""The bundled text is the one that derive.py took."""

import hashlib

import pytest
from assay_data_kjv import load


@pytest.fixture(scope="module")
def verses():
    """Load the verses once."""
    return load()


def test_count_and_ends(verses):
    """The protestant canon has 31,102 verses."""
    assert len(verses) == 31_102
    assert verses[0] == "In the beginning God created the heaven and the earth."
    assert verses[-1] == "The grace of our Lord Jesus Christ be with you all. Amen."


def test_no_markup_is_left(verses):
    """No tag, no double space, no empty verse."""
    assert all(v and "<" not in v and "  " not in v for v in verses)


def test_content(verses):
    """All of it, byte by byte."""
    digest = hashlib.sha256("\n".join(verses).encode()).hexdigest()
    assert digest == "b11b5dc3ed3969b0dafc7e5c31b7eed5abe09f1c966efd431f4a8a581ad63c61"
