"""Exports that read whole texts, what they refuse, and the same logits wherever they run."""

import numpy as np
import pytest

from models.presets import PRESETS
from playground import gallery
from playground.core.errors import PlaygroundError
from playground.inference.onnx_encoder import OnnxEncoder
from playground.inference.onnx_encoder import OnnxEncoder as TextReader
from playground.onnx_export.export import export
from tests.support.made_exports import SMALL
from tests.support.written_texts import HALF, prompts


def test_a_writer_is_no_reader():
    made = export(gallery.get("induction"))
    with pytest.raises(PlaygroundError, match="continues text"):
        TextReader(made.folder)


@pytest.mark.parametrize("name", ["bert-tiny"])
def test_what_fills_in_and_what_labels_read_the_same(name, exports, gpu):
    model, folder = exports(PRESETS[name].spec.replace(**SMALL), ("fp32", "fp16", "int8"))
    texts = prompts(3, 9)
    for precision, bound in (("auto", HALF), ("fp32", 1e-4), ("fp16", HALF), ("int8", 0.1)):
        on_gpu, on_cpu = (OnnxEncoder(folder, precision, device) for device in ("cuda", "cpu"))
        assert (on_gpu.provider, on_gpu.precision) == ("CUDA", "fp16" if precision == "auto" else precision)
        ours, theirs = on_gpu.logits(texts), on_cpu.logits(texts)
        for text, a, b in zip(texts, ours, theirs, strict=True):
            assert np.abs(a[: len(text)] - b[: len(text)]).max() <= bound * np.abs(theirs).max()
