"""Names of weights in transformers beside ours: one table, read by export (ours to theirs) and import (theirs to ours)."""

import numpy as np

Weights = dict[str, np.ndarray]
"""A model's state dict as float32 arrays."""

LLAMA_NORMS = {"attention_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm"}
LLAMA_MATRICES = {
    "attention.qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attention.output": ("self_attn.o_proj",),
    "mlp.up": ("mlp.gate_proj", "mlp.up_proj"),
    "mlp.down": ("mlp.down_proj",),
}
"""Parts of a Llama layer, ours to theirs; one matrix of ours is theirs in this order, one below the other (rows)."""
LLAMA_TOP = {"embedding.tokens": "embed_tokens", "norm": "norm"}
"""Outside the layers; theirs begin with ``model.`` in most files."""
GPT2_NORMS = {"attention_norm": "ln_1", "mlp_norm": "ln_2"}
GPT2_MATRICES = {
    "attention.qkv": "attn.c_attn",
    "attention.output": "attn.c_proj",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}
"""Parts of a GPT-2 layer, ours to theirs; GPT-2 stores its matrices transposed, ``[inputs, outputs]``."""
BERT_LAYER = {
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "mlp.up": "intermediate.dense",
    "mlp.down": "output.dense",
    "mlp_norm": "output.LayerNorm",
}
"""Parts of a BERT layer, ours to theirs."""
BERT_QKV = ("attention.self.query", "attention.self.key", "attention.self.value")
TAG_HEADS = {"llama": "score", "gpt2": "classifier", "bert": "classifier"}
"""What each family calls the matrix that gives tags."""
