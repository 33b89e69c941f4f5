"""Continuing a text: token by token (greedy decoding or sampling), or by beam search."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from models.hooks import Output
from models.language_model import LanguageModel
from models.spec import SpecError
from models.transformer import Source

Choose = Callable[[Tensor], int]


def greedy(logits: Tensor) -> int:
    """The most probable token of logits ``[vocabulary]`` (argmax)."""
    return int(logits.argmax())


def decode(
    model: LanguageModel,
    prompt_ids: Sequence[int],
    max_new_tokens: int,
    choose: Choose = greedy,
    stop_ids: Collection[int] = (),
    source_ids: Sequence[int] | None = None,
    use_cache: bool = True,
) -> Iterator[int]:
    """Yields tokens as they are chosen.

    A transformer sees at most its context. When that is full, the last half of it is read anew, so that the cache
    serves for another half. Recurrent models need no such window.

    Args:
        model: a causal model from `build`; it stays in evaluation mode until the iterator ends.
        prompt_ids: what to continue (in a model of pairs, how the answer begins), at least one token.
        max_new_tokens: when to stop at the latest.
        choose: picks a token from logits ``[vocabulary]``.
        stop_ids: tokens that end the text; they are not yielded.
        source_ids: models of pairs: the text to answer.
        use_cache: False reads the whole window again for every token: the same tokens, slower.

    Yields:
        Token ids.

    Raises:
        SpecError: for models that cannot continue text, and for an empty prompt.
    """
    _check(model, prompt_ids, source_ids)
    window = _Window(model, list(prompt_ids), source_ids, use_cache)
    return _stream(window, max_new_tokens, choose, stop_ids)


def _stream(window: "_Window", max_new_tokens: int, choose: Choose, stop_ids: Collection[int]) -> Iterator[int]:
    with _evaluating(window.model):
        for _ in range(max_new_tokens):
            token = choose(window.logits())
            if token in stop_ids:
                return
            yield token
            window.push(token)


class _Window:
    """The tokens a model still sees, and how many of them its state has read."""

    def __init__(self, model: LanguageModel, ids: list[int], source_ids: Sequence[int] | None, use_cache: bool):
        self.model, self.use_cache = model, use_cache
        self.context = None if model.spec.is_recurrent else model.spec.context_length
        self.ids = ids if self.context is None else ids[-self.context :]
        self.device = next(model.parameters()).device
        self.source_ids = source_ids
        self.source: dict[str, Source] = {}
        self.state: Any = None
        self.n_read = 0

    def push(self, token: int) -> None:
        self.ids.append(token)
        if self.context is not None and len(self.ids) > self.context:
            self.ids = self.ids[-max(1, self.context // 2) :]
            self.state, self.n_read = None, 0

    @torch.no_grad()
    def logits(self) -> Tensor:
        """Scores ``[vocabulary]`` of the next token."""
        if self.source_ids is not None and not self.source:
            self.source = {"source": Source(memory=self.model.encode(self._row(self.source_ids)))}
        if not self.use_cache:
            return self._forward(self.ids, None).logits[0]
        if self.state is None:
            self.state = self.model.initial_state(1)
        out = self._forward(self.ids[self.n_read :], self.state)
        self.state, self.n_read = out.state, len(self.ids)
        return out.logits[0]

    def _forward(self, ids: Sequence[int], state) -> Output:
        last = torch.tensor([len(ids) - 1], device=self.device)
        return self.model(self._row(ids), state=state, rows=last, **self.source)

    def _row(self, ids: Sequence[int]) -> Tensor:
        return torch.tensor([ids], dtype=torch.long, device=self.device)


@torch.no_grad()
def beam(
    model: LanguageModel,
    prompt_ids: Sequence[int],
    max_new_tokens: int,
    width: int = 4,
    stop_ids: Collection[int] = (),
    source_ids: Sequence[int] | None = None,
    length_penalty: float = 0.0,
    watch: Callable[[int], None] | None = None,
) -> list[tuple[list[int], float]]:
    """Beam search: the most probable continuations found by keeping the `width` best beginnings at every step.

    Args:
        model, prompt_ids, source_ids: as in `decode`; the window moves as it does there.
        max_new_tokens: longest continuation.
        width: how many beginnings are kept; 1 is greedy.
        stop_ids: tokens that end a continuation, which then is finished and does not include them.
        length_penalty: α of the ranking log p / length^α: 0 prefers short texts, 1 compares by token.
        watch: called after each step with the length reached; an exception that it raises ends the search.

    Returns:
        Up to `width` continuations, best first, each with its log probability (nats), its ending included.

    Raises:
        SpecError: for models that cannot continue text, an empty prompt, and a width below 1.
    """
    _check(model, prompt_ids, source_ids)
    if width < 1:
        raise SpecError("A beam cannot be {width} wide; use at least 1.", width=width)
    window = _Beams(model, list(prompt_ids), source_ids)
    live: list[tuple[list[int], float]] = [([], 0.0)]
    finished: list[tuple[list[int], float]] = []

    def rank(item: tuple[list[int], float]) -> float:
        return item[1] / max(len(item[0]), 1) ** length_penalty

    with _evaluating(model):
        for step in range(max_new_tokens):
            rows, tokens, live, ended = _best(window.logits(), live, width, stop_ids)
            finished = sorted(finished + ended, key=rank, reverse=True)[:width]
            shorter_wins = width == 1 or length_penalty <= 0  # going on lowers log p, and 1 beam ends as greedy does
            if len(finished) == width and shorter_wins and (not live or rank(finished[-1]) >= live[0][1]):
                live = []
            if not live:
                break
            if step + 1 < max_new_tokens:
                window.push(rows, tokens)
            if watch:
                watch(step + 1)
    return sorted(finished + live, key=rank, reverse=True)[:width]


class _Beams:
    """As `_Window`, for several continuations of one prompt: they are equally long, so their windows move together."""

    def __init__(self, model: LanguageModel, ids: list[int], source_ids: Sequence[int] | None):
        self.model = model
        self.context = None if model.spec.is_recurrent else model.spec.context_length
        self.device = next(model.parameters()).device
        self.ids = self._tensor([ids if self.context is None else ids[-self.context :]])  # [beams, seen]
        self.source_ids, self.memory = source_ids, None
        self.state: Any = None
        self.n_read = 0

    def push(self, rows: list[int], tokens: list[int]) -> None:
        """Beam i goes on from beam ``rows[i]`` with ``tokens[i]``."""
        chosen = self._tensor(rows)
        self.ids = torch.cat([self.ids[chosen], self._tensor(tokens)[:, None]], dim=1)
        if self.context is not None and self.ids.shape[1] > self.context:
            self.ids = self.ids[:, -max(1, self.context // 2) :]
            self.state, self.n_read = None, 0
        else:
            self.state = self.state.select(chosen)

    def logits(self) -> Tensor:
        """Scores ``[beams, vocabulary]`` of the next tokens."""
        source = {}
        if self.source_ids is not None:
            if self.memory is None:
                self.memory = self.model.encode(self._tensor([list(self.source_ids)]))
            source = {"source": Source(memory=self.memory.expand(len(self.ids), -1, -1))}
        if self.state is None:
            self.state = self.model.initial_state(len(self.ids))
        fed = self.ids[:, self.n_read :]
        last = torch.arange(1, len(fed) + 1, device=self.device) * fed.shape[1] - 1
        out = self.model(fed, state=self.state, rows=last, **source)
        self.state, self.n_read = out.state, self.ids.shape[1]
        return out.logits

    def _tensor(self, values: list) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=self.device)


def _best(
    logits: Tensor, live: list[tuple[list[int], float]], width: int, stop_ids: Collection[int]
) -> tuple[list[int], list[int], list[tuple[list[int], float]], list[tuple[list[int], float]]]:
    """The best of ``[beams, vocabulary]``: from which beam, which token, the new beams, those that ended.

    An ending counts where it is among the ``width`` best; others go on in its place.
    """
    log_probs = logits.double().log_softmax(-1)
    totals = log_probs + log_probs.new_tensor([score for _, score in live])[:, None]
    vocabulary = totals.shape[1]
    n_best = min(width * (1 + len(set(stop_ids))), totals.numel())  # enough, even if every ending is among them
    alone = len(live) == 1  # then in the order of the logits, as sums round away what hardly differs: 1 beam is greedy
    flat = (logits if alone else totals).flatten().sort(descending=True, stable=True).indices[:n_best]
    scores = totals.flatten()[flat]
    rows, tokens, kept, ended = [], [], [], []
    for place, (score, index) in enumerate(zip(scores.tolist(), flat.tolist(), strict=True)):
        row, token = divmod(index, vocabulary)
        if token in stop_ids:
            if place < width:
                ended.append((live[row][0], score))
        elif len(kept) < width:
            rows.append(row)
            tokens.append(token)
            kept.append(([*live[row][0], token], score))
    return rows, tokens, kept, ended


def _check(model: LanguageModel, prompt_ids: Sequence[int], source_ids: Sequence[int] | None) -> None:
    if not model.spec.is_causal:
        raise SpecError(
            "This model reads text both ways: it fills in masked tokens and cannot continue text.",
            "Choose a decoder, an encoder–decoder or a recurrent model that reads one way.",
        )
    if not len(prompt_ids):
        raise SpecError("There is nothing to continue.", "Give a prompt of at least one token.")
    if model.spec.reads_pairs and source_ids is None:
        raise SpecError("This model answers a source text; give it one.", "Pass source_ids.")


@contextmanager
def _evaluating(model: LanguageModel) -> Iterator[None]:
    """Dropout off inside, and as it was afterwards."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
