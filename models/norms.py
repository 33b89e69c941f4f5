"""The two norms: LayerNorm (Ba et al. 2016) and RMSNorm (Zhang & Sennrich 2019)."""

from torch import nn

from models.spec import ModelSpec


def norm(spec: ModelSpec) -> nn.Module:
    """The norm of this spec, over its channels, with a learned scale; LayerNorm with biases also shifts."""
    if spec.norm == "rmsnorm":
        return nn.RMSNorm(spec.d_model, eps=spec.norm_eps)
    return nn.LayerNorm(spec.d_model, eps=spec.norm_eps, bias=spec.bias)
