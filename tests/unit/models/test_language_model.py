import pytest
import torch

from models import ModelSpec, build
from models.language_model import LanguageModel


@pytest.mark.parametrize("architecture", ["lstm", "decoder", "encoder", "encoder-decoder"])
def test_every_model_unembeds_its_own_hidden_vectors(architecture):
    model = build(ModelSpec(architecture, vocab_size=11, d_model=16, n_heads=2, n_layers=1)).eval()
    assert isinstance(model, LanguageModel)
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    more = {"source_ids": ids} if architecture == "encoder-decoder" else {}
    out = model(ids, **more)
    torch.testing.assert_close(model.unembed(out.hidden), out.logits)
    torch.testing.assert_close(model.unembed(out.hidden, torch.tensor([4])), out.logits[1, 1:2])
