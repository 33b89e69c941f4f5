"""A frame: named tensors of one text at one moment of a run, as the bytes of a safetensors file.

The file is an 8-byte length, a JSON header and raw numbers (https://huggingface.co/docs/safetensors), which a browser reads
in a few lines of JavaScript. What the frame is about stands in the header's ``__metadata__``, as JSON under "frame".
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from playground.core.errors import PlaygroundError

KINDS = ("values", "gradients", "change", "weights", "weights_change")
"""What the numbers are: activations, ∂loss/∂activation, activations minus those of the last look, weights, and weights minus
those before the step."""
MAX_BYTES = 64 * 2**20
MAX_TOKENS = 64
WHOLE_LOGITS = 4096
"""Entries of a vocabulary up to which a frame holds the logits of every token; beyond, of one token alone."""
MAX_ABOUT = 2**20  # characters
MAX_TENSORS = 10_000


@dataclass(frozen=True, eq=False)
class Frame:
    """Tensors of one text at one step.

    Attributes:
        about: JSON: ``kind`` (one of KINDS), ``step``, ``tokens`` (trained on so far), ``seconds``, ``loss`` (of this text),
            ``train_loss``, ``architecture``, ``n_layers``, ``n_heads``, ``ids``, ``pieces``, ``source_ids``,
            ``source_pieces``, ``likeliest`` (sixteen times [id, piece, probability] at ``position``), ``targets``.
        tensors: name → float16, by the names of the models' hooks and without the batch axis, and "logits" ``[length,
            vocabulary]``, or ``[1, vocabulary]`` (of ``position`` alone) where the vocabulary has more than WHOLE_LOGITS.
            Of weights, the names of the state dict.
    """

    about: dict[str, Any]
    tensors: dict[str, np.ndarray] = field(default_factory=dict)


def to_bytes(frame: Frame) -> bytes:
    """The frame as a safetensors file.

    Raises:
        ValueError: when ``about`` is not JSON, NaN included.
    """
    tensors = {name: np.asarray(value, dtype=np.float16, order="C") for name, value in frame.tensors.items()}
    order = json.dumps(list(tensors))  # safetensors sorts them by name, layer 10 before layer 2
    return save(tensors, metadata={"frame": json.dumps(frame.about, allow_nan=False), "order": order})


def from_bytes(data: bytes) -> Frame:
    """The frame that `to_bytes` wrote.

    Raises:
        PlaygroundError: for what is no frame: damaged, larger than MAX_BYTES, or made to do harm.
    """
    if len(data) > MAX_BYTES:
        raise PlaygroundError(
            "A picture of {size:.0f} MiB is too large; at most {most:.0f} MiB are read.",
            size=len(data) / 2**20,
            most=MAX_BYTES / 2**20,
        )
    try:
        metadata = _metadata(data)
        return Frame(_about(metadata["frame"]), _in_order(_tensors(data), metadata.get("order", "[]")))
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise PlaygroundError("The file is not a picture of a model, or it is damaged.") from error


def _tensors(data: bytes) -> dict[str, np.ndarray]:
    """Every tensor as a float16 array of its own."""
    found = deserialize(data)  # checks that header, shapes and offsets fit the bytes
    if len(found) > MAX_TENSORS or any(entry["dtype"] != "F16" for _, entry in found):
        raise ValueError("not float16")
    return {name: np.frombuffer(entry["data"], np.float16).reshape(entry["shape"]).copy() for name, entry in found}


def _metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= len(data) - 8:
        raise ValueError("no header")
    return json.loads(data[8 : 8 + length])["__metadata__"]


def _in_order(tensors: dict[str, np.ndarray], order: str) -> dict[str, np.ndarray]:
    """The tensors in the order in which they were given to `to_bytes`; in any other where that is not known."""
    places = {str(name): place for place, name in enumerate(json.loads(order))}
    return dict(sorted(tensors.items(), key=lambda item: (places.get(item[0], len(places)), item[0])))


def _about(text: str) -> dict[str, Any]:
    if len(text) > MAX_ABOUT:
        raise ValueError("too long")
    about = json.loads(text, parse_constant=_refuse)
    if not isinstance(about, dict) or not all(name in about and fits(about[name]) for name, fits in _FITS.items()):
        raise ValueError("not about a frame")
    return about


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _maybe_number(value: Any) -> bool:
    return value is None or _is_number(value)


def _are_ids(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 4 * MAX_TOKENS and all(type(each) is int for each in value)


def _are_pieces(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 4 * MAX_TOKENS and all(isinstance(each, str) for each in value)


def _are_likeliest(value: Any) -> bool:
    fits = lambda row: (
        isinstance(row, list)
        and len(row) == 3
        and type(row[0]) is int
        and isinstance(row[1], str)
        and _is_number(row[2])
    )
    return isinstance(value, list) and all(fits(row) for row in value)


_FITS = {
    "kind": lambda value: value in KINDS,
    "step": _is_count,
    "tokens": _is_count,
    "seconds": _is_number,
    "loss": _maybe_number,
    "train_loss": _maybe_number,
    "architecture": lambda value: isinstance(value, str),
    "n_layers": _is_count,
    "n_heads": _is_count,
    "ids": _are_ids,
    "pieces": _are_pieces,
    "source_ids": lambda value: value is None or _are_ids(value),
    "source_pieces": lambda value: value is None or _are_pieces(value),
    "likeliest": _are_likeliest,
    "targets": lambda value: value is None or _are_ids(value),
}
