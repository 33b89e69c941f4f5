"""A text being written: the prompt, what the model generated, what the person chose instead, and undo."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from playground.core.errors import PlaygroundError
from playground.generation.jobs import BeamSearch, GenerationJob, Token, read
from playground.generation.predict import Prompt, TextGenerator, after_one_more, context, next_logits, open_prompt
from playground.inference.sampling import Sampling, softmax

if TYPE_CHECKING:
    from playground.text.tokenizers import Tokenizer

LONGEST = 4000  # tokens of one text
REMEMBERED = 64  # positions whose logits are cached
UNDO = 20


class GenerationSession:
    """One person's text with one model.

    Args:
        model, tokenizer: from the same run; others may use the model at the same time.
        answers: whether the model was trained on pairs: it answers the prompt instead of continuing it.
        template: of its questions (``DataSpec.template``).
        load: loads the model in PyTorch, which beam search needs.

    Attributes:
        prompt: the prompt as tokens.
        tokens: the whole text, with the part of the prompt that is not shown.
        job: the computation that runs, or ran last.
        model: what generates and computes probabilities, with a cache of its own.
    """

    def __init__(
        self,
        model: TextGenerator,
        tokenizer: "Tokenizer",
        answers: bool,
        template: str = "{question}",
        load: Callable[[], Any] = lambda: None,
    ) -> None:
        self.tokenizer, self.answers, self.template, self._load = tokenizer, answers, template, load
        self._shared, self.model = model, model.clone()
        self.text = ""
        self.prompt = Prompt((tokenizer.eos_id,), 1)
        self.tokens: list[Token] = []
        self.job: GenerationJob | BeamSearch | None = None
        self._taken = 0
        self._scores: OrderedDict[tuple, np.ndarray] = OrderedDict()
        self._undo: list[list[Token]] = []

    def use(self, model: TextGenerator) -> None:
        """Goes on with another engine for the same weights, as they may have been exported meanwhile."""
        if model is not self._shared:
            self._shared, self.model = model, model.clone()

    def open(self, text: str) -> None:
        """Starts anew from a prompt.

        Raises:
            PlaygroundError: when the model cannot start from it.
        """
        prompt = open_prompt(self.model.about, self.tokenizer, text, self.answers, self.template)
        self.stop()
        self.text, self.prompt = text, prompt
        self.tokens = read(self.model, prompt)
        self.job, self._undo = None, []

    @property
    def shown(self) -> list[Token]:
        """The tokens that are shown as the text."""
        return self.tokens[self.prompt.hidden :]

    @property
    def is_working(self) -> bool:
        return bool(self.job and not self.job.is_over)

    def write(self, sampling: Sampling, max_new_tokens: int, **choices) -> GenerationJob:
        """Generates more of the text in the background; ``choices`` are those of `GenerationJob`.

        Raises:
            PlaygroundError: when the text has LONGEST tokens.
        """
        self.stop()
        left = LONGEST - len(self.tokens)
        if left <= 0:
            raise PlaygroundError(
                "The text has {tokens:,} tokens, which is enough.", "Start again, or cut it.", tokens=LONGEST
            )
        self._remember()
        prompt = Prompt(self._ids(), self.prompt.hidden, self.prompt.source)
        self._taken = 0
        self.job = GenerationJob(self.model, self.tokenizer, prompt, sampling, min(max_new_tokens, left), **choices)
        self.job.start()
        return self.job

    def search(self, max_new_tokens: int, width: int, stop_at_end: bool = True) -> BeamSearch:
        """Beam search for the most likely continuations in the background; `take` chooses one."""
        self.stop()
        stop = (self.tokenizer.eos_id,) if stop_at_end else ()
        prompt = Prompt(self._ids(), self.prompt.hidden, self.prompt.source)
        self.job = BeamSearch(self._load, prompt, max_new_tokens, width, stop)
        self.job.start()
        return self.job

    def take(self, index: int) -> None:
        """Appends one of the continuations that beam search found."""
        if isinstance(self.job, BeamSearch) and 0 <= index < len(self.job.found):
            self._remember()
            limit, seen = context(self.model.about), len(self.tokens)
            seen = min(seen, limit or seen)
            for token in self.job.found[index][0]:
                self._append(token, seen)
                seen = after_one_more(seen, limit)
            self.job = None

    def collect(self) -> None:
        """Appends the tokens that were generated in the background since the last call."""
        if isinstance(self.job, GenerationJob):
            new = self.job.tokens[self._taken :]
            self._taken += len(new)
            self.tokens.extend(new)

    def stop(self) -> None:
        """Ends the computation; the tokens so far stay."""
        if self.job:
            self.job.stop()
            self.job.wait(5 if isinstance(self.job, BeamSearch) else None)  # who writes has the cache until it ended
            self.collect()

    def pick(self, position: int, token: int) -> None:
        """Puts a token at a position of the text and removes what came after it: a branch.

        Args:
            position: index in `tokens`, at most one past the last.
            token: its id.

        Raises:
            PlaygroundError: when there is no such position or token.
        """
        if not self.prompt.hidden <= position <= len(self.tokens) or not 0 <= token < self.tokenizer.size:
            raise PlaygroundError("This place of the text is gone.", "Choose another one.")
        self.stop()
        self._remember()
        self.tokens = self.tokens[:position]
        self._append(token, self._window(position))

    def clear(self) -> None:
        """Back to the prompt."""
        self.stop()
        if len(self.tokens) > len(self.prompt.ids):
            self._remember()
        self.tokens = self.tokens[: len(self.prompt.ids)]

    def undo(self) -> None:
        """Back to the text before the last change."""
        self.stop()
        if self._undo:
            self.tokens = self._undo.pop()

    @property
    def can_undo(self) -> bool:
        return bool(self._undo)

    def logits(self, position: int) -> np.ndarray:
        """Logits ``[vocabulary]`` for a position, from the tokens that the model saw before it."""
        position = max(1, min(position, len(self.tokens)))
        return self._logits(position, self._window(position))

    def _logits(self, position: int, seen: int) -> np.ndarray:
        key = self._ids()[position - seen : position]
        if key not in self._scores:
            self._scores[key] = next_logits(self.model, key, self.prompt.source)
            while len(self._scores) > REMEMBERED:
                self._scores.popitem(last=False)
        return self._scores[key]

    def _window(self, position: int) -> int:
        if position < len(self.tokens) and self.tokens[position].seen:
            return self.tokens[position].seen
        return min(position, context(self.model.about) or position)

    def _append(self, token: int, seen: int) -> None:
        probability = float(softmax(self._logits(len(self.tokens), seen).astype(np.float64))[token])
        self.tokens.append(Token(token, probability, None, seen))

    def _ids(self) -> tuple[int, ...]:
        return tuple(token.id for token in self.tokens)

    def _remember(self) -> None:
        self._undo = [*self._undo[1 - UNDO :], list(self.tokens)]


def pieces_for(tokenizer: "Tokenizer", ids: Sequence[int]) -> dict[int, str]:
    """How each token id is shown, by id."""
    ids = list(dict.fromkeys(ids))
    return dict(zip(ids, tokenizer.pieces(ids), strict=True))
