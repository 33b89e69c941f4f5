"""What leaves this machine with an export: names of files but not their places, no marks that others wrote, and licences."""

import json
import re
import zipfile
from html import unescape
from pathlib import Path

import pytest

from models.presets import PRESETS
from playground.core.errors import PlaygroundError
from playground.onnx_export.export import export
from playground.onnx_export.package import in_block, in_line, zipped
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.store import RunStore
from playground.text.spec import DataSpec
from playground.training import results

PLACE = "/srv/private-place-of-mine/uploads/0123/notes.txt"
BAD = (
    "`x` ``` <script>window.hacked = 1</script> <img src=x onerror=hacked=1> [a](http://x.invalid) ![p](http://x.invalid/p.png)"
    '\n\n# Heading\n\n---\n```\n~~~~\n"""); import os #\n<!-- {{ABOUT}} &lt; \\'
)


def named_badly():
    """A trained run whose every text is BAD, of a text with a place of its own."""
    run = RunStore().duplicate("bible-decoder", weights=True)
    about = json.loads((run.path / "run.json").read_text())
    about["name"] = BAD
    about["data"] |= {"corpus": "file", "path": PLACE, "options": {}, "text_column": BAD}
    about["training"]["sample_prompt"] = BAD
    about["data_info"] = {**(about.get("data_info") or {}), "provenance": BAD, "licence": BAD}
    (run.path / "run.json").write_text(json.dumps(about))
    return run


def test_the_card_shows_names_as_they_are_and_nothing_of_theirs_is_read():
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark")
    run = named_badly()
    made = export(run)
    card = (made.folder / "README.md").read_text(encoding="utf-8")
    page = markdown.render(card.split("---", 2)[2])
    assert not re.search(r"<script|<a |onerror=hacked=1>|<hr", page), page
    assert re.findall("<img[^>]*>", page) == ['<img src="curve.svg" alt="training curve" />']
    assert [unescape(text) for text in re.findall("<h1>(.*?)</h1>", page, re.S)] == [" ".join(run.name.split())]
    assert "<h2" not in page and page.count("<pre>") == 2
    used, command = map(unescape, re.findall("<pre><code[^>]*>(.*?)</code></pre>", page, re.S))
    assert used == "python example.py 'And God said'\n"
    assert command.startswith("python -m playground train") and BAD.splitlines()[0] in command
    assert "/notes.txt" not in command and "notes.txt" in command
    compile((made.folder / "example.py").read_text(), "example.py", "exec")
    assert "hacked" not in (made.folder / "example.py").read_text()


def test_no_file_of_an_export_tells_where_a_text_was(tmp_path):
    run = named_badly()
    made = export(run)
    packed = zipfile.ZipFile(zipped(made.folder, tmp_path / "x.zip"))
    assert "README.md" in {Path(name).name for name in packed.namelist()}
    for name in packed.namelist():
        assert b"private-place-of-mine" not in packed.read(name), name


@pytest.mark.parametrize(
    "text", ["a b", "a_b*c", "# h", "<b>", "a\nb", "[x](y)", "&amp;", "``", "\\", "~~x~~", "1|2", "$x$"]
)
def test_a_line_comes_back_as_it_was(text):
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark")
    assert unescape(re.sub("<[^>]+>", "", markdown.renderInline("It is " + in_line(text)))) == "It is " + " ".join(
        text.split()
    )


@pytest.mark.parametrize("code", ["a", "```", "a\n````\nb", "~~~", "\n\n# x"])
def test_a_block_comes_back_as_it_was(code):
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark")
    found = re.fullmatch("<pre><code[^>]*>(.*)\n</code></pre>\n", markdown.render(in_block(code)), re.S)
    assert found and unescape(found[1]) == code


def tuned_on(data: DataSpec) -> RunConfig:
    """What was fine-tuned from a run on a text."""
    training = TrainingSpec(steps=10)
    parent = RunStore().create(RunConfig("parent", PRESETS["gpt2-tiny"].spec, data, training))
    return RunConfig("x", PRESETS["gpt2-tiny"].spec, data, training, parent={"run": parent.id, "step": 10})


def test_a_report_names_the_text_and_not_its_place(monkeypatch):
    class Weights:
        def to(self, device):
            return self

    config = tuned_on(DataSpec("file", path=PLACE))
    monkeypatch.setattr(results, "body_of", lambda model: Weights())
    monkeypatch.setattr(results, "load_parent", lambda config: None)
    monkeypatch.setattr(results, "language_loss", lambda *args: 2.5)
    monkeypatch.setattr(results, "_text_of", lambda *args: None)
    device = type("Device", (), {"torch": None})()
    assert results.forgetting(config, None, None, device)["text"] == "notes.txt"
    assert results.forgetting(tuned_on(DataSpec("python-docs")), None, None, device)["text"] == "python-docs"

    def gone(*args):
        raise PlaygroundError(f"{PLACE} does not exist.")

    monkeypatch.setattr(results, "_text_of", gone)
    assert results.forgetting(config, None, None, device) == {"missing": "notes.txt does not exist."}
