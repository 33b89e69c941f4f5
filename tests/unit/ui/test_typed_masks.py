"""A mask or a gap that a person types is the token that training hid, on every way to the model."""

import subprocess
import sys

import pytest

from playground.cli.main import main
from playground.generation.torch_model import TorchEncoder
from playground.onnx_export.export import export
from playground.pages.runs.compare import blanks
from playground.runs import gallery
from playground.text.tokenizers import Tokenizer
from playground.training.load_model import load_model

BEFORE, WORD, AFTER = "And it came to pass in the", " first", " year of the king"


@pytest.fixture(scope="module")
def reader():
    run = gallery.get("bible-encoder")
    return TorchEncoder(load_model(run), 0), Tokenizer.load(run.tokenizer_path)


def hidden(model, tokenizer) -> str:
    """The truth: the word's own token hidden among the ids of the whole text, and the likeliest put there."""
    ids = tokenizer.encode(BEFORE + WORD + AFTER)
    (word,) = tokenizer.encode(WORD)
    place = ids.index(word)
    ids[place] = tokenizer.mask_id
    ids[place] = int(model.logits([ids])[0, place].argmax())
    return tokenizer.decode(ids)


def test_a_gap_between_runs_is_a_hidden_word(reader):
    model, tokenizer = reader
    truth = hidden(model, tokenizer)
    assert truth == BEFORE + WORD + AFTER, "the model knows it"
    assert blanks(model, tokenizer, f"{BEFORE} ___{AFTER}") == truth
    assert blanks(model, tokenizer, f"{BEFORE}___{AFTER}") == truth
    assert blanks(model, tokenizer, BEFORE) == blanks(model, tokenizer, f"{BEFORE}___"), (
        "the gap that is put at the end"
    )
    assert "  " not in blanks(model, tokenizer, f"{BEFORE} ___ ___{AFTER}")


def test_the_command_and_the_shipped_program_agree_with_it(reader, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    truth, typed = hidden(*reader), f"{BEFORE} <mask>{AFTER}"
    assert main(["generate", "bible-encoder", "--prompt", typed]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == truth
    made = export(gallery.get("bible-encoder")).folder
    example = [sys.executable, str(made / "example.py"), typed]
    assert subprocess.run(example, capture_output=True, text=True, check=True).stdout == truth + "\n"
    assert main(["generate", "bible-encoder", "--with", "onnx", "--prompt", typed]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == truth
