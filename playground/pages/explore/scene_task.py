"""The text of a scene as a question to its model, and what its tokens look like; for several views."""

from typing import Any

from playground.pages.explore.url_widgets import number
from playground.text.visible import visible
from playground.ui.number_format import share
from playground.ui.scene import Scene


def asked_of(scene: Scene, whole: bool = False) -> Any:
    """What the model is asked of the text.

    Args:
        whole: pairs that a decoder reads in a row: also the source, where training asked about it.
    """
    from playground.inspection.prediction_task import prediction_task

    tokenizer = scene.tokenizer()
    source = scene.source_ids() if scene.has_source else None
    starts = 0 if whole and asks_all(scene) else answer_starts(scene)
    mask = (tokenizer.mask_id, tokenizer.size, tokenizer.special_ids)
    return prediction_task(scene.ids(), scene.objective, source, starts, mask)


def answer_starts(scene: Scene) -> int:
    """Pairs that a decoder reads in a row: the place of the <bos> between; 0 for all others."""
    return len(scene.tokenizer().encode(scene.text)) if scene.is_pairs and not scene.has_source else 0


def asks_all(scene: Scene) -> bool:
    """Whether the run learnt to tell every token, not the answers alone."""
    return scene.run.about()["training"].get("loss_on", "all") == "all"


def key_of(scene: Scene) -> tuple:
    """What a result depends on."""
    source = tuple(scene.source_ids()) if scene.has_source else None
    return str(scene.run.path), scene.step, tuple(scene.ids()), source


def likely(scene: Scene, tokens: Any, probabilities: Any) -> str:
    """Tokens with their probabilities, in one line."""
    pieces = scene.tokenizer().pieces([int(token) for token in tokens])
    return ", ".join(f"{visible(text)} {share(p)}" for text, p in zip(pieces, probabilities, strict=True))


def place_of(scene: Scene, otherwise: int | None = None) -> int:
    """The token that is looked at, from the address; the last one unless told."""
    last = len(scene.ids()) - 1
    return number("place", last, last if otherwise is None else otherwise)
