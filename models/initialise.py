"""The first values of the parameters: random numbers, so small that signals neither die nor explode."""

import math

from torch import nn

from models.attention import CrossAttention, SelfAttention
from models.block import MLP
from models.recurrent import Recurrent
from models.spec import ModelSpec

STD = 0.02  # GPT-2's and BERT's


def initialise(model: nn.Module, spec: ModelSpec) -> None:
    """Sets every parameter in place, from torch's global random numbers.

    Transformers: normal(0, 0.02), biases 0 (Radford et al. 2018); pre-norm, the projections back into the
    residual stream are divided by √(number of sublayers), so that their sum does not grow with depth (GPT-2).
    With `zero_init` those projections and an untied head start at 0, so that each layer starts as the
    identity. Recurrent models: see `_recurrent`.
    """
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=STD)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, (SelfAttention, CrossAttention)):
            _residual(module.output, spec)
        elif isinstance(module, MLP):
            _residual(module.down, spec)
    if model.head.weight is not None and not spec.zero_init:
        nn.init.normal_(model.head.weight, std=STD)
    if isinstance(model, Recurrent):
        _recurrent(model)


def _residual(projection: nn.Linear, spec: ModelSpec) -> None:
    if spec.zero_init:
        nn.init.zeros_(projection.weight)
    elif spec.norm_position == "pre":
        sublayers = (3 if spec.architecture == "encoder-decoder" else 2) * spec.n_layers
        nn.init.normal_(projection.weight, std=STD / math.sqrt(sublayers))


def _recurrent(model: Recurrent) -> None:
    """Recurrent matrices are orthogonal, to keep the length of a signal through time (Saxe et al. 2014),
    input matrices Xavier, and a forget gate starts open, to keep memories (Jozefowicz et al. 2015).
    """
    width = model.width
    nn.init.normal_(model.embedding.tokens.weight, std=model.spec.d_model**-0.5)
    for name, parameter in model.recurrent.named_parameters():
        if name.startswith("weight"):
            fill = nn.init.orthogonal_ if "hh" in name else nn.init.xavier_uniform_
            for gate in parameter.data.split(width):
                fill(gate)
        else:
            nn.init.zeros_(parameter)
            if model.spec.architecture == "lstm" and "ih" in name:  # the two biases add up: one is enough
                parameter.data[width : 2 * width] = 1.0
