"""An export comes back as the run it was of: exporting it once more writes the same folder."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from models.factory import build
from models.presets import PRESETS
from playground.core.errors import PlaygroundError
from playground.finetune.labeller import labeller_of
from playground.finetune.plan import plan
from playground.generation.predict import open_prompt
from playground.generation.torch_model import TorchGenerator
from playground.huggingface.import_run import import_folder, import_zip
from playground.inference.sampling import Sampling
from playground.onnx_export.export import export
from playground.onnx_export.package import zipped
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.text.spec import DataSpec, TokenizerSpec
from playground.text.tokenizers import Tokenizer
from playground.text.vocabulary import learn
from playground.training.load_model import load_model
from playground.training.worker import run as train

WORDS = ["the cat sat on the mat", "a dog ran in the sun", "two birds sing at dawn"] * 6
UNSTEADY = ("report.json", "demo.html", "curve.svg")  # they hold seconds, the graphs once more, and no curve comes back


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))


def untrained(preset: str, objective: str, kind: str = "bpe", data: dict | None = None, **settings) -> RunFolder:
    """A run with random weights at step 7."""
    tokenizer = learn(TokenizerSpec(kind, 300), lambda: WORDS)
    small = {"vocab_size": tokenizer.size, "context_length": 16, "dropout": 0.1, **settings}
    spec = PRESETS[preset].spec.replace(**small)
    training = TrainingSpec(objective=objective, steps=7, warmup_steps=0, mask_rate=0.3, seed=5)
    data = DataSpec(**{"corpus": "python-docs", "tokenizer": TokenizerSpec(kind, 300), **(data or {})})
    pairs = {"data_shape": "pairs"} if objective == "seq2seq" or data.reads_pairs else {"data_shape": "stream"}
    config = RunConfig("First <b>try</b>", spec, data, training, preset=preset)
    run = RunStore().create(config, data_info={"licence": "MIT"}, **pairs)
    torch.manual_seed(1)
    weights = {name: value + 0.1 * torch.randn_like(value) for name, value in build(spec).state_dict().items()}
    tokenizer.save(run.tokenizer_path)
    run.save_checkpoint(7, {"model.safetensors": lambda path: save_file(weights, path)})
    run.update_status(state="finished", step=7, steps=7, val_loss=1.25)
    return run


def there_and_back(run: RunFolder, tmp_path: Path) -> tuple[Path, RunFolder, Path]:
    first = export(run, to=tmp_path / "first").folder
    back = import_folder(first)
    return first, back, export(back, to=tmp_path / "second").folder


def assert_same_folders(first: Path, second: Path) -> None:
    names = lambda folder: sorted(path.name for path in folder.iterdir())
    assert names(first) == names(second)
    for name in set(names(first)) - set(UNSTEADY):
        assert untested(first / name) == untested(second / name), name


def untested(path: Path) -> bytes:
    """A file without the result of a test: the report of it stays with the run that was tested."""
    return (
        re.sub(rb"Accuracy on the test: .*\n", b"", path.read_bytes())
        if path.name == "README.md"
        else path.read_bytes()
    )


@pytest.mark.parametrize(
    ("preset", "objective", "settings"),
    [
        ("gpt2-tiny", "clm", {}),
        ("llama-tiny", "clm", {"position": "alibi"}),
        ("bert-tiny", "mlm", {}),
        ("lstm-tiny", "clm", {}),
        ("gru-tiny", "clm", {}),
        ("seq2seq-tiny", "seq2seq", {}),
    ],
)
def test_an_export_of_every_architecture_comes_back_whole(preset, objective, settings, tmp_path):
    run = untrained(preset, objective, **settings)
    first, back, second = there_and_back(run, tmp_path)
    assert_same_folders(first, second)
    assert back.config() == run.config()
    assert (back.checkpoints(), back.status().val_loss, back.about()["data_shape"]) == (
        [7],
        1.25,
        run.about()["data_shape"],
    )
    mine, theirs = load_model(run).state_dict(), load_model(back).state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_what_answers_answers_again_with_its_template(tmp_path):
    data = {
        "corpus": "file",
        "path": "/home/me/secret/rows.tsv",
        "source_column": "q",
        "target_column": "a",
        "template": "Q: {question}\nA:",
    }
    run = untrained("gpt2-tiny", "clm", data=data)
    first, back, second = there_and_back(run, tmp_path)
    assert_same_folders(first, second)
    assert json.loads((second / "playground.json").read_text())["pairs"] is True
    assert back.config().data.template == data["template"] and back.about()["data_shape"] == "pairs"
    for path in first.iterdir():
        assert b"secret" not in path.read_bytes(), f"{path.name} tells where the file was"
    said = subprocess.run(
        [sys.executable, str(second / "example.py"), "cat"], capture_output=True, text=True, check=True
    ).stdout  # reads "Q: cat\nA:<bos>", as here
    tokenizer = Tokenizer.load(run.tokenizer_path)
    prompt = open_prompt(run.config().model, tokenizer, "cat", True, data["template"])
    room = 16 - len(prompt.ids)
    ids = list(
        TorchGenerator(load_model(run)).generate(prompt.ids, room, Sampling(temperature=0.0), stop=[tokenizer.eos_id])
    )
    assert said.startswith("cat\n" + tokenizer.decode(ids)[:3])


@pytest.mark.parametrize(
    ("preset", "task", "method"),
    [
        ("bert-tiny", "tag", "all"),
        ("bert-tiny", "classify", "lora"),
        ("gpt2-tiny", "tag", "lora"),
        ("gru-tiny", "classify", "all"),
    ],
)
def test_a_model_that_gives_labels_comes_back_with_them(preset, task, method, tmp_path):
    parent = untrained(preset, "mlm" if preset == "bert-tiny" else "clm")
    rows = [f"{words} {i}\t{'x' if i % 2 else 'y'}" for i, words in enumerate(WORDS * 4)]
    if task == "tag":
        rows = [
            json.dumps({"text": words.split(), "tags": ["x"] + ["y"] * (len(words.split()) - 1)}) for words in WORDS
        ]
    path = tmp_path / ("rows.tsv" if task == "classify" else "rows.jsonl")
    path.write_text("\n".join((["text\tlabel"] if task == "classify" else []) + rows))
    columns = {"text_column": "text", "label_column": "label" if task == "classify" else "tags"}
    tuned = FineTuneSpec(task, LabelledSpec("file", path=str(path), **columns), method=method, rank=2)
    run = RunStore().create(plan(parent, tuned, steps=2, batch_size=8, device="cpu", threads=1))
    assert train(run) == "finished", run.status().message
    first, back, second = there_and_back(run, tmp_path)
    assert_same_folders(first, second)
    assert json.loads((second / "playground.json").read_text())["begin"].rstrip(" 0123456789") in WORDS
    mine, theirs = labeller_of(run), labeller_of(back)
    assert mine.labels == theirs.labels and len(mine.labels) == 2
    if task == "classify":
        assert np.allclose(mine.probabilities(WORDS[:3]), theirs.probabilities(WORDS[:3]), atol=1e-6)
    else:
        assert np.allclose([p for _, p in mine.tags(WORDS[0])], [p for _, p in theirs.tags(WORDS[0])], atol=1e-6)


def test_a_zip_of_an_export_comes_back_too_and_leads_to_no_other_folder(tmp_path):
    run = untrained("gpt2-tiny", "clm", data={"corpus": "file", "path": "/etc/passwd"})
    first = export(run, to=tmp_path / "first").folder
    about = json.loads((first / "playground.json").read_text())
    about["run"]["config"]["data"]["path"] = "../../etc/passwd"
    (first / "playground.json").write_text(json.dumps(about))
    back = import_zip(zipped(first, tmp_path / "first.zip"))
    assert back.config().data.path == "passwd" and back.checkpoints() == [7]
    assert import_folder(first, context=8).config().model.context_length == 8
    with pytest.raises(PlaygroundError, match="cannot read 99 tokens"):
        import_folder(first, context=99)


@pytest.mark.parametrize(
    "damage",
    [
        lambda about: about["run"].update(step=-1),
        lambda about: about["run"].update(step="7"),
        lambda about: about["run"]["config"].update(preset=["x"]),
        lambda about: about["run"]["config"].update(parent={"run": 1}),
        lambda about: about["run"]["config"]["model"].update(n_layers=3),
        lambda about: about["run"]["config"]["model"].update(d_model=10**400),
        lambda about: about.update(labels=["x"]),
        lambda about: about.update(labels=7),
        lambda about: about.pop("run"),
    ],
)
def test_what_does_not_fit_is_passed_over_and_the_weights_still_come(damage, tmp_path):
    run = untrained(
        "gpt2-tiny", "clm", data={"source_column": "q", "target_column": "a", "corpus": "file", "path": "x"}
    )
    first = export(run, to=tmp_path / "first").folder
    about = json.loads((first / "playground.json").read_text())
    damage(about)
    (first / "playground.json").write_text(json.dumps(about))
    back = import_folder(first)
    assert back.checkpoints() == [0] and back.about()["data_shape"] == "pairs", "older exports told this much"
    shutil.rmtree(first)


def test_an_export_from_before_a_choice_was_there_comes_back_as_its_run(tmp_path):
    made = export(untrained("modern-tiny", "clm"), to=tmp_path / "first").folder
    config, about = (json.loads((made / name).read_text()) for name in ("config.json", "playground.json"))
    for told in (config, about["spec"], about["run"]["config"]["model"]):
        assert told.pop("head_activation") == "gelu"
    (made / "config.json").write_text(json.dumps(config))
    (made / "playground.json").write_text(json.dumps(about))
    back = import_folder(made)
    assert (back.name, back.checkpoints()) == ("First <b>try</b>", [7])
