"""Predictions of shipped models that are stored beside them, to be shown while PyTorch is still being loaded."""

import json
from typing import TYPE_CHECKING, Any

from playground.core.atomic import write_json
from playground.runs.folder import RunFolder
from playground.runs.samples import opening_text

if TYPE_CHECKING:
    from playground.generation.predict import TextGenerator

FILE = "opening.json"
N_OPTIONS = 10
FIRST = {"stories-decoder": "The cat sat on the"}
"""Texts of shipped models after which several tokens are likely, for the first page. Their samples go on with one alone."""
LONGEST_READ = 1000
"""Tokens of a text whose surprises are looked for."""


def expected(model: "TextGenerator", tokenizer: Any, text: str, n: int = N_OPTIONS) -> list[dict[str, Any]]:
    """The ``n`` most likely next tokens after a text: ``{"text": to append, "piece": to show, "p": probability}``, sorted."""
    return read(model, tokenizer, text, n)[0]


def read(
    model: "TextGenerator", tokenizer: Any, text: str, n: int = N_OPTIONS
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """What a model expects after a text (see `expected`), and the token of the text that it expected least: ``{"piece", "p"}``.

    Only a token of whole characters counts. None instead of it where there is none, where the text is a single token, or
    longer than `LONGEST_READ`.
    """
    import numpy as np

    from playground.generation.predict import all_logits, likeliest, next_logits, open_prompt
    from playground.inference.sampling import softmax

    prompt = open_prompt(model.about, tokenizer, text, answers=False)
    append = lambda token: prompt.following(token) or token  # one that is but a space is still one
    options = lambda row: [
        {"text": append(tokenizer.decode([i])), "piece": tokenizer.pieces([i])[0], "p": p} for i, p in likeliest(row, n)
    ]
    if not 1 < len(prompt.ids) <= LONGEST_READ:
        return options(softmax(next_logits(model, prompt.ids).astype(np.float64))), None
    probabilities = softmax(all_logits(model, prompt.ids).astype(np.float64))
    seen = prompt.ids[-len(probabilities) :]
    if len(seen) < 2:
        return options(probabilities[-1]), None
    hit = probabilities[np.arange(len(seen) - 1), list(seen[1:])]
    whole = [row for row, i in enumerate(seen[1:]) if tokenizer.is_whole(i)]
    if not whole:
        return options(probabilities[-1]), None
    least = min(whole, key=lambda row: hit[row])
    return options(probabilities[-1]), {"piece": tokenizer.pieces([seen[least + 1]])[0], "p": float(hit[least])}


def first_page_text(run: RunFolder) -> str:
    """What the box of the first page holds before anybody types."""
    return FIRST.get(run.id) or opening_text(run.samples())


def write_opening(run: RunFolder) -> None:
    """Computes and stores the prediction of a run; does nothing for models that do not continue a text."""
    from playground.generation.torch_model import TorchGenerator
    from playground.text.tokenizers import Tokenizer
    from playground.training.load_model import body_of, load_model

    about = run.about()
    if about["training"]["objective"] == "clm" and about.get("data_shape") != "pairs":
        text = first_page_text(run)
        options = expected(TorchGenerator(body_of(load_model(run))), Tokenizer.load(run.tokenizer_path), text)
        write_json(run.path / FILE, {"text": text, "step": run.checkpoints()[-1], "options": options})


def read_opening(run: RunFolder) -> dict[str, Any] | None:
    """The stored ``{"text", "step", "options"}``; None where there is none, or it is not of the newest checkpoint."""
    try:
        kept = json.loads((run.path / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return kept if kept.get("step") == run.checkpoints()[-1] else None
