"""Looped transformer: plain SUBLEQ, the transformer that executes it, and the softness that breaks it."""

import numpy as np
import pytest
import torch
from assay_looped_computer import BITS, Computer, code, depth, executes, interpret, multiply


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def value(cells):
    """The signed integer that cells (BITS,) hold."""
    number = sum(2**k for k, bit in enumerate(cells) if bit > 0)
    return number - 2**BITS if cells[-1] > 0 else number


def looped(computer, x):
    """One instruction."""
    for layer in computer.layers:
        x = layer(x, 200.0)
    return x


@pytest.mark.parametrize("number", [-128, -1, 0, 5, 127])
def test_codes_hold_signed_numbers(number):
    assert value(code([number], 8)[0]) == number


@pytest.mark.parametrize(("x", "y"), [(-7, 1), (6, 3)])
def test_the_interpreter_multiplies(x, y):
    assert interpret(*multiply(x, y), 20)[-1][2] == x * y


def test_the_transformer_multiplies():
    computer = Computer(16)
    x = computer.load(*multiply(-6, 2))
    for _ in range(12):
        x = looped(computer, x)
    assert value(x[3, computer.at["mem"]]) == -12


def test_random_programs_are_executed_only_by_sharp_attention():
    assert executes(np.random.default_rng(0), 16, count=3, steps=6)["max_error"] < 1e-9
    assert executes(np.random.default_rng(0), 16, 1.0, count=3, steps=6)["max_error"] > 0.5


def test_a_subtraction_without_its_lowest_bit_goes_wrong():
    computer = Computer(16)
    del computer.layers[2].units[:6]
    computer.layers[2].freeze()
    x = computer.load(*multiply(3, 1))
    for _ in range(8):
        x = looped(computer, x)
    assert value(x[3, computer.at["mem"]]) != 3


def test_the_depth_does_not_grow_with_the_columns():
    assert depth(np.random.default_rng(0), (16, 32))["layers_per_loop_range"] == 0
