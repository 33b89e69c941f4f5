"""Heads that follow the meaning of words, by their scores on stories whose meaning is known, and what they do in this text."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from playground.inspection.head_scores import read_scores
from playground.runs.folder import RunFolder
from playground.text.stories.open import LANGUAGES
from playground.text.visible import visible
from playground.ui import cached
from playground.ui.language import t
from playground.ui.scene import Scene

NAMES = {
    "it": "it → noun",
    "person": "he, she → name",
    "answer": "copies an answer",
    "repeat": "copies a row",
    "previous": "previous token",
}
DOES = {
    "it": "Head {head} looks for the noun that “it” means ({share:.2f} of its attention in {n} new stories).",
    "person": "Head {head} looks for the person that “he” or “she” means ({share:.2f} of its attention in {n} new stories).",
    "answer": "Head {head} looks for the answer to a question, to say it again ({share:.2f} of its attention in {n} new stories).",
    "repeat": "Head {head} looks for what is to be said again after somebody ({share:.2f} of its attention in {n} new stories).",
    "previous": "Head {head} looks one token back ({share:.2f} of its attention in {n} new stories).",
}
MASK = "<mask>"
PRONOUNS = {"it": "it", "它": "it", **dict.fromkeys(("he", "him", "his", "she", "her", "他", "她"), "person")}


@dataclass(frozen=True)
class Known:
    """What is known of a model's heads.

    Attributes:
        best: (layer, head) → the kind that it is the best head for, and its score there.
        n_stories: how many were read to find out.
    """

    best: dict[tuple[int, int], tuple[str, float]]
    n_stories: int

    def head_for(self, kind: str) -> tuple[int, int] | None:
        """The head that does this, if one does."""
        return next((head for head, (name, _) in self.best.items() if name == kind), None)


def known_heads(scene: Scene, step: int, part: str) -> Known | None:
    """Which head of this model does what, where it learnt from little stories; None of other models."""
    if part != "self" or scene.run.about().get("data", {}).get("corpus") not in LANGUAGES:
        return None
    if (scene.run.about().get("data", {}).get("tokenizer") or {}).get("kind") != "word" or scene.gives_labels:
        return None
    return _known(str(scene.run.path), step)


@st.cache_data(max_entries=64, show_spinner=False)
def _known(path: str, step: int) -> Known | None:
    from playground.core.errors import PlaygroundError
    from playground.inspection.heads import RECOGNISED
    from playground.inspection.reference_heads import score_reference_heads

    run = RunFolder(path)
    scores = read_scores(run, step)
    if scores is None:
        try:
            model, tokenizer = cached.model(run, step), cached.tokenizer(run)
            scores = score_reference_heads(model, tokenizer, run.about()["data"]["corpus"], n_stories=60)
        except PlaygroundError:  # an encoder–decoder, or no word of the stories is one token
            return None
    best: dict[tuple[int, int], tuple[str, float]] = {}
    for kind in NAMES:  # the rarest meaning first: a head that does two things is called by it
        layer, head, share = scores.strongest(kind)
        if share >= RECOGNISED:
            best.setdefault((layer, head), (kind, share))
    return Known(best, scores.stories)


def asked_in(pieces: list[str]) -> int | None:
    """The place of the last mask among the tokens, else of the last pronoun; None where there is neither."""
    words = [piece.strip().lower() for piece in pieces]
    masks = [i for i, word in enumerate(words) if word == MASK]
    return max(masks or [i for i, word in enumerate(words) if word in PRONOUNS], default=None)


def is_masked(pieces: list[str]) -> bool:
    """Whether a token is hidden: what heads look for is then looked for there."""
    return any(piece.strip().lower() == MASK for piece in pieces)


def begin_with(known: Known | None, pieces: list[str]) -> tuple[int, int] | None:
    """The head to show first: of a text with a pronoun the one that knows what it means, else one that copies."""
    if known is None:
        return None
    pronouns = [PRONOUNS[word] for piece in pieces if (word := piece.strip().lower()) in PRONOUNS]
    kinds = [*pronouns[-1:], *(["it", "person"] if asked_in(pieces) is not None else []), "repeat", "answer"]
    return next((head for kind in kinds if (head := known.head_for(kind))), None)


def said_of(known: Known, head: tuple[int, int], values: Any, queries: list[str], keys: list[str]) -> list[str]:
    """What this head does, and where it looks in this text: from its mask, its pronoun, or (to copy) its end."""
    kind, share = known.best[head]
    said = [t(DOES[kind], head=f"{head[0]}.{head[1]}", share=share, n=known.n_stories)]
    at = asked_in(queries) if kind in ("it", "person") or is_masked(queries) else len(queries) - 1
    if kind != "previous" and at is not None and at < len(values):
        to = int(values[at].argmax())
        said.append(
            t(
                "Here it looks from “{token}” to “{noun}” ({weight:.2f}).",
                token=visible(queries[at].strip()),
                noun=visible(keys[to].strip()),
                weight=float(values[at][to]),
            )
        )
    return said
