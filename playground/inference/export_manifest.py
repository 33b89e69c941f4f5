"""The manifest of an export: what must be known of the model to run it, and which files there are."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from playground.core.errors import PlaygroundError

RECURRENT = ("rnn", "lstm", "gru")  # these three as models.hyperparameters has them, which an export runs without
WITH_ATTENTION = ("lstm-attention",)
PAIRED = ("lstm-attention", "encoder-decoder")
MANIFEST = "playground.json"
STEMS = ("model", "decoder_model")
LARGEST_SIZES = {
    "n_layers": 10_000,
    "n_kv_heads": 100_000,
    "head_dim": 1_000_000,
    "d_model": 1_000_000,
    "vocab_size": 10_000_000,
    "context_length": 100_000_000,
}
"""Larger than any model: a manifest with a larger size is damaged, and would request memory that no machine has."""


@dataclass(frozen=True)
class ExportManifest:
    """What must be known of an exported model to run it; stored beside it in ``playground.json``.

    Attributes:
        architecture: as in `models.spec`.
        n_layers, n_kv_heads, head_dim, d_model, vocab_size: its sizes, as in `models.spec`.
        context_length: tokens that it reads at once; of a recurrent model, as many as it was trained with.
        position: how it tells positions: "learned", "sinusoidal", "rotary", "alibi" or "none".
        objective: "clm", "mlm" or "seq2seq".
        pairs: whether it answers a text (source, <bos>, answer) instead of continuing it.
        ids: token ids of <pad>, <bos>, <eos> and <mask>.
        task: "classify" or "tag" for a model that was fine-tuned to label texts; else "".
        labels: the names of its labels, in the order of its logits.
    """

    architecture: str
    n_layers: int
    n_kv_heads: int
    head_dim: int
    d_model: int
    vocab_size: int
    context_length: int
    position: str
    objective: str
    pairs: bool
    ids: tuple[int, int, int, int]
    task: str = ""
    labels: tuple[str, ...] = ()

    @property
    def is_recurrent(self) -> bool:
        """As `models.hyperparameters.Hyperparameters.is_recurrent`."""
        return self.architecture in RECURRENT + WITH_ATTENTION

    @property
    def reads_pairs(self) -> bool:
        """As `models.hyperparameters.Hyperparameters.reads_pairs`."""
        return self.architecture in PAIRED

    @classmethod
    def load(cls, folder: Path) -> "ExportManifest":
        """Reads ``playground.json`` of an export's folder. Keys that are not known are ignored.

        Raises:
            PlaygroundError: when the folder is no export of the playground, or a size in it is impossible.
        """
        try:
            about = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            known: dict[str, Any] = {name: about[name] for name in cls.__dataclass_fields__ if name in about}
            known |= {name: tuple(known[name]) for name in ("ids", "labels") if name in known}
            made = cls(**known)
            made._check()
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise PlaygroundError(
                "{name} is no export of the playground.", "Export the run again.", name=folder.name
            ) from error
        made._check_sizes(folder)
        return made

    def _check(self) -> None:
        """Checks the types, which JSON does not.

        Raises:
            TypeError: when a value has another type.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type in (int, str, bool) and type(value) is not field.type:
                raise TypeError(f"{field.name} is {value!r}")
            if type(value) is int and value < 0:
                raise TypeError(f"{field.name} is {value!r}")
        if [type(each) for each in self.ids] != [int] * 4 or not all(isinstance(each, str) for each in self.labels):
            raise TypeError(f"{self.ids} and {self.labels} are no ids and labels")

    def _check_sizes(self, folder: Path) -> None:
        """Checks the sizes.

        Raises:
            PlaygroundError: when one is larger than any model's.
        """
        for name, limit in LARGEST_SIZES.items():
            if getattr(self, name) > limit:
                raise PlaygroundError(
                    "The file {file} of {name} tells a {what} of more than {limit:,}, which no model has.",
                    "Export the run again.",
                    file=MANIFEST,
                    name=folder.name,
                    what=name,
                    limit=limit,
                )


def graph_file(folder: Path, stem: str, precision: str) -> Path:
    """Path of a graph of standard operators: ``model.onnx``, ``model.int8.onnx`` …

    Args:
        stem: "model", "encoder_model" or "decoder_model".
        precision: "fp32", "fp16", "int8" …
    """
    return folder / (f"{stem}.onnx" if precision == "fp32" else f"{stem}.{precision}.onnx")


def precisions_of(folder: Path) -> list[str]:
    """The precisions of which an export has files, from the largest to the smallest."""
    files = lambda name: [folder / f"fused.{name}.onnx", *(graph_file(folder, stem, name) for stem in STEMS)]
    return [name for name in ("fp32", "kv8", "fp16", "int8", "int4") if any(path.exists() for path in files(name))]


def ran_by(provider: str, precision: str = "fp32", captured: bool = False) -> str:
    """What really runs, in words, such as "ONNX Runtime (CUDA, fp16, CUDA graph)".

    Args:
        provider: "CPU" or "CUDA".
        captured: whether a step is replayed as one CUDA graph.
    """
    more = [precision] if precision != "fp32" or provider != "CPU" else []
    return f"ONNX Runtime ({', '.join([provider, *more, *(['CUDA graph'] if captured else [])])})"
