"""Generation in a thread of its own, which can be watched and stopped from others."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from playground.core.background_job import BackgroundJob
from playground.core.errors import UserError
from playground.generation.predict import Prompt, TextGenerator, after_one_more, all_logits, context
from playground.inference.sampling import Sampling, softmax

if TYPE_CHECKING:
    from playground.text.tokenizers import Tokenizer

log = logging.getLogger("playground")


@dataclass(frozen=True)
class Token:
    """One token of a text, and its probabilities.

    Attributes:
        id: of the token.
        probability: under the model, before any step of sampling; None where the model saw no token before it.
        drawn: when it was sampled, after every step of sampling; None for tokens of a person.
        seen: number of tokens before it that the model saw (its window).
    """

    id: int
    probability: float | None = None
    drawn: float | None = None
    seen: int = 0


def read(model: TextGenerator, prompt: Prompt) -> list[Token]:
    """The tokens of a prompt with their probabilities under the model, in one forward pass."""
    ids = prompt.ids
    start = max(0, len(ids) - (context(model.about) or len(ids)))
    tokens = [Token(i) for i in ids[: start + 1]]
    if len(ids) > 1:
        expected = softmax(all_logits(model, ids[start:-1], prompt.source).astype(np.float64))
        tokens += [
            Token(ids[start + 1 + row], float(expected[row, ids[start + 1 + row]]), None, row + 1)
            for row in range(len(expected))
        ]
    return tokens


class Cancelled(Exception):
    """Raised inside the thread when the person stopped it."""


class _Job(BackgroundJob):
    """Generation in a thread: it ends within one token when it is stopped, and says why it ended."""

    def __init__(self) -> None:
        super().__init__("generation")
        self.ended = ""
        self.seconds = 0.0
        self._began = 0.0

    def _run(self) -> None:
        self._began = time.perf_counter()
        try:
            self.work()
        except Cancelled:
            self.ended = "cancelled"
        except UserError as error:  # shown by whoever watches
            self.error, self.ended = error, "failed"
        except Exception as error:
            log.exception("Text generation failed")
            self.error, self.ended = error, "failed"
        self.seconds = time.perf_counter() - self._began

    def work(self) -> None:
        raise NotImplementedError

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise Cancelled


class GenerationJob(_Job):
    """Samples token after token.

    Args:
        model: generates, with a cache that nothing else uses meanwhile (``clone()``).
        tokenizer: from the same run.
        prompt: its ids are all tokens before the first new one.
        sampling: how tokens are sampled.
        max_new_tokens: tokens to generate at most.
        stop_at_end: end at ``<eos>``.
        stop_text: end as soon as the text contains this; empty: never.
        seed: the same seed gives the same text; None: a random one.

    Attributes:
        tokens: the new tokens so far; the list only grows.
        ended: why it ended: "length", "end" (``<eos>``), "stop" (the stop text), "cancelled", "failed"; "" before.
    """

    def __init__(
        self,
        model: TextGenerator,
        tokenizer: "Tokenizer",
        prompt: Prompt,
        sampling: Sampling,
        max_new_tokens: int,
        stop_at_end: bool = True,
        stop_text: str = "",
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self.model, self.tokenizer, self.prompt = model, tokenizer, prompt
        self.sampling, self.max_new_tokens = sampling, max_new_tokens
        self.stop_at_end, self.stop_text = stop_at_end, stop_text
        self.tokens: list[Token] = []
        self.speed = 0.0  # tokens per second, reading the prompt included
        self._generator = np.random.default_rng(seed)

    def work(self) -> None:
        self._go_on()
        limit, window = context(self.model.about), len(self.prompt.ids)
        window = min(window, limit or window)
        stop = (self.tokenizer.eos_id,) if self.stop_at_end else ()
        reason = "end"
        for said in self.model.write(
            self.prompt.ids, self.max_new_tokens, self.sampling, self._generator, stop, self.prompt.source
        ):
            self._go_on()
            self.tokens.append(Token(said.token, said.probability, said.drawn, window))
            self.speed = len(self.tokens) / (time.perf_counter() - self._began)
            window = after_one_more(window, limit)
            if len(self.tokens) == self.max_new_tokens:
                reason = "length"
                break  # before the model reads the last one
            if self.stop_text and self._has_stopped():
                reason = "stop"
                break
        self.ended = reason

    def _has_stopped(self) -> bool:
        tail = self.tokens[-max(8, 4 * len(self.stop_text)) :]
        return self.stop_text in self.tokenizer.decode([token.id for token in tail])


class BeamSearch(_Job):
    """Beam search in PyTorch.

    Args:
        load: loads the model; called in the thread, as it may take seconds.
        prompt, max_new_tokens, width, stop_ids: as of `models.generate.beam`.

    Attributes:
        is_loading: whether the model is still being loaded.
        step: how many tokens long the beams are.
        found: ``(token ids, log probability)``, best first; empty before the end.
    """

    def __init__(
        self, load: Callable[[], Any], prompt: Prompt, max_new_tokens: int, width: int, stop_ids: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.prompt, self.max_new_tokens, self.width, self.stop_ids = prompt, max_new_tokens, width, tuple(stop_ids)
        self.is_loading, self.step = True, 0
        self.found: list[tuple[list[int], float]] = []
        self._load = load

    def work(self) -> None:
        from models.generate import beam

        model, self.is_loading = self._load(), False
        self._began = time.perf_counter()
        self.found = beam(
            model,
            self.prompt.ids,
            self.max_new_tokens,
            self.width,
            self.stop_ids,
            self.prompt.source,
            watch=self._watch,
        )
        self.ended = "length"

    def _watch(self, step: int) -> None:
        self.step = step
        self._go_on()
