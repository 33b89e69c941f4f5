"""The recurrent decoder, on a CPU and on a double of a GPU."""

import pytest

from playground.inference.engine import Engine
from tests.support.written_texts import RECURRENT, close_to_torch, prompts


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "int4"])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("kind", RECURRENT)
def test_a_recurrent_model_writes_what_it_writes_on_the_cpu(kind, batch, precision, exports, gpu):
    model, folder = exports(RECURRENT[kind], ("fp32", "fp16", "int8", "int4"))
    on_gpu, on_cpu = (Engine(folder, precision, batch, device) for device in ("cuda", "cpu"))
    texts = prompts(batch, 6, equal=True)
    said = on_gpu.model.greedy(15, texts)
    assert said.tolist() == on_cpu.model.greedy(15, texts).tolist() and len(set(said[0].tolist())) > 2
    if precision == "fp32":
        close_to_torch(model, on_gpu.model, texts, 1e-4, told=True)
