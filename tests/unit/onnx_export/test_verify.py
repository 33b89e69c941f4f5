"""What is compared with torch before an export is offered."""

import onnx
import pytest

from models.factory import build
from models.spec import ModelSpec
from playground.core.errors import PlaygroundError
from playground.onnx_export import export as exporting
from playground.onnx_export import verify
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.verify import longest


def test_greedy_equality_is_counted_from_the_first_token():
    checks = [verify.Check("x", 1e-6, 1.0)]
    with pytest.raises(PlaygroundError, match="from token 4 on"):
        verify.disagree(checks, 3)
    verify.disagree(checks, verify.GREEDY)


def test_what_is_compared_fits_in_memory_whatever_the_context_is_said_to_be():
    small = {"vocab_size": 300, "d_model": 32, "n_layers": 2, "n_heads": 2, "position": "alibi"}
    assert longest(ModelSpec("decoder", **{**small, "context_length": 512})) == 512
    assert (
        longest(ModelSpec("decoder", 50257, d_model=768, n_layers=12, n_heads=12, context_length=1024)) == 1024
    )  # GPT-2
    long = {"context_length": 10**8}
    for changes in (long, {"context_length": 8192, "n_heads": 32}, {**long, "vocab_size": 10**5}):
        spec = ModelSpec("decoder", **{**small, **changes})
        n = longest(spec)
        assert n >= 4 and 8 * n * max(spec.n_heads * n, spec.vocab_size) <= 2**29


@pytest.mark.parametrize("architecture", ["decoder", "lstm"])
def test_a_vocabulary_of_one_token_is_compared_too(tmp_path, architecture):
    spec = ModelSpec(architecture, 1, d_model=32, n_layers=1, n_heads=2, context_length=8)
    model = build(spec).eval()
    for name, graph in exporting.graphs_of(model, state_of(model)).items():
        onnx.save(graph, tmp_path / f"{name}.onnx")
    assert all(check.agrees for check in verify.check_graph(model, tmp_path))
