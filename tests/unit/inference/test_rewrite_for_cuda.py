"""The graph that CUDA gets, run on a CPU: the same logits in fewer kernels, and the inputs of the next step."""

import numpy as np
import onnx
import pytest

from playground.inference.fused_decoder import FusedDecoder
from playground.inference.rewrite_for_cuda import NORMS, for_cuda, has_bias, join_norms, with_next_step
from playground.inference.session import open_session
from playground.inference.step_names import BLOCK, GREEDY_TOKEN, GREEDY_TOKENS, NEXT_COUNT, NEXT_LENGTHS, NEXT_POSITIONS
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.fused import can_be_fused, fused_decoder
from playground.onnx_export.rnn_graphs import recurrent
from playground.onnx_export.verify import _empty
from tests.support.made_exports import DECODERS, about_of, built, lively, recurrent_spec

FUSED = [name for name, spec in DECODERS.items() if can_be_fused(spec)]


def fused(name: str) -> onnx.ModelProto:
    return fused_decoder(DECODERS[name], state_of(built(DECODERS[name])))


@pytest.mark.parametrize("name", FUSED)
def test_a_sum_and_the_norm_after_it_become_one_node_with_the_same_result(name):
    joined = fused(name)
    before = len(joined.graph.node)
    join_norms(joined)
    kinds = [node.op_type for node in joined.graph.node]
    assert len(joined.graph.node) < before and set(kinds) & set(NORMS.values())
    about, ids = about_of(DECODERS[name]), np.random.default_rng(0).integers(4, 50, 12).tolist()
    ours, right = (
        FusedDecoder(model.SerializeToString(), about, device="cpu").all_logits(ids) for model in (joined, fused(name))
    )
    np.testing.assert_allclose(ours, right, atol=1e-5 * np.abs(right).max() + 1e-6)


def test_alibi_alone_adds_a_bias():
    assert {name: has_bias(fused(name)) for name in FUSED} == {name: "alibi" in name for name in FUSED}


@pytest.mark.parametrize("half", [True, False])
def test_attention_is_in_16_bits_and_the_rest_if_asked(half):
    model = for_cuda(fused("llama"), half)
    types = {value.name: value.type.tensor_type.elem_type for value in [*model.graph.input, *model.graph.output]}
    caches = {name for name in types if name.startswith(("past_key_values", "present"))}
    assert len(caches) == 8 and {types[name] for name in caches} == {onnx.TensorProto.FLOAT16}
    assert types["logits"] == onnx.TensorProto.FLOAT
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "embedding.tokens.weight")
    assert weight.data_type == (onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT)


def test_a_step_of_a_fused_decoder_gives_the_inputs_of_the_next():
    spec = DECODERS["gpt2"]
    graph = with_next_step(fused_decoder(spec, state_of(lively(spec))))
    session, rng = open_session(graph.SerializeToString(), "cpu"), np.random.default_rng(1)
    ring, counts = rng.integers(0, 50, (2, BLOCK)), np.array([[3], [BLOCK - 1]])
    lengths = np.array([4, 9], dtype=np.int32)
    cache = {
        f"past_key_values.{i}.{kind}": rng.normal(size=(2, 2, 24, 16)) for i in (0, 1) for kind in ("key", "value")
    }
    feed = {name: value.astype(np.float32) for name, value in cache.items()} | {
        "input_ids": np.array([[5], [9]]),
        "rows": np.arange(2),
        "seqlens_k": lengths,
        "total_sequence_length": np.array([10], dtype=np.int32),
        "position_ids": lengths[:, None].astype(np.int64),
        "count": counts,
        GREEDY_TOKENS: ring.copy(),
    }
    names = ["logits", GREEDY_TOKEN, NEXT_LENGTHS, NEXT_POSITIONS, NEXT_COUNT, f"{GREEDY_TOKENS}_after"]
    logits, token, length, position, count, after = session.run(names, feed)
    assert token[:, 0].tolist() == logits.argmax(-1).tolist()
    assert length.tolist() == [5, 10] and position.tolist() == [[5], [10]]
    assert count.tolist() == [[4], [0]], "counted round the ring"
    ring[[0, 1], counts[:, 0]] = token[:, 0]
    assert (after == ring).all(), "one place of each text, and no other"


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_a_step_of_a_recurrent_model_chooses_after_its_last_token(kind):
    spec = recurrent_spec(kind, bidirectional=False, bias=True)
    session = open_session(with_next_step(recurrent(spec, state_of(built(spec)))).SerializeToString(), "cpu")
    feed = {"input_ids": np.array([[5, 9, 7]]), "count": np.array([[0]]), GREEDY_TOKENS: np.zeros((1, BLOCK), np.int64)}
    logits, token = session.run(["logits", GREEDY_TOKEN], feed | _empty(session, spec, 1))
    assert logits.shape == (1, 3, 50) and token.tolist() == [[logits[0, 2].argmax()]]
    assert NEXT_LENGTHS not in {value.name for value in session.get_outputs()}, "a state has no length"


def test_names_are_those_of_the_step():
    """What `with_next_step` adds is in `step_names`, and no name stands for two things."""
    before, after = fused("gpt2").graph, with_next_step(fused("gpt2")).graph
    added = {value.name for value in after.output} - {value.name for value in before.output}
    assert added == {GREEDY_TOKEN, NEXT_LENGTHS, NEXT_POSITIONS, NEXT_COUNT, f"{GREEDY_TOKENS}_after"}
    made = [name for node in after.node for name in node.output if name]
    assert len(made) == len(set(made))
