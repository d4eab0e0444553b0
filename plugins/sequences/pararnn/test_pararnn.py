"""ParaRNN: Newton's states and gradients against loops, the closed-form Jacobian, and failures that are told."""

import pytest
import torch
from assay import AssayError
from assay_pararnn import ParaGRU, Solved, before, cell, linearised, newton, sequential
from torch.func import jacrev, vmap


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


def inputs(length=33, width=5, scale=1.0):
    """Two sequences of projections, and recurrent weights."""
    return torch.randn(2, length, 3 * width).double(), scale * torch.randn(3, width).double()


def test_states_are_those_of_torchs_gru_cell_with_diagonal_weights():
    u, a = inputs(length=9)
    theirs = torch.nn.GRUCell(15, 5, bias=False).double()
    flip = torch.tensor([1.0, -1.0, 1.0]).double()  # torch keeps the state where its z is 1, and orders r, z, c
    rows = [1, 0, 2]
    with torch.no_grad():
        theirs.weight_hh.copy_(torch.cat([s * a[i].diag() for i, s in zip(rows, flip, strict=True)]))
        eye = torch.eye(15).double().view(3, 5, 15)
        theirs.weight_ih.copy_(torch.cat([s * eye[i] for i, s in zip(rows, flip, strict=True)]))
        h, states = torch.zeros(2, 5).double(), []
        for t in range(9):
            h = theirs(u[:, t], h)
            states.append(h)
    torch.testing.assert_close(newton(u, a, tol=1e-12)[0], torch.stack(states, 1), rtol=0, atol=1e-10)


def test_the_jacobian_is_autograds():
    u, a = inputs()
    h = torch.randn(66, 5).double()
    theirs = vmap(jacrev(lambda h, u: cell(h, u, a)[0]))(h, u.flatten(0, 1))
    torch.testing.assert_close(torch.diag_embed(cell(h, u.flatten(0, 1), a)[1]), theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
def test_states_and_gradients_are_the_loops(scale):
    u, a = inputs(scale=scale)
    u.requires_grad_()
    a.requires_grad_()
    found = []
    for solve in (Solved.apply, sequential):
        states = solve(u, a)
        found.append([states, *torch.autograd.grad(states.sin().sum(), (u, a))])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_a_cell_without_recurrent_weights_is_linear_and_takes_one_iteration():
    u, a = inputs(scale=0.0)
    h, iterations = newton(u, a)
    assert iterations == 1
    torch.testing.assert_close(linearised(u, a), h)


def test_the_linearised_cell_is_newtons_first_iterate_and_not_the_solution():
    u, a = inputs()
    h, _ = newton(u, a)
    assert (linearised(u, a) - h).abs().max() > 1e-2
    assert (h - cell(before(h), u, a)[0]).abs().max() < 1e-6


def test_an_overflow_is_reported():
    # df/dh at h = 0 is above 10, and the scan multiplies 400 of them
    u, a = torch.full((1, 400, 3), 0.01).double(), torch.tensor([[0.0], [0.0], [40.0]]).double()
    with pytest.raises(AssayError, match="overflowed after 1 iterations"):
        newton(u, a)


def test_a_residual_that_stays_is_reported():
    u, a = inputs(length=8)
    with pytest.raises(AssayError, match="left a residual"):
        newton(u, a, tol=0.0)


@pytest.mark.parametrize("solver", ["newton", "sequential", "linearised"])
def test_the_layer_is_causal(solver):
    layer, x = ParaGRU(6, 1, 16, solver).double(), torch.randn(2, 9, 6).double()
    torch.testing.assert_close(layer(x)[:, :5], layer(x[:, :5]), rtol=0, atol=1e-5)


@pytest.mark.peer
def test_a_newton_step_solves_the_bidiagonal_system_of_scipy():
    linalg, numpy = pytest.importorskip("scipy.linalg"), pytest.importorskip("numpy")
    u, a = inputs(length=12, width=1)
    start, jacobian = cell(torch.zeros(2, 12, 1).double(), u, a)
    for ours, b, j in zip(linearised(u, a), start, jacobian, strict=True):
        bands = numpy.stack([numpy.ones(12), numpy.append(-j[1:, 0], 0.0)])
        theirs = linalg.solve_banded((1, 0), bands, b[:, 0].numpy())
        torch.testing.assert_close(ours[:, 0], torch.tensor(theirs), rtol=0, atol=1e-12)
