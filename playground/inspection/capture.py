"""Recording what a model computes: one forward pass with a hook that writes down and changes nothing."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from models.spec import ModelSpec


@torch.no_grad()
def capture(
    model: nn.Module,
    ids: Sequence[int],
    source_ids: Sequence[int] | None = None,
    keep: Callable[[str], bool] = lambda name: True,
) -> dict[str, np.ndarray]:
    """Every activation of one text, by the names of `models.hooks.Hook`, and "logits".

    Args:
        model: any of this house.
        ids: the text; an encoder–decoder's target.
        source_ids: encoder–decoder only.
        keep: which names to write down.

    Returns:
        float32 arrays without the batch axis; what the encoder computes is named "encoder....".
    """
    held: dict[str, np.ndarray] = {}

    def hook(name: str, value: Tensor) -> Tensor:
        if keep(name):
            held[name] = value[0].float().numpy().copy()
        return value

    out = model(torch.tensor([list(ids)]), hook=hook, **source(source_ids))
    held["logits"] = out.logits[0].float().numpy()
    return held


def residual_streams(spec: ModelSpec) -> list[str]:
    """The names of the residual stream: before the first layer and after each; of recurrent models each layer's output.

    Of an encoder–decoder, the decoder's.
    """
    side = "decoder." if spec.architecture == "encoder-decoder" else ""
    layers = [f"{side}layers.{i}.output" for i in range(spec.n_layers)]
    return layers if spec.is_recurrent else [f"{side}embeddings", *layers]


def source(ids: Sequence[int] | None) -> dict[str, Tensor]:
    """What an encoder–decoder is called with besides; nothing for the others."""
    return {} if ids is None else {"source_ids": torch.tensor([list(ids)])}
