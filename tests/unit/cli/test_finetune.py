"""Fine-tuning as a person types it: it learns, is tested, compared, used, packed and copied."""

import csv
import json
import re

import pytest

from playground.cli import main
from playground.generation.predict import open_prompt
from playground.runs.store import RunStore
from playground.text.prepare import load
from playground.text.tokenizers import Tokenizer
from playground.training.batches import IGNORE, Sampler
from playground.training.objectives import Objective
from playground.training.saving import load_model

SMALL = ["--tokenizer", "char", "--set", "data.max_bytes=40000", "model.d_model=32", "model.n_layers=1", "model.n_heads=2",
         "model.context_length=48", "training.eval_every=10", "training.eval_batches=1", "training.threads=1"]  # fmt: skip
EVEN = ["--set", "training.eval_every=50", "training.sample_every=50"]


@pytest.fixture(scope="module")
def parents():
    found = {}
    for preset in ("bert-tiny", "llama-tiny"):
        name = f"{preset} to tune"
        assert main(["train", "--preset", preset, "--steps", "10", "--name", name, "--quiet", *SMALL]) == 0
        found[preset] = RunStore().get(name).id
    return found


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Texts that one word tells apart."""
    path = tmp_path_factory.mktemp("toy") / "toy.csv"
    with open(path, "w", newline="") as file:
        rows = [(f"the {i}th of them was {'zzz' if i % 2 else 'qqq'}", "good" if i % 2 else "bad") for i in range(300)]
        csv.writer(file).writerows([("text", "label"), *rows])
    return str(path)


@pytest.fixture(scope="module")
def tuned(parents, toy):
    line = ["finetune", parents["bert-tiny"], "--task", "classify", "--data", toy, "--steps", "100", "--lr", "0.01"]
    assert main([*line, "--method", "lora", "--matrices", "query,value,up,down", "--name", "toy", "--quiet", *EVEN]) == 0
    return RunStore().get("toy")


def test_it_learns_and_says_how_well_on_texts_it_never_saw(tuned):
    report = json.loads((tuned.path / "results" / "report.json").read_text())
    assert report["test"]["accuracy"] > 0.95 and report["test"]["n"] == 60
    assert sum(map(sum, report["confusion"])) == 60
    assert report["confusion"][0][0] + report["confusion"][1][1] == round(report["test"]["accuracy"] * 60)
    assert [score["support"] for score in report["by_label"]] == [30, 30]
    assert sum(bin["n"] for bin in report["calibration"]["bins"]) == 60
    assert report["forgetting"]["before"] > 0 and report["forgetting"]["after"] > 0
    assert report["used"] == 210 and report["trained_parameters"] < report["parameters"]
    evaluations = [row for row in tuned.metrics()[0] if row["kind"] == "eval"]
    assert evaluations[-1]["val_f1"] > 0.95


def test_what_gives_labels_does_not_write(tuned, capsys):
    assert main(["generate", tuned.id, "--prompt", "the"]) == 2
    assert "gives labels" in capsys.readouterr().err


def test_label_prints_labels_and_writes_a_table(tuned, toy, tmp_path, capsys):
    assert main(["label", tuned.id, "--text", "the last of them was zzz"]) == 0
    printed = capsys.readouterr().out.split()
    assert printed[1] == "good" and printed[3] == "bad"
    assert main(["label", tuned.id, toy, "--to", str(tmp_path / "out.csv")]) == 0
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["label"] == row["label (model)"] for row in rows) > 285
    assert main(["label", tuned.id]) == 2 and "one of the two" in capsys.readouterr().err


def test_ways_are_compared_over_seeds(parents, toy, capsys):
    line = ["finetune", parents["bert-tiny"], "--data", toy, "--steps", "6", "--compare", "scratch", "--seeds", "2"]
    assert main([*line, "--quiet"]) == 0
    printed = capsys.readouterr().out
    for way in ("every weight, 100% of the labels", "from scratch, 100% of the labels"):
        assert re.search(rf"{way} +\d+\.\d% ± \d+\.\d% +\d+\.\d% ± \d+\.\d%", printed), printed
    assert re.search(r"TF-IDF \+ logistic regression, for comparison +100\.0%", printed)
    assert "on 60 test examples that no run has seen" in printed


def test_packed_copied_and_brought_back_it_still_labels(tuned, tmp_path):
    store = RunStore()
    back = store.import_zip(store.export_zip(tuned.id, tmp_path / "run.zip"))
    copy = store.duplicate(tuned.id, weights=True)
    for run in (back, copy):
        assert json.loads((run.path / "labels.json").read_text()) == ["bad", "good"]
        assert (run.latest_checkpoint() / "adapter.safetensors").exists()
        assert main(["label", run.id, "--text", "zzz"]) == 0
    for name in ("report.json", "test.safetensors"):
        assert (back.path / "results" / name).read_bytes() == (tuned.path / "results" / name).read_bytes()


def test_answers_are_learnt_alone_and_asked_for_with_the_template(parents, tmp_path):
    with open(tmp_path / "pairs.csv", "w", newline="") as file:
        csv.writer(file).writerows([("q", "a"), *((f"say {i}", f"{i}!") for i in range(100))])
    line = ["finetune", parents["llama-tiny"], "--task", "answer", "--data", str(tmp_path / "pairs.csv"), "--steps", "4"]
    columns = ["--source-column", "q", "--target-column", "a", "--template", "Q: {question} A:"]
    assert main([*line, *columns, "--name", "answers", "--quiet"]) == 0
    run = RunStore().get("answers")
    config, tokenizer = run.config(), Tokenizer.load(run.tokenizer_path)
    assert config.training.loss_on == "answer" and config.data.template == "Q: {question} A:"
    prepared = load(run.about()["data_folder"])
    rows = Sampler(prepared, config.model.context_length, 0).train(0, 4)
    batch = Objective(config, prepared).batch(rows)
    for ids, targets in zip(batch.inputs["input_ids"], batch.targets):
        asked = targets[targets != IGNORE].tolist()
        read = tokenizer.decode(ids.tolist())
        number = re.match(r"Q: say (\d+) A:", read)[1]
        assert tokenizer.decode(asked[:-1]) == f"{number}!" and asked[-1] == tokenizer.eos_id
    prompt = open_prompt(load_model(run).spec, tokenizer, "say 7", True, config.data.template)
    assert tokenizer.decode(prompt.ids) == "Q: say 7 A:" and prompt.ids[-1] == tokenizer.bos_id


def test_pairs_that_the_model_does_not_read_whole_are_told(parents, tmp_path, capsys):
    with open(tmp_path / "long.csv", "w", newline="") as file:
        csv.writer(file).writerows([("q", "a"), *((f"count to {i}", "one, two, " * (i % 2 * 80) + "done") for i in range(100))])
    line = ["finetune", parents["llama-tiny"], "--task", "answer", "--data", str(tmp_path / "long.csv"), "--steps", "4"]
    assert main([*line, "--source-column", "q", "--target-column", "a", "--name", "too long"]) == 0
    printed = capsys.readouterr().out
    assert "tokens that the model reads: 50 of 100 (first: “count to " in printed and "Training on" in printed
    assert "50 of 100" in RunStore().get("too long").status().note["cut"]
    evaluated = [row for row in RunStore().get("too long").metrics()[0] if row["kind"] == "eval"]
    assert evaluated and all(row["val_exact"] <= 0.7 for row in evaluated)


@pytest.mark.parametrize(
    "words, said",
    [
        (["--data", "nothing-there"], "neither labelled text nor a file"),
        (["--data", "bible-punctuation"], "gives a label to each word"),
        (["--data", "bible-unread", "--set", "data.max_bytes=5"], "has no settings of data"),
        (["--data", "bible-unread", "--source-column", "q"], "does not read --source-column"),
        (["--data", "bible-unread", "--task", "language", "--share", "0.5"], "neither a corpus nor a file"),
        (["--data", "python-docs", "--task", "language", "--share", "0.5"], "does not read --share"),
        (["--data", "python-docs", "--task", "answer"], "cannot write answers"),
        (["--data", "bible-unread", "--shares", "a,b"], "no list of shares"),
        (["--data", "bible-unread", "--compare", "magic"], "nothing to compare"),
        (["--data", "bible-unread", "--method", "lora", "--rank", "32"], "no saving"),
    ],
)
def test_mistakes_are_answered_in_sentences(parents, words, said, capsys):
    assert main(["finetune", parents["bert-tiny"], *words, "--quiet"]) == 2
    printed = capsys.readouterr()
    assert said in printed.err + printed.out and "Traceback" not in printed.err
