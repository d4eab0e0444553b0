"""REOrder: fixed orders, the Plackett-Luce policy and its gradient, and what does not depend on an order."""

from itertools import permutations

import numpy as np
import pytest
import torch
from assay_reorder import (
    OrderedGRU,
    REOrder,
    compressed,
    hilbert,
    image_patches,
    log_probability,
    orders,
    reading_order,
    temperature,
)


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


@pytest.mark.parametrize("size", [2, 4, 8])
def test_orders_are_permutations_and_the_curves_are_connected(size):
    for name, path in orders(size).items():
        assert sorted(path) == list(range(size**2))
        rows, columns = np.divmod(path, size)
        if name in ("snake", "spiral", "hilbert"):
            assert (np.abs(np.diff(rows)) + np.abs(np.diff(columns)) == 1).all()


def test_hilbert_fills_one_quadrant_after_another():
    path = np.array(hilbert(8)) // 4
    assert all((part == part[0]).all() for part in np.split(path, 4))


def test_patches_are_squares_of_the_padded_image():
    images = torch.rand(3, 14, 14, 1)
    padded = torch.nn.functional.pad(images, (0, 0, 1, 1, 1, 1))
    found = image_patches(images.flatten(1, 2))
    for place in range(16):
        r, c = divmod(place, 4)
        expected = padded[:, 4 * r : 4 * r + 4, 4 * c : 4 * c + 4]
        torch.testing.assert_close(found[:, place], expected.flatten(1))
    with pytest.raises(ValueError, match="no square image"):
        image_patches(torch.rand(3, 40, 1))


@pytest.mark.parametrize("tau", [0.3, 1.0])
def test_probabilities_sum_to_one_and_are_those_of_sampling(tau):
    z = torch.tensor([0.5, -0.3, 0.0, 1.0]).double()
    paths = [torch.tensor(path) for path in permutations(range(4))]
    exact = torch.stack([log_probability(z / tau, path) for path in paths]).exp()
    assert float(exact.sum()) == pytest.approx(1, abs=1e-12)
    noise = -torch.empty(20_000, 4).double().exponential_().log()
    drawn = (z + tau * noise).argsort(1, descending=True)
    shares = torch.stack([(drawn == path).all(1).double().mean() for path in paths])
    torch.testing.assert_close(shares, exact, rtol=0, atol=0.012)


def test_the_gradient_of_probabilities_sums_to_zero():
    z = torch.randn(4).double().requires_grad_()
    total = sum(log_probability(z, torch.tensor(path)).exp() for path in permutations(range(4)))
    torch.testing.assert_close(torch.autograd.grad(total, z)[0], torch.zeros(4).double(), atol=1e-12, rtol=0)


def test_noise_is_a_triangle_and_the_rest_is_read_in_the_likeliest_order():
    assert [temperature(p) for p in (0, 0.15, 0.3, 0.45, 1)] == pytest.approx([0, 0, 0.2, 0, 0], abs=1e-12)
    model, x, y = REOrder(1, 10, 196), torch.rand(5, 196, 1), torch.arange(5)
    with torch.no_grad():
        model.z.copy_(torch.randn(16))
    loss = model.loss(x, y, 0.9)
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(model(x), y))
    assert (model.z[model.order].diff() <= 0).all()


def test_the_policy_learns_the_order_that_is_rewarded():
    """The reward is the place of patch 0: REINFORCE moves it to the end."""
    model = REOrder(1, 2, 196)
    model.draw = torch.Generator().manual_seed(0)
    model.read = lambda x, order: torch.stack([x.new_zeros(4), x.new_full((4,), float((order == 0).nonzero()) / 16)], 1)
    adam, x, y = torch.optim.Adam([model.z], 0.05), torch.zeros(4, 196, 1), torch.ones(4, dtype=torch.int64)
    for _ in range(150):
        adam.zero_grad()
        model.loss(x, y, 0.3).backward()
        adam.step()
    assert int(model.z.argmin()) == 0


def test_a_recurrent_body_depends_on_the_order():
    model, x = OrderedGRU(1, 10, 196), torch.rand(5, 196, 1)
    row, column = (model.read(x, torch.from_numpy(orders(4)[name])) for name in ("row", "column"))
    assert (row - column).abs().max() > 1e-3


def test_stripes_compress_best_along_them():
    patches = np.repeat(np.random.default_rng(0).standard_normal((200, 4, 3)), 4, axis=1).astype(np.float32)
    sizes = compressed(patches, 0, codes=8)
    assert max(sizes["row"], sizes["snake"]) < 0.7 * sizes["diagonal"]


@pytest.mark.parametrize(("window", "least", "most"), [(0, 0, 1e-12), (15, 0, 1e-12), (3, 0.01, 10)])
def test_full_attention_does_not_see_the_order_and_a_window_does(window, least, most):
    torch.set_default_dtype(torch.float64)
    try:
        assert least <= reading_order(np.random.default_rng(0), window)["invariance_error"] <= most
    finally:
        torch.set_default_dtype(torch.float32)
