"""Every architecture as ONNX, against torch: all the choices a spec has, in shapes that were not tried while writing it."""

import numpy as np
import onnx
import pytest
import torch

from models.factory import build
from models.presets import PRESETS
from models.spec import ModelSpec
from playground.core.errors import PlaygroundError
from playground.inference.engine import ExportManifest, FusedDecoder, FusedEncoderDecoder, RnnDecoder
from playground.inference.session import open_session
from playground.onnx_export import quantize, verify
from playground.onnx_export.decoder_graphs import decoder, encoder, source_encoder, state_of, target_decoder
from playground.onnx_export.fused import can_be_fused, fused_decoder
from playground.onnx_export.inspect_graph import describe
from playground.onnx_export.rnn_graphs import recurrent

SMALL = {"vocab_size": 50, "d_model": 32, "n_layers": 2, "n_heads": 2, "context_length": 24}
DECODERS = {
    "gpt2": ModelSpec("decoder", **SMALL),
    "gpt2, as published": ModelSpec("decoder", **SMALL, mlp="gelu_tanh"),
    "llama": PRESETS["llama-tiny"].spec.replace(**SMALL),
    "modern": PRESETS["modern-tiny"].spec.replace(**SMALL, zero_init=False),
    "grouped": ModelSpec("decoder", **SMALL, n_kv_heads=1, position="rotary", qk_norm=True),
    "alibi": ModelSpec("decoder", **SMALL, position="alibi"),
    "alibi, grouped": ModelSpec("decoder", **SMALL, position="alibi", n_kv_heads=1),
    "sinusoidal, post-norm": ModelSpec("decoder", **SMALL, position="sinusoidal", norm_position="post", mlp="relu"),
    "none, no bias": ModelSpec("decoder", **SMALL, position="none", bias=False),
    "gelu by tanh": ModelSpec("decoder", **SMALL, mlp="gelu_tanh"),
    "head transform": ModelSpec("decoder", **SMALL, head_transform=True, embedding_norm=True),
}
ENCODERS = {
    "bert": PRESETS["bert-tiny"].spec.replace(**SMALL),
    "bert, bent by tanh": PRESETS["bert-tiny"].spec.replace(**SMALL, mlp="gelu_tanh", head_activation="gelu_tanh"),
    "bert, bent by relu": PRESETS["bert-tiny"].spec.replace(**SMALL, mlp="relu", head_activation="relu"),
    "rotary": PRESETS["bert-tiny"].spec.replace(**SMALL, position="rotary"),
    "alibi, pre-norm": ModelSpec("encoder", **SMALL, position="alibi"),
}
PAIRS = {
    "as published": PRESETS["seq2seq-tiny"].spec.replace(**SMALL),
    "pre-norm, rotary, qk-norm": ModelSpec("encoder-decoder", **SMALL, position="rotary", qk_norm=True, norm="rmsnorm"),
    "learned, grouped, no bias": ModelSpec("encoder-decoder", **SMALL, n_kv_heads=1, bias=False),
    "alibi, swiglu": ModelSpec("encoder-decoder", **SMALL, position="alibi", mlp="swiglu"),
}


def made(spec: ModelSpec):
    torch.manual_seed(5)
    return build(spec).eval()


def about(spec: ModelSpec) -> ExportManifest:
    sizes = (spec.n_layers, spec.kv_heads, spec.head_dim, spec.d_model, spec.vocab_size, spec.context_length)
    return ExportManifest(spec.architecture, *sizes, spec.position, "clm", False, (0, 1, 2, 3))


def checked(model, folder, graphs: dict) -> None:
    for name, graph in graphs.items():
        quantize.save(graph, folder / name)
    checks = list(verify.check_graph(model, folder))
    assert len(checks) >= 4 and all(check.agrees for check in checks), [c for c in checks if not c.agrees]


@pytest.mark.parametrize("name", DECODERS)
def test_decoders_agree_with_torch(name, tmp_path):
    model = made(DECODERS[name])
    checked(model, tmp_path, {"model.onnx": decoder(model.spec, state_of(model))})


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_agree_with_torch(name, tmp_path):
    model = made(ENCODERS[name])
    checked(model, tmp_path, {"model.onnx": encoder(model.spec, state_of(model))})


@pytest.mark.parametrize("name", PAIRS)
def test_encoder_decoders_agree_with_torch(name, tmp_path):
    model = made(PAIRS[name])
    weights = state_of(model)
    graphs = {
        "encoder_model.onnx": source_encoder(model.spec, weights),
        "decoder_model.onnx": target_decoder(model.spec, weights),
    }
    checked(model, tmp_path, graphs)


def recurrent_spec(kind: str, bidirectional: bool, bias: bool) -> ModelSpec:
    changes = {"nonlinearity": "relu"} if kind == "rnn" and bias else {}
    return ModelSpec(kind, **SMALL, bidirectional=bidirectional, bias=bias, **changes)


@pytest.mark.parametrize("native", [True, False], ids=["operators of ONNX", "cells"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_recurrent_models_agree_with_torch(kind, bidirectional, bias, native, tmp_path):
    model = made(recurrent_spec(kind, bidirectional, bias))
    checked(model, tmp_path, {"model.onnx": recurrent(model.spec, state_of(model), native)})


def alone_and_padded(side: str, length: int = 24) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Texts of several lengths as they are, and in one batch with a mask, padded with real tokens on a side or on both."""
    rng = np.random.default_rng(3)
    texts = [rng.integers(4, 50, n) for n in (1, length, length // 2, 3)]
    ids, mask = rng.integers(4, 50, (len(texts), length)), np.zeros((len(texts), length), dtype=np.int64)
    for row, real, text in zip(ids, mask, texts, strict=True):
        start = {"right": 0, "left": length - len(text), "both": (length - len(text)) // 2}[side]
        row[start : start + len(text)], real[start : start + len(text)] = text, 1
    return texts, ids, mask


BOTH_WAYS = {
    **{name: ENCODERS[name] for name in ENCODERS},
    "learned": ModelSpec("encoder", **SMALL, position="learned"),
    "sinusoidal": ModelSpec("encoder", **SMALL, position="sinusoidal"),
    "no positions": ModelSpec("encoder", **SMALL, position="none"),
    **{kind: ModelSpec(kind, **SMALL, bidirectional=True) for kind in ("rnn", "lstm", "gru")},
}


@pytest.mark.parametrize("side", ["left", "right", "both"])
@pytest.mark.parametrize("native", [True, False], ids=["operators of ONNX", "cells"])
@pytest.mark.parametrize("name", BOTH_WAYS)
def test_what_fills_in_says_the_same_on_whichever_side_a_text_is_padded(name, native, side):
    model = made(BOTH_WAYS[name])
    weights = state_of(model)
    graph = recurrent(model.spec, weights, native) if model.spec.is_recurrent else encoder(model.spec, weights)
    texts, ids, mask = alone_and_padded(side)
    (ours,) = open_session(graph.SerializeToString(), "cpu").run(["logits"], {"input_ids": ids, "attention_mask": mask})
    for text, said, real in zip(texts, ours, mask == 1, strict=True):
        with torch.no_grad():
            right = model(torch.from_numpy(text)[None]).logits[0].numpy()
        assert np.abs(said[real] - right).max() < 1e-4


@pytest.mark.parametrize("side", ["left", "right", "both"])
@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_says_the_same_on_whichever_side_a_text_is_padded(name, side):
    model = made(DECODERS[name])
    session = open_session(decoder(model.spec, state_of(model)).SerializeToString(), "cpu")
    texts, ids, mask = alone_and_padded(side)
    ours, _ = verify._call(session, ids, verify._empty(session, model.spec, len(ids)), 0, mask)
    for text, said, real in zip(texts, ours, mask == 1, strict=True):
        with torch.no_grad():
            right = model(torch.from_numpy(text)[None]).logits[0].numpy()
        assert np.abs(said[real] - right).max() < 1e-4


@pytest.mark.parametrize("side", ["left", "right", "both"])
@pytest.mark.parametrize("name", PAIRS)
def test_an_answer_is_the_same_on_whichever_side_its_question_is_padded(name, side):
    model = made(PAIRS[name])
    spec, weights = model.spec, state_of(model)
    made_of = lambda graph: open_session(graph.SerializeToString(), "cpu")
    reader, writer = made_of(source_encoder(spec, weights)), made_of(target_decoder(spec, weights))
    texts, ids, mask = alone_and_padded(side)
    names = [value.name for value in reader.get_outputs() if value.name.startswith("cross")]
    cross = dict(zip(names, reader.run(names, {"input_ids": ids, "attention_mask": mask}), strict=True))
    answer = np.array([[1, 9, 8, 7]])
    state = verify._empty(writer, spec, len(ids)) | cross | {"encoder_attention_mask": mask}
    ours, _ = verify._call(writer, np.repeat(answer, len(ids), axis=0), state, 0)
    for text, said in zip(texts, ours, strict=True):
        with torch.no_grad():
            right = model(torch.from_numpy(answer), source_ids=torch.from_numpy(text)[None]).logits[0].numpy()
        assert np.abs(said - right).max() < 1e-4


@pytest.mark.parametrize("native", [True, False], ids=["operators of ONNX", "cells"])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_a_recurrent_writer_remembers_what_torch_remembers(kind, native):
    """Three texts at once, token by token, with a twin that writes others in between; then all begins anew."""
    model = made(recurrent_spec(kind, bidirectional=False, bias=True))
    graph = recurrent(model.spec, state_of(model), native)
    first = RnnDecoder(open_session(graph.SerializeToString(), "cpu"), about(model.spec), batch=3)
    twin = first.clone()
    ids = np.random.default_rng(1).integers(4, 50, (2, 3, 20))
    with torch.no_grad():
        right = [model(torch.from_numpy(texts)).logits.numpy() for texts in ids]
    for n in (7, 1):
        said = [writer.prefill(texts[:, :n]).copy() for writer, texts in ((first, ids[0]), (twin, ids[1]))]
        for i in range(n, 20):
            assert max(np.abs(said[k] - right[k][:, i - 1]).max() for k in (0, 1)) < 1e-5, f"token {i}"
            said = [writer.decode_step(texts[:, i]) for writer, texts in ((first, ids[0]), (twin, ids[1]))]
    with pytest.raises(PlaygroundError, match="equal length"):
        first.prefill([[5], [5, 6], [7]])


@pytest.mark.parametrize("precision", ["fp16", "int8", "int4"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_a_shrunk_recurrent_model_is_that_with_rounded_weights(kind, bidirectional, precision, tmp_path):
    """Against torch itself, with the same weights rounded by hand; only the products of 8 bits round once more."""
    spec = recurrent_spec(kind, bidirectional, bias=False).replace(tie_embeddings=False)
    model = made(spec)
    graph = recurrent(spec, state_of(model), native=precision == "fp16")
    quantize.save(quantize.quantize_weights(graph, precision), tmp_path / "model.onnx")
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if precision == "fp16":
                weight.copy_(weight.half())
            elif not name.startswith("embedding"):
                weight.copy_(torch.from_numpy(rounded(weight.numpy(), quantize.BITS[precision])))
    for check in verify.check_graph(model, tmp_path):
        assert check.error <= 0.03 * check.scale, check


def rounded(rows: np.ndarray, bits: int) -> np.ndarray:
    """A matrix after its way through the blocks."""
    numbers, scales = quantize.blocks(rows, bits, quantize.BLOCKS[bits])
    if bits == 4:
        numbers = np.stack([numbers & 15, numbers >> 4], axis=-1).reshape(*numbers.shape[:2], -1)
    values = (numbers.astype(np.float32) - 2 ** (bits - 1)) * scales[..., None]
    return values.reshape(len(rows), -1)[:, : rows.shape[1]]


@pytest.mark.parametrize("precision", ["int8", "int4"])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_every_matrix_of_a_recurrent_model_is_shrunk(kind, precision):
    model = made(recurrent_spec(kind, bidirectional=False, bias=True).replace(d_model=128))
    graph = quantize.quantize_weights(recurrent(model.spec, state_of(model), native=False), precision).graph
    large = [
        tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1
    ]
    assert all(tensor.name.endswith(".scales") for tensor in large)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("bits", [8, 4])
def test_token_vectors_are_looked_up_in_few_bits(bits, tied):
    """Against torch with its weights rounded by hand; a table that is the output matrix too is in the file once."""
    spec = PRESETS["lstm-tiny"].spec.replace(vocab_size=300, tie_embeddings=tied, n_layers=1)
    model = made(spec)
    graph = quantize.quantize_weights(recurrent(spec, state_of(model), native=False), f"int{bits}")
    tables = [tensor for tensor in graph.graph.initializer if tensor.dims[0] == 300 and "bit" in tensor.name]
    assert len(tables) == (1 if tied else 2)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.copy_(torch.from_numpy(rounded(weight.numpy(), bits)))
        ids = torch.arange(10, 40)[None]
        right = model(ids).logits.numpy()
    session = open_session(graph.SerializeToString(), "cpu")
    (ours,) = session.run(["logits"], {"input_ids": ids.numpy()} | verify._empty(session, spec, 1))
    assert np.abs(ours - right).max() < 0.03 * np.abs(right).max()


@pytest.mark.parametrize("name", [name for name, spec in DECODERS.items() if can_be_fused(spec)])
def test_the_fused_graph_with_its_cache_in_place_agrees_with_torch(name):
    spec = DECODERS[name]
    model = made(spec)
    engine = FusedDecoder(fused_decoder(spec, state_of(model)).SerializeToString(), about(spec), batch=3)
    ids = np.random.default_rng(0).integers(4, 50, (3, 24))
    with torch.no_grad():
        right = model(torch.from_numpy(ids)).logits.numpy()
    lengths = np.array([1, 7, 15])
    ours = engine.prefill([text[:n] for text, n in zip(ids, lengths, strict=True)])
    for i in range(8):
        assert np.abs(ours - right[np.arange(3), lengths - 1 + i]).max() < 1e-4, f"token {i}"
        ours = engine.decode_step(ids[np.arange(3), lengths + i])


@pytest.mark.parametrize("name", PAIRS)
def test_the_writing_half_with_its_cache_in_place_agrees_with_torch(name):
    """Answers of different lengths at once, token by token; then another source, which nothing of the first may reach."""
    spec = PAIRS[name]
    model = made(spec)
    weights = state_of(model)
    graphs = source_encoder(spec, weights), fused_decoder(spec, weights)
    opened = [open_session(graph.SerializeToString(), "cpu") for graph in graphs]
    first, other = (
        FusedEncoderDecoder(*opened, about(spec), batch=3),
        FusedEncoderDecoder(*opened, about(spec), batch=3),
    )
    rng = np.random.default_rng(0)
    ids, lengths = rng.integers(4, 50, (3, 24)), np.array([1, 7, 15])
    for engine, n in ((first, 9), (other, 24), (first, 1)):
        source = rng.integers(4, 50, n)
        engine.encode_source(source)
        with torch.no_grad():
            right = model(torch.from_numpy(ids), source_ids=torch.from_numpy(source).expand(3, -1)).logits.numpy()
        ours = engine.prefill([text[:n] for text, n in zip(ids, lengths, strict=True)])
        for i in range(8):
            assert np.abs(ours - right[np.arange(3), lengths - 1 + i]).max() < 1e-4, f"source of {n}, token {i}"
            ours = engine.decode_step(ids[np.arange(3), lengths + i])


def test_heads_that_the_operator_does_not_take_are_left_to_the_portable_graph():
    assert not can_be_fused(ModelSpec("decoder", vocab_size=50, d_model=24, n_heads=2))


def test_attention_weights_are_given_out(tmp_path):
    from playground.inspection.attention import attention_weights

    model = made(DECODERS["llama"])
    quantize.save(decoder(model.spec, state_of(model), attentions=True), tmp_path / "model.onnx")
    session = open_session(tmp_path / "model.onnx")
    ids = [5, 9, 30, 7, 9]
    feed = {
        "input_ids": np.array([ids]),
        "attention_mask": np.ones((1, 5), np.int64),
        "position_ids": np.arange(5)[None],
    }
    feed |= verify._empty(session, model.spec, 1)
    names = [f"attentions.layers.{i}.attention" for i in range(2)]
    ours = np.stack([weights[0] for weights in session.run(names, feed)])
    assert np.abs(ours - attention_weights(model, ids)["self"]).max() < 1e-5
    assert all(check.agrees for check in verify.check_graph(model, tmp_path)), "and nothing else is changed by it"


@pytest.mark.parametrize("precision", ["fp16", "int8", "int4"])
def test_smaller_weights_are_smaller_and_still_close(precision):
    spec = PRESETS["llama-tiny"].spec.replace(vocab_size=300)
    model = made(spec)
    whole = fused_decoder(spec, state_of(model))
    small = quantize.quantize_weights(fused_decoder(spec, state_of(model)), precision)
    share = small.ByteSize() / whole.ByteSize()
    assert share < {"fp16": 0.55, "int8": 0.45, "int4": 0.35}[precision]
    ids = list(range(10, 30))
    ours, right = (FusedDecoder(graph.SerializeToString(), about(spec)).prefill([ids])[0] for graph in (small, whole))
    assert np.corrcoef(ours, right)[0, 1] > {"fp16": 0.9999, "int8": 0.999, "int4": 0.9}[precision]


def test_a_viewer_sees_what_a_scan_repeats(tmp_path):
    model = made(recurrent_spec("gru", bidirectional=False, bias=True))
    quantize.save(recurrent(model.spec, state_of(model), native=False), tmp_path / "model.onnx")
    told = describe(tmp_path / "model.onnx")
    scans = [i for i, node in enumerate(told["nodes"]) if node[1] == "Scan"]
    assert len(scans) == model.spec.n_layers and dict(told["operators"])["Sigmoid"] == 2 * model.spec.n_layers
    inside = told["nodes"][scans[0] + 1]
    assert (
        inside[1] == "MatMul" and "weight_hh_l0.T" in inside[4] and "nodes, which follow" in told["nodes"][scans[0]][5]
    )


def test_the_graph_obeys_onnx():
    model = made(DECODERS["gpt2"])
    graph = decoder(model.spec, state_of(model))
    onnx.checker.check_model(graph, full_check=True)
    assert [output.name for output in graph.graph.output][-1] == "logits"
    assert {domain.domain for domain in graph.opset_import} == {""}, "standard operators only"
