"""The token embeddings: a projection onto a plane, and the nearest neighbours of a token."""

from collections.abc import Sequence

import numpy as np

from models.language_model import LanguageModel
from playground.core.errors import PlaygroundError


def token_table(model: LanguageModel) -> np.ndarray:
    """The vectors of all tokens, float32 ``[vocabulary, d_model]``."""
    return model.embedding.tokens.weight.detach().float().numpy()


def project(table: np.ndarray, way: str, seed: int = 0) -> np.ndarray:
    """Vectors projected onto a plane, ``[n, 2]``.

    Args:
        table: ``[n, channels]``.
        way: "pca" (the two directions in which they differ max_tokens) or "tsne" (neighbours stay neighbours, distances do
            not; van der Maaten & Hinton 2008), by cosine.

    Raises:
        PlaygroundError: for fewer than five vectors.
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
    """The ``k`` tokens nearest to one by cosine similarity, the nearest first: (token id, similarity).

    Args:
        table: ``[vocabulary, d_model]``.
        token: the id of the token; it is not its own neighbour.
        among: ids of the tokens to compare with.
        k: how many to return at most.
    """
    others = np.asarray([other for other in among if other != token])
    vectors = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    alike = vectors[others] @ vectors[token]
    order = np.argsort(-alike)[:k]
    return [(int(others[i]), float(alike[i])) for i in order]
