"""Heads that follow the meaning of words, found on little stories, whose grammar knows what each word means."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from models.language_model import LanguageModel
from playground.core.errors import PlaygroundError
from playground.inspection.attention import attention_weights
from playground.text.stories.grammar import Story
from playground.text.stories.open import LANGUAGES, stories
from playground.text.tokenizers import Tokenizer

KINDS: tuple[str, ...] = ("previous", "it", "person", "answer", "repeat")
HELD_OUT = 987_654_321
"""A seed that no model which ships has been trained with, so the stories are new to them all."""


@dataclass(frozen=True)
class ReferenceScores:
    """How much of each head's attention goes where the meaning of a word lies, 0 to 1.

    Attributes:
        scores: kind → ``[layers, heads]``.
        chance: kind → the mean share that even attention to every visible token would give.
        n: kind → words that the score is the mean of.
        stories: how many were read.
    """

    scores: dict[str, np.ndarray]
    chance: dict[str, float]
    n: dict[str, int]
    stories: int

    def strongest(self, kind: str) -> tuple[int, int, float]:
        """The head that does it most: layer, head, score."""
        layer, head = np.unravel_index(self.scores[kind].argmax(), self.scores[kind].shape)
        return int(layer), int(head), float(self.scores[kind][layer, head])


def score_reference_heads(
    model: LanguageModel, tokenizer: Tokenizer, corpus: str, n_stories: int = 200, seed: int = HELD_OUT
) -> ReferenceScores:
    """The mean attention, over the words that tell, from each word to the one that it follows from.

    "previous": to the word before, from every word. "it" and "person": to the noun that “it”, “he” or “she” means, from the pronoun itself in a
    decoder, where that is clear already, as it foretells the next word there; in an encoder from a mask in the place of
    that next word. "answer" and "repeat", both copying: to the earlier mention of a word that a question asks for, or that is
    said again after somebody, from the place that foretells it: in a decoder the word before, in an encoder a mask in its place.

    Args:
        model: a decoder or an encoder that was trained on little stories.
        tokenizer: its own, with one token for each word.
        corpus: a key of ``LANGUAGES``.
        n_stories: how many to read.
        seed: of the stories.

    Raises:
        PlaygroundError: when the model has no self-attention over one text, or no story is one token a word.
    """
    if model.spec.is_recurrent or model.spec.architecture not in ("decoder", "encoder"):
        raise PlaygroundError("This model has no heads that look at their own text.", "Choose a decoder or an encoder.")
    shape = (model.spec.n_layers, model.spec.n_heads)
    sums = {kind: np.zeros(shape) for kind in KINDS}
    chance, n, read = dict.fromkeys(KINDS, 0.0), dict.fromkeys(KINDS, 0), 0
    for ids, story in _in_tokens(tokenizer, corpus, n_stories, seed, model.spec.context_length):
        read += 1
        plain = attention_weights(model, ids)["self"]
        for kind, inputs, pairs in _questions(story, ids, model.spec.is_causal, tokenizer.mask_id):
            weights = plain if inputs is ids else attention_weights(model, inputs)["self"]
            for query, key in pairs:
                sums[kind] += weights[:, :, query, key]
                chance[kind] += 1 / (query + 1 if model.spec.is_causal else len(ids))
                n[kind] += 1
    if not read or not all(n.values()):
        raise PlaygroundError("The model reads no story word by word.", "Its tokens must be words.")
    return ReferenceScores(
        {kind: sums[kind] / n[kind] for kind in KINDS}, {kind: chance[kind] / n[kind] for kind in KINDS}, n, read
    )


def _in_tokens(tokenizer: Tokenizer, corpus: str, n: int, seed: int, most: int) -> Iterator[tuple[list[int], Story]]:
    """The stories that are one token a word and fit the context, in ids (without the line's end)."""
    for story in stories(corpus, n, seed):
        ids = tokenizer.encode(LANGUAGES[corpus].text(story).rstrip("\n"))
        if len(ids) == len(story.words) and len(ids) <= most:
            yield ids, story


def _questions(
    story: Story, ids: list[int], causal: bool, mask: int
) -> Iterable[tuple[str, list[int], list[tuple[int, int]]]]:
    """(kind, the ids that the model reads, (query, key) pairs to look at)."""
    yield "previous", ids, [(i, i - 1) for i in range(1, len(ids))]
    pronouns = [link for link in story.links if link.kind in ("it", "person") and link.early]
    copies = [link for link in story.links if link.kind in ("answer", "repeat")]
    if causal:
        for link in pronouns:
            yield link.kind, ids, [(link.word, link.source)]
        for link in copies:
            yield link.kind, ids, [(link.word - 1, link.source)]
        return
    hidden = [(link.kind, link.word + 1, link.source) for link in pronouns if link.word + 1 < len(ids)]
    for kind, word, source in hidden + [(link.kind, link.word, link.source) for link in copies]:
        yield kind, [*ids[:word], mask, *ids[word + 1 :]], [(word, source)]
