"""Read, process, write; and densities that factorise in an order."""

import itertools

import pytest
import torch
from assay_order_matters import Autoregressive, Process, ReadProcessWrite


def test_the_code_of_a_set_ignores_its_order():
    process, m = Process(6, 4).double(), torch.randn(3, 7, 6).double()
    torch.testing.assert_close(process(m[:, torch.randperm(7)]), process(m), rtol=1e-12, atol=1e-12)


def test_without_steps_the_code_is_empty():
    assert not Process(6, 0)(torch.randn(2, 3, 6)).any()


def test_one_step_by_hand():
    """From q*_0 = 0: q_1 = LSTM(0), then its attention readout."""
    process, m = Process(2, 1), torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    q = process.lstm(torch.zeros(1, 4))[0]
    weight = q.softmax(1)
    torch.testing.assert_close(process(m), torch.cat([q, weight], 1))


def test_writing_follows_the_items():
    """Shown in another order, the same items are written in the same sequence."""
    net, x = ReadProcessWrite(6, 3).double(), torch.randn(4, 6, 3).double()
    order = torch.randperm(6)
    first = torch.take_along_dim(x, net.predict(x)[..., None], 1)
    second = torch.take_along_dim(x[:, order], net.predict(x[:, order])[..., None], 1)
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize("order", ["head-first", "head-last", "search"])
def test_probabilities_sum_to_one(order):
    net = Autoregressive(4, order)
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)))
    total = (-net.nats(x, torch.tensor([2, 0, 3, 1]))).exp().sum()
    torch.testing.assert_close(total, torch.tensor(1.0))


def test_a_step_reads_no_later_variable():
    """In the order 2, 0, 1 the first two factors stay when variable 1 changes."""
    net = Autoregressive(3, "head-first")
    order, x = torch.tensor([2, 0, 1]), torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    captured = []
    net.out.register_forward_hook(lambda module, inputs, output: captured.append(output))
    net.nats(x, order)
    torch.testing.assert_close(captured[0][0], captured[0][1])


def test_search_keeps_the_best_order():
    net = Autoregressive(3, "search")
    x = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    net.settle(x)
    with torch.no_grad():
        best = min(float(net.nats(x, torch.tensor(o)).mean()) for o in itertools.permutations(range(3)))
        assert float(net.nats(x).mean()) == pytest.approx(best)


@pytest.mark.peer
def test_the_process_block_is_set2set():
    aggr = pytest.importorskip("torch_geometric.nn.aggr")
    process, peer = Process(5, 3), aggr.Set2Set(5, processing_steps=3)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(peer.lstm, f"{name}_l0").data = getattr(process.lstm, name).data
    m = torch.randn(2, 4, 5)
    torch.testing.assert_close(process(m), peer(m.flatten(0, 1), torch.tensor([0] * 4 + [1] * 4)))
