"""A fine-tuned model at work, and which tokens moved what it says."""

import csv
import json

import numpy as np
import pytest
import torch

from models.factory import build
from models.heads import ClassificationHead, ModelWithHead, TaggingHead
from models.spec import ModelSpec
from playground.core.errors import PlaygroundError
from playground.finetune.attribution import attribute
from playground.finetune.labeller import Labeller, label_table, nearest_window, window_starts
from playground.labelled.table import pieces_of
from playground.text.spec import TokenizerSpec
from playground.text.vocabulary import learn

LABELS = ("no", "yes", "maybe")


@pytest.fixture(scope="module")
def tokenizer():
    return learn(TokenizerSpec("byte"), lambda: iter(()), lambda: iter(()))


def labeller(tokenizer, architecture="encoder", task="classify", pooling="mean", **model) -> Labeller:
    torch.manual_seed(0)
    spec = ModelSpec(
        architecture, vocab_size=tokenizer.size, d_model=16, n_layers=2, n_heads=2, context_length=32, **model
    )
    body = build(spec)
    with torch.no_grad():
        for parameter in body.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    head = ClassificationHead(16, 3, pooling=pooling) if task == "classify" else TaggingHead(16, 3)
    model = ModelWithHead(body, head).eval()
    return Labeller(lambda: model, tokenizer, LABELS, task, 32)


@pytest.mark.parametrize(
    "architecture, pooling", [("encoder", "mean"), ("decoder", "last"), ("lstm", "last"), ("gru", "mean")]
)
def test_probabilities_are_the_models_softmax_alone_and_in_a_batch(tokenizer, architecture, pooling):
    one = labeller(tokenizer, architecture, pooling=pooling)
    texts = ["short", "a somewhat longer text", "中文", "x" * 100, *(f"number {i}" for i in range(70))]
    together = one.probabilities(texts)
    assert together.shape == (74, 3)
    for text, likely in zip(texts[:6], together):
        ids = torch.tensor(tokenizer.encode(text))[None, :32]  # what is longer is cut
        expected = one.model(ids).logits.softmax(-1)[0].detach().numpy()
        np.testing.assert_allclose(likely, expected, atol=2e-6)
        np.testing.assert_allclose(one.probabilities([text])[0], expected, atol=1e-6)
    assert one.probabilities([]).shape == (0, 3)


def test_tags_are_of_words_and_not_of_the_space_after_them(tokenizer):
    tagger = labeller(tokenizer, task="tag")
    said = tagger.tags("Well, he went. ")
    assert [piece for piece, _ in said] == ["Well", ",", " he", " went", "."]
    ids = torch.tensor(tokenizer.encode("Well, he went. "))[None]
    expected = tagger.model(ids).logits.softmax(-1)[0].detach().numpy()
    np.testing.assert_allclose(said[2][1], expected[len("Well, he") - 1], atol=1e-6)
    for nothing in ("", "  \n"):
        with pytest.raises(PlaygroundError, match="no text"):
            tagger.tags(nothing)


@pytest.mark.parametrize("n", [33, 40, 48, 63, 64, 65, 200])
def test_every_word_of_a_long_text_has_its_tag_from_a_window_that_shows_most_around_it(tokenizer, n):
    tagger, text = labeller(tokenizer, task="tag"), ("ab " * 100)[:n]
    said = tagger.tags(text)
    assert [piece for piece, _ in said] == [piece for piece in pieces_of(text) if piece.strip()]
    ids, ends = torch.tensor(tokenizer.encode(text)), np.cumsum([len(piece) for piece, _ in said]) - 1
    starts = [*range(0, n - 32, 16), n - 32]
    for (_, likely), place in zip(said, ends):
        around = {
            start: min(place - start if start else n, start + 31 - place if start + 32 < n else n)
            for start in starts
            if start <= place < start + 32
        }
        best = [start for start in around if around[start] == max(around.values())]
        expected = [tagger.model(ids[None, start : start + 32]).logits.softmax(-1)[0, place - start] for start in best]
        assert any(np.allclose(each.detach().numpy(), likely, atol=1e-6) for each in expected)


def test_a_word_far_down_a_long_text_is_explained_in_its_window(tokenizer):
    tagger, text = labeller(tokenizer, task="tag"), "ab " * 40
    for word in (0, 20, 39):
        found = attribute(tagger, text, 1, steps=4, word=word)
        likely = tagger.tags(text)[word][1]
        ids, place = tagger.window(text, word)
        assert "".join(found.pieces) == tokenizer.decode(ids) and len(ids) == 32
        logits = tagger.model(torch.from_numpy(ids)[None]).logits[0, place]
        assert found.something == pytest.approx(float(logits[1].detach()), abs=1e-5)
        np.testing.assert_allclose(logits.softmax(-1).detach().numpy(), likely, atol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 3, 8])
@pytest.mark.parametrize("n", range(1, 40))
def test_windows_cover_every_place(length, n):
    starts = window_starts(n, length)
    assert starts[0] == 0 and starts == sorted(set(starts)) and starts[-1] + length >= n
    best = nearest_window(np.arange(n), starts, min(length, n))
    assert all(starts[w] <= place < starts[w] + length for place, w in enumerate(best))


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_a_table_keeps_its_columns_and_gets_answers(tokenizer, tmp_path):
    one, source, target = labeller(tokenizer), tmp_path / "t.csv", tmp_path / "out.csv"
    texts = [f"text {i}, with a comma" for i in range(150)] + ["", "  "]
    with open(source, "w", newline="") as file:
        csv.writer(file).writerows([("id", "text", "label"), *((i, text, "x") for i, text in enumerate(texts))])
    done = []
    assert label_table(one, str(source), "text", target, done.append) == 152 and done == [64, 128, 152]
    rows = read(target)
    assert rows[0] == ["id", "text", "label", "label (model)", "probability"]  # its own column stays
    likely = one.probabilities(texts[:150])
    for row, text, p in zip(rows[1:], texts, likely):
        assert row[1:4] == [text, "x", LABELS[p.argmax()]] and float(row[4]) == pytest.approx(p.max(), abs=6e-5)
    assert [row[3:] for row in rows[-2:]] == [["", ""], ["", ""]]
    assert label_table(one, str(target), "text", tmp_path / "twice.csv") == 152
    assert read(tmp_path / "twice.csv")[0][-2:] == ["label (model 2)", "probability (model)"]


@pytest.mark.parametrize(
    "name, content",
    [
        ("t.txt", "one text\nanother\n\nthird\n"),
        ("t.log", "one text\nanother\n\nthird\n"),
        ("t.jsonl", '{"text": "one text"}\n{"text": "another"}\n{"text": null}\n{"text": "third"}\n'),
        ("only.csv", 'whatever\none text\nanother\n""\nthird\n'),
    ],
)
def test_text_files_and_other_tables(tokenizer, tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert label_table(labeller(tokenizer), str(tmp_path / name), None, tmp_path / "out.csv") == 4
    rows = read(tmp_path / "out.csv")
    assert [row[0] for row in rows[1:]] == ["one text", "another", "", "third"]
    assert [bool(row[1]) for row in rows[1:]] == [True, True, False, True]


def test_columns_that_come_late_are_written_and_the_file_is_read_once(tokenizer, tmp_path, monkeypatch):
    from playground.text import json_tables

    rows = [{"text": f"text {i}"} for i in range(700)]
    rows[600] |= {"label": "mine", "by": 'some "one"\r\n'}
    rows[650] |= {"later": ["a", 1]}
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    seen, read_record = [], json_tables._record
    monkeypatch.setattr(json_tables, "_record", lambda line, *more: seen.append(line) or read_record(line, *more))
    label_table(labeller(tokenizer), str(tmp_path / "t.jsonl"), None, tmp_path / "out.csv")
    header, *out = read(tmp_path / "out.csv")
    assert header == ["text", "label", "by", "later", "label (model)", "probability"]
    assert [row[:4] for row in out] == [
        [row["text"], row.get("label", ""), row.get("by", ""), '["a", 1]' if "later" in row else ""] for row in rows
    ]
    assert all(row[4] in LABELS and float(row[5]) > 0 for row in out)
    assert len(seen) == 700 + 500  # and the first rows, to learn the columns
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.csv", "t.jsonl"]


def test_a_file_of_words_with_tags_gets_tags_beside_them(tokenizer, tmp_path):
    (tmp_path / "t.txt").write_text("Anna B-PER\nruns O\n\nRome B-LOC\nis O\nold O\n")
    assert label_table(labeller(tokenizer, task="tag"), str(tmp_path / "t.txt"), None, tmp_path / "out.csv") == 2
    header, first, second = read(tmp_path / "out.csv")
    assert (
        header == ["tokens", "tags", "words", "tags (model)"]
        and first[2] == "Anna runs"
        and len(second[3].split()) == 3
    )


def test_a_table_of_tags(tokenizer, tmp_path):
    (tmp_path / "t.txt").write_text("he went \n\n")
    label_table(labeller(tokenizer, task="tag"), str(tmp_path / "t.txt"), None, tmp_path / "out.csv")
    header, first, empty = read(tmp_path / "out.csv")
    assert header == ["text", "words", "tags"] and first[1] == "he went" and len(first[2].split()) == 2
    assert empty[1:] == ["", ""]


@pytest.mark.parametrize("name", ["t.jsonl", "t.csv"])
def test_a_row_of_tokens_gets_a_tag_for_each(tokenizer, tmp_path, name):
    rows = [["The", "U.S.", "won't", "buy", "3,000", "cats", "."], ["Well", "...", "he", "went"], []]
    if name == "t.csv":
        with open(tmp_path / name, "w", newline="") as file:
            csv.writer(file).writerows([["tokens"], *([repr(row)] for row in rows)])
    else:
        (tmp_path / name).write_text("".join(json.dumps({"tokens": row}) + "\n" for row in rows))
    one = labeller(tokenizer, task="tag")
    assert label_table(one, str(tmp_path / name), None, tmp_path / "out.csv") == 3
    _, *said = read(tmp_path / "out.csv")
    for words, row in zip(rows, said):
        assert row[1].split() == words and len(row[2].split()) == len(words)
    assert [piece.strip() for piece, _ in one.tags(rows[0])] == rows[0]


def test_words_and_tags_of_a_text_with_marks_line_up(tokenizer, tmp_path):
    (tmp_path / "t.txt").write_text("Well, he went (home).\n")
    label_table(labeller(tokenizer, task="tag"), str(tmp_path / "t.txt"), None, tmp_path / "out.csv")
    _, row = read(tmp_path / "out.csv")
    assert row[1] == "Well , he went ( home ) ." and len(row[2].split()) == 8


@pytest.mark.parametrize("name", ["t.pdf", "t.docx", "t.odt"])
def test_a_document_is_no_list_of_texts(tokenizer, tmp_path, name):
    (tmp_path / name).write_bytes(b"%PDF-1.4")
    with pytest.raises(PlaygroundError, match=f"{name} is a document; labels are given to the rows of a table"):
        label_table(labeller(tokenizer), str(tmp_path / name), None, tmp_path / "out.csv")


def test_what_was_left_out_or_cut_is_told_with_its_row(tokenizer, tmp_path):
    (tmp_path / "t.csv").write_text("text\n" + "short\n" * 70 + '""\n' + "long " * 20 + '\n""\n' + "long " * 20 + "\n")
    notes: list[str] = []
    for task, told in (("classify", 2), ("tag", 1)):
        notes.clear()
        label_table(
            labeller(tokenizer, task=task), str(tmp_path / "t.csv"), None, tmp_path / "out.csv", tell=notes.extend
        )
        assert (
            notes
            == [
                "Rows without a text, and so without a label: 2 (first: row 71).",
                "Texts longer than the model reads: 2 of 74 (first: row 72); 32 tokens are kept.",
            ][:told]
        )


def test_lines_that_end_as_on_old_macs(tokenizer, tmp_path):
    (tmp_path / "t.txt").write_bytes(b"one text\ranother\rthird\r")
    assert label_table(labeller(tokenizer), str(tmp_path / "t.txt"), None, tmp_path / "out.csv") == 3
    assert [row[0] for row in read(tmp_path / "out.csv")] == ["text", "one text", "another", "third"]


def test_what_was_there_is_written_as_it_was(tokenizer, tmp_path):
    """Half an emoji in a value, a name or a column that comes late; lists as JSON, numbers as numbers."""
    rows = ['{"text": "a \\ud83d", "k\\ud83d": [1, "x"]}', '{"text": ["b", "c"], "late": 2.0, "no": null}', '{"id": 1}']
    (tmp_path / "t.jsonl").write_text("\n".join(rows))
    assert label_table(labeller(tokenizer), str(tmp_path / "t.jsonl"), "text", tmp_path / "out.csv") == 3
    assert [row[:-2] for row in read(tmp_path / "out.csv")] == [
        ["text", "k\ufffd", "late", "no", "id"],
        ["a \ufffd", '[1, "x"]', "", "", ""],
        ['["b", "c"]', "", "2", "", ""],
        ["", "", "", "", "1"],
    ]


def test_a_stray_quote_between_tabs_swallows_no_row(tokenizer, tmp_path):
    lines = ["text\tid", *(f"text {i}\t{i}" for i in range(9)), '"open\t9', 'shut 5"\t10']
    (tmp_path / "t.tsv").write_text("\n".join(lines))
    assert label_table(labeller(tokenizer), str(tmp_path / "t.tsv"), None, tmp_path / "out.csv") == 11
    assert [row[:2] for row in read(tmp_path / "out.csv")] == [line.split("\t") for line in lines]


def test_cancelled_or_wrong_leaves_no_file(tokenizer, tmp_path):
    one, source, target = labeller(tokenizer), tmp_path / "t.csv", tmp_path / "out.csv"
    source.write_text("text\n" + "hello\n" * 200)
    asked = []
    assert label_table(one, str(source), None, target, cancelled=lambda: bool(asked.append(1)) or len(asked) > 1) == 0
    with pytest.raises(PlaygroundError, match="no column 'body'"):
        label_table(one, str(source), "body", target)
    with pytest.raises(PlaygroundError, match="empty or not there"):
        label_table(one, str(tmp_path / "none.txt"), None, target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv"]


@pytest.mark.parametrize(
    "architecture, pooling, model",
    [
        ("encoder", "mean", {}),
        ("encoder", "first", {"norm": "rmsnorm", "position": "rotary", "mlp": "swiglu"}),
        ("decoder", "last", {"norm": "rmsnorm", "position": "alibi"}),
        ("lstm", "last", {}),
    ],
)
def test_gradients_add_up_to_what_the_words_changed(tokenizer, architecture, pooling, model):
    """Completeness (Sundararajan et al. 2017, proposition 1); and attention is shared out, nothing lost."""
    one = labeller(tokenizer, architecture, pooling=pooling, **model)
    for label in range(3):
        found = attribute(one, "a text of words", label)
        ids = torch.tensor(tokenizer.encode("a text of words"))[None]
        assert found.something == pytest.approx(float(one.model(ids).logits[0, label]), abs=1e-4)
        scale = max(1.0, float(abs(found.gradients).sum()))
        assert found.gradients.sum() == pytest.approx(found.something - found.nothing, abs=1e-2 * scale)
        assert "".join(found.pieces) == "a text of words"
        if architecture == "lstm":
            assert found.attention is None
        else:
            assert found.attention.sum() == pytest.approx(1, abs=1e-5) and len(found.attention) == len(found.pieces)


def test_the_token_that_is_read_gets_the_credit(tokenizer):
    """Without attention and with the first token's vector alone, no other token can have moved anything."""
    one = labeller(tokenizer, pooling="first")
    with torch.no_grad():
        for layer in one.model.body.layers:
            layer.attention.output.weight.zero_()
    found = attribute(one, "Abcdefg", 1)
    assert abs(found.gradients[0]) > 1e-3 and abs(found.gradients[1:]).max() < 1e-6


@pytest.mark.parametrize("architecture", ["encoder", "decoder", "lstm"])
def test_a_words_own_label_is_explained(tokenizer, architecture):
    tagger = labeller(tokenizer, architecture, task="tag")
    text, word = "Well, he went away", 2  # " he"
    ids, place = tagger.window(text, word)
    assert ids.tolist() == tokenizer.encode(text) and place == len("Well, he") - 1
    found = attribute(tagger, text, 1, steps=64, word=word)
    logits = tagger.model(torch.from_numpy(ids)[None]).logits[0, place]
    assert found.something == pytest.approx(float(logits[1].detach()), abs=1e-5)
    difference = found.something - found.nothing
    assert found.gradients.sum() == pytest.approx(difference, abs=1e-2 * max(1.0, abs(difference)))
    if architecture == "decoder":
        later = slice(place + 1, None)
        assert np.abs(found.gradients[later]).max() == 0 and found.attention[later].max() == 0, "it has not read on"
    if architecture != "lstm":
        assert found.attention.sum() == pytest.approx(1, abs=1e-5)
