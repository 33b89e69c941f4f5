"""What a model expects next: one forward pass, from a text to the scores of every token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from playground.errors import PlaygroundError

if TYPE_CHECKING:
    from playground.text.tokenizers import Tokenizer


@dataclass(frozen=True)
class Prompt:
    """Where writing starts.

    Attributes:
        ids: what the model reads before the first token that it writes; at least one.
        hidden: how many of them are not part of the text shown (a question, a beginning-of-text token).
        source: the text that an encoder reads; None where there is no encoder.
    """

    ids: tuple[int, ...]
    hidden: int = 0
    source: tuple[int, ...] | None = None


def open_prompt(
    model: nn.Module, tokenizer: "Tokenizer", text: str, answers: bool, template: str = "{question}"
) -> Prompt:
    """What a model starts from to continue a text, or to answer it.

    Args:
        answers: whether the model learnt pairs; it then writes the answer to ``text``.
        template: how it was asked then (``DataSpec.template``).

    Raises:
        PlaygroundError: when there is nothing to answer, or the model cannot write.
    """
    if not model.spec.is_causal:
        raise PlaygroundError("This model fills in hidden words; it does not continue a text.")
    ids = tokenizer.encode(text)
    if answers and not ids:
        raise PlaygroundError("This model answers a text, and there is none.", "Type one.")
    if answers:
        ids = tokenizer.encode(template.replace("{question}", text))
    if model.spec.architecture == "encoder-decoder":
        return Prompt((tokenizer.bos_id,), 1, tuple(ids[-model.spec.context_length :]))
    if answers:
        return Prompt((*ids, tokenizer.bos_id), len(ids) + 1)
    before = tokenizer.frame[0] or (() if ids else (tokenizer.eos_id,))
    return Prompt((*before, *ids), len(before))


def context(model: nn.Module) -> int | None:
    """How many tokens the model sees at once; None: all of them, as recurrent models do."""
    return None if model.spec.is_recurrent else model.spec.context_length


@torch.no_grad()
def logits_along(model: nn.Module, ids: Sequence[int], source: Sequence[int] | None = None) -> np.ndarray:
    """Scores of what follows each of the last tokens that fit the context, float32 ``[length, vocabulary]``."""
    ids = list(ids)[-(context(model) or len(ids)) :]
    memory = {} if source is None else {"memory": model.encode(torch.tensor([list(source)]))}
    return model(torch.tensor([ids]), **memory).logits[0].float().numpy()


@torch.no_grad()
def logits_after(model: nn.Module, ids: Sequence[int], source: Sequence[int] | None = None) -> np.ndarray:
    """Scores of the next token, float32 ``[vocabulary]``."""
    ids = list(ids)[-(context(model) or len(ids)) :]
    memory = {} if source is None else {"memory": model.encode(torch.tensor([list(source)]))}
    out = model(torch.tensor([ids]), rows=torch.tensor([len(ids) - 1]), **memory)
    return out.logits[0].float().numpy()


def likeliest(probabilities: np.ndarray, n: int) -> list[tuple[int, float]]:
    """The ``n`` likeliest tokens and their probabilities, the first first."""
    n = min(n, len(probabilities))
    top = np.argpartition(-probabilities, n - 1)[:n]
    return [(int(i), float(probabilities[i])) for i in top[np.argsort(-probabilities[top], kind="stable")]]
