"""Attention shift: by hand on small matrices, and only in the heads that were changed."""

import copy

import numpy as np
import pytest
import torch

from models.factory import build
from models.presets import PRESETS
from playground.finetune.attention_shift import ReadText, attention_shift, examples, shift


def test_a_shift_is_the_share_that_looks_elsewhere():
    before = np.array([[[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]])  # one head, two queries, three keys
    same, half = before.copy(), np.array([[[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]]])
    elsewhere = np.array([[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    assert shift(before, same) == 0
    assert shift(before, half) == pytest.approx(0.25), "of the second query a half moved, of the first nothing"
    assert shift(before, elsewhere) == pytest.approx(1)


@pytest.mark.parametrize("preset", ["gpt2-tiny", "bert-tiny", "seq2seq-tiny"])
def test_only_the_changed_head_moves_before_the_last_layer(preset):
    spec = PRESETS[preset].spec.replace(vocab_size=20, d_model=16, n_layers=2, n_heads=4, context_length=8)
    torch.manual_seed(0)
    before = build(spec)
    after, pairs = copy.deepcopy(before), spec.architecture == "encoder-decoder"
    side = "decoder." if pairs else ""
    weights = dict(after.named_parameters())[
        f"{side}layers.1.attention.qkv.weight"
    ]  # queries, keys, values, each heads·d
    with torch.no_grad():
        weights[8:12] = 2 * torch.randn(4, 16)  # the queries of head 2
    texts = [
        ReadText((1, 5, 6, 7), (8, 9) if pairs else None),
        ReadText((1, 9, 4, 7, 11), (5, 6, 7) if pairs else None),
    ]
    found = attention_shift(before, after, texts)
    moved = found["decoder" if pairs else "self"]
    assert moved.shape == (2, 2, 4)
    assert (moved[:, 1, 2] > 0.01).all()
    moved[:, 1, 2] = 0
    assert not moved.any()
    assert set(found) == ({"cross", "decoder", "encoder"} if pairs else {"self"})
    if pairs:
        assert not found["encoder"].any() and found["cross"][:, 1].any(), (
            "what is looked for depends on the layer's own text"
        )


def test_examples_of_pairs_are_what_the_decoder_reads(new_run):
    from dataclasses import replace

    from playground.runs.finetuning import FineTuneSpec
    from playground.training import worker

    run = new_run(
        {"architecture": "encoder-decoder"}, {"objective": "seq2seq"}, {"corpus": "task-dates", "max_bytes": None}
    )
    assert worker.run(run) == "finished"
    config = replace(run.config(), finetune=FineTuneSpec("answer"), parent={"run": run.id, "step": 12})
    found = examples(config, run.about()["data_folder"], 5)
    from playground.text.tokenizers import Tokenizer

    tokenizer = Tokenizer.load(run.tokenizer_path)
    assert len(found) == 5
    for text in found:
        assert text.ids[0] == tokenizer.bos_id and tokenizer.eos_id not in text.ids and tokenizer.pad_id not in text.ids
        assert text.then == tokenizer.eos_id, "what its last place writes"
        assert tokenizer.pad_id not in text.source and tokenizer.bos_id not in text.source
