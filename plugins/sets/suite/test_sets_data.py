"""The data sets of the family are what their docstrings say: geometry, labels, splits, padding, seeds."""

import assay_sets.shapes as shapes
import numpy as np
import pytest
from assay_sets.digits import digit_sum, mnist_points, unique_count
from assay_sets.draws import gauss_statistics, set_max
from assay_sets.shapes import composite_parts, shapes_3d
from assay_sets.surfaces import SUPPORTS, SURFACES
from scipy.optimize import linprog
from scipy.stats import kstest
from sklearn.datasets import load_digits

CLOUDS = [shapes_3d, composite_parts, mnist_points]
SETS = [digit_sum, unique_count, set_max, gauss_statistics]


def arrays_of(data):
    """All arrays of a data set, in a fixed order."""
    tests = [array for batch in getattr(data, "tests", {}).values() for array in batch]
    return [value for value in vars(data).values() if isinstance(value, np.ndarray)] + tests


def batches_of(data):
    """Training and test batches (x, mask, y) of labelled sets."""
    return [(data.train_x, data.train_mask, data.train_y), *data.tests.values()]


def draw(name, n, seed=0):
    """Points (n, 3) of a surface, as the dataset draws them before scaling and jitter."""
    return SURFACES[name](np.random.default_rng(seed), n)


# --- surfaces -----------------------------------------------------------------------------------------------


def helix_distance(x, y, z):
    """Distance to the helix (.7 cos t, .7 sin t, .8 t / 2 pi), |t| <= 2 pi, on a fine grid of t."""
    t = np.linspace(-2 * np.pi, 2 * np.pi, 20_001)
    curve = np.stack([0.7 * np.cos(t), 0.7 * np.sin(t), 0.8 * t / (2 * np.pi)], axis=-1)
    return np.array([np.linalg.norm(curve - p, axis=1).min() for p in np.stack([x, y, z], axis=-1)])


EQUATIONS = {  # zero on the surface
    "sphere": lambda x, y, z: x**2 + y**2 + z**2 - 1,
    "cube": lambda x, y, z: np.max(np.abs([x, y, z]), axis=0) - 0.6,
    "cylinder": lambda x, y, z: np.maximum(np.hypot(x, y) - 0.6, np.abs(z) - 0.8),
    "cone": lambda x, y, z: np.maximum(np.hypot(x, y) / 0.8 - (0.7 - z) / 1.4, -0.7 - z),
    "torus": lambda x, y, z: (np.hypot(x, y) - 0.7) ** 2 + z**2 - 0.3**2,
    "pyramid": lambda x, y, z: np.maximum(np.maximum(abs(x), abs(y)) / 0.7 - (0.6 - z) / 1.2, -0.6 - z),
    "disc": lambda x, y, z: np.maximum(np.abs(z), np.hypot(x, y) - 1),
    "capsule": lambda x, y, z: np.hypot(np.hypot(x, y), np.maximum(np.abs(z) - 0.6, 0)) - 0.4,
    "helix-tube": lambda x, y, z: helix_distance(x, y, z) - 0.15,
    "two-spheres": lambda x, y, z: x**2 + y**2 + (np.abs(z) - 0.5) ** 2 - 0.5**2,
}


@pytest.mark.parametrize("name", SURFACES)
def test_points_lie_on_their_surface(name):
    """Every point satisfies the implicit equation of its surface."""
    residual = EQUATIONS[name](*draw(name, 400).T)
    assert np.abs(residual).max() < (1e-6 if name == "helix-tube" else 1e-12)


def helix_share_near_axis():
    """Share of the helix tube's area within .7 of the z axis, by integrating over its parametrisation."""

    def point(t, v):
        speed, pitch = np.hypot(0.7, 0.8 / (2 * np.pi)), 0.8 / (2 * np.pi)
        outward = np.array([np.cos(t), np.sin(t), 0 * t])
        binormal = np.array([pitch * np.sin(t), -pitch * np.cos(t), 0.7 + 0 * t]) / speed
        return 0.7 * outward + [[0], [0], [pitch]] * t + 0.15 * (np.cos(v) * outward + np.sin(v) * binormal)

    v, h = np.linspace(0, 2 * np.pi, 20_000, endpoint=False), 1e-5
    t = np.full_like(v, 0.3)  # turning and lifting the helix maps it to itself: one cross-section tells all
    along_t, along_v = point(t + h, v) - point(t - h, v), point(t, v + h) - point(t, v - h)
    area = np.linalg.norm(np.cross(along_t, along_v, axis=0), axis=0)
    return area[np.hypot(*point(t, v)[:2]) < 0.7].sum() / area.sum()


SLANT_CONE, SLANT_PYRAMID = np.hypot(0.8, 1.4), np.hypot(0.7, 1.2)
REGIONS = [  # surface, region, its share of the area
    ("sphere", lambda x, y, z: z > 0.5, 1 / 4),
    ("sphere", lambda x, y, z: x > 0.5, 1 / 4),
    ("cube", lambda x, y, z: x > 0.6 - 1e-9, 1 / 6),
    ("cube", lambda x, y, z: (z < 1e-9 - 0.6) & (x < -0.3), 1 / 24),
    ("cylinder", lambda x, y, z: np.abs(z) > 0.8 - 1e-9, 0.6 / 2.2),
    ("cylinder", lambda x, y, z: (z > 0.8 - 1e-9) & (np.hypot(x, y) < 0.3), 0.6 / 2.2 / 8),
    ("cylinder", lambda x, y, z: (z > 0) & (z < 0.4), 1.6 / 2.2 / 4),
    ("cone", lambda x, y, z: z < 1e-9 - 0.7, 0.8 / (0.8 + SLANT_CONE)),
    ("cone", lambda x, y, z: z > 0, SLANT_CONE / (0.8 + SLANT_CONE) / 4),
    ("cone", lambda x, y, z: (z < 1e-9 - 0.7) & (np.hypot(x, y) < 0.4), 0.8 / (0.8 + SLANT_CONE) / 4),
    ("torus", lambda x, y, z: np.hypot(x, y) > 0.7, 0.5 + 0.3 / (0.7 * np.pi)),  # Pappus
    ("torus", lambda x, y, z: (x > 0) & (z > 0), 1 / 4),
    ("pyramid", lambda x, y, z: z < 1e-9 - 0.6, 0.7 / (0.7 + SLANT_PYRAMID)),
    ("pyramid", lambda x, y, z: z > 0, SLANT_PYRAMID / (0.7 + SLANT_PYRAMID) / 4),
    ("pyramid", lambda x, y, z: (z < 1e-9 - 0.6) & (x > 0.35) & (y > 0), 0.7 / (0.7 + SLANT_PYRAMID) / 8),
    ("disc", lambda x, y, z: np.hypot(x, y) < 0.5, 1 / 4),
    ("capsule", lambda x, y, z: np.abs(z) < 0.6, 0.6),
    ("capsule", lambda x, y, z: z > 0.8, 0.2 * 0.5),
    ("helix-tube", lambda x, y, z: np.hypot(x, y) < 0.7, helix_share_near_axis()),
    ("helix-tube", lambda x, y, z: z > 0, 1 / 2),
    ("two-spheres", lambda x, y, z: z > 0.5, 1 / 4),
]


@pytest.mark.parametrize(("name", "region", "share"), REGIONS)
def test_a_region_gets_its_share_of_the_area(name, region, share):
    """200,000 points: the share within a region equals its share of the area, within 4 standard errors."""
    n = 200_000
    assert abs(region(*draw(name, n).T).mean() - share) < 4 * np.sqrt(share * (1 - share) / n)


def test_torus_tube_angle_has_the_density_of_its_area():
    """The angle around the tube has the distribution function (v + r/R sin v) / 2 pi."""
    x, y, z = draw("torus", 20_000).T
    angle = np.arctan2(z, np.hypot(x, y) - 0.7) % (2 * np.pi)
    assert kstest(angle, lambda v: (v + 0.3 / 0.7 * np.sin(v)) / (2 * np.pi)).pvalue > 0.01


@pytest.mark.parametrize("name", SUPPORTS)
def test_support_is_the_farthest_point(name):
    """No point of a primitive lies farther along a direction than its support point; some come near."""
    directions = draw("sphere", 50, seed=1)
    reach = (draw(name, 20_000) @ directions.T).max(0)
    support = (SUPPORTS[name](directions) * directions).sum(1)
    assert (reach <= support + 1e-12).all()
    assert (support - reach < 0.05).all()


def test_frames_scale_every_axis_and_turn_about_z():
    """Frame = turn about z by U[0, 2 pi) after scaling every axis by U[.7, 1.3]."""
    frames = shapes._frames(np.random.default_rng(0), 5000)
    scales = np.linalg.norm(frames, axis=1)
    turns = frames / scales[:, None]
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.tile(np.eye(3), (5000, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turns), 1)
    np.testing.assert_array_equal(turns[:, :, 2], np.tile([0, 0, 1], (5000, 1)))
    assert kstest(np.arctan2(turns[:, 1, 0], turns[:, 0, 0]), "uniform", (-np.pi, 2 * np.pi)).pvalue > 0.01
    for axis in range(3):
        assert kstest(scales[:, axis], "uniform", (0.7, 0.6)).pvalue > 0.01


# --- clouds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("load", "scale", "train", "test", "per_point"),
    [
        (shapes_3d, "smoke", (200, 32, 3), (100, 32, 3), False),
        (shapes_3d, "small", (1500, 64, 3), (500, 64, 3), False),
        (composite_parts, "smoke", (150, 32, 3), (80, 32, 3), True),
        (composite_parts, "small", (1000, 128, 3), (300, 128, 3), True),
        (mnist_points, "smoke", (200, 32, 2), (100, 32, 2), False),
        (mnist_points, "small", (1500, 64, 2), (500, 64, 2), False),
    ],
)
def test_clouds_have_the_sizes_of_their_scale(load, scale, train, test, per_point):
    """Shapes and dtypes; clouds are centred and reach the border of the unit ball."""
    data = load(0, scale)
    for points, labels, shape in [
        (data.train_points, data.train_labels, train),
        (data.test_points, data.test_labels, test),
    ]:
        assert (points.shape, points.dtype) == (shape, np.float32)
        assert (labels.shape, labels.dtype) == (shape[:2] if per_point else shape[:1], np.int64)
        np.testing.assert_allclose(points.mean(1), 0, atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(points, axis=2).max(1), 1, atol=1e-6)
        assert set(np.unique(labels)) == set(range(data.classes))


def test_shape_classes_are_balanced_and_shuffled():
    """Every class as often as the others; labels are in no order."""
    data = shapes_3d(0, "small")
    np.testing.assert_array_equal(np.bincount(data.train_labels), 150)
    np.testing.assert_array_equal(np.bincount(data.test_labels), 50)
    assert np.bincount(data.train_labels[:300], minlength=10).min() > 15


def quadric_misfit(points):
    """Smallest relative singular value of the ten quadratic monomials: 0 if the points lie on a quadric."""
    x, y, z = np.asarray(points, np.float64).T
    monomials = np.stack([x * x, y * y, z * z, x * y, x * z, y * z, x, y, z, np.ones_like(x)], axis=-1)
    values = np.linalg.svd(monomials, compute_uv=False)
    return values[-1] / values[0]


def test_shape_labels_belong_to_their_clouds(monkeypatch):
    """Without jitter, (stretched) spheres and discs alone lie on a quadric, and discs alone are flat."""
    monkeypatch.setattr(shapes, "JITTER", 0.0)
    data = shapes_3d(0, "small")
    on_quadric = np.array([quadric_misfit(cloud) < 1e-6 for cloud in data.test_points])
    flat = np.linalg.svd(data.test_points, compute_uv=False)[:, -1] < 1e-5
    names = np.array(list(SURFACES))[data.test_labels]
    np.testing.assert_array_equal(on_quadric, np.isin(names, ["sphere", "disc"]))
    np.testing.assert_array_equal(flat, names == "disc")


def test_jitter_is_small():
    """Jittered discs are flat to about .02 of their radius, not exactly."""
    data = shapes_3d(0, "small")
    discs = data.train_points[data.train_labels == list(SURFACES).index("disc")]
    thickness = np.linalg.svd(discs, compute_uv=False)[:, -1] / np.sqrt(discs.shape[1])
    assert 0.012 < thickness.mean() < 0.03


def test_each_part_has_half_of_the_points_and_pairs_are_balanced():
    """Two kinds a cloud, N/2 points each, in mixed order; each of the ten pairs is met equally often."""
    labels = composite_parts(0, "small").train_labels
    counts = np.stack([(labels == kind).sum(1) for kind in range(5)], axis=1)
    np.testing.assert_array_equal(np.sort(counts, axis=1), np.tile([0, 0, 0, 64, 64], (1000, 1)))
    pairs = np.unique(counts, axis=0, return_counts=True)[1]
    np.testing.assert_array_equal(pairs, [100] * 10)
    assert abs((labels[:, 0] == labels[:, 1]).mean() - 63 / 127) < 0.06


def test_part_labels_belong_to_their_points(monkeypatch):
    """Without jitter, the points labelled sphere lie on a quadric, and no other kind's points do."""
    monkeypatch.setattr(shapes, "JITTER", 0.0)
    data = composite_parts(0, "small")
    for cloud, labels in zip(data.test_points[:100], data.test_labels[:100], strict=True):
        for kind in np.unique(labels):
            is_sphere = list(SUPPORTS)[kind] == "sphere"
            assert (quadric_misfit(cloud[labels == kind]) < 1e-6) == is_sphere


def test_parts_touch_without_overlap(monkeypatch):
    """Without jitter a plane separates the two parts, and no wide gap lies between them."""
    monkeypatch.setattr(shapes, "JITTER", 0.0)
    data = composite_parts(0, "small")
    for cloud, labels in zip(data.test_points[:40], data.test_labels[:40], strict=True):
        side = np.where(labels == labels[0], 1.0, -1.0)[:, None]
        plane = -side * np.column_stack([cloud, np.ones(len(cloud))])  # side * (w.x + c) >= 1
        found = linprog(np.zeros(4), A_ub=plane, b_ub=-np.ones(len(cloud)), bounds=(None, None))
        assert found.status == 0
        first, second = cloud[labels == labels[0]], cloud[labels != labels[0]]
        assert np.linalg.norm(first[:, None] - second, axis=2).min() < 0.4


# --- digits -------------------------------------------------------------------------------------------------


@pytest.fixture
def numbered_images(tmp_path):
    """A file of 1,000 images (8, 8) whose label is their number: a label tells its image."""
    path = tmp_path / "numbered.npz"
    images = np.random.default_rng(0).random((1000, 8, 8))
    np.savez(path, images=images, labels=np.arange(1000))
    return str(path)


def test_mnist_points_share_no_digit_between_training_and_test(numbered_images):
    """The split is by image, 80/20, and an image is used at most once."""
    data = mnist_points(3, "full", numbered_images)
    assert (len(data.train_labels), len(data.test_labels)) == (800, 200)
    assert set(data.train_labels) | set(data.test_labels) == set(range(1000))


def test_points_follow_the_ink(tmp_path):
    """Ink 3:1 in two pixels gives points 3:1, upper left to lower right, each within its pixel."""
    images = np.zeros((10, 28, 28), np.uint8)
    images[:, 2, 3], images[:, 22, 23] = 150, 50
    np.savez(tmp_path / "two.npz", images=images, labels=np.zeros(10, np.int64))
    x, y = np.moveaxis(mnist_points(0, "full", str(tmp_path / "two.npz")).train_points, 2, 0)
    upper = (x < 0) & (y > 0)
    assert abs(upper.mean() - 0.75) < 0.04
    assert ((x > 0) & (y < 0))[~upper].all()
    pixels = 20 / (x[0][~upper[0]].mean() - x[0][upper[0]].mean())  # the pixels are 20 apart
    assert 0.9 < np.ptp(x[0][upper[0]]) * pixels < 1.05
    assert 0.9 < np.ptp(y[0][upper[0]]) * pixels < 1.05


def test_mnist_points_show_their_digit():
    """Ones are narrower than zeros, as written."""
    data = mnist_points(0, "small")
    width = np.sqrt(np.linalg.eigvalsh(np.einsum("nki,nkj->nij", data.train_points, data.train_points))[:, 0])
    ones, zeros = width[data.train_labels == 1], width[data.train_labels == 0]
    assert np.quantile(ones, 0.9) < np.quantile(zeros, 0.1)


@pytest.fixture(scope="module")
def label_of():
    """The class of each of scikit-learn's digits, by its pixels; all 1,797 differ."""
    images, labels = load_digits(return_X_y=True)
    keys = [image.tobytes() for image in (images / 16).astype(np.float32)]
    known = dict(zip(keys, labels, strict=True))
    assert len(known) == 1797
    return known


@pytest.mark.parametrize("load", [digit_sum, unique_count])
def test_digit_sets_share_no_image_between_training_and_test(load, label_of):
    """Elements are real digits, 70 % of them for training and the others for testing."""
    data = load(0, "small")
    train, *tests = ({image.tobytes() for image in x[mask]} for x, mask, _ in batches_of(data))
    test = set().union(*tests)
    assert not train & test
    assert train | test <= set(label_of)
    assert len(train) == round(0.7 * 1797)  # 8,000 sets show every one of them


@pytest.mark.parametrize(
    ("load", "label"),
    [(digit_sum, sum), (unique_count, lambda digits: len(set(digits)))],
)
def test_digit_set_labels_are_right(load, label, label_of):
    """Labels recomputed from the pixels."""
    for x, mask, y in batches_of(load(1, "smoke")):
        sizes = mask.sum(1)
        digits = [[label_of[image.tobytes()] for image in x_i[:n]] for x_i, n in zip(x, sizes, strict=True)]
        np.testing.assert_array_equal(y[:, 0], [label(d) for d in digits])


def test_unique_count_sizes_and_counts():
    """N is uniform over 6..10 and c over 1..min(N, 8)."""
    data = unique_count(0, "small")
    sizes = data.train_mask.sum(1)
    assert (np.abs(np.bincount(sizes, minlength=11)[6:] / 8000 - 1 / 5) < 0.02).all()
    for size in range(6, 11):
        counts = np.bincount(data.train_y[sizes == size, 0].astype(int))[1:]
        assert len(counts) == min(size, 8)
        assert (np.abs(counts / counts.sum() - 1 / min(size, 8)) < 0.035).all()


def test_unique_count_order_tells_nothing(label_of):
    """The first two elements of a set of two classes agree about as often as any two."""
    data = unique_count(0, "small")
    sets = data.train_x[(data.train_y[:, 0] == 2)]
    agree = [label_of[x[0].tobytes()] == label_of[x[1].tobytes()] for x in sets]
    assert 0.3 < np.mean(agree) < 0.6


# --- numbers ------------------------------------------------------------------------------------------------


def test_set_max_labels_are_right():
    """The label is the largest real element, and elements are U[0, 100]."""
    for x, mask, y in batches_of(set_max(0, "small")):
        np.testing.assert_array_equal(y[:, 0], np.where(mask, x[:, :, 0], -np.inf).max(1))
        assert kstest(x[mask][:, 0], "uniform", (0, 100)).pvalue > 1e-3


def test_gauss_labels_are_the_entropy_of_the_first_coordinate():
    """Plug-in entropy of 200 samples is near the label; the covariance has eigenvalues 1 and 4."""
    x, _, y = gauss_statistics(0, "small").tests[200]
    plug_in = 0.5 * np.log(2 * np.pi * np.e * x[:, :, 0].var(1))
    assert np.std(plug_in - y[:, 0]) < 0.06
    assert abs(np.mean(plug_in - y[:, 0])) < 0.01
    values = np.linalg.eigvalsh(np.einsum("nki,nkj->nij", x, x) / 200)
    np.testing.assert_allclose(values.mean(0), [1, 4], rtol=0.05)
    low, high = 0.5 * np.log(2 * np.pi * np.e * np.array([1, 4]))
    assert ((y >= low - 1e-6) & (y <= high + 1e-6)).all()


# --- all ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("load", "train", "sizes", "loss"),
    [
        (digit_sum, (8000, 10, 64), [10, 20, 50, 100], "mse"),
        (unique_count, (8000, 10, 64), [10], "poisson"),
        (set_max, (8000, 10, 1), [10, 20, 50, 100], "l1"),
        (gauss_statistics, (1024, 60, 2), [50, 200], "mse"),
    ],
)
def test_sets_have_their_declared_layout(load, train, sizes, loss):
    """Shapes and dtypes; real elements first and zeros behind them; tests under their size; no empty set."""
    data = load(0, "small")
    assert data.train_x.shape == train
    assert list(data.tests) == sizes
    assert data.loss == loss
    for size, (x, _, _) in data.tests.items():
        assert x.shape == (500, size, train[2])
    for x, mask, y in batches_of(data):
        assert (x.dtype, mask.dtype, y.dtype) == (np.float32, np.bool_, np.float32)
        assert (mask.shape, y.shape) == (x.shape[:2], (len(x), 1))
        assert not x[~mask].any()
        assert mask[:, 0].all()
        assert (mask[:, :-1] >= mask[:, 1:]).all()


@pytest.mark.parametrize(
    ("load", "low", "high"),
    [(digit_sum, 1, 10), (set_max, 1, 10), (gauss_statistics, 20, 60)],
)
def test_training_sizes_are_drawn_from_their_range_and_test_sizes_are_fixed(load, low, high):
    """N is uniform over the range in training; a test size is met exactly."""
    data = load(0, "small")
    sizes = data.train_mask.sum(1)
    assert (sizes.min(), sizes.max()) == (low, high)
    error = np.sqrt(((high - low + 1) ** 2 - 1) / 12 / len(sizes))
    assert abs(sizes.mean() - (low + high) / 2) < 4 * error
    assert all(mask.all() for _, mask, _ in data.tests.values())


@pytest.mark.parametrize("load", CLOUDS + SETS)
def test_the_seed_alone_decides(load):
    """The same seed gives the same arrays; another seed gives others."""
    first, again, other = (arrays_of(load(seed, "smoke")) for seed in (5, 5, 6))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize(("load", "sizes"), [(shapes_3d, "SHAPE_SIZES"), (composite_parts, "PART_SIZES")])
def test_training_and_test_clouds_are_separate_draws(load, sizes, monkeypatch):
    """As many test clouds as training clouds, and none of them is the same."""
    monkeypatch.setattr(shapes, sizes, {"smoke": (100, 100, 32)})
    data = load(0, "smoke")
    assert not {c.tobytes() for c in data.train_points} & {c.tobytes() for c in data.test_points}


@pytest.mark.parametrize(
    ("load", "field"),
    [
        (shapes_3d, "test_labels (m,)"),
        (composite_parts, "train_labels (n, N)"),
        (mnist_points, "images (n, H, W)"),
        (digit_sum, "images (n, D)"),
        (unique_count, "labels (n,)"),
    ],
)
def test_full_scale_asks_for_a_file(load, field):
    """Without a file, scale full tells which one it expects."""
    with pytest.raises(ValueError, match="source=PATH") as error:
        load(0, "full")
    assert field in str(error.value)


@pytest.mark.parametrize("load", [shapes_3d, composite_parts])
def test_clouds_of_a_file_are_taken_as_they_are(load, tmp_path):
    """A file written from a data set gives that data set back."""
    data = load(0, "smoke")
    fields = ["train_points", "train_labels", "test_points", "test_labels"]
    np.savez(tmp_path / "own.npz", **{field: getattr(data, field) for field in fields})
    own = load(1, "full", str(tmp_path / "own.npz"))
    assert own.classes == data.classes
    for a, b in zip(arrays_of(own), arrays_of(data), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("load", [digit_sum, unique_count])
def test_sets_are_drawn_from_the_images_of_a_file(load, tmp_path):
    """A file of images takes the place of the bundled ones, split 70/30 likewise."""
    images = np.random.default_rng(0).random((200, 9), dtype=np.float32)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(200) % 20)
    data = load(0, "small", str(tmp_path / "own.npz"))
    train, *tests = ({image.tobytes() for image in x[mask]} for x, mask, _ in batches_of(data))
    assert len(train) == 140
    assert not train & set().union(*tests)
    assert train | set().union(*tests) <= {image.tobytes() for image in images}


@pytest.mark.parametrize("load", [set_max, gauss_statistics])
def test_drawn_sets_refuse_a_file(load):
    """A file would be ignored, so it is an error."""
    with pytest.raises(ValueError, match="reads no file"):
        load(0, "small", "own.npz")
