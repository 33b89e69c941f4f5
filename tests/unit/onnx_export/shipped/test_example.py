"""The example that lies beside an export, run by itself: it writes what torch writes."""

import json
import os
import shlex
import subprocess
import sys

import pytest

from playground import gallery
from playground.onnx_export.export import export
from playground.text.tokenizers import Tokenizer
from playground.training import worker
from playground.training.load_model import load_model


@pytest.mark.parametrize(
    ("name", "prompt", "says"),
    [
        ("bible-decoder", "And God said", "And God said"),
        ("bible-lstm", "And God said", "And God said"),
        ("dates", "May 3, 2001 =", "2001-05-03"),
        ("dates-lstm", "May 3, 2001 =", "2001-05-03"),
        ("bible-encoder", "In the beginning God <mask> the heaven", "In the beginning God "),
    ],
)
def test_the_example_needs_nothing_of_ours(name, prompt, says):
    made = export(gallery.get(name))
    done = subprocess.run(
        [sys.executable, "-I", str(made.folder / "example.py"), prompt],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    assert says in done.stdout and "<mask>" not in done.stdout


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("stories-decoder", "The cat sat on the mat. It meowed."),
        ("dates", "September 27, 2020 =\n2020-09-27\n"),
        ("three-kingdoms", "却说"),
        ("stories-zh-encoder", "猫坐在垫子上。它"),
    ],
)
def test_without_a_text_it_takes_one_that_its_model_was_made_for(name, says):
    made = export(gallery.get(name))
    done = subprocess.run(
        [sys.executable, "-I", str(made.folder / "example.py")],
        capture_output=True,
        timeout=60,
        cwd="/",
    )
    said = done.stdout.decode()
    assert said.startswith(says) and "<mask>" not in said, done.stderr
    begin = json.loads((made.folder / "playground.json").read_text(encoding="utf-8"))["begin"]
    card = (made.folder / "README.md").read_text(encoding="utf-8")
    assert f"python example.py {shlex.quote(begin)}\n" in card
    assert f'"begin": {json.dumps(begin, ensure_ascii=False)}'.replace("<", "\\u003c") in (
        made.folder / "demo.html"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize("context", [1, 3, 16])
def test_the_example_writes_past_the_end_of_the_context_what_torch_writes(context, new_run):
    from models.generate import decode

    run = new_run(model={"context_length": context})
    assert worker.run(run) == "finished"
    made, model, tokenizer = export(run), load_model(run), Tokenizer.load(run.tokenizer_path)
    done = subprocess.run(
        [sys.executable, "-I", str(made.folder / "example.py"), "The yield"],
        capture_output=True,
        timeout=60,
        cwd="/",
    )
    theirs = list(decode(model, tokenizer.encode("The yield"), 64, stop_ids=(tokenizer.eos_id,)))
    assert done.stdout.decode() == f"The yield{tokenizer.decode(theirs)}\n" and len(theirs) > context, done.stderr


def test_a_space_at_the_end_is_read_alike_on_every_way_to_the_model(tmp_path, capsys, monkeypatch):
    from playground.cli.main import main

    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    made = export(gallery.get("stories-decoder")).folder
    said = set()
    for typed in ("The cat sat on the mat. It", "The cat sat on the mat. It "):
        run = [sys.executable, "-I", str(made / "example.py"), typed]
        said.add(subprocess.run(run, capture_output=True, text=True, check=True).stdout[:40])
        for engine in ("torch", "onnx"):
            assert main(["generate", "stories-decoder", "--with", engine, "--greedy", "--prompt", typed]) == 0
            said.add(capsys.readouterr().out[:40])
    assert len(said) == 1 and said.pop().startswith("The cat sat on the mat. It meowed"), said
