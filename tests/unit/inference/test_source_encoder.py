"""The encoder of an encoder–decoder, which runs once for all tokens of an answer."""

import numpy as np
import torch

from playground.inference import open_model
from playground.inference.engine import Engine
from playground.inference.session import running_on
from playground.inference.source_encoder import open_source_encoder, run_source_encoder
from tests.support.made_exports import PAIRS
from tests.support.written_texts import close_to_torch, prompts


def test_an_encoder_on_the_gpu_and_a_decoder_on_the_cpu_understand_each_other(exports, gpu, monkeypatch):
    model, folder = exports(PAIRS["as published"])
    engine = Engine(folder)
    monkeypatch.setattr(engine.model, "opened", open_model.open_fused(folder / "fused.fp32.onnx", "cpu"))
    engine.model.encode_source([7, 9, 30])
    assert running_on(engine.model.encoder) == "CUDA" and engine.provider == "CPU"
    close_to_torch(model, engine.model, prompts(1, 5), 1e-4, source=[7, 9, 30])


@torch.no_grad()
def test_keys_and_values_of_a_source_are_those_of_torch(exports):
    """Of every decoder layer, from the encoder's vectors by its own matrices; the same for each text of the batch."""
    model, folder = exports(PAIRS["as published"])
    encoder, ids = open_source_encoder(folder / "encoder_model.onnx", "cpu", 0, 3), [7, 9, 30, 12]
    made = run_source_encoder(encoder, ids, 3)
    assert made["encoder_attention_mask"].tolist() == [[1] * 4] * 3
    memory = model.encode(torch.tensor([ids]))
    for i, layer in enumerate(model.decoder.layers):
        keys, values = layer.cross.kv(memory).chunk(2, dim=-1)
        for kind, right in (("key", keys), ("value", values)):
            ours, right = made[f"cross.{i}.{kind}"].numpy(), right.unflatten(-1, (2, -1)).transpose(1, 2).numpy()
            assert ours.shape == (3, 2, 4, 16)
            np.testing.assert_allclose(ours, np.repeat(right, 3, axis=0), atol=1e-4)
