import torch

from models.norms import norm
from models.spec import ModelSpec


def test_layernorm_and_rmsnorm_by_their_equations():
    x, eps = torch.randn(3, 8, dtype=torch.double), 1e-5
    layernorm = norm(ModelSpec("decoder", d_model=8)).double()
    rmsnorm = norm(ModelSpec("decoder", d_model=8, norm="rmsnorm")).double()
    centred = x - x.mean(-1, keepdim=True)
    torch.testing.assert_close(layernorm(x), centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt())
    torch.testing.assert_close(rmsnorm(x), x / (x.square().mean(-1, keepdim=True) + eps).sqrt())
