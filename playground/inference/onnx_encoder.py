"""Exported models that read whole texts, without torch: masked language models, text classifiers and taggers."""

from pathlib import Path

import numpy as np
import onnxruntime as ort

from playground.core.errors import PlaygroundError
from playground.inference.binding import run_once
from playground.inference.export_manifest import ExportManifest, graph_file, ran_by
from playground.inference.generator import Texts
from playground.inference.open_model import open_and_try, open_encoder
from playground.inference.sampling import softmax
from playground.inference.session import running_on

ONE = np.ones((1, 1), dtype=np.int64)  # a text of one token, for a trial run


class OnnxEncoder:
    """An exported model that reads whole texts instead of continuing them.

    Args:
        folder: of the export.
        precision: which of its files: "fp32", "int8" …; "auto" takes fp32 on a CPU, and on CUDA the same weights in 16 bits.
        device: "auto", "cuda" or "cpu".
        threads: of the CPU; 0 chooses by the size of the model.

    Attributes:
        about: what is known of the model.
        precision: the precision that really runs.
        provider: what really runs it: "CPU" or "CUDA".

    Raises:
        PlaygroundError: when the folder or a file of it cannot be used, or the model continues text.
    """

    def __init__(self, folder: Path | str, precision: str = "auto", device: str = "auto", threads: int = 0) -> None:
        folder = Path(folder)
        self.about = ExportManifest.load(folder)
        if not self.about.task and self.about.objective != "mlm":
            raise PlaygroundError("This model continues text.", "Use playground.inference.engine.")
        file, half = ("fp32", True) if precision == "auto" else (precision, False)
        path = graph_file(folder, "model", file)
        self.session = open_and_try(lambda where: open_encoder(path, where, threads, half), self._logits, device)
        self.provider = running_on(self.session)
        self.precision = "fp16" if half and self.provider == "CUDA" else file

    @property
    def ran_by(self) -> str:
        """What really runs, in words, such as "ONNX Runtime (CUDA, fp16)"."""
        return ran_by(self.provider, self.precision)

    def logits(self, texts: Texts) -> np.ndarray:
        """Logits of several texts, which may differ in length.

        Args:
            texts: token ids, each text at least one token and at most the model's context.

        Returns:
            float32: of a classifier ``[texts, classes]``, of a tagger ``[texts, longest, tags]``, of a masked language
            model ``[texts, longest, vocabulary]``; values at positions after a text's end mean nothing.

        Raises:
            PlaygroundError: when a text is empty or longer than the context.
            RunFailed: when ONNX Runtime cannot run it.
        """
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        max_length = self.about.context_length if not self.about.is_recurrent else 2**31
        if not len(texts) or lengths.min() < 1 or lengths.max() > max_length:
            raise PlaygroundError(
                "A text must have 1 to {max_length:,} tokens.", "Cut it, or give one.", max_length=max_length
            )
        ids = np.full((len(texts), lengths.max()), self.about.ids[0], dtype=np.int64)
        for row, text in zip(ids, texts, strict=True):
            row[: len(text)] = text
        mask = (np.arange(ids.shape[1]) < lengths[:, None]).astype(np.int64)
        return self._logits(self.session, ids, mask)

    @staticmethod
    def _logits(session: ort.InferenceSession, ids: np.ndarray = ONE, mask: np.ndarray = ONE) -> np.ndarray:
        return run_once(session, ["logits"], {"input_ids": ids, "attention_mask": mask})[0]

    def probabilities(self, texts: Texts) -> np.ndarray:
        """Softmax of :meth:`logits`, float64 of the same shape."""
        return softmax(self.logits(texts).astype(np.float64))
