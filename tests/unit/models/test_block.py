import torch
import torch.nn.functional as F

from models.block import MLP, Block
from models.masks import AttentionContext, AttentionMask
from models.spec import ModelSpec

SMALL = {"d_model": 8, "n_heads": 2, "n_layers": 1}


def test_swiglu_by_its_equation():
    mlp, x = MLP(ModelSpec("decoder", mlp="swiglu", bias=False, **SMALL)), torch.randn(2, 3, 8)
    gate, up = mlp.up.weight.chunk(2)
    torch.testing.assert_close(mlp(x), (F.silu(x @ gate.T) * (x @ up.T)) @ mlp.down.weight.T)


def test_pre_norm_and_post_norm_by_their_equations():
    x, context = torch.randn(2, 3, 8), AttentionContext(AttentionMask(is_causal=True))
    pre, post = Block(ModelSpec("decoder", **SMALL)), Block(ModelSpec("decoder", norm_position="post", **SMALL))
    y = x + pre.attention(pre.attention_norm(x), context)
    torch.testing.assert_close(pre(x, context), y + pre.mlp(pre.mlp_norm(y)))
    y = post.attention_norm(x + post.attention(x, context))
    torch.testing.assert_close(post(x, context), post.mlp_norm(y + post.mlp(y)))
