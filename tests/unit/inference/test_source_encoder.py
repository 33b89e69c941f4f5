"""The encoder of an encoder–decoder, which runs once for all tokens of an answer."""

from playground.inference import open_model
from playground.inference.engine import Engine
from playground.inference.session import running_on
from tests.support.made_exports import PAIRS
from tests.support.written_texts import close_to_torch, prompts


def test_an_encoder_on_the_gpu_and_a_decoder_on_the_cpu_understand_each_other(exports, gpu, monkeypatch):
    model, folder = exports(PAIRS["as published"])
    engine = Engine(folder)
    monkeypatch.setattr(engine.model, "opened", open_model.open_fused(folder / "fused.fp32.onnx", "cpu"))
    engine.model.encode_source([7, 9, 30])
    assert running_on(engine.model.encoder) == "CUDA" and engine.provider == "CPU"
    close_to_torch(model, engine.model, prompts(1, 5), 1e-4, source=[7, 9, 30])
