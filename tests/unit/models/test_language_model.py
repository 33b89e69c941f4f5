import importlib
import inspect
import pkgutil

import pytest
import torch
from torch import nn

import models
from models import ModelSpec, Source, build
from models.language_model import LanguageModel


@pytest.mark.parametrize("architecture", ["lstm", "lstm-attention", "decoder", "encoder", "encoder-decoder"])
def test_every_model_unembeds_its_own_hidden_vectors(architecture):
    model = build(ModelSpec(architecture, vocab_size=11, d_model=16, n_heads=2, n_layers=1)).eval()
    assert isinstance(model, LanguageModel)
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    more = {"source": Source(ids)} if architecture in ("lstm-attention", "encoder-decoder") else {}
    out = model(ids, **more)
    torch.testing.assert_close(model.unembed(out.hidden), out.logits)
    torch.testing.assert_close(model.unembed(out.hidden, torch.tensor([4])), out.logits[1, 1:2])


def test_no_forward_takes_more_than_six_arguments():
    """One that takes more is hard to read: what belongs together is one argument (`Source`, `AttentionContext`)."""
    counted = {}
    for each in pkgutil.iter_modules(models.__path__, "models."):
        for name, kind in inspect.getmembers(importlib.import_module(each.name), inspect.isclass):
            if kind.__module__ == each.name and issubclass(kind, nn.Module) and "forward" in vars(kind):
                counted[name] = len(inspect.signature(kind.forward).parameters) - 1
    assert {"EncoderDecoder", "Transformer", "Recurrent", "Block"} <= set(counted)
    assert {name: n for name, n in counted.items() if n > 6} == {}
