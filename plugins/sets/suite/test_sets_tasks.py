"""Views, scenes, baselines, gaps and the protocols of view sets and relative poses."""

import numpy as np
import pytest
import torch
from assay import Context, Entrant, Model
from assay.spec import Cell
from assay_sets import relative_pose, view_sets
from assay_sets.baselines import BoostedStatistics, FlatMLP, PoolMLP, pooled
from assay_sets.common import rotations
from assay_sets.metrics import chunk_gap, iou, perm_gap, rot_gap
from assay_sets.relative_pose import Geometry, ReferenceView, off_diagonal, relative, unpacked
from assay_sets.scenes import synthetic_scenes
from assay_sets.schemas import ViewSets
from assay_sets.surfaces import SOLIDS, SURFACES
from assay_sets.views import digit_glimpses, render, shape_views, shape_voxels
from torch import nn

# --- views --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in SOLIDS if n not in ("disc", "helix-tube")])
def test_a_solid_is_what_its_surface_bounds(name):
    """A point of the surface moved a little has the solid on one side of it and not on the other."""
    points = SURFACES[name](np.random.default_rng(0), 300)
    shrunk = points * 0.98 if name != "torus" else points - 0.02 * (points - ring(points)) / 0.3
    if name == "two-spheres":
        shrunk = points + 0.04 * (np.sign(points[:, 2:]) * [0, 0, 0.5] - points)
    assert SOLIDS[name](shrunk).mean() > 0.97
    assert SOLIDS[name](2 * points - shrunk).mean() < 0.03


def ring(points):
    """The point of the torus' circle nearest to each point."""
    return points * [1, 1, 0] * (0.7 / np.hypot(points[:, 0], points[:, 1]))[:, None]


def test_a_point_is_drawn_where_the_camera_sees_it():
    """A point on the x axis seen along x is in the middle; from a quarter turn it stands to the left, and up is up."""
    points = np.array([[[1.0, 0, 0]], [[0, 0, 0.8]]])
    images = render(points, np.tile([0, np.pi / 2], (2, 1)), np.zeros((2, 2)))[:, :, 0]
    rows, columns = np.divmod(images.reshape(2, 2, -1).argmax(-1), 16)
    assert columns[0, 0] in (7, 8)
    assert columns[0, 1] < 2
    assert (rows[1] < 3).all()
    assert images[0, 0].max() > images[0, 1].max()  # nearer is brighter


def test_views_and_voxels_show_the_same_objects():
    views, voxels = shape_views(0, "smoke"), shape_voxels(0, "smoke")
    assert np.array_equal(views.train_views, voxels.train_views)
    assert views.train_views.shape == (150, 16, 1, 16, 16)
    assert voxels.test_targets.shape == (60, 12, 12, 12)
    assert np.array_equal(np.bincount(views.test_targets), [6] * 10)
    spheres = voxels.train_targets[views.train_targets == list(SURFACES).index("sphere")]
    assert spheres[:, 6, 6, 6].all()
    discs = voxels.train_targets[views.train_targets == list(SURFACES).index("disc")]
    assert (discs.any((1, 2)).sum(1) <= 2).all()  # flat, and upright


def test_glimpses_are_windows_of_digits_split_by_digit():
    data = digit_glimpses(0, "smoke")
    assert data.train_views.shape == (300, 16, 1, 16, 16)
    assert data.train_views.max() <= 1
    assert not np.array_equal(data.train_views[0, 0], data.train_views[0, 1])
    with pytest.raises(ValueError, match="reads no file"):
        digit_glimpses(0, "small", "own.npz")


@pytest.mark.parametrize("load", [shape_views, shape_voxels, synthetic_scenes])
def test_full_scale_asks_for_a_file(load):
    with pytest.raises(ValueError, match="source=PATH"):
        load(0, "full")


@pytest.mark.parametrize("load", [shape_voxels, digit_glimpses, synthetic_scenes])
def test_the_seed_alone_decides(load):
    a, b, c = (vars(load(seed, "smoke")) for seed in (5, 5, 6))
    first = next(iter(a))
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not np.array_equal(a[first], c[first])


class Recorder(nn.Module):
    """Notes how many views it is trained on, and what its encoder was when it was first asked."""

    def __init__(self, encoder, head):
        super().__init__()
        self.encoder, self.head, self.counts, self.before = encoder, head(view_sets.WIDTH), [], None

    def forward(self, views):
        if self.training:
            self.counts.append(views.shape[1])
            if self.before is None:
                self.before = self.encoder.net[0].weight.detach().clone()
        return self.head(self.encoder(views).mean(1))


class Staged(Recorder):
    """Asks for two views at first and for five in the second half."""

    def stage(self, progress):
        return (2, 2) if progress < 0.5 else (5, 5)


def outcome_of(kind, data, steps=20):
    """Outcome of the arena of view sets for a module, seed 0."""
    cell = Cell("sets/view-sets", "sets/own", kind.__name__, (), 0, "smoke")
    ctx = Context(cell, {"steps": steps, "batch": 4})
    return view_sets.run(Entrant(kind.__name__, Model("own", "sets/view-sets", kind), {}), data, ctx)


@pytest.fixture(scope="module")
def tiny():
    """Objects with 16 views, three classes."""
    rng = np.random.default_rng(0)
    views, labels = rng.random((12, 16, 1, 16, 16), dtype=np.float32), np.arange(12) % 3
    return ViewSets(views, labels, views[:6], labels[:6], 3)


def test_all_encoders_learn_single_views_alike_before_the_entrants_differ(tiny):
    first, second = (outcome_of(kind, tiny)["module"] for kind in (Recorder, Staged))
    assert torch.equal(first.before, second.before)
    assert len(first.counts) == len(second.counts) == 14  # 30 % of 20 steps are single views
    assert set(first.counts) <= set(range(1, 7))
    assert second.counts == [2] * 7 + [5] * 7


def test_voxels_are_learned_without_a_first_stage(tiny):
    voxels = np.random.default_rng(0).random((12, 12, 12, 12)) < 0.5
    data = ViewSets(tiny.train_views, voxels, tiny.test_views, voxels[:6], 0)
    outcome = outcome_of(Recorder, data)
    assert len(outcome["module"].counts) == 20
    assert outcome["occupancy"].shape == (6, 12, 12, 12)
    assert [knobs["test_views"] for knobs, _ in outcome["conditions"]] == [1, 2, 4, 8, 16]


def test_iou_of_hand_counted_voxels():
    logits = torch.full((1, 2, 2, 2), -9.0)
    logits[0, 0] = 9.0
    true = torch.zeros(1, 2, 2, 2, dtype=torch.bool)
    true[0, 0, 0] = True
    true[0, 1, 0] = True
    assert iou({"occupancy": logits, "voxels": true}) == pytest.approx(2 / 6)


# --- poses --------------------------------------------------------------------------------------------------


def truth_of(n=20):
    data = synthetic_scenes(3, "smoke")
    return data, Geometry(*(torch.tensor(a[:n]) for a in (data.test_rotation, data.test_centre, data.test_local)))


def test_views_see_the_same_points_and_images_are_projections():
    data, truth = truth_of()
    world = truth.local @ truth.rotation.transpose(-1, -2) + truth.centre[:, :, None]
    assert (world - world[:, :1]).abs().max() < 1e-5
    projected = truth.local[..., :2] / truth.local[..., 2:]
    assert (truth.local[..., 2] > 0.5).all()
    assert 0.0015 < (projected - torch.tensor(data.test_image[:20])).std() < 0.0025
    torch.testing.assert_close(torch.det(truth.rotation), torch.ones(20, 4))


def test_the_truth_in_another_frame_and_scale_has_no_error():
    _, truth = truth_of()
    turn = torch.tensor(rotations(np.random.default_rng(0), 1)[0]).float()
    moved = Geometry(turn @ truth.rotation, 2 * (truth.centre @ turn.T + 1), 2 * truth.local)
    outcome = {"geometry": unpacked(moved.packed()), "truth": truth}
    assert relative_pose.rel_rot_deg(outcome) < 0.1  # the clamp of arccos is .08 degrees
    assert relative_pose.rel_trans_deg(outcome) < 0.1
    assert relative_pose.depth_absrel(outcome) < 1e-6


def test_a_camera_turned_by_ten_degrees_is_wrong_by_ten_degrees():
    _, truth = truth_of()
    angle = torch.tensor(np.radians(10))
    turn = torch.eye(3)
    turn[0, 0] = turn[1, 1] = angle.cos()
    turn[0, 1], turn[1, 0] = -angle.sin(), angle.sin()
    rotation = truth.rotation.clone()
    rotation[:, 0] = rotation[:, 0] @ turn
    errors = relative_pose.rotation_errors(truth._replace(rotation=rotation), truth)
    torch.testing.assert_close(errors.amax(1), torch.full((20,), 10.0), atol=1e-2, rtol=0)
    assert (errors < 0.1).sum() == 20 * 6  # of 12 ordered pairs, 6 do not touch the turned camera


def test_relative_poses_take_points_from_one_camera_to_another():
    _, truth = truth_of(2)
    turn, shift = relative(truth)
    taken = truth.local[:, None] @ turn.transpose(-1, -2) + shift[:, :, :, None]
    torch.testing.assert_close(taken, truth.local[:, :, None].expand_as(taken), atol=1e-5, rtol=0)
    assert off_diagonal(shift).shape == (2, 12, 3)


def test_the_reference_models_loss_of_the_truth_is_small():
    _, truth = truth_of()
    turn, shift = relative(truth)
    scale = truth.local[:, :1].norm(dim=-1).mean((1, 2))[:, None, None]
    first = Geometry(turn[:, 0], shift[:, 0] / scale, truth.local / scale[..., None])
    net = ReferenceView(4, 8)
    assert net.loss(first.packed(), truth) < 3e-3
    assert net.loss(truth.packed(), truth) > 0.1


def test_order_matters_to_the_reference_model():
    data, truth = truth_of()
    torch.manual_seed(0)
    inputs, truth = (torch.tensor(data.test_image[:4]),), Geometry(*(t[:4] for t in truth))
    plain = relative_pose.PoseTransformer(4, 8)
    for net, moves in ((plain, False), (ReferenceView(4, 8), True)):
        outcome = {"module": net, "inputs": inputs, "truth": truth, "equivariant": True}
        assert (relative_pose.order_std(outcome) > 1e-3) == moves
        assert (perm_gap(outcome) > 1e-9) == moves


# --- gaps and baselines -------------------------------------------------------------------------------------


class Chunked(nn.Module):
    """Sum of squares, read in chunks; `wrong` forgets what came before."""

    def __init__(self, wrong=False):
        super().__init__()
        self.wrong = wrong

    def partial(self, chunk):
        return chunk.square().sum(1)

    def merge(self, a, b):
        return b if self.wrong else a + b

    def finish(self, result):
        return result

    def forward(self, x):
        return self.finish(self.partial(x))


class Lengths(nn.Module):
    """Distances from the centre: turned and shifted clouds have the same."""

    def forward(self, x):
        return (x - x.mean(1, keepdim=True)).norm(dim=-1).sum(1, keepdim=True)


def outcome_with(module):
    return {"module": module, "inputs": (torch.randn(8, 12, 3, generator=torch.Generator().manual_seed(0)),)}


def test_gaps_tell_who_has_the_symmetry():
    assert chunk_gap(outcome_with(Chunked())) < 1e-12 < 0.1 < chunk_gap(outcome_with(Chunked(wrong=True)))
    assert rot_gap(outcome_with(Lengths())) < 1e-12 < 0.1 < rot_gap(outcome_with(Chunked()))
    assert perm_gap(outcome_with(Chunked())) < 1e-12
    assert perm_gap(outcome_with(FlatMLP(3, 2, points=12))) > 1e-3


def test_an_equivariant_output_is_compared_in_the_same_order():
    outcome = outcome_with(nn.Identity())
    assert perm_gap({**outcome, "equivariant": True}) == 0
    assert perm_gap(outcome) > 0.1


def test_sorting_makes_the_flat_network_free_of_order():
    assert perm_gap(outcome_with(FlatMLP(3, 2, points=12, sort=True))) == 0


@pytest.mark.parametrize("how", ["sum", "mean", "max"])
def test_pooling_ignores_padding(how):
    h, mask = torch.randn(2, 5, 3), torch.arange(5).expand(2, 5) < 3
    torch.testing.assert_close(pooled(h, mask, how), pooled(h[:, :3], None, how))


def test_max_pooling_is_among_the_baselines_entrants():
    net, x = PoolMLP(3, classes=4, pool="max"), torch.randn(2, 6, 3)
    assert torch.equal(net(torch.cat([x, x], 1)), net(x))
    with pytest.raises(ValueError, match="sum, mean or max"):
        PoolMLP(3, classes=4, pool="median")(x)


def test_boosted_trees_learn_from_statistics_and_ignore_padding():
    draw = torch.Generator().manual_seed(0)
    x, mask = torch.rand(300, 6, 1, generator=draw), torch.arange(6).expand(300, 6) < 4
    y = x[:, :4, 0].amax(1, keepdim=True)
    net = BoostedStatistics(1, 1)
    net.fit(x[:200], mask[:200], y[:200])
    predicted = net(x[200:], mask[200:])
    assert (predicted - y[200:]).abs().mean() < 0.05 < (y[200:] - y[:200].mean()).abs().mean()
    noise = torch.where(mask[..., None], x, torch.rand(x.shape, generator=draw))
    assert torch.equal(net(noise[200:], mask[200:]), predicted)


def test_boosted_trees_classify_when_a_class_has_not_been_seen():
    x = torch.cat([torch.randn(30, 8, 2), torch.randn(30, 8, 2) + 5])
    net = BoostedStatistics(2, classes=3)
    net.fit(x, torch.tensor([0] * 30 + [2] * 30))
    assert (net(x).argmax(1) == torch.tensor([0] * 30 + [2] * 30)).float().mean() > 0.95
