"""pi^3: equivariance, the best scale, and a loss that prefers no frame."""

import numpy as np
import pytest
import torch
from assay_pi3 import Pi3, best_scale
from assay_sets.relative_pose import Geometry, ReferenceView, angle, relative, unpacked
from assay_sets.scenes import synthetic_scenes


def scenes(n=6):
    """Image points and truth of n scenes, float64."""
    data = synthetic_scenes(0, "smoke")
    fields = (data.test_image, data.test_rotation, data.test_centre, data.test_local)
    image, *known = (torch.tensor(a[:n]).double() for a in fields)
    return image, Geometry(*known)


def network(kind=Pi3):
    torch.manual_seed(0)
    return kind(4, 8).double().eval()


def test_permuted_views_give_permuted_outputs():
    image, _ = scenes()
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(network()(image[:, order]), network()(image)[:, order], rtol=0, atol=1e-12)


def test_with_a_reference_view_they_do_not():
    image, _ = scenes()
    order = torch.tensor([2, 0, 3, 1])
    net = network(ReferenceView)
    assert (net(image[:, order]) - net(image)[:, order]).abs().max() > 1e-2


def test_the_best_scale_beats_a_grid():
    _, truth = scenes()
    noise = torch.randn(truth.local.shape, generator=torch.Generator().manual_seed(0)).double()
    got = truth._replace(local=0.3 * truth.local + 0.1 * noise)

    def error(scale):
        return ((scale[:, None, None, None] * got.local - truth.local).abs() / truth.local[..., 2:]).sum((1, 2, 3))

    best = error(best_scale(got, truth))
    for scale in np.linspace(0.5, 6, 400):
        assert (best <= error(torch.full((len(best),), scale).double()) + 1e-9).all()


def test_the_best_scale_of_a_scaled_truth_is_its_inverse():
    _, truth = scenes()
    torch.testing.assert_close(best_scale(truth._replace(local=truth.local / 7), truth), torch.full((6,), 7.0).double())


def test_the_loss_of_the_truth_in_any_frame_and_scale_is_nothing():
    """arccos is clamped at 1 - 1e-6: an angle of 1.4e-3 is the least."""
    _, truth = scenes()
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double())[0]
    turn = turn * torch.det(turn)
    centre = 5 * (truth.centre @ turn.T + 2)
    moved = Geometry(turn @ truth.rotation, centre, 5 * truth.local)
    assert network().loss(moved.packed(), truth) < 2e-3


def test_the_loss_sees_a_wrong_camera():
    _, truth = scenes()
    wrong = truth._replace(rotation=truth.rotation.flip(1))
    assert network().loss(wrong.packed(), truth) > 0.1


def test_outputs_are_rotations_and_rays_through_the_image():
    image, _ = scenes()
    got = unpacked(network()(image))
    eye = torch.eye(3).double().expand_as(got.rotation)
    torch.testing.assert_close(got.rotation @ got.rotation.transpose(-1, -2), eye)
    torch.testing.assert_close(torch.det(got.rotation), torch.ones(6, 4).double())
    torch.testing.assert_close(got.local[..., :2] / got.local[..., 2:], image)


@pytest.mark.peer
def test_relative_poses_and_angles_agree_with_scipy():
    rotation = pytest.importorskip("scipy.spatial.transform").Rotation
    _, truth = scenes()
    turns, shifts = relative(truth)
    cameras = [[rotation.from_matrix(r.numpy()) for r in scene] for scene in truth.rotation]
    for i, j in ((0, 1), (2, 0), (3, 2)):
        for scene, (turn, shift) in enumerate(zip(turns[:, i, j], shifts[:, i, j], strict=True)):
            expected = cameras[scene][i].inv() * cameras[scene][j]
            np.testing.assert_allclose(turn.numpy(), expected.as_matrix(), atol=1e-6)
            centres = truth.centre[scene]
            np.testing.assert_allclose(shift, cameras[scene][i].inv().apply(centres[j] - centres[i]), atol=1e-6)
    angles = angle(truth.rotation[:, 0], truth.rotation[:, 1]).numpy()
    np.testing.assert_allclose(angles, [(a.inv() * b).magnitude() for a, b, *_ in cameras], atol=2e-3)
