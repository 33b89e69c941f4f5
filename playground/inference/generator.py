"""What all decoders of exported models share: prompts go in, tokens come out one step at a time, for many texts at once."""

from collections.abc import Sequence

import numpy as np

from playground.core.errors import PlaygroundError
from playground.inference.export_manifest import ExportManifest
from playground.inference.sampling import Sampling, pick, steps
from playground.inference.session import NOT_ON_GPU

CACHE_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int8)": np.int8}
Texts = Sequence[Sequence[int]] | Sequence[np.ndarray] | np.ndarray
"""Token ids of several texts."""
Samples = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Tokens, their probabilities under the model, and their probabilities after sampling's steps; each ``[batch]``."""


class Generator:
    """Writes several texts at once: `start` reads the prompts (prefill), `advance` adds one token to each (a decoding step).

    `prefill` and `decode_step` do the same and return the logits, which then have to be copied from a GPU.

    Attributes:
        about: what is known of the model.
        batch: number of texts.
        max_length: tokens that each text can have.
        length: tokens that each text has, int32 ``[batch]``.
        provider: what really runs it: "CPU" or "CUDA".
        uncaptured_reason: why a step is not replayed as one CUDA graph; "" where it is.
        last: the tokens that were chosen last ``[batch]``; None before.
        block: number of tokens that are best chosen together, see `greedy_block`.
    """

    about: ExportManifest
    batch: int
    max_length: int
    length: np.ndarray
    provider: str
    uncaptured_reason: str = NOT_ON_GPU
    last: np.ndarray | None = None
    block: int = 1

    def start(self, texts: Texts) -> None:
        """Starts anew from these prompts, one for each text of the batch.

        Raises:
            PlaygroundError: when a text is empty or longer than ``max_length``.
            RunFailed: when ONNX Runtime cannot run the model.
        """
        raise NotImplementedError

    def advance(self, tokens: np.ndarray | None = None) -> None:
        """Adds one token to each text ``[batch]``; None takes the tokens that were chosen last, or else the most likely.

        Raises:
            PlaygroundError: when a text has ``max_length`` tokens already.
            RunFailed: when ONNX Runtime cannot run the model.
        """
        raise NotImplementedError

    @property
    def logits(self) -> np.ndarray:
        """Logits of the next token of each text, float32 ``[batch, vocabulary]``; the next call may overwrite them."""
        raise NotImplementedError

    def encode_source(self, ids: Sequence[int]) -> None:
        """Encoder–decoder: encodes the source text, once for all tokens of the answer.

        Raises:
            TypeError: when the model has no encoder.
            RunFailed: when ONNX Runtime cannot run the encoder.
        """
        raise TypeError(f"{type(self).__name__} has no encoder")

    def pick_greedy(self) -> np.ndarray:
        """Chooses the most likely next token of each text ``[batch]``."""
        self.last = tokens = self.logits.argmax(-1)
        return tokens

    def sample(self, sampling: Sampling, rng: np.random.Generator, seen: Sequence[Sequence[int]] = ()) -> Samples:
        """Samples the next token of each text.

        Args:
            seen: the texts so far, for the repetition penalty.
        """
        found = [sample_one(row, sampling, rng, seen[i] if seen else None) for i, row in enumerate(self.logits)]
        tokens, probabilities, drawn = (np.array(values) for values in zip(*found, strict=True))
        self.last = tokens
        return tokens, probabilities, drawn

    def prefill(self, texts: Texts) -> np.ndarray:
        """:meth:`start`, then the logits float32 ``[batch, vocabulary]``."""
        self.start(texts)
        return self.logits

    def decode_step(self, tokens: np.ndarray) -> np.ndarray:
        """:meth:`advance` by the tokens ``[batch]``, then the logits float32 ``[batch, vocabulary]``."""
        self.advance(np.asarray(tokens))
        return self.logits

    def greedy_block(self, n: int) -> np.ndarray:
        """The ``n`` most likely next tokens of each text, int64 ``[batch, n]``; the last of them is not read yet.

        Raises:
            PlaygroundError: when ``max_length`` is reached before the last one.
        """
        tokens = np.empty((self.batch, n), dtype=np.int64)
        tokens[:, 0] = self.pick_greedy()
        for i in range(1, n):
            self.advance()
            tokens[:, i] = self.pick_greedy()
        return tokens

    def greedy(self, n: int, texts: Texts | None = None) -> np.ndarray:
        """Greedy decoding: the ``n`` most likely next tokens of each text, int64 ``[batch, n]``.

        Args:
            texts: prompts to start from; None goes on where the last call ended.

        Raises:
            PlaygroundError: when ``max_length`` is reached before the last token.
        """
        if texts is None:
            self.advance()
        else:
            self.start(texts)
        return self.greedy_block(n)

    def all_logits(self, ids: Sequence[int], start: int = 0, source: Sequence[int] | None = None) -> np.ndarray:
        """Logits of the token after each token of one text. The texts that are being written are not touched.

        Args:
            start: index of the first token whose successor is wanted.
            source: encoder–decoder: the source text.

        Returns:
            float32 ``[len(ids) - start, vocabulary]``.

        Raises:
            PlaygroundError: when the text is empty or longer than ``max_length``, or a source is missing.
        """
        raise NotImplementedError

    def clone(self) -> "Generator":
        """The same weights with a cache of its own."""
        raise NotImplementedError


def sample_one(
    logits: np.ndarray, sampling: Sampling, rng: np.random.Generator, seen: Sequence[int] | None
) -> tuple[int, float, float]:
    """Samples one token on the CPU, as `sampling.choose` does.

    Args:
        logits: ``[vocabulary]``.
        seen: the text so far, for the repetition penalty.

    Returns:
        The token, its probability under the model, and its probability after sampling's steps.
    """
    history = steps(logits, sampling, list(seen) if seen is not None else None)
    token = pick(history[-1][1], rng)
    return token, float(history[0][1][token]), float(history[-1][1][token])


def as_batch(texts: Texts) -> np.ndarray:
    """Texts of equal length as one array int64 ``[batch, n]``.

    Raises:
        PlaygroundError: when one is empty, or they differ in length.
    """
    if len({len(text) for text in texts}) != 1 or not len(texts[0]):
        raise PlaygroundError(
            "This model writes only texts of equal length at once, of one token at least.", "Give them one by one."
        )
    return np.ascontiguousarray(texts, dtype=np.int64)
