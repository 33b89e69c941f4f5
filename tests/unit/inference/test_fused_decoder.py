"""The fused decoder, on a CPU and on a double of a GPU, writes what torch writes."""

import json

import numpy as np
import onnx
import pytest
import torch

from models.spec import ModelSpec
from playground.core.errors import PlaygroundError
from playground.inference import fused_decoder
from playground.inference.engine import Engine
from playground.inference.export_manifest import MANIFEST
from playground.inference.fused_decoder import FusedDecoder
from playground.inference.rewrite_for_cuda import lean
from tests.support.made_exports import DECODERS, PAIRS, SMALL, lively, write_export
from tests.support.written_texts import HALF, PRECISIONS, close_to_torch, prompts


@pytest.mark.parametrize("captured", [True, False], ids=["one CUDA graph", "kernel by kernel"])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_writes_what_torch_writes(name, batch, captured, exports, gpu, monkeypatch):
    monkeypatch.setattr(gpu, "refuses_capture", not captured)
    model, folder = exports(DECODERS[name])
    engine = Engine(folder, batch=batch)
    captured = captured and model.spec.position != "alibi"
    assert (engine.provider, engine.precision) == ("CUDA", "fp16")
    assert (not engine.uncaptured_reason) == captured
    assert engine.ran_by == "ONNX Runtime (CUDA, fp16, CUDA graph)" if captured else "ONNX Runtime (CUDA, fp16)"
    said = close_to_torch(model, engine.model, prompts(batch, 9), HALF)
    assert engine.model.session.replays == (8 if captured else 0), "each lap was captured at first, then replayed"
    close_to_torch(model, engine.model, prompts(batch, 9), HALF, told=True)
    again = engine.model.greedy(8, prompts(batch, 9))
    assert again.tolist() == said


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_writes_the_same_on_the_gpu_and_on_the_cpu(precision, batch, exports, gpu):
    """But for the rounding of 8 and 16 bits; and to the last digit what a CPU makes of the same rewritten graph."""
    _, folder = exports(DECODERS["llama"], PRECISIONS, times=1.0)
    on_gpu, on_cpu = (Engine(folder, precision, batch, device).model for device in ("cuda", "cpu"))
    graph = lean(onnx.load(folder / f"fused.{precision}.onnx"), half=precision not in ("fp32", "kv8"))
    rewritten = FusedDecoder(graph.SerializeToString(), on_cpu.about, batch, device="cpu")
    assert (on_gpu.provider, on_cpu.provider, rewritten.provider) == ("CUDA", "CPU", "CPU")
    texts = prompts(batch, 7)
    said = [writer.prefill(texts).copy() for writer in (on_gpu, on_cpu, rewritten)]
    for _ in range(12):
        ours, theirs, same = said
        assert np.abs(ours - theirs).max() <= (5e-3 if precision in ("fp32", "fp16") else 5e-2) * np.abs(theirs).max()
        assert np.abs(ours - same).max() <= 1e-5 * np.abs(theirs).max()
        said = [writer.decode_step(theirs.argmax(-1)).copy() for writer in (on_gpu, on_cpu, rewritten)]


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "standard operators"])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", PAIRS)
def test_an_encoder_decoder_answers_what_torch_answers(name, batch, fused, exports, gpu):
    spec = PAIRS[name]
    model, folder = exports(spec, fused=fused)
    engine = Engine(folder, batch=batch)
    assert engine.provider == "CUDA"
    for source in ([7, 9, 30, 12], [5, 44]):
        engine.model.encode_source(source)
        for told in (False, True):
            close_to_torch(model, engine.model, prompts(batch, 2, equal=True), HALF, source=source, told=told)


def test_a_full_cache_is_told_before_anything_is_written(exports, gpu):
    _, folder = exports(DECODERS["gpt2"])
    writer = Engine(folder).model
    writer.greedy(1, [[5] * SMALL["context_length"]])
    with pytest.raises(PlaygroundError, match="is full"):
        writer.advance()
    with pytest.raises(PlaygroundError, match="1 to 24 tokens"):
        writer.start([[5] * 25])


def test_tokens_chosen_outside_are_read_and_no_others(exports, gpu):
    """A person picks tokens that the model would not: the graph's own choice must not stay."""
    model, folder = exports(DECODERS["gpt2"])
    writer = Engine(folder).model
    text = [5, 9, 7]
    writer.start([text])
    for token in (11, 48, 4, 30, 30, 6):
        ours = writer.decode_step(np.array([token]))
        text.append(token)
        with torch.no_grad():
            theirs = model(torch.tensor([text])).logits[0, -1].numpy()
        assert np.abs(ours[0] - theirs).max() < HALF * np.abs(theirs).max()
    assert writer.length.tolist() == [9]


def test_a_decoder_from_bytes_and_one_from_a_file_are_rewritten_and_damage_is_told(exports, gpu, tmp_path):
    _, folder = exports(DECODERS["llama"])
    about, file = Engine(folder).about, folder / "fused.fp32.onnx"
    (tmp_path / "damaged.onnx").write_bytes(b"no model")
    for model in (file, file.read_bytes()):
        assert FusedDecoder(model, about).cached(0, "key").dtype == np.float16
    for name in ("damaged.onnx", "missing.onnx"):
        with pytest.raises(PlaygroundError, match=name):
            FusedDecoder(tmp_path / name, about)


def test_a_cache_larger_than_the_machine_is_told_with_its_size(tmp_path, monkeypatch):
    """2 (keys and values) × 2 layers × 2 heads × 16 channels × 4 bytes × 90,000,000 tokens = 46 GB."""
    folder = write_export(lively(ModelSpec("decoder", **SMALL)), tmp_path / "run")
    about = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(about | {"context_length": 90_000_000}))

    class Memory:
        total = 8_000_000_000

    monkeypatch.setattr(fused_decoder.psutil, "virtual_memory", Memory)
    asked = []
    zeros = fused_decoder.np.zeros
    monkeypatch.setattr(
        fused_decoder.np, "zeros", lambda shape, *args, **kwargs: asked.append(shape) or zeros(shape, *args, **kwargs)
    )
    with pytest.raises(PlaygroundError, match="A cache for 90,000,000 tokens takes 46 GB, and this machine has 8 GB"):
        Engine(folder, device="cpu")
    assert not [shape for shape in asked if 90_000_000 in (shape if isinstance(shape, tuple) else (shape,))]
