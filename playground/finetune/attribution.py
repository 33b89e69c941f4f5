"""Which tokens moved a prediction: integrated gradients, and what attention says, for comparison."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from playground.finetune.labeller import Labeller
from playground.inspection.attention import attention_weights, rollout
from playground.training.apply_finetuning import reads_both_ways

STEPS = 32  # of the path from nothing to the text


@dataclass(frozen=True)
class Attribution:
    """What each token did for one label.

    Attributes:
        pieces: the tokens as text ``[n]``.
        gradients: integrated gradients on the label's logit ``[n]``: above 0 it spoke for the label, below against.
        attention: the share of each token in what the head read, by attention rollout ``[n]``; None without attention.
        nothing, something: the logit of a text without any word, and of this one; the gradients add up to the difference.
    """

    pieces: list[str]
    gradients: np.ndarray
    attention: np.ndarray | None
    nothing: float
    something: float


def attribute(labeller: Labeller, text: str, label: int, steps: int = STEPS, word: int | None = None) -> Attribution:
    """Integrated gradients (Sundararajan et al. 2017, eq. 1) through Captum, along the embeddings.

    The path begins at a text without words: as many masks, for models that have learnt what a mask is, else as many
    ends of text. (Vectors of 0 would do badly: RMSNorm turns at 0 on the spot, and no sum of steps follows it.)

    Args:
        label: the code of the label whose logit is explained.
        steps: points of the integral (Gauss–Legendre); more are more exact.
        word: whose label is explained, where each word has its own; an index into ``labeller.tags``.
    """
    from captum.attr import IntegratedGradients

    read, place = labeller.window(text, word or 0) if labeller.task == "tag" else (labeller.tokens(text), None)
    ids = torch.from_numpy(read).long()[None]
    model = labeller.model
    embedded = _embeddings(labeller, ids)
    wordless = labeller.tokenizer.mask_id if reads_both_ways(model.spec) else labeller.tokenizer.eos_id
    before, after = map(len, labeller.tokenizer.frame)
    nothing = ids.clone()
    nothing[:, before : ids.shape[1] - after] = (
        wordless  # what the model reads around every text is there without words too
    )
    start = _embeddings(labeller, nothing)

    def logits(embeddings: Tensor) -> Tensor:
        put = lambda name, value: embeddings if name == "embeddings" else value
        found = model(ids.expand(len(embeddings), -1), hook=put).logits
        return found if place is None else found[:, place]

    parts = IntegratedGradients(logits).attribute(
        embedded, start, target=label, n_steps=steps, internal_batch_size=steps, method="gausslegendre"
    )
    with torch.no_grad():
        nothing, something = (float(logits(value)[0, label]) for value in (start, embedded))
    return Attribution(
        labeller.tokenizer.pieces(ids[0].tolist()),
        parts[0].sum(-1).detach().numpy(),
        _attention(labeller, ids[0].tolist(), place),
        nothing,
        something,
    )


@torch.no_grad()
def _embeddings(labeller: Labeller, ids: Tensor) -> Tensor:
    """What the first layer reads ``[1, n, d_model]``."""
    found: list[Tensor] = []

    def hook(name: str, value: Tensor) -> Tensor:
        if name == "embeddings":
            found.append(value.detach())
        return value

    labeller.model(ids, hook=hook)
    return found[0]


def _attention(labeller: Labeller, ids: list[int], place: int | None) -> np.ndarray | None:
    """How much of each token reaches what the head reads ``[n]``: all places, one of them, or the word's own."""
    if labeller.model.spec.is_recurrent:
        return None
    weights = attention_weights(labeller.model.body, ids)["self"]
    reached = rollout(weights)[-1]  # [n, n]
    if place is not None:
        return reached[place]
    pooling = labeller.model.head.pooling
    return {"mean": reached.mean(0), "first": reached[0], "last": reached[-1]}[pooling]
