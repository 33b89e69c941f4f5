"""Runs made ready for the gallery: what is kept of a fine-tuned one, and the commands that make it anew."""

import json
import shlex

import pytest

from models.spec import ModelSpec
from playground.cli.main import main
from playground.cli.shipping import commands, own_sample, ship
from playground.finetune.plan import plan
from playground.labelled.baseline import shipped_baseline
from playground.labelled.prepare import prepare_labelled
from playground.runs import gallery
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.runs.report import read_report
from playground.runs.store import RunStore
from playground.text.spec import DataSpec, TokenizerSpec
from playground.training.worker import run as train

TINY = ModelSpec("encoder", d_model=16, n_layers=1, n_heads=2, context_length=16)
QUICK = {
    "steps": 2,
    "batch_size": 2,
    "warmup_steps": 1,
    "eval_every": 1,
    "eval_batches": 1,
    "sample_every": 0,
    "threads": 1,
}


@pytest.fixture
def tuned(tmp_path, monkeypatch):
    """A run that learnt two labels from a table, and the run that it started from."""
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    table = tmp_path / "kinds.csv"
    rows = [
        f"{word} number {i},{kind}" for i in range(40) for word, kind in (("the king", "royal"), ("a sheep", "farm"))
    ]
    table.write_text("\n".join(["text,kind", *rows]))
    data = DataSpec("python-docs", tokenizer=TokenizerSpec("byte"), max_bytes=20_000)
    parent = RunStore().create(RunConfig("A first run", TINY, data, TrainingSpec("mlm", **QUICK), preset="bert-tiny"))
    assert train(parent) == "finished"
    labelled = LabelledSpec("file", path=str(table), text_column="text", label_column="kind")
    run = RunStore().create(plan(parent, FineTuneSpec("classify", labelled), name="Kinds", **QUICK))
    assert train(run) == "finished"
    return run, parent


def test_the_recipe_begins_with_the_run_that_it_starts_from(tuned):
    run, parent = tuned
    first, second = map(shlex.split, commands(run.config()))
    assert first[:4] == ["python", "-m", "playground", "train"] and first[first.index("--name") + 1] == "A first run"
    assert second[3:5] == ["finetune", "A first run@2"]  # by its name: its id is another one wherever it is made anew
    assert commands(parent.config()) == commands(run.config())[:1]


def test_the_commands_describe_the_same_run(tuned):
    """Read back by the command line itself, before anything is trained."""
    import argparse

    from playground.cli import finetune_command

    run, _ = tuned
    parser = argparse.ArgumentParser()
    finetune_command.add(parser.add_subparsers())
    options = parser.parse_args(shlex.split(commands(run.config())[1])[3:])
    assert finetune_command.config_from(options, RunStore()) == run.config()


def test_a_shipped_run_brings_its_figures(tuned, tmp_path):
    run, _ = tuned
    target = ship(run, "kinds", tmp_path / "gallery")
    from playground.runs.folder import RunFolder

    shipped = RunFolder(target)
    assert read_report(shipped) == read_report(run)
    assert json.loads((target / "labels.json").read_text()) == json.loads((run.path / "labels.json").read_text())
    assert shipped.data_folder() is None and (target / "results/test.safetensors").is_file()
    tuning = run.config().finetune
    from playground.labelled.baseline import baseline
    from playground.text.tokenizers import Tokenizer

    data = prepare_labelled(tuning.labelled, "classify", Tokenizer.load(target / "tokenizer.json"), TINY.context_length)
    assert shipped_baseline(target) == baseline(data, tuning.labelled)
    card = (target / "README.md").read_text()
    accuracy = read_report(run)["test"]["accuracy"]
    assert f"Held-out accuracy {accuracy:.1%}" in card and "royal" in card and card.count("python -m playground") == 2


def test_the_command(tuned, tmp_path, monkeypatch, capsys):
    from playground.runs import gallery

    monkeypatch.setattr(gallery, "FOLDER", tmp_path / "gallery")
    assert main(["runs", "ship", tuned[0].id, "kinds"]) in (0, None)
    assert (tmp_path / "gallery/kinds/results/report.json").is_file()


def test_a_text_of_our_own_stands_in_for_samples_of_others(tuned, tmp_path):
    """Neither the samples nor the probed passage, which quote the text, are shipped then."""
    from playground.runs.folder import RunFolder
    from playground.runs.samples import opening_text

    _, parent = tuned
    shipped = RunFolder(ship(parent, "first", tmp_path / "gallery", sample="Our own words."))
    assert opening_text(shipped.samples()) == "Our own words." and len(shipped.samples()) == 1
    assert shipped.status().note is None and parent.status().note is not None
    assert not any("probe" in row for row in shipped.metrics()[0])


@pytest.mark.parametrize(
    "name, text, begins",
    [
        ("stories-decoder", "The cat sat on the mat. It", " meowed"),  # goes on
        ("dialogue", "Hello", "\nGreetings!"),  # answers
        ("translator", "Rose went to the house.", "\n小雪去了房子。"),
        ("stories-encoder", "The cat sat on the mat. It <mask>.", "\nThe cat sat on the mat. It meowed."),  # fills in
        ("stories-encoder", "The cat sat on the mat.", ""),  # has nothing to fill in
        ("names-zh", "张明昨天从上海来到北京。", ""),  # gives labels
    ],
)
def test_a_text_of_our_own_is_shipped_with_what_the_model_makes_of_it(name, text, begins):
    sample = own_sample(gallery.get(name), text)
    assert sample["prompt"] == text and sample["text"].startswith(begins)
    assert bool(sample["text"]) == bool(begins)


def test_what_ships_with_a_text_of_our_own_shows_what_the_model_makes_of_it():
    """An empty half of the picture would be the first that a person sees of a model that writes."""
    for run in gallery.runs():
        tuned = run.config().finetune
        if not (tuned and tuned.reads_labels):
            last = run.samples()[-1]
            assert last["kind"] != "text" or last["text"].strip(), run.id
