import pytest
import torch

from models.embedding import Embedding
from models.positions import Positions, sinusoidal
from models.spec import ModelSpec, SpecError


def test_sinusoids_are_added_to_scaled_token_vectors():
    embedding = Embedding(ModelSpec("decoder", vocab_size=9, d_model=8, position="sinusoidal"))
    ids = torch.tensor([[1, 2, 3]])
    expected = embedding.tokens.weight[ids] * 8**0.5 + sinusoidal(5, 8)[2:]
    torch.testing.assert_close(embedding(ids, Positions(2, 3, end=5)), expected)


def test_learned_positions_end_with_the_context():
    embedding = Embedding(ModelSpec("decoder", vocab_size=9, d_model=8, context_length=4))
    with pytest.raises(SpecError, match="4 positions"):
        embedding(torch.tensor([[1, 2]]), Positions(3, 2, end=5))
