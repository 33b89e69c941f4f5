"""Scales for a key–value cache in 8 bits, measured on text that the model samples itself."""

from pathlib import Path

import numpy as np

from playground.inference.engine import ExportManifest, FusedDecoder

TEXTS, MOST = 8, 256
ROOM_ABOVE = 1.1  # other text may have larger keys and values than the measured text; what exceeds the range is cut

Scales = list[tuple[np.ndarray, np.ndarray]]
"""For each layer, of keys and of values: float32 ``[kv_heads·head_dim]``, by which the 8-bit integers are multiplied."""


def cache_scales(fp32: Path, about: ExportManifest) -> Scales:
    """Samples some texts from the model and measures the largest key and value of each channel.

    Keys and values differ much between channels and little between tokens (KIVI, Liu et al. 2024), so each channel has a
    scale of its own.

    Args:
        fp32: the file of the fused graph in 32 bits.
        about: the manifest of its export.

    Raises:
        PlaygroundError: when the graph cannot be run.
    """
    rng, n = np.random.default_rng(0), min(MOST, about.context_length)
    writer = FusedDecoder(fp32, about, batch=TEXTS, device="cpu")
    logits = writer.prefill(rng.integers(0, about.vocab_size, (TEXTS, 1)))
    for _ in range(n - 1):
        # The argmax of logits with Gumbel noise is a sample from the softmax (Gumbel-max trick).
        logits = writer.decode_step((logits + rng.gumbel(size=logits.shape)).argmax(-1))
    return [(_scale(writer, i, "key", n), _scale(writer, i, "value", n)) for i in range(about.n_layers)]


def _scale(writer: FusedDecoder, layer: int, kind: str, n: int) -> np.ndarray:
    largest = np.abs(writer.cached(layer, kind)[:, :, :n]).max(axis=(0, 2)).ravel()
    return (np.maximum(largest, 1e-6) * ROOM_ABOVE / 127).astype(np.float32)
