"""Recording activations: one forward pass with a hook that copies and changes nothing."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from models.language_model import AnyModel
from models.spec import ModelSpec
from models.transformer import Source


@torch.no_grad()
def capture(
    model: AnyModel,
    ids: Sequence[int],
    source_ids: Sequence[int] | None = None,
    keep: Callable[[str], bool] = lambda name: True,
) -> dict[str, np.ndarray]:
    """Every activation of one text, by the names of `models.hooks.Hook`, and "logits".

    Args:
        model: any language model, on the CPU; or one with a head for labels, whose logits are those of the labels.
        ids: the ``n`` tokens of the text; of a model of pairs the target.
        source_ids: the source text of a model of pairs; None for other models.
        keep: which names to record.

    Returns:
        Name → float32 array without the batch axis. The names of an encoder's activations begin with "encoder.".
    """
    held: dict[str, np.ndarray] = {}

    def hook(name: str, value: Tensor) -> Tensor:
        if keep(name):
            held[name] = value[0].float().numpy().copy()
        return value

    out = model(torch.tensor([list(ids)]), hook=hook, **source_inputs(source_ids))
    held["logits"] = out.logits[0].float().numpy()
    return held


def residual_streams(spec: ModelSpec) -> list[str]:
    """The names of the residual stream: before the first layer and after each. In a recurrent model: each layer's output.

    Of an encoder–decoder, the decoder's. Of an LSTM with attention, what joins the last state and the context: no layer
    before can be read by the head.
    """
    if spec.architecture == "lstm-attention":
        return ["decoder.final"]
    side = "decoder." if spec.reads_pairs else ""
    layers = [f"{side}layers.{i}.output" for i in range(spec.n_layers)]
    return layers if spec.is_recurrent else [f"{side}embeddings", *layers]


def source_inputs(ids: Sequence[int] | None) -> dict[str, Source]:
    """The arguments that an encoder–decoder needs besides the target: a source ``[1, n_source]``; none for None."""
    return {} if ids is None else {"source": Source(torch.tensor([list(ids)]))}
