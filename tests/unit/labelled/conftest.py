"""Each test has a home of its own; bytes are the tokens, so that lengths can be counted."""

import csv
import json

import pytest

from playground.runs.finetuning import LabelledSpec
from playground.text.spec import TokenizerSpec
from playground.text.vocabulary import learn


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A playground home that goes with the test."""
    folder = tmp_path / "home"
    monkeypatch.setenv("PLAYGROUND_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def tokenizer():
    return learn(TokenizerSpec("byte"), lambda: iter(()), lambda: iter(()))


@pytest.fixture
def table(tmp_path):
    """``table(rows)``: a .csv of (text, label), or a .jsonl of objects; the spec that reads it."""

    def write(rows, name: str = "rows.csv", **choices) -> LabelledSpec:
        path = tmp_path / name
        if path.suffix == ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        else:
            with open(path, "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([("text", "label"), *rows])
        return LabelledSpec("file", path=str(path), **choices)

    return write


@pytest.fixture
def ratings():
    """A hundred texts that differ, half of them good."""
    return [(f"text number {i} is {'fine' if i % 2 else 'poor'}", "good" if i % 2 else "bad") for i in range(100)]
