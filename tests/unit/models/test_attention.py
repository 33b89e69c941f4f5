import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from models.attention import attend, fused_attend
from models.masks import AttentionMask, attention_mask_of, causal_mask
from models.positions import Positions, alibi_slopes


def qkv(batch=2, heads=4, kv_heads=4, n_queries=6, n_keys=6, d=8):
    q = torch.randn(batch, heads, n_queries, d, dtype=torch.double)
    k, v = torch.randn(2, batch, kv_heads, n_keys, d, dtype=torch.double)
    return q, k, v


def test_attend_on_vectors_worked_out_by_hand():
    q = torch.tensor([[[[1.0, 0, 1], [0, 1, 0]]]])
    k = torch.tensor([[[[1.0, 0, 0], [0, 1, 1]]]])
    v = torch.tensor([[[[2.0, 0, 0], [0, 4, 2]]]])
    # scores/√3: first query 1/√3 for both keys; second query 0 and 1/√3, and e^(1/√3) = 1.78131
    mixed, weights = attend(q, k, v)
    assert weights[0, 0, 0].tolist() == pytest.approx([0.5, 0.5])
    assert weights[0, 0, 1].tolist() == pytest.approx([1 / 2.78131, 1.78131 / 2.78131], abs=1e-5)
    assert mixed[0, 0, 0].tolist() == pytest.approx([1.0, 2.0, 1.0])
    assert mixed[0, 0, 1].tolist() == pytest.approx([0.71909, 2.56183, 1.28091], abs=1e-5)


@given(n_queries=st.integers(1, 7), n_keys=st.integers(1, 7), masked=st.booleans(), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_attend_equals_torch(n_queries, n_keys, masked, seed):
    torch.manual_seed(seed)
    q, k, v = qkv(n_queries=n_queries, n_keys=n_keys)
    mask = torch.rand(2, 1, n_queries, n_keys) > 0.5 if masked else None
    mixed, weights = attend(q, k, v, mask)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    torch.testing.assert_close(mixed, expected, atol=1e-12, rtol=0)
    sees = torch.ones(2, 4, n_queries) if mask is None else mask.any(-1).expand(2, 4, n_queries)
    torch.testing.assert_close(weights.sum(-1), sees.double(), atol=1e-12, rtol=0)
    if mask is not None:
        assert (weights[~mask.expand_as(weights)] == 0).all()


def test_a_query_that_may_look_nowhere_gives_zeros_and_finite_gradients():
    q, k, v = (x.requires_grad_() for x in qkv())
    mask = causal_mask(6, 6) & (torch.arange(6) >= 2)  # two tokens of padding on the left
    for mixed in (attend(q, k, v, mask)[0], fused_attend(q, k, v, AttentionMask(mask, fused_mask=mask))):
        assert (mixed[:, :, :2] == 0).all()
        for gradient in torch.autograd.grad(mixed.square().sum(), (q, k, v)):
            assert gradient.isfinite().all()


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("start", [0, 3])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("alibi", [True, False])
def test_the_fused_path_equals_the_one_that_can_be_watched(kv_heads, start, causal, padded, alibi):
    length = 5
    q, k, v = qkv(kv_heads=kv_heads, n_queries=length, n_keys=start + length)
    padding_mask = torch.ones(2, start + length, dtype=torch.bool)
    padding_mask[0, :2] = False
    padding_mask[1, -2:] = False
    slopes = torch.tensor(alibi_slopes(4), dtype=torch.double) if alibi else None
    positions = Positions(start, length, padding_mask=padding_mask if padded else None)
    mask = attention_mask_of(positions, causal=causal, slopes=slopes)
    seen = {}
    slow = fused_attend(q, k, v, mask, hook=lambda name, value: seen.setdefault(name, value))
    torch.testing.assert_close(fused_attend(q, k, v, mask), slow, atol=1e-12, rtol=0)
    weights = seen["weights"]
    for query in range(length):
        if causal:
            assert (weights[:, :, query, start + query + 1 :] == 0).all()
    if padded:
        assert (weights.movedim(-1, 1)[~padding_mask] == 0).all()


def test_grouped_heads_share_their_neighbours_keys():
    q, k, v = qkv(heads=4, kv_heads=2)
    mixed = fused_attend(q, k, v, AttentionMask())
    for head in range(4):
        alone, _ = attend(q[:, head : head + 1], k[:, head // 2 : head // 2 + 1], v[:, head // 2 : head // 2 + 1])
        torch.testing.assert_close(mixed[:, head : head + 1], alone, atol=1e-12, rtol=0)


def test_alibi_biases_the_scores_by_hand():
    q = k = torch.zeros(1, 2, 3, 4)
    v = torch.randn(1, 2, 3, 4)
    mask, seen = attention_mask_of(Positions(0, 3), causal=True, slopes=torch.tensor([0.5, 0.25])), {}
    fused_attend(q, k, v, mask, hook=lambda name, value: seen.setdefault(name, value))
    weights = seen["weights"]
    near, far = 1.0, math.exp(-0.5)
    assert weights[0, 0, 1].tolist() == pytest.approx([far / (near + far), near / (near + far), 0.0])


def test_a_hook_can_replace_the_weights():
    q, k, v = qkv()
    even = torch.full((2, 4, 6, 6), 1 / 6, dtype=torch.double)
    mixed = fused_attend(q, k, v, AttentionMask(), hook=lambda name, value: even if name == "weights" else value)
    torch.testing.assert_close(mixed, v.mean(2, keepdim=True).expand_as(mixed))


def test_dropout_falls_on_the_weights():
    q, k, v = qkv()
    torch.manual_seed(1)
    seen = {}
    dropped = fused_attend(q, k, v, AttentionMask(), 0.5, hook=lambda name, value: seen.setdefault(name, value))
    weights = seen["weights"]
    assert not torch.allclose(dropped, attend(q, k, v)[0])
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 6, dtype=torch.double))
