"""Geometric algebra attention: the products of vectors, and exact invariance of the network."""

import numpy as np
import pytest
import torch
from assay_geometric_algebra_attention import GeometricAlgebraAttention, farthest, invariants
from assay_sets.common import rotations


def clouds(n=20):
    return torch.randn(3, n, 3, generator=torch.Generator().manual_seed(0)).double()


def turned(x, mirror=False):
    turn = torch.tensor(rotations(np.random.default_rng(1), 1)[0])
    return x @ (turn * (-1 if mirror else 1))


PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
"""Vectors of Cl(3, 0) as matrices: products of matrices are geometric products."""


def test_products_are_those_of_the_algebra():
    """With Pauli matrices a product is scalar I + i bivector (dual), + vector, + i trivector I."""
    r = clouds(4)
    pair, triple = invariants(r, 2, True)[0].numpy(), invariants(r, 3, True)[0].numpy()
    m = np.einsum("nd,dab->nab", r[0].numpy(), PAULI)
    for i, j, k in np.ndindex(4, 4, 4):
        two, three = m[i] @ m[j], m[i] @ m[j] @ m[k]
        scalar, dual = np.trace(two).real / 2, np.array([np.trace(two @ p).imag / 2 for p in PAULI])
        np.testing.assert_allclose(pair[i, j, 2:], [scalar, np.linalg.norm(dual)], atol=2e-6)
        vector = np.array([np.trace(three @ p).real / 2 for p in PAULI])
        np.testing.assert_allclose(triple[i, j, k, 5:], [np.linalg.norm(vector), np.trace(three).imag / 2], atol=2e-6)


@pytest.mark.parametrize(("rank", "products"), [(2, True), (3, True), (2, False)])
def test_turning_shifting_and_reordering_change_nothing(rank, products):
    torch.manual_seed(0)
    net, x = GeometricAlgebraAttention(3, 5, rank, products).double().eval(), clouds()
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(turned(x)[:, order] + 3), net(x), rtol=0, atol=1e-10)


def test_only_the_trivector_tells_a_cloud_from_its_mirror_image():
    x = clouds(5)
    mirrored, plain = invariants(turned(x, mirror=True), 3, True), invariants(x, 3, True)
    torch.testing.assert_close(mirrored[..., :-1], plain[..., :-1])
    torch.testing.assert_close(mirrored[..., -1], -plain[..., -1])


def test_farthest_points_commute_with_rotation_and_order():
    x = clouds()
    torch.testing.assert_close(farthest(turned(x), 8), turned(farthest(x, 8)))
    assert torch.equal(farthest(x.flip(1), 8), farthest(x, 8))


def test_vectors_in_the_plane_are_refused():
    with pytest.raises(ValueError, match="3 dimensions only"):
        GeometricAlgebraAttention(2, 5)


@pytest.mark.peer
def test_products_agree_with_the_authors_library():
    algebra = pytest.importorskip("geometric_algebra_attention.pytorch.geometric_algebra")
    r = clouds(4)
    i, j, k = r[:, :, None, None], r[:, None, :, None], r[:, None, None]
    pair = algebra.vecvec(*torch.broadcast_tensors(i, j))
    theirs = algebra.bivecvec_invariants(algebra.bivecvec(pair, k.expand(3, 4, 4, 4, 3)))
    ours = invariants(r, 3, True)[..., -2:]
    torch.testing.assert_close(theirs.abs(), ours.abs(), atol=2e-6, rtol=0)
