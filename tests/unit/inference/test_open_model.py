"""Which way of running a model is chosen, and what is left when a card refuses it."""

import threading

import numpy as np
import pytest

from models.presets import PRESETS
from playground.core.errors import PlaygroundError
from playground.inference.attention_session import AttentionSession
from playground.inference.engine import Engine
from playground.inference.onnx_encoder import OnnxEncoder
from playground.inference.sampling import Sampling
from tests.support.made_exports import DECODERS, PAIRS, SMALL
from tests.support.written_texts import RECURRENT, close_to_torch, prompts


@pytest.mark.parametrize("kind", ["fused", "lstm", "pairs", "standard", "standard pairs"])
def test_a_card_that_runs_nothing_leaves_the_work_to_the_cpu_and_it_is_said(kind, exports, gpu, monkeypatch):
    pairs = PAIRS["as published"]
    spec = {"lstm": RECURRENT["lstm"], "pairs": pairs, "standard pairs": pairs}.get(kind, DECODERS["llama"])
    model, folder = exports(spec, fused="standard" not in kind)
    monkeypatch.setattr(gpu, "breaks", True)
    engine, source = Engine(folder), [7, 9, 30] if "pairs" in kind else None
    if source:
        engine.model.encode_source(source)
    assert (engine.provider, engine.ran_by, engine.precision) == ("CPU", "ONNX Runtime (CPU)", "fp32")
    close_to_torch(model, engine.model, prompts(1, 5), 1e-4, source=source)
    with pytest.raises(PlaygroundError, match="cannot run this model on the GPU: .*no kernel image"):
        Engine(folder, device="cuda")


def test_what_reads_is_left_to_the_cpu_too(exports, gpu, monkeypatch):
    _, folder = exports(PRESETS["bert-tiny"].spec.replace(**SMALL), ("fp32", "fp16", "int8"))
    right = OnnxEncoder(folder, device="cpu").logits([[5, 9]]), AttentionSession(folder, "cpu").weights([5, 9])
    monkeypatch.setattr(gpu, "breaks", True)
    reader, watcher = OnnxEncoder(folder), AttentionSession(folder)
    assert reader.ran_by == "ONNX Runtime (CPU)" and watcher.provider == "CPU"
    assert (reader.logits([[5, 9]]) == right[0]).all() and (watcher.weights([5, 9])["self"] == right[1]["self"]).all()
    for kind in (OnnxEncoder, AttentionSession):
        with pytest.raises(PlaygroundError, match="no kernel image"):
            kind(folder, device="cuda")


def test_several_who_open_a_model_at_once_step_down_once(exports, gpu, monkeypatch):
    _, folder = exports(DECODERS["llama"])
    engine = Engine(folder)
    monkeypatch.setattr(gpu, "breaks_capture", True)
    twins: list[Engine] = []
    threads = [threading.Thread(target=lambda: twins.append(engine.clone())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [twin.provider for twin in twins] == ["CUDA"] * 6 and all(
        "capturing" in twin.uncaptured_reason for twin in twins
    )


@pytest.mark.parametrize("kind", ["refuses_capture", "breaks_capture"])
def test_where_the_provider_refuses_a_graph_it_says_so_and_writes_the_same(kind, exports, gpu, monkeypatch):
    _, folder = exports(DECODERS["llama"])
    right = list(Engine(folder).generate([5, 9], 15))
    monkeypatch.setattr(gpu, kind, True)
    engine = Engine(folder)
    assert "captur" in engine.uncaptured_reason and engine.ran_by == "ONNX Runtime (CUDA, fp16)"
    assert list(engine.generate([5, 9], 15)) == right == list(engine.clone().generate([5, 9], 15))


def test_a_driver_without_the_provider_leaves_the_graph_as_it_is_on_the_cpu(exports, gpu, monkeypatch):
    """ONNX Runtime lists CUDA and runs on the CPU where it cannot load it."""
    _, folder = exports(DECODERS["gpt2"])
    monkeypatch.setattr(gpu, "get_providers", lambda self: ["CPUExecutionProvider"])
    engine = Engine(folder)
    assert (engine.provider, engine.precision, engine.ran_by) == ("CPU", "fp32", "ONNX Runtime (CPU)")
    assert engine.model.cached(0, "key").dtype == np.float32


def test_graphs_are_taken_over_by_the_next_writer(exports, gpu):
    """Capturing takes time, and what was captured is never quite given back: as many as ever write at once, and no more."""
    _, folder = exports(DECODERS["gpt2"].replace(vocab_size=5000))
    engine = Engine(folder)
    right = [list(engine.generate([first, 6], 12, Sampling(0.9), seed=3)) for first in range(5, 11)]
    for first, text in zip(range(5, 11), right, strict=True):
        assert list(engine.clone().generate([first, 6], 12, Sampling(0.9), seed=3)) == text
    assert len(engine.model.session.captured) == 4, "two laps of the engine, two of its one twin at a time"
    together = [engine.clone() for _ in range(3)]
    for first, twin in zip(range(5, 8), together, strict=True):
        assert list(twin.generate([first, 6], 12, Sampling(0.9), seed=3)) == right[first - 5]
    assert len(engine.model.session.captured) == 8
    other = Engine(folder, batch=2).model
    assert other.greedy(3, [[5, 6], [7, 8]]).shape == (2, 3), "another batch has laps of its own"
