"""From a text to the logits of every token, with any engine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from models.spec import ModelSpec
from playground.core.errors import PlaygroundError

if TYPE_CHECKING:
    from playground.inference.engine import GeneratedToken
    from playground.inference.export_manifest import ExportManifest
    from playground.inference.sampling import Sampling
    from playground.text.tokenizers import Tokenizer


class TextGenerator(Protocol):
    """An engine that continues texts: an export (`playground.inference.engine.Engine`), or the model in PyTorch
    (`playground.generation.torch_model.TorchGenerator`).

    Attributes:
        about: what the model is.
        provider: what really runs it: "CPU" or "CUDA".
        ran_by: the same in words, such as "ONNX Runtime (CPU)".
    """

    @property
    def about(self) -> "ModelSpec | ExportManifest": ...

    @property
    def provider(self) -> str: ...

    @property
    def ran_by(self) -> str: ...

    def clone(self) -> "TextGenerator":
        """The same weights with a cache of its own, to be used at the same time."""
        ...

    def generate(
        self,
        ids: Sequence[int],
        max_new_tokens: int,
        sampling: "Sampling" = ...,
        seed: int | None = 0,
        stop: Sequence[int] = (),
        source_ids: Sequence[int] | None = None,
    ) -> Iterator[int]:
        """The tokens that follow a prompt; one of ``stop`` ends it and is not yielded."""
        ...

    def write(
        self,
        ids: Sequence[int],
        max_new_tokens: int,
        sampling: "Sampling",
        rng: np.random.Generator,
        stop: Sequence[int] = (),
        source_ids: Sequence[int] | None = None,
    ) -> "Iterator[GeneratedToken]":
        """As :meth:`generate`, with the probabilities of each token."""
        ...

    def next_logits(self, ids: Sequence[int], source_ids: Sequence[int] | None = None) -> np.ndarray:
        """Logits of the next token, float32 ``[vocabulary]``; the text is no longer than the context."""
        ...

    def all_logits(self, ids: Sequence[int], source_ids: Sequence[int] | None = None) -> np.ndarray:
        """Logits of the token after each token, float32 ``[length, vocabulary]``; the text is no longer than the context."""
        ...


@dataclass(frozen=True)
class Prompt:
    """The tokens from which generation starts.

    Attributes:
        ids: tokens before the first new one; at least one.
        hidden: number of them that are not shown (a question, a beginning-of-text token).
        source: tokens for the encoder; None where there is no encoder.
        spaced: whether the text ends in a space that is not among the tokens: the next one brings it.
    """

    ids: tuple[int, ...]
    hidden: int = 0
    source: tuple[int, ...] | None = None
    spaced: bool = False

    def following(self, written: str) -> str:
        """New text as it stands after the text that was typed: a space at the end of that is not written twice."""
        return written.removeprefix(" ") if self.spaced else written


def open_prompt(
    about: "ModelSpec | ExportManifest", tokenizer: "Tokenizer", text: str, answers: bool, template: str = "{question}"
) -> Prompt:
    """The prompt with which a model continues a text, or answers it.

    Args:
        about: the spec of the model, or the manifest of its export.
        answers: whether the model was trained on pairs; it then generates the answer to ``text``.
        template: of its questions (``DataSpec.template``).

    Raises:
        PlaygroundError: when there is nothing to answer, or the model does not continue text.
    """
    if isinstance(about, ModelSpec) and not about.is_causal:
        raise PlaygroundError("This model fills in hidden words; it does not continue a text.")
    opened = text if answers or about.reads_pairs else tokenizer.to_continue(text)
    ids = tokenizer.encode(opened)
    if answers and not ids:
        raise PlaygroundError("This model answers a text, and there is none.", "Type one.")
    if answers:
        ids = tokenizer.encode(template.replace("{question}", text))
    if about.reads_pairs:
        return Prompt((tokenizer.bos_id,), 1, tuple(ids[-about.context_length :]))
    if answers:
        return Prompt((*ids, tokenizer.bos_id), len(ids) + 1)
    before = tokenizer.frame[0] or (() if ids else (tokenizer.eos_id,))
    return Prompt((*before, *ids), len(before), spaced=opened != text)


def context(about: "ModelSpec | ExportManifest") -> int | None:
    """Number of tokens that the model sees at once; None: all of them, as recurrent models do."""
    return None if about.is_recurrent else about.context_length


def after_one_more(seen: int, limit: int | None) -> int:
    """Number of tokens that a model sees after one more, at most ``limit``: a full context is halved, as in `decode`."""
    return seen + 1 if limit is None or seen < limit else max(1, limit // 2)


def all_logits(model: TextGenerator, ids: Sequence[int], source: Sequence[int] | None = None) -> np.ndarray:
    """Logits of the token after each of the last tokens that fit the context, float32 ``[length, vocabulary]``."""
    return model.all_logits(_seen(model, ids), source)


def next_logits(model: TextGenerator, ids: Sequence[int], source: Sequence[int] | None = None) -> np.ndarray:
    """Logits of the next token after a text of any length, float32 ``[vocabulary]``."""
    return model.next_logits(_seen(model, ids), source)


def _seen(model: TextGenerator, ids: Sequence[int]) -> list[int]:
    return list(ids)[-(context(model.about) or len(ids)) :]


def likeliest(probabilities: np.ndarray, n: int) -> list[tuple[int, float]]:
    """The ``n`` most likely tokens of ``[vocabulary]`` as (id, probability), the most likely first."""
    n = min(n, len(probabilities))
    top = np.argpartition(-probabilities, n - 1)[:n]
    return [(int(i), float(probabilities[i])) for i in top[np.argsort(-probabilities[top], kind="stable")]]
