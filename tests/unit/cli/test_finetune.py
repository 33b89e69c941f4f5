"""Fine-tuning as a person types it: it learns, is tested, compared, used, packed and copied."""

import csv
import json
import re

import pytest

from playground.cli import main
from playground.finetune import sandboxed_import
from playground.generation.predict import open_prompt
from playground.runs.store import RunStore
from playground.text.prepare import load
from playground.text.targets import IGNORE_INDEX
from playground.text.tokenizers import Tokenizer
from playground.training.batches import Sampler
from playground.training.load_model import labels_of, load_model
from playground.training.objectives import Objective

SMALL = [
    "--tokenizer",
    "char",
    "--set",
    "data.max_bytes=40000",
    "model.d_model=32",
    "model.n_layers=1",
    "model.n_heads=2",
    "model.context_length=48",
    "training.eval_every=10",
    "training.eval_batches=1",
    "training.threads=1",
]
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
    assert (
        main([*line, "--method", "lora", "--target-modules", "query,value,up,down", "--name", "toy", "--quiet", *EVEN])
        == 0
    )
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


def test_label_takes_the_encoding_and_tells_what_it_guessed(tuned, tmp_path, capsys):
    path, out = tmp_path / "texts.txt", tmp_path / "out.csv"
    lines = ["Старый рыбак сидел у реки и ждал zzz", "Дети бежали через луг, услышав лай qqq"]
    path.write_text("\n".join(lines), encoding="koi8-r")
    for named, said in ([], True), (["--encoding", "koi8-r"], False):
        assert main(["label", tuned.id, str(path), "--to", str(out), *named]) == 0
        assert ("texts.txt is read as koi8-r. That is a guess" in capsys.readouterr().err) == said
        assert [row["text"] for row in csv.DictReader(out.read_text().splitlines())] == lines
    assert main(["label", tuned.id, str(path), "--to", str(out), "--encoding", "cp1251"]) == 0
    assert [row["text"] for row in csv.DictReader(out.read_text().splitlines())] != lines
    assert main(["label", tuned.id, str(path), "--encoding", "hex"]) == 2
    assert "There is no text encoding 'hex'." in capsys.readouterr().err


def test_a_table_in_a_named_encoding_is_learnt_from(parents, tmp_path, capsys):
    path = tmp_path / "table.csv"
    rows = [f"строка {i} {'хорошо' if i % 2 else 'плохо'},{'да' if i % 2 else 'нет'}" for i in range(60)]
    path.write_text("\n".join(["text,label", *rows]), encoding="cp866")
    line = ["finetune", parents["bert-tiny"], "--data", str(path), "--steps", "2", "--quiet", *EVEN]
    assert main([*line, "--encoding", "cp866", "--name", "cp866"]) == 0
    run = RunStore().get("cp866")
    assert run.config().finetune.labelled.encoding == "cp866"
    assert set(labels_of(run)) == {"да", "нет"}
    for wrong, said in (
        (["--encoding", "rot13"], "no text encoding"),
        (["--set", "labelled.encoding=hex"], "no text encoding"),
    ):
        assert main([*line, *wrong]) == 2 and said in capsys.readouterr().err
    assert main(["finetune", parents["bert-tiny"], "--data", "bible-unread", "--encoding", "cp866"]) == 2
    assert "no encoding to choose" in capsys.readouterr().err


def test_label_prints_labels_and_writes_a_table(tuned, toy, tmp_path, capsys):
    assert main(["label", tuned.id, "--text", "the last of them was zzz"]) == 0
    printed = capsys.readouterr().out.split()
    assert printed[1] == "good" and printed[3] == "bad"
    assert main(["label", tuned.id, toy, "--to", str(tmp_path / "out.csv")]) == 0
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["label"] == row["label (model)"] for row in rows) > 285
    assert main(["label", tuned.id]) == 2 and "one of the two" in capsys.readouterr().err
    for name in ("out.jsonl", "out.tsv"):
        assert main(["label", tuned.id, toy, "--to", str(tmp_path / name)]) == 2 and not (tmp_path / name).exists()
        assert f"as CSV, which {name} does not say" in capsys.readouterr().err


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
    back = sandboxed_import.import_sandboxed(store.export_zip(tuned.id, tmp_path / "run.zip"), store)
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
    line = [
        "finetune",
        parents["llama-tiny"],
        "--task",
        "answer",
        "--data",
        str(tmp_path / "pairs.csv"),
        "--steps",
        "4",
    ]
    columns = ["--source-column", "q", "--target-column", "a", "--template", "Q: {question} A:"]
    assert main([*line, *columns, "--name", "answers", "--quiet"]) == 0
    run = RunStore().get("answers")
    config, tokenizer = run.config(), Tokenizer.load(run.tokenizer_path)
    assert config.training.loss_on == "completion" and config.data.template == "Q: {question} A:"
    prepared = load(run.about()["data_folder"])
    rows = Sampler(prepared, config.model.context_length, 0).train(0, 4)
    batch = Objective(config, prepared).batch(rows)
    for ids, targets in zip(batch.inputs["input_ids"], batch.targets):
        asked = targets[targets != IGNORE_INDEX].tolist()
        read = tokenizer.decode(ids.tolist())
        number = re.match(r"Q: say (\d+) A:", read)[1]
        assert tokenizer.decode(asked[:-1]) == f"{number}!" and asked[-1] == tokenizer.eos_id
    prompt = open_prompt(load_model(run).spec, tokenizer, "say 7", True, config.data.template)
    assert tokenizer.decode(prompt.ids) == "Q: say 7 A:" and prompt.ids[-1] == tokenizer.bos_id


def test_rows_that_are_left_out_are_told_once_by_a_quiet_command_too(parents, tmp_path, capsys):
    """Also where a file's name is not UTF-8, as on a disk that was written on another system."""
    import os

    path = os.fsdecode(os.fsencode(tmp_path) + b"/na\xefve.csv")
    with open(path, "w", newline="") as file:
        rows = [(f"the {i}th of them was {'zzz' if i % 2 else 'qqq'}", "good" if i % 2 else "bad") for i in range(60)]
        csv.writer(file).writerows([("text", "label"), *rows, ("no label", ""), ("long " * 40, "good")])
    line = ["finetune", parents["bert-tiny"], "--data", path, "--steps", "2", "--name", "odd\udcef", "--quiet", *EVEN]
    assert main([*line, "--seeds", "2"]) == 0
    said = capsys.readouterr().err
    assert said.count("Rows without a label, left out: 1 (first: row 61).") == 1
    assert said.count("Texts longer than the model reads: 1 of 61 (first: row 62); 48 tokens are kept.") == 1
    run = next(run for run in RunStore().list() if run.name.startswith("odd"))
    assert "\ufffd" in run.name
    assert main(["label", run.id, path]) == 0
    printed = capsys.readouterr()
    assert "62 rows labelled" in printed.out and "longer than the model reads: 1 of 62 (first: row 62)" in printed.err
    assert main(["export", run.id, "--to", str(tmp_path / "export")]) == 0


def test_a_column_in_doubt_is_asked_for_by_its_flag(parents, tmp_path, capsys):
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{i},{i + 1}\n" for i in range(30)))
    for line, flag in (
        (["finetune", parents["bert-tiny"], "--data"], "--label-column"),
        (["train", "--preset", "gpt2-tiny", "--data"], "--text-column"),
    ):
        assert main([*line, str(tmp_path / "t.csv"), "--quiet", "--steps", "1"]) == 2
        assert f"({flag}): it has a, b." in capsys.readouterr().err


def test_pairs_that_the_model_does_not_read_whole_are_told(parents, tmp_path, capsys):
    with open(tmp_path / "long.csv", "w", newline="") as file:
        csv.writer(file).writerows(
            [("q", "a"), *((f"count to {i}", "one, two, " * (i % 2 * 80) + "done") for i in range(100))]
        )
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
        (["--data", "bible-unread", "--template", "Q: {question}"], "does not read --template"),
        (["--data", "bible-unread", "--option", "a=1"], "does not read --option"),
        (["--data", "bible-unread", "--label-column", "a"], "bible-unread has no columns to choose"),
        (["--data", "bible-unread", "--set", "finetune.rank=4"], "Nothing here reads finetune.rank."),
        (
            ["--data", "bible-unread", "--set", "finetune.rank=4", "--compare", "last"],
            "Nothing here reads finetune.rank.",
        ),
        (["--data", "bible-unread", "--set", "finetune.rnak=4"], "Did you mean finetune.rank? It has: task,"),
        (["--data", "bible-unread", "--set", "finetune.labelled=x"], "finetune.labelled has an option of its own"),
        (["--data", "bible-unread", "--set", "labelled.encoding=gb18030"], "Nothing here reads labelled.encoding."),
        (["--data", "bible-unread", "--set", "training.mask_rate=0.5"], "Nothing here reads training.mask_rate."),
        (["--data", "bible-unread", "--set", "model.init_std=0.5"], "Nothing here reads model.init_std."),
        (["--data", "bible-unread", "--rank", "4"], "The method all does not read --rank"),
        (
            ["--data", "bible-unread", "--method", "lora", "--last-layers", "1"],
            "The method lora does not read --last-layers",
        ),
        (["--data", "bible-unread", "--train-fraction", "0.5", "--train-fractions", "0.1,1"], "Give one of the two"),
        (
            ["--data", "bible-unread", "--set", "labelled.train_fraction=0.5", "--train-fractions", "0.1,1"],
            "Give one of the two",
        ),
        (["--data", "bible-unread", "--train-fraction", "0.5", "--set", "labelled.train_fraction=1"], "say the same"),
        (["--data", "bible-unread", "--seeds", "0"], "--seeds cannot be 0"),
        (
            ["--data", "python-docs", "--task", "language", "--train-fractions", "0.5,1"],
            "does not read --train-fractions",
        ),
        (["--data", "bible-unread", "--task", "language", "--train-fraction", "0.5"], "does not read --train-fraction"),
        (["--data", "python-docs", "--task", "language", "--train-fraction", "0.5"], "does not read --train-fraction"),
        (["--data", "python-docs", "--task", "answer"], "cannot write answers"),
        (["--data", "bible-unread", "--train-fractions", "a,b"], "no list of fractions"),
        (["--data", "bible-unread", "--compare", "magic"], "nothing to compare"),
        (["--data", "bible-unread", "--method", "lora", "--rank", "32"], "no saving"),
    ],
)
def test_mistakes_are_answered_in_sentences(parents, words, said, capsys):
    assert main(["finetune", parents["bert-tiny"], *words, "--quiet"]) == 2
    printed = capsys.readouterr()
    assert said in printed.err + printed.out and "Traceback" not in printed.err
