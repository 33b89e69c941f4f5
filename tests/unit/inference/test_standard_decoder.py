"""The decoder for graphs of standard operators, on a double of a GPU."""

import pytest

from playground.inference.engine import Engine
from tests.support.made_exports import DECODERS
from tests.support.written_texts import close_to_torch, prompts


@pytest.mark.parametrize(
    "spec", [DECODERS["gpt2"], DECODERS["llama"], DECODERS["alibi"]], ids=["gpt2", "llama", "alibi"]
)
def test_standard_graphs_write_what_torch_writes(spec, exports, gpu):
    model, folder = exports(spec, fused=False)
    engine = Engine(folder, batch=3)
    assert (engine.provider, engine.precision) == ("CUDA", "fp32")
    close_to_torch(model, engine.model, prompts(3, 9, equal=True), 1e-4)
