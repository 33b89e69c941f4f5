"""Fine-tuned models as ONNX: every body with every head, in torch, in ONNX and in what others load."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from models.factory import build
from models.heads import ClassificationHead, ModelWithHead, TaggingHead
from models.lora import add_lora
from models.presets import PRESETS
from models.spec import ModelSpec
from playground.core.errors import PlaygroundError
from playground.finetune.labeller import labeller_of
from playground.finetune.plan import plan
from playground.huggingface.export_run import TAGGERS
from playground.inference.engine import Engine
from playground.inference.onnx_encoder import OnnxEncoder as TextReader
from playground.inference.session import open_session
from playground.onnx_export import quantize, verify
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.export import export
from playground.onnx_export.finetuned_graphs import reader
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.runs.store import RunStore
from playground.text.tokenizers import Tokenizer
from playground.training import worker

SMALL = {"vocab_size": 50, "d_model": 32, "n_layers": 2, "context_length": 24}
HEADED = SMALL | {"n_heads": 2}
BODIES = {
    "bert": PRESETS["bert-tiny"].spec.replace(**HEADED),
    "encoder, alibi": ModelSpec("encoder", **HEADED, position="alibi"),
    "encoder, rotary": ModelSpec("encoder", **HEADED, position="rotary"),
    "gpt2": ModelSpec("decoder", **HEADED),
    "llama": PRESETS["llama-tiny"].spec.replace(**HEADED),
    "decoder, alibi": ModelSpec("decoder", **HEADED, position="alibi"),
    "rnn": ModelSpec("rnn", **SMALL),
    "lstm": ModelSpec("lstm", **SMALL),
    "gru, both ways": ModelSpec("gru", **SMALL, bidirectional=True),
}
HEADS = {
    "mean": lambda: ClassificationHead(32, 5, pooling="mean"),
    "first": lambda: ClassificationHead(32, 5, pooling="first"),
    "last": lambda: ClassificationHead(32, 5, pooling="last"),
    "tags": lambda: TaggingHead(32, 7),
}


def made(spec: ModelSpec, head) -> ModelWithHead:
    torch.manual_seed(5)
    return ModelWithHead(build(spec), head()).eval()


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("body", BODIES)
def test_every_head_on_every_body_agrees_with_torch(body, head, tmp_path):
    model = made(BODIES[body], HEADS[head])
    quantize.save(reader(model, state_of(model)), tmp_path / "model.onnx")
    checks = list(verify.check_reader(model, tmp_path))
    assert len(checks) >= 5 and all(check.agrees for check in checks), [c for c in checks if not c.agrees]


@pytest.mark.parametrize("side", ["left", "right", "both"])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("body", BODIES)
def test_labels_are_the_same_on_whichever_side_a_text_is_padded(body, head, side):
    model, rng = made(BODIES[body], HEADS[head]), np.random.default_rng(1)
    session = open_session(reader(model, state_of(model)).SerializeToString(), "cpu")
    texts = [rng.integers(4, 50, n) for n in (1, 24, 12, 3)]
    ids, mask = rng.integers(4, 50, (4, 24)), np.zeros((4, 24), dtype=np.int64)
    for row, real, text in zip(ids, mask, texts, strict=True):
        start = {"right": 0, "left": 24 - len(text), "both": (24 - len(text)) // 2}[side]
        row[start : start + len(text)], real[start : start + len(text)] = text, 1
    (ours,) = session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
    for text, said, real in zip(texts, ours, mask == 1, strict=True):
        with torch.no_grad():
            right = model(torch.from_numpy(text)[None]).logits[0].numpy()
        assert np.abs((said[real] if said.ndim == 2 else said) - right).max() < 1e-4


def test_adapters_are_merged():
    model = made(BODIES["gpt2"], HEADS["mean"])
    plain = state_of(model)
    add_lora(model, 2, 4.0, ["query", "up"])
    assert state_of(model).keys() == plain.keys(), "no adapter is left over"
    for name, weight in model.named_parameters():
        if name.endswith("lora_b"):
            torch.nn.init.normal_(weight)
    merged = state_of(model)["body.layers.0.attention.qkv.weight"]
    assert (merged[32:] == plain["body.layers.0.attention.qkv.weight"][32:]).all(), "keys and values stay"
    assert not np.allclose(merged[:32], plain["body.layers.0.attention.qkv.weight"][:32])


def tuned(new_run, tmp_path, task: str, preset: str):
    """A small model trained for some steps, then fine-tuned for some on sentences about cats and dogs."""
    small = {name: value for name, value in HEADED.items() if name != "vocab_size"}
    spec = PRESETS[preset].spec.replace(**small)
    parent = new_run(model=spec.to_dict(), training={"steps": 2, "objective": spec.objectives()[0], "sample_every": 0})
    assert worker.run(parent) == "finished", parent.status().message
    path = tmp_path / ("pets.csv" if task == "classify" else "pets.jsonl")
    texts = [f"the {pet} {verb} {n} times" for pet in ("cat", "dog") for verb in ("ran", "ate") for n in range(12)]
    if task == "classify":
        path.write_text("text,label\n" + "".join(f"{text},{text.split()[1]}s\n" for text in texts))
    else:
        tags = {"the": "DET", "cat": "NOUN", "dog": "NOUN", "ran": "VERB", "ate": "VERB", "times": "NOUN"}
        rows = [{"words": text.split(), "tags": [tags.get(word, "NUM") for word in text.split()]} for text in texts]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    labelled = LabelledSpec("file", path=str(path))
    config = plan(
        parent, FineTuneSpec(task=task, labelled=labelled), steps=8, batch_size=8, eval_every=8, sample_every=0
    )
    run = RunStore().create(config)
    assert worker.run(run) == "finished", run.status().message
    return run


def example(folder, text: str) -> str:
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "example.py"), text],
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("preset", ["bert-tiny", "llama-tiny", "lstm-tiny"])
def test_a_classifier_exports_with_its_labels(preset, new_run, tmp_path):
    run = tuned(new_run, tmp_path, "classify", preset)
    made = export(run, precisions=("fp32", "fp16", "int8"))
    config = json.loads((made.folder / "config.json").read_text())
    assert config["id2label"] == {"0": "cats", "1": "dogs"} and config["label2id"] == {"cats": 0, "dogs": 1}
    assert made.report["task"] == "classify" and made.report["loaders"] == "", "transformers has no such head"
    text = "the dog ran 3 times"
    right = labeller_of(run).probabilities([text])[0]
    ids = [Tokenizer.load(run.tokenizer_path).encode(text)]
    engine = TextReader(made.folder, device="cpu")
    assert engine.about.labels == ("cats", "dogs") and engine.provider == "CPU"
    assert np.abs(engine.probabilities(ids)[0] - right).max() < 1e-5
    two = engine.probabilities([ids[0], ids[0][:4]])
    assert np.abs(two[0] - right).max() < 1e-5, "a shorter text beside it changes nothing"
    said = dict(line.split()[::-1] for line in example(made.folder, text).splitlines())
    assert float(said["dogs"].rstrip("%")) == pytest.approx(100 * right[1], abs=0.02)
    assert "gives a text one of 2 labels: cats, dogs" in (made.folder / "README.md").read_text()
    from playground.onnx_export.precision_eval import costs_of_labels

    right_label = int(right.argmax())
    wanted = [np.array([right_label]), np.array([1 - right_label])]
    costs = costs_of_labels(made.folder, ("fp32", "int8"), [ids[0], ids[0]], wanted)
    assert costs["fp32"].loss == pytest.approx(-np.log(right).mean(), abs=1e-4)
    assert costs["fp32"].right == costs["int8"].right == 0.5 and costs["int8"].agreement(costs["fp32"]) == 1
    for small, most in (("fp16", 0.01), ("int8", 0.1)):
        assert np.abs(TextReader(made.folder, small, "cpu").probabilities(ids)[0] - right).max() < most, small
    with pytest.raises(PlaygroundError, match="does not continue"):
        Engine(made.folder)


@pytest.mark.parametrize("preset", ["bert-tiny", "gpt2-tiny", "llama-tiny"])
def test_a_tagger_has_the_names_that_transformers_gives_it(preset, new_run, tmp_path):
    run = tuned(new_run, tmp_path, "tag", preset)
    made = export(run)
    family = preset.removesuffix("-tiny")
    assert made.report["loaders"] == f"transformers ({TAGGERS[family]})"
    weights = load_file(made.folder / "model.safetensors")
    head = "score" if family == "llama" else "classifier"
    n_tags = len(json.loads((made.folder / "config.json").read_text())["id2label"])
    assert weights[f"{head}.weight"].shape == (n_tags, 32) and weights[f"{head}.bias"].shape == (n_tags,)
    assert not [name for name in weights if name.startswith(("lm_head", "cls", "body", "head"))]
    text = "the cat ate 4"
    best = [labeller_of(run).labels[int(p.argmax())] for _, p in labeller_of(run).tags(text)]
    from playground.onnx_export.precision_eval import costs_of_labels

    tokens = Tokenizer.load(run.tokenizer_path).encode(text)
    wanted = np.full(len(tokens), -100)
    wanted[-1] = labeller_of(run).labels.index(best[-1])
    costs = costs_of_labels(made.folder, ("fp32",), [tokens, tokens[:2]], [wanted, np.array([0, -100])])["fp32"]
    assert len(costs.best) == 2 and costs.best[0] == wanted[-1] and costs.right in (0.5, 1.0), "two tokens were asked"
    lines = example(made.folder, text).splitlines()
    assert [line.split("\t")[1] for line in lines] == best and lines[1].startswith("cat\t")
