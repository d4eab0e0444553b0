import torch
from assay_weights import Weighted


def test_two_columns_ignore_the_others():
    module, x = Weighted(4, columns=2), torch.randn(5, 4)
    assert module(x).equal(module(torch.cat([x[:, :2], torch.zeros(5, 2)], 1)))
