"""What `bench gpu` measures with: rivals that do the same work, limits and shares that are counted right."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from models.parameter_counts import parameter_counts
from models.presets import PRESETS
from models.spec import ModelSpec
from playground.training.recipes import NANOGPT
from tests.benchmarks.gpu import decoding, sizes, tests, training
from tests.benchmarks.gpu.exports import lively, write_decoder
from tests.benchmarks.gpu.rows import Setting, first_difference
from tests.benchmarks.gpu.static import StaticDecoder

SHAPE = {"vocab_size": 96, "d_model": 32, "n_layers": 2, "n_heads": 2, "context_length": 64}
MODERN = {"norm": "rmsnorm", "position": "rotary", "mlp": "swiglu", "qk_norm": True, "bias": False, "n_kv_heads": 1}


@pytest.mark.parametrize("choices", [{}, {**MODERN, "tie_embeddings": False}, {**MODERN, "logit_softcap": 5.0}])
@torch.no_grad()
def test_the_static_cache_writes_what_the_growing_one_writes(choices):
    model, prompts = lively(ModelSpec("decoder", **SHAPE, **choices)), torch.randint(4, 96, (3, 5))
    decoder, state = StaticDecoder(model, 3, 40), model.initial_state(3, 40)
    for _ in range(2):  # a second text meets what the first one left
        decoder.begin(prompts)
        for _ in range(30):
            decoder()
    ids, said = model(prompts, state=state).logits[:, -1:].argmax(-1), []
    for _ in range(30):
        ids = model(ids, state=state).logits[:, -1:].argmax(-1)
        said.append(ids)
    assert torch.equal(decoder.said[:, 5:35], torch.cat(said, 1))
    assert len(set(decoder.said[0].tolist())) > 2, "a text that says something"


@pytest.mark.parametrize("choices", [{}, {"position": "rotary", "tie_embeddings": False}])
def test_the_limit_counts_the_weights_that_a_token_reads(tmp_path, choices):
    model = lively(ModelSpec("decoder", **SHAPE, **choices))
    write_decoder(model, tmp_path, ["fp32", "fp16"])
    counts = parameter_counts(model.spec)
    tied = model.spec.tie_embeddings
    read = sum(counts.values()) - counts.get("position embedding", 0) - (0 if tied else counts["token embedding"])
    assert decoding.torch_bytes(model, Setting()) == 4 * read
    assert decoding.weight_bytes(tmp_path / "fused.fp32.onnx") == pytest.approx(4 * read, rel=0.02)
    assert decoding.weight_bytes(tmp_path / "fused.fp16.onnx") == pytest.approx(2 * read, rel=0.02)


def test_tokens_that_leave_the_cpu_s_are_told_with_how_near_the_two_were():
    model = lively(ModelSpec("decoder", **SHAPE))
    prompts = np.array([[5, 6, 7]])
    with torch.no_grad():
        order = model(torch.from_numpy(prompts)).logits[0, -1].argsort(descending=True).tolist()
    case = decoding.Case("x", 1, model, None, prompts, [order[0], 9], 1)
    assert decoding.against_cpu(case, "fp16", [order[0], 9]) == (True, "the CPU's tokens", None)
    same, told, gap = decoding.against_cpu(case, "fp16", [order[-1], 9])
    assert not same and gap > 0.1 and "number 1 of 2" in told
    assert first_difference([1, 2], [1, 2, 3]) == 2 and first_difference([1, 2], [1, 2]) is None


def test_gpt2_s_124_million_parameters_and_their_arithmetic():
    assert round(sum(parameter_counts(sizes.GPT2_124M).values()) / 1e6) == 124
    setting = Setting(card={"bf16_tflops": 800.0, "sheet_tflops": 989, "memory": 80e9})
    trainer = SimpleNamespace(config=SimpleNamespace(model=sizes.GPT2_124M), training=NANOGPT)
    part, told = training.share(setting, trainer, 1e6)
    assert part == pytest.approx(6 * 124e6 * 1.14 * 1e6 / 800e12, rel=0.02) and "data sheet" in told
    assert training.large_batch(setting) == 16 and training.large_batch(Setting()) == 4


def test_rehearsed_models_are_the_presets_in_small():
    assert all(
        sizes.preset(name, Setting()).architecture == preset.spec.architecture for name, preset in PRESETS.items()
    )
    assert sizes.preset("llama-small", Setting("cuda", False)) == PRESETS["llama-small"].spec


def test_the_tests_that_need_a_gpu_are_found_by_their_mark():
    found = {path.rpartition("/")[2] for path in tests.marked()}
    assert {"test_device.py", "test_export.py"} <= found
