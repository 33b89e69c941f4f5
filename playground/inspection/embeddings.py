"""The token table as a map: which tokens a model has come to treat alike."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from playground.core.errors import PlaygroundError


def token_table(model: nn.Module) -> np.ndarray:
    """The vectors of all tokens, float32 ``[vocabulary, d_model]``."""
    return model.embedding.tokens.weight.detach().float().numpy()


def project(table: np.ndarray, way: str, seed: int = 0) -> np.ndarray:
    """Vectors as points ``[n, 2]``.

    Args:
        table: ``[n, channels]``.
        way: "pca" (the two directions in which they differ max_tokens) or "tsne" (neighbours stay neighbours, distances do
            not; van der Maaten & Hinton 2008), by cosine.

    Raises:
        PlaygroundError: when there are too few for a map.
    """
    if len(table) < 5:
        raise PlaygroundError("A map needs at least five tokens.", "Show more tokens.")
    if way == "pca":
        from sklearn.decomposition import PCA

        return PCA(2, random_state=seed).fit_transform(table)
    from sklearn.manifold import TSNE

    perplexity = min(30, (len(table) - 1) / 3)
    return TSNE(2, perplexity=perplexity, metric="cosine", init="random", random_state=seed).fit_transform(table)


def neighbours(table: np.ndarray, token: int, among: Sequence[int], k: int = 10) -> list[tuple[int, float]]:
    """The tokens most like one, by cosine, the nearest first: (token, similarity)."""
    among = np.asarray([other for other in among if other != token])
    vectors = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    alike = vectors[among] @ vectors[token]
    order = np.argsort(-alike)[:k]
    return [(int(among[i]), float(alike[i])) for i in order]
