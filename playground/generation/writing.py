"""A text being written, in a thread of its own: who watches may come and go, and can stop it."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from models.decode import beam, decode
from playground.generation.predict import Prompt, context, logits_along
from playground.inference.sampling import Sampling, softmax, steps

if TYPE_CHECKING:
    from playground.inference.engine import Engine
    from playground.text.tokenizers import Tokenizer

log = logging.getLogger("playground")


@dataclass(frozen=True)
class Token:
    """One token of a text, and how the model saw it coming.

    Attributes:
        id: of the token.
        probability: what the model gave it, before sampling changed anything; None where the model saw nothing
            before it.
        drawn: its probability when it was drawn, after every step of sampling; None for tokens of a person.
        seen: how many tokens before it the model saw: its window.
    """

    id: int
    probability: float | None = None
    drawn: float | None = None
    seen: int = 0


def read(model: nn.Module, prompt: Prompt) -> list[Token]:
    """The tokens of a prompt with the probabilities that the model gives them; one forward pass."""
    ids = prompt.ids
    start = max(0, len(ids) - (context(model) or len(ids)))
    tokens = [Token(i) for i in ids[: start + 1]]
    if len(ids) > 1:
        expected = softmax(logits_along(model, ids[start:-1], prompt.source).astype(np.float64))
        tokens += [
            Token(ids[start + 1 + row], float(expected[row, ids[start + 1 + row]]), None, row + 1)
            for row in range(len(expected))
        ]
    return tokens


class Cancelled(Exception):
    """Raised inside the thread when the person stopped it."""


class _Job:
    """Work in a thread, that says how it stands and can be stopped."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.ended = ""
        self.seconds = 0.0
        self._cancel = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writing", daemon=True)

    def start(self) -> "_Job":
        self._thread.start()
        return self

    def cancel(self) -> None:
        """Stops within one token."""
        self._cancel.set()

    def wait(self, seconds: float | None = None) -> None:
        self._thread.join(seconds)

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        began = time.perf_counter()
        try:
            with torch.inference_mode():
                self._work()
        except Cancelled:
            self.ended = "cancelled"
        except Exception as error:  # shown by whoever watches
            log.exception("Writing failed")
            self.error, self.ended = error, "failed"
        self.seconds = time.perf_counter() - began

    def _work(self) -> None:
        raise NotImplementedError


class Writing(_Job):
    """Draws token after token.

    Args:
        model, tokenizer: from the same run.
        prompt: its ids are all that stands before the first new token.
        sampling: how each token is drawn.
        n_tokens: how many at most.
        stop_at_end: end where the model writes ``<eos>``.
        stop_text: end as soon as this has been written; empty: never.
        seed: the same seed writes the same text.
        engine: the same model exported, which then writes instead of PyTorch.

    Attributes:
        tokens: the new tokens so far; it only grows.
        ended: why it ended: "length", "end" (``<eos>``), "stop" (the stop text), "cancelled", "failed"; "" before.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: "Tokenizer",
        prompt: Prompt,
        sampling: Sampling,
        n_tokens: int,
        stop_at_end: bool = True,
        stop_text: str = "",
        seed: int | None = None,
        engine: "Engine | None" = None,
    ) -> None:
        super().__init__()
        self.model, self.tokenizer, self.prompt = model, tokenizer, prompt
        self.engine = engine.twin() if engine else None
        self.sampling, self.n_tokens = sampling, n_tokens
        self.stop_at_end, self.stop_text = stop_at_end, stop_text
        self.tokens: list[Token] = []
        self.speed = 0.0  # tokens a second, reading the prompt included
        self._generator = np.random.default_rng(seed)
        self._drawn: tuple[float, float] = (0.0, 0.0)

    def _work(self) -> None:
        began = time.perf_counter()
        limit, seen = context(self.model), list(self.prompt.ids)
        window = min(len(seen), limit or len(seen))
        stop = (self.tokenizer.eos_id,) if self.stop_at_end else ()
        choose = self._chooser(seen)
        reason = "end"
        for token in self._stream(choose, stop):
            self.tokens.append(Token(token, *self._drawn, window))
            self.speed = len(self.tokens) / (time.perf_counter() - began)
            seen.append(token)
            window += 1
            if limit and window > limit:
                window = max(1, limit // 2)  # as `decode` does
            if len(self.tokens) == self.n_tokens:
                reason = "length"
            elif self.stop_text and self._has_stopped():
                reason = "stop"
                break
        self.ended = reason

    def _stream(self, choose: Callable, stop: Sequence[int]) -> Iterator[int]:
        ids, source = self.prompt.ids, self.prompt.source
        if self.engine:
            return self.engine.generate(ids, self.n_tokens, stop=stop, source_ids=source, choose=choose)
        return decode(self.model, ids, self.n_tokens, choose, stop, source_ids=source)

    def _chooser(self, seen: list[int]) -> Callable:
        def choose(logits) -> int:
            if self._cancel.is_set():
                raise Cancelled
            scores = logits if isinstance(logits, np.ndarray) else logits.float().numpy()
            history = steps(scores, self.sampling, seen)
            reached = np.cumsum(history[-1][1])
            token = int(np.searchsorted(reached, self._generator.random() * reached[-1], side="right"))
            self._drawn = float(history[0][1][token]), float(history[-1][1][token])
            return token

        return choose

    def _has_stopped(self) -> bool:
        tail = self.tokens[-max(8, 4 * len(self.stop_text)) :]
        return self.stop_text in self.tokenizer.decode([token.id for token in tail])


class BeamSearch(_Job):
    """The likeliest continuations as wholes.

    Attributes:
        step: how many tokens long the beams are.
        found: ``(token ids, log probability)``, best first; empty before the end.
    """

    def __init__(
        self, model: nn.Module, prompt: Prompt, n_tokens: int, width: int, stop_ids: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.model, self.prompt, self.n_tokens, self.width = model, prompt, n_tokens, width
        self.stop_ids = tuple(stop_ids)
        self.step = 0
        self.found: list[tuple[list[int], float]] = []

    def _work(self) -> None:
        self.found = beam(
            self.model, self.prompt.ids, self.n_tokens, self.width, self.stop_ids, self.prompt.source,
            watch=self._watch,
        )  # fmt: skip
        self.ended = "length"

    def _watch(self, step: int) -> None:
        self.step = step
        if self._cancel.is_set():
            raise Cancelled
