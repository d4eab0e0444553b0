"""The data, metrics and baselines of the tasks in which a set is ordered, thinned out, outlined or embedded."""

import numpy as np
import pytest
import torch
from assay_sets import (
    convex_hull,
    multisets,
    orders,
    permutation_recovery,
    subset_selection,
    sum_embedding,
    variable_order,
)
from assay_sets.baselines_orders import assignment
from assay_sets.baselines_subsets import ChannelPowerSum, roots_of_power_sums
from assay_sets.hulls import hulls_of, uniform_square
from assay_sets.sequences import AdditiveAttention, unroll
from assay_sets.star import star_model
from assay_sets.subsets import digit_anomaly, near_average, two_moons
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

DRAWN = [orders.float_sort, orders.digit_sort, orders.digit_jigsaw, two_moons, near_average, digit_anomaly, star_model]


def arrays_of(data):
    return list(vars(data).values())


@pytest.mark.parametrize("load", DRAWN)
def test_the_seed_alone_decides(load):
    first, again, other = (arrays_of(load(seed, "smoke")) for seed in (5, 5, 6))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])


# --- orders -------------------------------------------------------------------------------------------------


def test_floats_ascend():
    data = orders.float_sort(0, "small")
    assert data.train.shape == (20_000, 10, 1) and data.test.shape == (500, 10, 1)
    assert (np.diff(data.train[:, :, 0]) > 0).all()


def test_numbers_are_distinct_and_ascend_and_images_are_split():
    images, labels = load_digits(return_X_y=True)
    digit = {image.tobytes(): label for image, label in zip((images / 16).astype(np.float32), labels, strict=True)}
    data = orders.digit_sort(0, "small")
    seen = []
    for sets in (data.train[:300], data.test):
        halves = sets.reshape(*sets.shape[:2], 2, 64)
        values = np.array([[10 * digit[a.tobytes()] + digit[b.tobytes()] for a, b in items] for items in halves])
        assert (np.diff(values) > 0).all()
        seen.append({image.tobytes() for image in halves.reshape(-1, 64)})
    assert not seen[0] & seen[1]


def test_patches_put_together_are_the_image():
    image = np.arange(28 * 28, dtype=np.int64).reshape(1, 28, 28) % 256
    patches = orders._patches(image.astype(np.uint8), 3) * 255
    rows = patches.reshape(3, 3, 9, 9).swapaxes(1, 2).reshape(27, 27)
    np.testing.assert_allclose(rows, image[0, :27, :27], atol=1e-3)


def test_equal_items_are_interchangeable():
    """Items 0 and 2 are the same: exchanging them is no error, and what is left is put right where it can be."""
    items = np.array([[0.0], [1.0], [0.0], [2.0]], np.float32)
    np.testing.assert_array_equal(permutation_recovery.interchanged(np.array([2, 1, 0, 3]), items), [0, 1, 2, 3])
    np.testing.assert_array_equal(permutation_recovery.interchanged(np.array([2, 0, 1, 3]), items), [0, 2, 1, 3])
    np.testing.assert_array_equal(permutation_recovery.interchanged(np.array([3, 1, 2, 0]), items), [3, 1, 2, 0])


def test_order_metrics_of_a_hand_made_placement():
    """Of two sets one is right; the other has its first two items exchanged: 1 of 3 pairs is inverted."""
    outcome = {"placed": np.array([[0, 1, 2], [1, 0, 2]]), "placed_again": np.array([[0, 1, 2], [0, 1, 2]])}
    assert permutation_recovery.exact_match(outcome) == 1 / 2
    assert permutation_recovery.element_accuracy(outcome) == pytest.approx(4 / 6)
    assert permutation_recovery.kendall_tau(outcome) == pytest.approx(1 - 2 * 1 / 6)
    assert permutation_recovery.shuffle_gap(outcome) == pytest.approx(2 / 6)


def test_assignment_takes_each_item_once():
    """Both places want item 0; the sum decides."""
    scores = torch.tensor([[[5.0, 4.0], [5.0, 0.0]]])
    assert assignment(scores).tolist() == [[1, 0]]


# --- hulls --------------------------------------------------------------------------------------------------


def test_hulls_are_counter_clockwise_from_the_lowest_index():
    square = np.array([[[0.5, 0.5], [1, 1], [0, 0], [0, 1], [1, 0]]], np.float32)
    np.testing.assert_array_equal(hulls_of(square), [[1, 3, 2, 4, -1]])


def test_points_are_listed_from_left_to_right():
    points, hulls = uniform_square(0, "smoke").train[5]
    assert (np.diff(points[:, :, 0]) >= 0).all()
    np.testing.assert_array_equal(hulls, hulls_of(points))
    assert not hulls[:, 0].any()  # the leftmost point is a vertex


def test_targets_end_with_one_stop():
    target = convex_hull.target_of(torch.tensor([[0, 2, 1], [0, 1, -1]]))
    stop, pad = convex_hull.STOP, convex_hull.PAD
    assert target.tolist() == [[0, 2, 1, stop], [0, 1, stop, pad]]


def test_area_and_crossings_of_hand_made_polygons():
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    assert convex_hull.area(square) == 1
    assert convex_hull.is_simple(square)
    assert not convex_hull.is_simple(square[[0, 2, 1, 3]])  # a bow tie
    assert not convex_hull.is_simple(square[[0, 1, 1, 2]])
    assert not convex_hull.is_simple(square[:2])


def test_hull_metrics_forgive_the_first_vertex_alone():
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    decoded = [np.array(d, np.int64) for d in ([0, 1, 2, 3], [2, 3, 0, 1], [3, 2, 1, 0], [0, 1, 2], [])]
    outcome = {"points": np.stack([square] * 5), "decoded": decoded, "hulls": [np.arange(4)] * 5}
    assert convex_hull.hull_accuracy(outcome) == 2 / 5
    assert convex_hull.area_coverage(outcome) == pytest.approx((1 + 1 + 1 + 0.5 + 0) / 5)


@pytest.mark.peer
def test_area_and_simplicity_agree_with_shapely():
    shapely = pytest.importorskip("shapely")
    rng = np.random.default_rng(0)
    for polygon in rng.random((200, 5, 2)):
        peer = shapely.Polygon(polygon)
        assert convex_hull.is_simple(polygon) == peer.is_valid
        if peer.is_valid:
            assert convex_hull.area(polygon) == pytest.approx(peer.area)


# --- subsets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("load", "elements", "least", "most"),
    [(two_moons, 30, 10, 10), (near_average, 30, 1, 30), (digit_anomaly, 16, 2, 3)],
)
def test_subsets_have_their_sizes_in_any_place(load, elements, least, most):
    data = load(0, "small")
    assert data.train_s.shape == (1000, elements) and data.test_v.shape[:2] == (300, elements)
    sizes = data.train_s.sum(1)
    assert sizes.min() >= least and sizes.max() <= most
    assert abs(data.train_s[:, 0].mean() - data.train_s.mean()) < 0.06


def test_the_smaller_moon_is_one_moon():
    """Chosen elements have chosen neighbours, and the moons are of either kind."""
    data = two_moons(0, "smoke")
    distance = np.linalg.norm(data.train_v[:, :, None] - data.train_v[:, None], axis=-1) + 9 * np.eye(30)
    nearest = np.take_along_axis(data.train_s, distance.argmin(2), 1)
    assert (nearest == data.train_s)[data.train_s].mean() > 0.9


def test_near_average_is_undecided_by_one_element():
    """A direction exists along which the chosen are those within .5 of the mean; sets differ more than elements."""
    data = near_average(0, "small")
    centred = data.train_v - data.train_v.mean(1, keepdims=True)
    spread = np.einsum("kni,knj->ij", centred[data.train_s][None], centred[data.train_s][None])
    direction = np.linalg.eigh(spread)[1][:, 0]  # the chosen vary least along it
    along = np.abs(centred @ direction)
    assert along[data.train_s].max() < 0.6 and along[~data.train_s].min() > 0.4
    assert data.train_v.mean(1).var(0).min() > 2 * centred.var((0, 1)).max()


def test_most_probable_takes_as_many_as_asked_for():
    scores = torch.tensor([[0.1, 0.9, 0.5], [0.3, 0.2, 0.1]])
    mask = subset_selection.most_probable(scores, torch.tensor([2, 1]))
    assert mask.tolist() == [[False, True, True], [True, False, False]]
    oracle = torch.tensor([[False, True, False], [True, False, False]])
    assert subset_selection.mean_jaccard({"chosen": mask, "oracle": oracle}) == pytest.approx((1 / 2 + 1) / 2)


# --- multisets ----------------------------------------------------------------------------------------------


def test_pairs_differ_though_their_columns_do_not():
    for a, b in multisets.random_multisets(0, "smoke").pairs:
        np.testing.assert_allclose(np.sort(a, 0), np.sort(b, 0))
        assert sum_embedding.row_error(a, b) > 1e-3


def test_row_error_ignores_the_order_of_rows():
    x = np.array([[0.0, 1.0], [2.0, 3.0], [2.0, 3.0]])
    assert sum_embedding.row_error(x[[2, 0, 1]], x) == 0
    assert sum_embedding.row_error(x + np.array([[0, 0], [0, 0.5], [0, 0]]), x) == 0.5


@given(st.lists(st.integers(-8, 8), min_size=1, max_size=5, unique=True))
def test_power_sums_give_their_numbers_back(numbers):
    x = np.sort(np.array(numbers) / 8)
    sums = np.array([(x**k).sum() for k in range(1, len(x) + 1)])
    np.testing.assert_allclose(roots_of_power_sums(sums), x, atol=1e-7)


def test_channel_power_sums_collide():
    a, b = multisets.random_multisets(0, "smoke").pairs[0]
    np.testing.assert_array_equal(ChannelPowerSum().embed(a), ChannelPowerSum().embed(b))


# --- densities ----------------------------------------------------------------------------------------------


def test_leaves_follow_the_head():
    data = star_model(0, "small")
    test = data.test
    assert data.train.shape == (300, 6) and test.shape == (2000, 6)
    np.testing.assert_allclose((test[:, 1:] == test[:, :1]).mean(0), 0.9, atol=0.03)
    assert abs(test[:, 0].mean() - 0.5) < 0.04


# --- decoders -----------------------------------------------------------------------------------------------


def test_unroll_chooses_each_at_most_once():
    """Item 1 is wanted at every step; with `distinct` the others follow, by their score."""
    scores = torch.tensor([[1.0, 3.0, 2.0]])

    def step(previous, state):
        return scores, state

    assert unroll(step, None, 3)[1].tolist() == [[1, 1, 1]]
    assert unroll(step, None, 3, distinct=True)[1].tolist() == [[1, 2, 0]]


def test_unroll_feeds_the_targets_when_taught():
    seen = []

    def step(previous, state):
        seen.append(None if previous is None else previous.tolist())
        return torch.zeros(2, 4), state

    _, choices = unroll(step, None, 3, torch.tensor([[3, 2, -100], [1, -1, -100]]))
    assert seen == [None, [3, 1], [2, 0]] and choices.shape == (2, 3)


def test_additive_attention_is_its_formula():
    attention = AdditiveAttention(3)
    states, query = torch.randn(1, 2, 3), torch.randn(1, 3)
    hidden = torch.tanh(attention.states.weight @ states[0, 1] + attention.query.weight @ query[0])
    torch.testing.assert_close(attention(attention.keys(states), query)[0, 1], (attention.score.weight @ hidden)[0])


# --- own data -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "arrays"),
    [
        (permutation_recovery, {"items": np.zeros((20, 4, 2), np.float32)}),
        (
            subset_selection,
            {"v": np.zeros((20, 4, 2), np.float32), "chosen": np.eye(4, dtype=np.int64)[np.arange(20) % 4]},
        ),
        (variable_order, {"x": np.zeros((20, 6), np.int64)}),
    ],
)
def test_own_data_are_split_four_to_one(task, arrays):
    data = task.split(arrays, np.random.default_rng(0))
    assert sorted(len(a) for a in arrays_of(data)) == sorted([4, 16] * len(arrays))


def test_own_points_get_their_hulls():
    points = np.random.default_rng(0).random((20, 6, 2), dtype=np.float32)
    data = convex_hull.split({"points": points}, np.random.default_rng(0))
    assert len(data.train[6][0]) == 16
    np.testing.assert_array_equal(data.tests[6][1], hulls_of(data.tests[6][0]))


def test_own_multisets_are_taken_whole():
    x = np.zeros((20, 3, 2))
    data = sum_embedding.split({"x": x}, np.random.default_rng(0))
    assert data.draws[3, 2] is x
