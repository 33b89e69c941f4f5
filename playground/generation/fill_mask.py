"""Filling masks: what a masked language model predicts for hidden tokens (Devlin et al. 2019)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from playground.core.errors import PlaygroundError
from playground.generation.predict import context, likeliest
from playground.inference.sampling import softmax

if TYPE_CHECKING:
    from playground.generation.torch_model import TorchEncoder
    from playground.inference.onnx_encoder import OnnxEncoder


@dataclass(frozen=True)
class Blank:
    """The prediction for one masked position.

    Attributes:
        place: index in the text.
        likeliest: ``(token id, probability)``, the most likely first.
        hidden: probability of the token that was masked; None where the text itself had a mask.
        rank: rank of that token among all, 1 is the most likely; None where the text itself had a mask.
    """

    place: int
    likeliest: list[tuple[int, float]]
    hidden: float | None
    rank: int | None


def fill(
    model: "OnnxEncoder | TorchEncoder",
    ids: Sequence[int],
    places: Collection[int],
    mask_id: int,
    n: int = 8,
    frame: tuple[Sequence[int], Sequence[int]] = ((), ()),
) -> list[Blank]:
    """Predicts the tokens of some positions, all of them masked at once.

    Args:
        model: an export, or the model in PyTorch.
        ids: token ids of the text; it may contain ``mask_id``.
        places: indices of tokens to mask; positions that are ``mask_id`` already are predicted too.
        n: number of tokens to list for each position.
        frame: tokens before and after every text, as the model was trained (``Tokenizer.frame``).

    Returns:
        The masked positions, in the order of the text.

    Raises:
        PlaygroundError: when the text is longer than the model reads, or empty.
    """
    if not ids:
        raise PlaygroundError("There is no text.", "Type a sentence.")
    before, after = frame
    length = (context(model.about) or len(ids) + len(before) + len(after)) - len(before) - len(after)
    if len(ids) > length:
        raise PlaygroundError(
            "The text has {tokens} tokens; this model reads {length}.", "Shorten it.", tokens=len(ids), length=length
        )
    hidden = sorted({*places, *(i for i, token in enumerate(ids) if token == mask_id)})
    shown = [*before, *(mask_id if i in hidden else token for i, token in enumerate(ids)), *after]
    rows = [len(before) + place for place in hidden]
    if not hidden:
        return []
    logits = model.logits([shown])[0, rows]
    return [_blank(place, ids[place], row, mask_id, n) for place, row in zip(hidden, logits, strict=True)]


def _blank(place: int, token: int, logits: np.ndarray, mask_id: int, n: int) -> Blank:
    probabilities = softmax(logits.astype(np.float64))
    known = token != mask_id
    return Blank(
        place,
        likeliest(probabilities, n),
        float(probabilities[token]) if known else None,
        int((probabilities > probabilities[token]).sum()) + 1 if known else None,
    )


def word_at(pieces: Sequence[str], index: int) -> range:
    """Indices of the tokens that form one word with the token at ``index``: letters and digits without a space between."""
    if not pieces[index][-1:].isalnum():
        return range(index, index + 1)
    start, end = index, index + 1
    while start > 0 and pieces[start][:1].isalnum() and pieces[start - 1][-1:].isalnum():
        start -= 1
    while end < len(pieces) and pieces[end].isalnum():
        end += 1
    return range(start, end)
