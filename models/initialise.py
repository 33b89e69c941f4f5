"""Initial parameters: random numbers, scaled so that activations and gradients neither vanish nor explode."""

import torch
from torch import Tensor, nn

from models.attention import CrossAttention, SelfAttention
from models.bahdanau import LstmAttention
from models.block import MLP
from models.language_model import LanguageModel
from models.recurrent import Recurrent
from models.spec import ModelSpec

POST_NORM_STD = 0.02


def initialise(model: LanguageModel, spec: ModelSpec) -> None:
    """Sets every parameter in place, from torch's global random numbers; biases start at 0.

    Pre-norm: matrices are normal with standard deviation 1/√inputs, so that what comes out is as large as
    what goes in at every width. A token table of its own has deviation 1; one that is the output matrix too
    1/√d, as an untied output matrix has. The projections back into the residual stream are divided by
    √(number of sublayers), so that their sum does not grow with depth (Radford et al. 2019). Models
    of this size train faster with it than with a fixed standard deviation of 0.02, GPT-2's.

    Post-norm: 0.02 everywhere (Devlin et al. 2019), for larger values need a long warm-up (Xiong et al.
    2020). ``init_std`` sets one standard deviation for all matrices, such as GPT-2's 0.02.

    With `zero_init` the projections back into the residual stream and an untied output matrix start at 0, so
    that each pre-norm layer starts as the identity. Recurrent models: see `_recurrent`.
    """
    post = spec.norm_position == "post" and not spec.is_recurrent
    fixed = spec.init_std or (POST_NORM_STD if post else None)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=fixed or module.in_features**-0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    output_std = fixed or spec.d_model**-0.5
    table_std = output_std if fixed or spec.tie_embeddings else 1.0
    nn.init.normal_(model.embedding.tokens.weight, std=table_std)
    if model.embedding.positions is not None:
        nn.init.normal_(model.embedding.positions.weight, std=output_std)
    if model.head.weight is not None:
        nn.init.normal_(model.head.weight, std=0.0 if spec.zero_init else output_std)
    for module in model.modules():
        if isinstance(module, (SelfAttention, CrossAttention)):
            _residual(module.output, spec)
        elif isinstance(module, MLP):
            _residual(module.down, spec)
    if isinstance(model, LstmAttention):
        nn.init.normal_(model.decoder.attention.score, std=output_std)
    if isinstance(model, (Recurrent, LstmAttention)):
        _recurrent(model)


def _residual(projection: nn.Linear, spec: ModelSpec) -> None:
    if spec.zero_init:
        nn.init.zeros_(projection.weight)
    elif spec.norm_position == "pre":
        sublayers = (3 if spec.architecture == "encoder-decoder" else 2) * spec.n_layers
        std = spec.init_std or projection.in_features**-0.5
        nn.init.normal_(projection.weight, std=std * sublayers**-0.5)


def _recurrent(model: Recurrent | LstmAttention) -> None:
    """Recurrent matrices are orthogonal, to keep the length of a signal through time (Saxe et al. 2014),
    input matrices Xavier, and a forget gate starts open, to keep memories (Jozefowicz et al. 2015); with
    `chrono_max_span`, open for spans spread evenly up to so many tokens (chrono, Tallec & Ollivier 2018). A tied
    token table is large enough for the gates to tell tokens apart, and small enough for the output.
    """
    if model.spec.tie_embeddings:
        size = 3 if model.spec.architecture == "rnn" else 5
        nn.init.normal_(model.embedding.tokens.weight, std=size * model.spec.d_model**-0.5)
    for layers in model.modules():
        if not isinstance(layers, (nn.RNNBase, nn.LSTMCell)):
            continue
        width = layers.hidden_size
        for name, parameter in layers.named_parameters():
            if name.startswith("weight"):
                fill = nn.init.orthogonal_ if "hh" in name else nn.init.xavier_uniform_
                for gate in parameter.data.split(width):
                    fill(gate)
            else:
                nn.init.zeros_(parameter)
                if "ih" in name:  # the two biases of a gate add up: one is enough
                    _open_gates(parameter.data, model.spec, width)


def _open_gates(bias: Tensor, spec: ModelSpec, width: int) -> None:
    """A gate at sigmoid(b) keeps a memory for about 1 + e^b tokens (Tallec & Ollivier 2018, §2).

    Args:
        bias: of all gates: an LSTM's input, forget, cell, output; a GRU's reset, update, candidate.
    """
    second = bias[width : 2 * width]
    if spec.chrono_max_span and spec.architecture != "rnn":
        spans = torch.empty(width).uniform_(1.0, max(1.0, spec.chrono_max_span - 1.0))
        second.copy_(spans.log())
        if spec.architecture != "gru":
            bias[:width] = -second  # what is kept long is seldom written
    elif spec.architecture in ("lstm", "lstm-attention"):
        second.fill_(1.0)
