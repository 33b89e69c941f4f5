"""The encoder of an encoder–decoder: it reads the source once, and the decoder attends to its keys and values."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from playground.inference.binding import BoundRun, state_memory
from playground.inference.open_model import open_and_try
from playground.inference.session import open_session


def open_source_encoder(
    encoder: Path | ort.InferenceSession, device: str, threads: int, batch: int
) -> ort.InferenceSession:
    """Opens an encoder on the device where it runs.

    Args:
        encoder: a file, or a session that is open already.
        device: "auto", "cuda" or "cpu".
        threads: of the CPU; 0 chooses by the size of the model.
        batch: number of texts that will be encoded at once.

    Raises:
        PlaygroundError: when it cannot be opened, or a GPU was asked for by name and cannot run it.
    """
    return open_and_try(
        lambda where: open_session(encoder, where, threads, batch),
        lambda made: run_source_encoder(made, [0], 1),
        device,
    )


def run_source_encoder(
    encoder: ort.InferenceSession, ids: Sequence[int], batch: int
) -> dict[str, np.ndarray | ort.OrtValue]:
    """Encodes a source text for cross-attention.

    Args:
        ids: the source, ``n`` tokens.
        batch: the source is repeated for so many texts.

    Returns:
        A decoder's inputs: ``encoder_attention_mask`` int64 ``[batch, n]``, and for each layer ``cross.{i}.key`` and
        ``cross.{i}.value`` ``[batch, kv_heads, n, head_dim]``; of an LSTM ``cross.annotations`` and ``cross.keys``
        ``[batch, n, d_model]``, and ``past_hidden``, its first state ``[layers, batch, d_model]``. They stay in the memory where the encoder put them.

    Raises:
        RunFailed: when ONNX Runtime cannot run it.
    """
    tiled = np.tile(np.asarray(ids, dtype=np.int64), (batch, 1))
    mask = np.ones_like(tiled)
    names = [value.name for value in encoder.get_outputs() if value.name.startswith(("cross", "past"))]
    bound = BoundRun(encoder, {"input_ids": tiled, "attention_mask": mask}, dict.fromkeys(names, state_memory(encoder)))
    bound.run()
    return {**bound.made(), "encoder_attention_mask": mask}
