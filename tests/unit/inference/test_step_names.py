"""The names that tie one step to the next: the graph gives what the step binds."""

import numpy as np
import pytest

from playground.inference import step_names
from playground.inference.device_step import unused_step_inputs
from playground.inference.rewrite_for_cuda import with_next_step
from playground.inference.session import open_session
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.fused import fused_decoder
from playground.onnx_export.rnn_graphs import recurrent
from tests.support.made_exports import DECODERS, built, recurrent_spec

NAMES = {name: value for name, value in vars(step_names).items() if name.isupper() and isinstance(value, str)}


def test_no_name_stands_for_two_things():
    assert len(NAMES) == 5 and len(set(NAMES.values())) == 5


@pytest.mark.parametrize("kind", ["gpt2", "lstm"])
def test_every_name_is_of_the_graph_and_its_ring_is_a_block_wide(kind):
    if kind == "gpt2":
        graph = fused_decoder(DECODERS["gpt2"], state_of(built(DECODERS["gpt2"])))
    else:
        spec = recurrent_spec("lstm", bidirectional=False, bias=True)
        graph = recurrent(spec, state_of(built(spec)))
    session = open_session(with_next_step(graph).SerializeToString(), "cpu")
    ends = {value.name: value for value in [*session.get_inputs(), *session.get_outputs()]}
    of_a_cache = {step_names.NEXT_LENGTHS, step_names.NEXT_POSITIONS} if kind == "lstm" else set()
    assert set(NAMES.values()) - of_a_cache <= ends.keys() and not of_a_cache & ends.keys()
    for name, array in unused_step_inputs(3).items():
        assert ends[name].type == "tensor(int64)" and array.dtype == np.int64
        assert ends[name].shape[1:] == list(array.shape[1:]) and len(array) == 3 and not array.any()
    assert ends[step_names.GREEDY_TOKENS].shape[1] == step_names.BLOCK
