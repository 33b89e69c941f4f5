"""Where fine-tuning changed what the heads look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.language_model import LanguageModel
from playground.inspection.attention import attention_weights
from playground.labelled.prepare import load_labelled
from playground.runs.config import RunConfig
from playground.text.prepare import load
from playground.training.batches import Sampler

LONGEST = 48  # tokens of a text: of longer ones the beginning is compared


@dataclass(frozen=True)
class ReadText:
    """What a model is shown.

    Attributes:
        ids: the text; an encoder–decoder's answer, with <bos> before it.
        source: what an encoder–decoder reads; else None.
        then: what comes after the text; None where nothing is written.
    """

    ids: tuple[int, ...]
    source: tuple[int, ...] | None = None
    then: int | None = None


def examples(config: RunConfig, data_folder: Path | str, n: int) -> list[ReadText]:
    """Texts that a fine-tuned run has not learnt from, spread evenly: of its test, or of the validation part.

    Raises:
        PlaygroundError: when they have been cleaned away.
    """
    if config.finetune and config.finetune.reads_labels:
        side = load_labelled(data_folder).test
        places = np.linspace(0, len(side) - 1, min(n, len(side))).astype(int)
        return [ReadText(tuple(side.tokens(place)[:LONGEST].tolist())) for place in places]
    pairs = config.model.reads_pairs
    sampler = Sampler(load(data_folder), config.model.context_length, config.training.seed, separate_source=pairs)
    rows = sampler.validation_rows(np.concatenate(sampler.validation(1, n)))
    found = []
    for i, ids in enumerate(rows.ids):
        real = ids if rows.lengths is None else ids[: rows.lengths[i]]
        if rows.sources is not None and rows.source_lengths is not None:  # an encoder–decoder's
            source = tuple(rows.sources[i][: rows.source_lengths[i]][:LONGEST].tolist())
            answer = real[rows.starts[i] - 1 :].tolist()  # <bos> … <eos>
            n = min(len(answer) - 1, LONGEST)
            found.append(ReadText(tuple(answer[:n]), source, answer[n]))
        else:
            found.append(ReadText(tuple(real[:-1][:LONGEST].tolist())))
    return found


def attention_shift(before: LanguageModel, after: LanguageModel, texts: Sequence[ReadText]) -> dict[str, np.ndarray]:
    """How far every head's attention moved on every text.

    Args:
        before, after: two transformers of one shape, such as a parent's and its fine-tuned run's body.

    Returns:
        By part, as `attention_weights` names them, ``[texts, layers, heads]``; see :func:`shift`.
    """
    found: dict[str, list[np.ndarray]] = {}
    for text in texts:
        old, new = (attention_weights(model, text.ids, text.source) for model in (before, after))
        for part, weights in new.items():
            found.setdefault(part, []).append(shift(old[part], weights))
    return {part: np.stack(shifts) for part, shifts in found.items()}


def shift(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The share of a head's attention that went from some keys to others: ½ Σ |w − w₀| over keys (total variation), the
    mean over queries; ``[..., queries, keys]`` to ``[...]``. 0: it looks where it looked; 1: nowhere it looked before.
    """
    return 0.5 * np.abs(after - before).sum(-1).mean(-1)
