"""The scores of a shipped model's heads at every snapshot, kept beside it, so that a view has them at once."""

import json
from dataclasses import asdict

import numpy as np

from playground.core.atomic import write_json
from playground.inspection.reference_heads import KINDS, ReferenceScores, score_reference_heads
from playground.runs.folder import RunFolder
from playground.text.stories.open import LANGUAGES

FILE = "head_scores.json"


def write_scores(run: RunFolder, n_stories: int = 200) -> bool:
    """Scores the heads of every checkpoint of a run and keeps that in its folder.

    Returns:
        False for a run that did not learn from little stories, or has no heads to score: nothing is written.
    """
    from playground.text.tokenizers import Tokenizer
    from playground.training.load_model import body_of, load_model

    config = run.config()
    if config.data.corpus not in LANGUAGES or config.model.architecture not in ("decoder", "encoder"):
        return False
    tokenizer = Tokenizer.load(run.tokenizer_path)
    kept = {}
    for step in run.checkpoints():
        model = body_of(load_model(run, step)).eval()
        found = asdict(score_reference_heads(model, tokenizer, config.data.corpus, n_stories))
        kept[str(step)] = {**found, "scores": {kind: found["scores"][kind].round(4).tolist() for kind in KINDS}}
    write_json(run.path / FILE, kept)
    return True


def read_scores(run: RunFolder, step: int) -> ReferenceScores | None:
    """What `write_scores` kept of a checkpoint; None where there is nothing, or nothing that can be read."""
    try:
        kept = json.loads((run.path / FILE).read_text(encoding="utf-8"))[str(step)]
        scores = {kind: np.array(kept["scores"][kind], dtype=float) for kind in KINDS}
        model = run.config().model
        if any(table.shape != (model.n_layers, model.n_heads) for table in scores.values()):
            return None
        return ReferenceScores(
            scores, {kind: float(kept["chance"][kind]) for kind in KINDS}, dict(kept["n"]), int(kept["stories"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
