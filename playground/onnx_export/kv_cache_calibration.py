"""A cache in 8 bits: what one step of each channel of keys and values is worth, measured on text the model writes itself."""

from pathlib import Path

import numpy as np

from playground.inference.engine import ExportManifest, FusedDecoder

TEXTS, MOST = 8, 256
ROOM_ABOVE = 1.1  # other text may have larger keys and values than the text that was measured; beyond, they are cut

Scales = list[tuple[np.ndarray, np.ndarray]]
"""Layer by layer, of keys and of values: float32 ``[kv_heads·head_dim]``, by which their whole numbers are multiplied."""


def cache_scales(fp32: Path, about: ExportManifest) -> Scales:
    """Lets the model write some texts by chance, as likely as it finds them, and looks at its cache.

    Keys and values differ widely from channel to channel and little from token to token (KIVI, Liu et al. 2024), so each
    channel has a scale of its own.

    Args:
        fp32: the fused graph in full precision.
    """
    rng, n = np.random.default_rng(0), min(MOST, about.context_length)
    writer = FusedDecoder(fp32, about, batch=TEXTS, device="cpu")
    logits = writer.prefill(rng.integers(0, about.vocab_size, (TEXTS, 1)))
    for _ in range(n - 1):
        # Adding Gumbel noise and taking the largest draws from the softmax.
        logits = writer.decode_step((logits + rng.gumbel(size=logits.shape)).argmax(-1))
    return [(_scale(writer, i, "key", n), _scale(writer, i, "value", n)) for i in range(about.n_layers)]


def _scale(writer: FusedDecoder, layer: int, kind: str, n: int) -> np.ndarray:
    largest = np.abs(writer.cached(layer, kind)[:, :, :n]).max(axis=(0, 2)).ravel()
    return (np.maximum(largest, 1e-6) * ROOM_ABOVE / 127).astype(np.float32)
