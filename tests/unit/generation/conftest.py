"""Small models of every kind with strong opinions, and a tokenizer of bytes."""

import pytest
import torch

from models.factory import build
from models.spec import ModelSpec
from playground.text.spec import TokenizerSpec
from playground.text.vocabulary import learn

KINDS = {
    "decoder": {"architecture": "decoder", "position": "rotary"},
    "learned": {"architecture": "decoder", "position": "learned"},
    "lstm": {"architecture": "lstm"},
    "lstm-attention": {"architecture": "lstm-attention"},
    "encoder-decoder": {"architecture": "encoder-decoder", "position": "sinusoidal"},
    "encoder": {"architecture": "encoder"},
}


@pytest.fixture(scope="session")
def tokenizer():
    return learn(TokenizerSpec("byte"), ["abc"])


@pytest.fixture(scope="session")
def models(tokenizer):
    made = {}
    for name, choices in KINDS.items():
        torch.manual_seed(0)
        spec = ModelSpec(**choices, vocab_size=tokenizer.size, d_model=32, n_layers=2, n_heads=2, context_length=16)
        model = build(spec).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.normal_(std=0.2)
        made[name] = model
    return made


@pytest.fixture
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
