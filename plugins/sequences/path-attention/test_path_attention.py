"""PaTH: the parallel form against explicit products, the order of the product, and its ablation against plain attention."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from assay_path_attention import PaTH, path_logits, product_logits, ut_form_error
from assay_sequences.kit import Attention


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


def test_the_layer_attends_by_the_explicit_products():
    layer, x = PaTH(8, 2, 16).double(), torch.randn(2, 7, 8).double()
    q, k, v, w, beta = layer.inputs(x)
    mixed = torch.zeros_like(v)
    for b in range(2):
        for h in range(2):
            logits = product_logits(q[b, h], k[b, h], w[b, h], beta[b, h])
            for i in range(7):
                mixed[b, h, i] = logits[i, : i + 1].softmax(-1) @ v[b, h, : i + 1]
    torch.testing.assert_close(layer(x), layer.out(mixed.transpose(1, 2).reshape(x.shape)), rtol=0, atol=1e-12)


def test_the_product_begins_behind_the_key():
    q, k, w = (torch.nn.functional.normalize(torch.randn(2, 4).double(), dim=-1) for _ in range(3))
    beta = torch.tensor([1.3, 0.7]).double()
    logits = path_logits(q, k, w, beta)
    step = torch.eye(4).double() - beta[1] * torch.outer(w[1], w[1])
    torch.testing.assert_close(logits[1, 0], q[1] @ step @ k[0])
    torch.testing.assert_close(logits.diagonal(), (q * k).sum(-1))


def test_without_beta_it_is_attention_without_positions():
    layer, plain = PaTH(8, 2, 16, top=0.0).double(), Attention(8, 2).double()
    plain.load_state_dict(
        {name: value for name, value in layer.state_dict().items() if name.startswith(("qkv", "out"))}
    )
    x = torch.randn(2, 7, 8).double()
    torch.testing.assert_close(layer(x), plain(x), rtol=0, atol=1e-12)
    layer.top = 2.0
    assert (layer(x) - plain(x)).abs().max() > 1e-4


def test_later_states_do_not_reach_earlier_outputs():
    layer, x = PaTH(8, 2, 16).double(), torch.randn(2, 9, 8).double()
    changed = torch.cat([x[:, :5], torch.randn(2, 4, 8).double()], 1)
    torch.testing.assert_close(layer(changed)[:, :5], layer(x)[:, :5], rtol=0, atol=1e-12)


def test_the_probe_is_exact_in_double_precision():
    torch.set_default_dtype(torch.float64)
    try:
        assert ut_form_error(np.random.default_rng(0), 16)["max_error"] < 1e-12
    finally:
        torch.set_default_dtype(torch.float32)


def test_the_products_notice_a_swapped_order():
    q, k, w = (torch.randn(6, 4).double() for _ in range(3))
    w, beta = torch.nn.functional.normalize(w, dim=-1), torch.full((6,), 1.5).double()
    turned = path_logits(q.flip(0), k.flip(0), w.flip(0), beta)
    assert (turned - product_logits(q, k, w, beta)).abs().max() > 1e-3


@pytest.mark.peer
@pytest.mark.parametrize("length", [5, 16, 21])
def test_the_layer_agrees_with_flash_linear_attention(length):
    """Its plain reference in chunks, read from its file: the package itself imports only with a GPU."""
    pytest.importorskip("einops")
    package = importlib.util.find_spec("fla")
    if package is None:
        pytest.skip("pip install --no-deps fla-core")
    found = importlib.util.spec_from_file_location(
        "fla_path", Path(package.submodule_search_locations[0]) / "ops" / "path_attn" / "naive.py"
    )
    theirs = importlib.util.module_from_spec(found)
    found.loader.exec_module(theirs)
    layer, x = PaTH(8, 2, 32), torch.randn(2, length, 8)
    q, k, v, w, beta = (part.transpose(1, 2) for part in layer.inputs(x))
    mixed = theirs.naive_path_attn(q, k, v, w, beta, torch.zeros(2, length, 2), 1.0, chunk_size=8)
    torch.testing.assert_close(layer.out(mixed.reshape(x.shape)), layer(x), rtol=0, atol=1e-5)
