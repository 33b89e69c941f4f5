"""Orders to a terminal in names, labels, texts and files of strangers: they never reach it."""

import json
import os
import pty
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from playground.cli.main import main
from playground.runs.store import RunStore

ROOT = Path(__file__).parents[3]
ORDERS = "\x1b[2J\x1b]0;title\x07\x9b31m\x08\x7f\u202e"


def obeyed(text: str) -> list[str]:
    """What a terminal would not show but do; the line that is written anew is the program's own."""
    text = text.replace("\r\x1b[K", "").replace("\r\n", "\n")
    return [
        sign for sign in text if sign not in "\n\t" and (unicodedata.category(sign) == "Cc" or sign in "\u202e\u2066")
    ]


def on_a_terminal(*arguments: str) -> str:
    """What a command writes to a terminal."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "playground", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=its, stderr=its)
    os.close(its)
    written = b""
    try:
        while part := os.read(ours, 65536):
            written += part
    except OSError:  # how Linux says that nobody writes any more
        pass
    os.close(ours)
    process.wait(60)
    return written.decode()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PLAYGROUND_READ", raising=False)  # what is named is read, and nothing else
    return tmp_path


def written_by_hand(run, name: str) -> None:
    """A name in run.json as it may come from elsewhere."""
    path = run.path / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": name}))


@pytest.mark.parametrize("command", [["runs"], ["runs", "list"], ["runs", "pause", "latest"], ["generate", "latest"]])
def test_a_runs_name_is_letters(home, new_run, capsys, command):
    written_by_hand(new_run(), f"a{ORDERS}b\nc")
    main(command)
    said = capsys.readouterr()
    assert "a" in said.out + said.err and not obeyed(said.out + said.err)


@pytest.mark.parametrize("what", ["id", "folder", "file", "setting", "column", "command"])
def test_what_is_typed_and_quoted_in_an_error_is_letters(home, capsys, what):
    typed = {
        "id": ["runs", "pause", f"x{ORDERS}"],
        "folder": ["runs", "unpack", f"x{ORDERS}.zip"],
        "file": ["train", "--data", f"x{ORDERS}"],
        "setting": ["train", "--set", f"model.{ORDERS}=1"],
        "column": ["train", "--data", "python-docs", "--text-column", f"x{ORDERS}"],
        "command": ["runs", "list", ORDERS],
    }[what]
    try:
        assert main(typed) == 2
    except SystemExit as end:  # of argparse
        assert end.code == 2
    assert not obeyed(capsys.readouterr().err)


def test_a_training_on_a_terminal_says_letters_and_writes_its_line_anew(home):
    text = home / f"text{ORDERS}.txt"
    text.write_text("the cat\x1b[2J sat on the mat, the dog\x1b]0;x ran\n" * 200)
    said = on_a_terminal(
        "train",
        "--preset",
        "rnn-tiny",
        "--data",
        str(text),
        "--tokenizer",
        "char",
        "--steps",
        "4",
        "--name",
        f"n{ORDERS}",
        "--set",
        "training.eval_every=2",
        "training.sample_every=2",
    )
    assert "Finished at step 4" in said and "\r\x1b[K" in said and not obeyed(said)
    assert not obeyed(on_a_terminal("runs"))
    assert not obeyed(on_a_terminal("generate", "latest", "--prompt", f"the {ORDERS}"))


def test_a_labels_name_is_one_line_of_letters(capsys):
    import numpy as np

    from playground.cli import label_command
    from playground.core.terminal import letters_only

    class Labeller:
        task, labels, length = "classify", [f"good{ORDERS}\n99.9%  forged", "bad"], 8
        cuts = staticmethod(lambda text: False)
        probabilities = staticmethod(lambda texts: np.array([[0.75, 0.25]]))

    with letters_only():
        label_command.label(Labeller(), "x")
    out = capsys.readouterr().out
    assert not obeyed(out) and len(out.splitlines()) == 2 and "75.0%  good" in out


def test_letters_of_all_languages_breaks_and_tabs_stay(capsys):
    from playground.core.terminal import letters_only

    text = "a\tb\r\ncd 中文 é עברית العربية\u200f हिन्दी 🙂 ⏎\u200d"
    with letters_only():
        print(text)
        sys.stdout.writelines([text])
    assert capsys.readouterr().out == f"{text}\n{text}"


@pytest.mark.parametrize("command", [["data", "allow"], ["train", "--data"]])
def test_a_file_whose_name_breaks_the_line_is_not_allowed_in_silence(home, capsys, command):
    odd = home / "a\nb.txt"
    odd.write_text("a text")
    assert main([*command, str(odd)]) == 2
    assert "line break" in capsys.readouterr().err and not RunStore().list()


def test_the_servers_log_is_letters(monkeypatch, capsys):
    import logging

    from playground.core.terminal import log_letters

    log = logging.getLogger("playground")
    monkeypatch.setattr(log, "handlers", [])
    log_letters()
    log_letters()
    try:
        raise ValueError(f"x{ORDERS}")
    except ValueError:
        log.exception("Opening %s failed", f"y{ORDERS}")
    said = capsys.readouterr().err
    assert len(log.handlers) == 1 and said.count("Opening y") == 1 and "Traceback" in said and not obeyed(said)


def test_a_file_that_is_brought_has_no_order_in_its_name():
    from playground.text.uploads import safe_name

    assert not obeyed(safe_name(f"a{ORDERS}\u2028\u2066b.txt")) and safe_name("文本 é.txt") == "文本 é.txt"
