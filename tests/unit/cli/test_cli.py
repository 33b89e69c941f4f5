"""The commands as a person types them."""

import pytest

from playground.cli import main
from playground.cli.progress import clock, progress_line
from playground.cli.settings import parse_settings
from playground.runs.config import TrainingSpec
from playground.runs.store import RunStore

SMALL = ["--tokenizer", "char", "--set", "data.max_bytes=60000", "model.d_model=32", "model.n_layers=1", "model.n_heads=2",
         "model.context_length=16", "training.eval_every=5", "training.eval_batches=1", "training.threads=1"]  # fmt: skip


@pytest.fixture(scope="module")
def trained() -> str:
    name = "typed at the command line"
    assert main(["train", "--preset", "llama-tiny", "--data", "python-docs", "--steps", "10", "--name", name, *SMALL]) == 0
    return RunStore().get(name).id


def test_train_prints_progress_and_what_to_do_next(capsys):
    assert main(["train", "--preset", "lstm-tiny", "--steps", "5", "--name", "a printed run", *SMALL]) == 0
    printed = capsys.readouterr().out
    assert "Training on" in printed and "validation loss" in printed and "perplexity" in printed
    assert "Finished at step 5" in printed and "python -m playground generate a-printed-run" in printed


def test_generate_continues_and_repeats_with_a_seed(trained, capsys):
    texts = []
    for _ in range(2):
        assert main(["generate", trained, "--prompt", "The ", "--tokens", "12", "--seed", "3"]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] and texts[0].startswith("The ") and len(texts[0]) > 8


def test_generate_beams(trained, capsys):
    assert main(["generate", trained, "--prompt", "The ", "--tokens", "5", "--beams", "2"]) == 0
    assert capsys.readouterr().out.strip()


def test_masked_models_fill_in(capsys):
    assert main(["train", "--preset", "bert-tiny", "--steps", "3", "--name", "a filler", *SMALL]) == 0
    capsys.readouterr()
    assert main(["generate", "a filler", "--prompt", "a<mask>c"]) == 0
    assert "%" in capsys.readouterr().out
    assert main(["generate", "a filler", "--prompt", "nothing hidden"]) == 2
    assert "hides none" in capsys.readouterr().err


def test_runs_are_listed_packed_deleted_and_brought_back(trained, capsys, tmp_path):
    assert main(["runs"]) == 0
    assert trained in capsys.readouterr().out
    assert main(["runs", "pack", trained, str(tmp_path / "run.zip")]) == 0
    assert main(["runs", "unpack", str(tmp_path / "run.zip")]) == 0
    copy = capsys.readouterr().out.split()[-1].rstrip(".")
    assert RunStore().get(copy).config().model == RunStore().get(trained).config().model
    assert main(["runs", "delete", copy]) == 0
    assert copy not in [folder.id for folder in RunStore().list()]
    assert main(["runs", "undelete", copy]) == 0
    assert copy in [folder.id for folder in RunStore().list()]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["train", "--preset", "gpt9-tiny"], "no preset"),
        (["train", "--data", "/no/such/file.txt"], "neither a corpus nor a file"),
        (["train", "--set", "model.n_heads=5"], "divide into 5 heads"),
        (["train", "--set", "model.wings=2"], "no setting called 'wings'"),
        (["train", "--set", "training.lr=fast"], "must be a number"),
        (["train", "--set", "speed"], "is not a setting"),
        (["train", "--objective", "mlm"], "cannot be trained with mlm"),
        (["train", "--data", "task-recall", "--option", "distance=-4"], "istance"),
        (["generate", "no-such-run"], "no run"),
        (["runs", "pause", "a printed run"], "is not running"),
    ],
)
def test_mistakes_are_answered_in_sentences(arguments, words, trained, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error


def test_what_there_is_to_choose_from(capsys):
    assert main(["presets"]) == 0
    assert "gpt2-tiny" in capsys.readouterr().out
    assert main(["data"]) == 0
    assert "task-dates" in capsys.readouterr().out


def test_settings_have_the_types_of_the_spec():
    parsed = parse_settings(
        ["training.lr=3e-3", "training.keep_steps=0,10", "training.steps=1_000"], {"training": TrainingSpec}
    )
    assert parsed == {"training": {"lr": 0.003, "keep_steps": (0, 10), "steps": 1000}}


def test_the_line_tells_loss_pace_and_time_left():
    row = {"step": 100, "loss": 2.0, "tokens": 10_000, "tokens_per_second": 500.0}
    assert progress_line(row, 400) == "step 100/400  loss 2.0000  perplexity 7.39  500 tokens/s  ETA 1:00"
    assert clock(3725) == "1:02:05"
