"""Attention weights of an exported model, without torch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from playground.core.errors import PlaygroundError
from playground.inference.binding import run_once
from playground.inference.export_manifest import ExportManifest
from playground.inference.open_model import open_and_try
from playground.inference.session import open_session, running_on

OUTPUT = "attentions."  # prefix of the outputs with attention weights


class AttentionSession:
    """An exported model that outputs its attention weights.

    Args:
        folder: of an export that was made with attention weights as outputs.
        device: "auto", "cuda" or "cpu".

    Attributes:
        about: what is known of the model.
        provider: what really runs it: "CPU" or "CUDA".

    Raises:
        PlaygroundError: when the folder cannot be used, or its graphs do not output attention weights.
    """

    def __init__(self, folder: Path | str, device: str = "auto") -> None:
        folder = Path(folder)
        self.about = ExportManifest.load(folder)
        self.pairs = self.about.reads_pairs
        names = ("encoder_model", "decoder_model") if self.pairs else ("model",)
        self.sessions = open_and_try(
            lambda where: [open_session(folder / f"{name}.onnx", where) for name in names],
            lambda sessions: self._weights(sessions, [0], [0]) if self._outputs(sessions[-1], OUTPUT) else None,
            device,
        )
        self.provider = running_on(self.sessions[0])
        if not self._outputs(self.sessions[-1], OUTPUT):
            raise PlaygroundError(
                "This export gives out no attention weights.", "Export it again with the attention weights."
            )

    def weights(self, ids: Sequence[int], source_ids: Sequence[int] | None = None) -> dict[str, np.ndarray]:
        """Attention weights of one text, as `inspection.attention.attention_weights` gives them.

        Args:
            ids: the text (of an encoder–decoder, the answer so far).
            source_ids: encoder–decoder: the source text.

        Returns:
            By part ("self"; of an encoder–decoder "encoder", "decoder" and "cross"; of an LSTM with attention "cross"), float32
            ``[layers, heads, queries, keys]``. Rows sum to 1.

        Raises:
            RunFailed: when ONNX Runtime cannot run it, as for a text longer than learned positions.
        """
        return self._weights(self.sessions, ids, source_ids)

    def _weights(self, sessions: list, ids: Sequence[int], source_ids: Sequence[int] | None) -> dict[str, np.ndarray]:
        if not self.pairs or source_ids is None:
            made = self._run(sessions[0], ids)
            return {"self": self._stacked(made, "layers.{}.attention")}
        encoder, decoder = sessions
        encoded = self._run(encoder, source_ids)
        cross = {name: value for name, value in encoded.items() if name.startswith("cross.")}
        cross["encoder_attention_mask"] = np.ones((1, len(source_ids)), dtype=np.int64)
        if self.about.is_recurrent:
            return {"cross": self._aligned(decoder, ids, cross | {"past_hidden": encoded["past_hidden"]})}
        made = self._run(decoder, ids, cross)
        return {
            "cross": self._stacked(made, "decoder.layers.{}.cross"),
            "decoder": self._stacked(made, "decoder.layers.{}.attention"),
            "encoder": self._stacked(encoded, "encoder.layers.{}.attention"),
        }

    def _run(self, session, ids: Sequence[int], more: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        n, about = len(ids), self.about
        feed = {"input_ids": np.array([ids], dtype=np.int64), **(more or {})}
        for value in session.get_inputs():
            if value.name == "attention_mask":
                feed[value.name] = np.ones((1, n), dtype=np.int64)
            elif value.name == "position_ids":
                feed[value.name] = np.arange(n, dtype=np.int64)[None]
            elif value.name.startswith("past_key_values"):
                feed[value.name] = np.zeros((1, about.n_kv_heads, 0, about.head_dim), dtype=np.float32)
        names = [name for kind in (OUTPUT, "cross.", "past_") for name in self._outputs(session, kind)]
        return dict(zip(names, run_once(session, names, feed), strict=True))

    def _aligned(self, session, ids: Sequence[int], source: dict[str, np.ndarray]) -> np.ndarray:
        """The alignment of an LSTM with attention ``[1, 1, queries, keys]``, whose graph makes one step."""
        state, rows = source | {"past_cell": np.zeros_like(source["past_hidden"])}, []
        names = [f"{OUTPUT}decoder.layers.0.cross", "present_hidden", "present_cell"]
        for token in ids:
            feed = {"input_ids": np.array([[token]], dtype=np.int64), **state}
            aligned, *after = run_once(session, names, feed)
            state |= dict(zip(("past_hidden", "past_cell"), after, strict=True))
            rows.append(aligned)
        return np.concatenate(rows, axis=2)

    def _stacked(self, made: dict[str, np.ndarray], name: str) -> np.ndarray:
        return np.stack([made[OUTPUT + name.format(i)][0] for i in range(self.about.n_layers)])

    @staticmethod
    def _outputs(session, kind: str) -> list[str]:
        return [value.name for value in session.get_outputs() if value.name.startswith(kind)]
