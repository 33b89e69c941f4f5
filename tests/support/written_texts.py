"""What generators of exports write, held against PyTorch."""

import numpy as np
import torch

from models.spec import ModelSpec
from models.transformer import Source
from tests.support.made_exports import SMALL

PRECISIONS = ("fp32", "kv8", "fp16", "int8", "int4")
HALF = 6e-2  # of the largest logit: what 16 bits may change in a model with large random weights
RECURRENT = {kind: ModelSpec(kind, **SMALL) for kind in ("rnn", "lstm", "gru")}


def prompts(batch: int, n: int, equal: bool = False) -> list[list[int]]:
    rng = np.random.default_rng(batch)
    return [rng.integers(4, 50, n if equal else n - i % 3).tolist() for i in range(batch)]


@torch.no_grad()
def close_to_torch(
    model, writer, texts, tolerance: float, n: int = 8, source=None, told: bool = False
) -> list[list[int]]:
    """Lets a writer go on with texts, choosing itself or (``told``) with other tokens; every logit is PyTorch's after the same
    tokens. What was written.
    """
    texts, rng = [list(text) for text in texts], np.random.default_rng(9)
    said = [[] for _ in texts]
    more = {} if source is None else {"source": Source(torch.tensor([source]))}
    writer.start(texts)
    for _ in range(n):
        ours = writer.logits.copy()
        for text, row in zip(texts, ours, strict=True):
            theirs = model(torch.tensor([text]), **more).logits[0, -1].numpy()
            assert np.abs(row - theirs).max() <= tolerance * max(1, np.abs(theirs).max())
        tokens = writer.pick_greedy().copy()
        assert (ours[np.arange(len(texts)), tokens] == ours.max(-1)).all()
        if told:
            tokens = rng.integers(4, 50, len(texts))
        for text, new, token in zip(texts, said, tokens.tolist(), strict=True):
            text.append(token)
            new.append(token)
        writer.advance(tokens if told else None)
    return said
