"""DeepPermNet's Sinkhorn layer and its loss."""

from itertools import pairwise

import pytest
import torch
from assay_deep_perm_net import DeepPermNet, row_sum_error, sinkhorn


def test_columns_are_exact_and_rows_approach_one_geometrically():
    scores = torch.randn(8, 5, 5, generator=torch.Generator().manual_seed(0)).double()
    errors = []
    for rounds in (1, 2, 4, 8):
        q = sinkhorn(scores, rounds).exp()
        torch.testing.assert_close(q.sum(1), torch.ones(8, 5).double())
        errors.append(row_sum_error({"matrices": q}))
    assert all(later < earlier**1.2 for earlier, later in pairwise(errors))


def test_a_round_by_hand():
    """[[2, 2], [1, 3]]: rows to [[1/2, 1/2], [1/4, 3/4]], then columns to [[2/3, 2/5], [1/3, 3/5]]."""
    q = sinkhorn(torch.tensor([[[2.0, 2.0], [1.0, 3.0]]]).log(), 1).exp()
    torch.testing.assert_close(q, torch.tensor([[[2 / 3, 2 / 5], [1 / 3, 3 / 5]]]))


def test_far_scores_do_not_vanish():
    q = sinkhorn(torch.tensor([[[0.0, -500.0], [-500.0, 0.0]]]), 5)
    assert torch.isfinite(q).all()
    torch.testing.assert_close(q.exp(), torch.eye(2)[None])


def test_rows_are_places_and_columns_are_items():
    """Items 2, 0, 1 belong at places 0, 1, 2: that matrix has no loss and is read off as that permutation."""
    net = DeepPermNet(3, 4)
    perm = torch.tensor([[2, 0, 1]])
    net.logits = lambda x: 50.0 * torch.nn.functional.one_hot(perm, 3).float()
    x = torch.zeros(1, 3, 4)
    assert net.loss(x, perm) < 1e-6
    assert net.predict(x).tolist() == perm.tolist()
    assert net.loss(x, torch.tensor([[1, 2, 0]])) > 5


def test_gradients_flow_through_the_rounds():
    net = DeepPermNet(3, 4)
    net.loss(torch.randn(2, 3, 4), torch.tensor([[2, 0, 1], [0, 1, 2]])).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.whole.parameters())


@pytest.mark.peer
def test_many_rounds_agree_with_optimal_transport():
    """POT's Sinkhorn on the negated scores with uniform marginals, up to the factor N."""
    ot = pytest.importorskip("ot")
    scores = torch.randn(6, 6, generator=torch.Generator().manual_seed(1)).double()
    uniform = torch.full((6,), 1 / 6, dtype=torch.float64)
    peer = ot.sinkhorn(uniform, uniform, -scores, reg=1.0, numItermax=1000, stopThr=1e-12)
    torch.testing.assert_close(sinkhorn(scores[None], 200).exp()[0], 6 * peer, rtol=1e-6, atol=1e-9)
