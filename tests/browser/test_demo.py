"""The page that an export brings: its own tokenizer, and what it says without a network."""

import pytest

from playground.labelled.table import PIECES, pieces_of
from playground.onnx_export.export import export
from playground.runs import gallery
from playground.text.tokenizers import Tokenizer

TEXTS = ("And God said, Let  there be\n\nlight: 1234567 ok!", "naïve 三国演义 — “x” \t tab's", "", "   a", "e\u0301 🙂")


@pytest.mark.parametrize("name", ["bible-decoder", "dates"])
def test_the_demo_cuts_text_as_the_tokenizer_does_and_says_what_it_lacks(browser, tmp_path, monkeypatch, name):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    run = gallery.get(name)
    made = export(run)
    page = browser.new_page()
    page.route("https://**", lambda route: route.abort())  # nobody's network
    page.goto((made.folder / "demo.html").as_uri())
    page.get_by_text("ONNX Runtime could not be loaded from https://cdn.jsdelivr.net").wait_for()
    assert page.get_by_role("button").is_disabled()
    tokenizer = Tokenizer.load(run.tokenizer_path)
    for text in TEXTS:
        ids = page.evaluate("text => demo.encode(text)", text)
        assert ids == list(tokenizer.encode(text)), text
        assert page.evaluate("ids => demo.decode(ids)", ids) == tokenizer.decode(ids)
    assert "is loaded by your browser from cdn.jsdelivr.net" in page.locator("body").inner_text()
    page.close()


def test_words_are_cut_in_a_browser_as_here(browser):
    page = browser.new_page()
    for text in (*TEXTS, 'He said: "No (never)," and left; 他说：“好”。 a-b c\'d [x] {y}  '):
        cut = page.evaluate("([pieces, text]) => text.match(new RegExp(pieces, 'gu')) || []", [PIECES, text])
        assert cut == list(pieces_of(text)), text
    page.close()
