"""The page that an export brings: its own tokenizer, and what it says without a network."""

import json

import pytest
from playwright.sync_api import expect
from tokenizers import Tokenizer as Inner
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from playground.labelled.table import PIECES, pieces_of
from playground.onnx_export import demo
from playground.onnx_export.demo import can_cut, write_demo
from playground.onnx_export.export import export
from playground.onnx_export.package import spaces_of
from playground.runs import gallery
from playground.text.pretrained_tokenizers import adopt
from playground.text.spec import KINDS, TokenizerSpec
from playground.text.tokenizers import Tokenizer
from playground.text.vocabulary import learn

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
    expect(page.get_by_role("button")).to_be_disabled()
    tokenizer = Tokenizer.load(run.tokenizer_path)
    for text in TEXTS:
        ids = page.evaluate("text => demo.encode(text)", text)
        assert ids == list(tokenizer.encode(text)), text
        assert page.evaluate("ids => demo.decode(ids)", ids) == tokenizer.decode(ids)
    expect(page.locator("body")).to_contain_text("is loaded by your browser from cdn.jsdelivr.net", use_inner_text=True)
    page.close()


def test_words_are_cut_in_a_browser_as_here(browser):
    page = browser.new_page()
    for text in (*TEXTS, 'He said: "No (never)," and left; 他说：“好”。 a-b c\'d [x] {y}  '):
        cut = page.evaluate("([pieces, text]) => text.match(new RegExp(pieces, 'gu')) || []", [PIECES, text])
        assert cut == list(pieces_of(text)), text
    page.close()


# Tokenizers of every kind, without a model: the page's script alone


SEEN = ["The cat sat on the mat, it's a naïve 汉字 cat, don't say Let There be light.\n  two 345"] * 5


def wordpiece() -> Inner:
    inner = Inner(models.WordPiece(unk_token="[UNK]"))
    inner.normalizer, inner.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    inner.train_from_iterator(SEEN, trainers.WordPieceTrainer(vocab_size=60, special_tokens=names, show_progress=False))
    inner.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return inner


def byte_level() -> Inner:
    inner = Inner(models.BPE())
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    inner.normalizer = normalizers.NFC()
    inner.train_from_iterator(
        SEEN,
        trainers.BpeTrainer(
            vocab_size=300,
            special_tokens=["<|endoftext|>"],
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    return inner


def sentencepiece(metaspace: bool = False) -> Inner:
    inner = Inner(models.BPE(byte_fallback=True, unk_token="<unk>"))
    if metaspace:
        inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    inner.train_from_iterator(SEEN, trainers.BpeTrainer(vocab_size=320, special_tokens=names, show_progress=False))
    state = json.loads(inner.to_str())
    inner = Inner.from_str(json.dumps(state | {"added_tokens": state["added_tokens"][:3]}))
    inner.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", 1)])
    return inner


THEIRS = {
    "wordpiece": wordpiece,
    "byte-level": byte_level,
    "sentencepiece": sentencepiece,
    "metaspace": lambda: sentencepiece(metaspace=True),
}


def opened(browser, folder, tokenizer: Tokenizer, name: str = "x", begin: str = "The ", **about):
    """The page of a folder that holds a tokenizer and what the page has to know."""
    tokenizer.save(folder / "tokenizer.json")
    known = {
        "architecture": "encoder",
        "n_layers": 1,
        "context_length": 12,
        "objective": "mlm",
        "pairs": False,
        "task": "",
        "labels": [],
        "pieces": PIECES,
        "template": "{question}",
        "frame": [list(part) for part in tokenizer.frame],
        "ids": [tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.mask_id],
        "mask": {"name": tokenizer.mask_token, "spaces": spaces_of(tokenizer)},
    }
    (folder / "playground.json").write_text(json.dumps(known | about | {"begin": begin}))
    assert write_demo(folder, name)
    page = browser.new_page()
    page.route("https://**", lambda route: route.abort())  # nobody's network
    page.goto((folder / "demo.html").as_uri())
    page.get_by_text("ONNX Runtime could not be loaded from https://cdn.jsdelivr.net").wait_for()
    return page


MASKED = ("the <mask> sat", "<mask> cat<mask>, <mask> <mask>", "the\n<mask>  on  <mask>.", "c<mask>t", "", " <mask>")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_tokenizer_cuts_and_hides_as_here(browser, tmp_path, kind):
    tokenizer = learn(TokenizerSpec(kind, 400), lambda: ["the cat sat on the constructor's mat, 三国演义.\n"] * 9)
    page = opened(browser, tmp_path, tokenizer)
    for text in (*TEXTS, "the constructor __proto__ toString <eos> <!--<script>"):
        assert page.evaluate("text => demo.encode(text)", text) == tokenizer.encode(text), text
        assert page.evaluate("text => demo.decode(demo.encode(text))", text) == text
    for text in ("the ", "the  ", "a\n    ", " ", "", "the", "the\n"):
        assert page.evaluate("text => demo.opened(text)", text) == tokenizer.to_continue(text), text
    for text in MASKED:
        assert page.evaluate("text => demo.hide(text)", text) == tokenizer.encode(text, specials=True), text
    page.close()


@pytest.mark.parametrize("kind", ["wordpiece", "byte-level", "sentencepiece", "metaspace"])
def test_other_peoples_tokenizers_cut_as_in_their_own_library(browser, tmp_path, kind):
    inner = THEIRS[kind]()
    found = adopt(inner.to_str(), [{"mask_token": "[MASK]"}], inner.get_vocab_size() + 3, hides=kind == "wordpiece")
    (tmp_path / "tokenizer.json").write_text(found)
    tokenizer = Tokenizer.load(tmp_path / "tokenizer.json")
    page = opened(browser, tmp_path, tokenizer)
    for text in (
        *TEXTS,
        "Don't stop: NAÏVE “cats”, 3 cats' mats… x" + "y" * 120,
        " the cat  sat ",
        "한국어 ꀀꀁ 中文 豈",
    ):
        ids = page.evaluate("text => demo.encode(text)", text)
        assert ids == inner.encode(text, add_special_tokens=False).ids, text
        assert page.evaluate("ids => demo.decode(ids)", ids) == tokenizer.decode(ids), text
        assert page.evaluate("ids => demo.framed(ids)", ids) == tokenizer.with_special_tokens(ids, 12), (
            "cut, but within its frame"
        )
    if kind == "wordpiece":
        assert page.evaluate("ids => demo.framed(ids)", [9] * 20) == [2, *[9] * 10, 3]
        for text in MASKED:
            assert (
                page.evaluate("text => demo.hide(text)", text)
                == inner.encode(text.replace("<mask>", "[MASK]"), add_special_tokens=False).ids
            ), text
    page.close()


def test_rare_kinds_get_no_page(tmp_path):
    from tokenizers import models

    unigram = Inner(models.Unigram([("<unk>", 0.0), ("▁", -1.0), ("a", -2.0)], unk_id=0))
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    assert not can_cut(json.loads(unigram.to_str()))


@pytest.mark.parametrize("task", ["", "classify"])
def test_html_in_names_texts_and_labels_is_letters(browser, tmp_path, task):
    """A hole's value may look like another hole, end a script, or begin a comment in which a script begins."""
    bad = "<!--<script></script>{{ABOUT}}{{NAME}}\u2028</ScRiPt><script>window.hacked = 1</script><img src=x onerror=hacked=1>"
    bad += "{{GRAPHS}}{{LICENCE}}`${alert(1)}`\\u003cscript>alert(1)\u2029'\"/*//"
    tokenizer = learn(TokenizerSpec("word", 600), lambda: [f"{bad} <p>A cat</p> -->\n"] * 9)
    context, dialogs = browser.new_context(), []
    context.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    said = {"task": task, "labels": [bad, "<!--<script>"], "template": f"{bad}{{question}}"}
    page = opened(context, tmp_path, tokenizer, name=bad, begin=bad, **said)
    assert page.evaluate("window.hacked") is None and not dialogs
    assert page.locator("h1").text_content() == bad == page.evaluate("document.querySelector('title').textContent")
    expect(page.locator("#text")).to_have_value(bad)
    expect(page.locator("script")).to_have_count(5)
    expect(page.locator("img")).to_have_count(0)
    assert page.evaluate("demo.encode('<!--<script>')") == tokenizer.encode("<!--<script>")
    expect(page.locator("#does")).to_contain_text("An encoder with 1 layer, running", use_inner_text=True)
    assert page.evaluate("JSON.parse(document.getElementById('about').textContent).labels") == [bad, "<!--<script>"]
    assert page.evaluate("window.hacked") is None and not dialogs
    context.close()


def test_a_page_with_onnx_runtime_in_it_shows_its_licence(browser, tmp_path, monkeypatch):
    """ONNX Runtime is a double here; the licence is the one of the installed package."""
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    kept = demo._kept()
    kept.mkdir(parents=True)
    (kept / demo.SCRIPT).write_text("export const env = { wasm: {} };")
    (kept / demo.WASM).write_bytes(b"\0asm")
    made = export(gallery.get("dates"), offline_demo=True)
    page = browser.new_page()
    page.route("https://**", lambda route: route.abort())
    page.goto((made.folder / "demo.html").as_uri())
    text = page.locator("details pre").first
    expect(text).to_be_hidden()
    page.get_by_text("Licence of ONNX Runtime").click()
    expect(text).to_be_visible()
    expect(text).to_contain_text("MIT License")
    expect(text).to_contain_text("Permission is hereby granted, free of charge")
    expect(page.locator("details pre")).to_have_count(2)
    page.close()
