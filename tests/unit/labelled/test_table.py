"""Which columns are meant, and what a row says."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.core.errors import PlaygroundError
from playground.labelled.examples import Labelled, Tagged
from playground.labelled.table import guess_columns, open_table, pieces_of, read_table, rows_of, spaced
from playground.runs.finetuning import LabelledSpec


@pytest.mark.parametrize(
    "name, text, expected",
    [
        (
            "reviews.csv",
            "id,review,stars\n1,A long one of words,5\n2,Another of them,1\n",
            ("review", "stars"),
        ),
        ("plain.csv", "text,label\nhello,a\nbye,b\n", ("text", "label")),
        ("turned.tsv", "label\ttext\na\thello\nb\tbye\n", ("text", "label")),
        (
            "unnamed.csv",
            "a,b,c\n1,a sentence of words,yes\n2,another sentence,no\n3,a third one,yes\n",
            ("b", "c"),
        ),
        ("lists.jsonl", '{"tokens": ["a", "b"], "ner_tags": ["X", "Y"]}\n', ("tokens", "ner_tags")),
        ("objects.jsonl", '{"n": 1, "message": "hi", "intent": "greet"}\n', ("message", "intent")),
        ("chinese.csv", "内容,类别\n你好世界,好\n再见,坏\n", ("内容", "类别")),
        ("upper.csv", "Text,Sentiment\nhello,a\n", ("Text", "Sentiment")),
        ("one.csv", "words\nhello\n", ("words", None)),
        (
            "all-differ.csv",
            "sentence,other\nfirst,1\nsecond,2\nthird,3\nfourth,4\nfifth,5\n",
            ("sentence", None),
        ),
    ],
)
def test_columns_are_found(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert guess_columns(str(tmp_path / name)) == expected


def test_parquet_and_numbers_as_labels(tmp_path):
    import pyarrow
    from pyarrow import parquet

    table = {"text": ["a", "b", None, "d"], "stars": [1.0, 1234567.0, 1234568.0, None]}
    parquet.write_table(pyarrow.table(table), tmp_path / "t.parquet")
    spec = LabelledSpec("file", path=str(tmp_path / "t.parquet"))
    assert [(row.text, row.label) for row in rows_of(spec, "classify")()] == [
        ("a", "1"),
        ("b", "1234567"),
        ("", "1234568"),
        ("d", ""),
    ]
    assert list(open_table(spec.path)[1]())[1] == {"text": "b", "stars": 1234567.0}


def test_spaces_around_a_label_do_not_make_another(table):
    assert [row.label for row in rows_of(table([("x", " a"), ("y", "a ")]), "classify")()] == ["a", "a"]


def test_half_a_letter_is_replaced(tmp_path):
    """JSON can hold half of a surrogate pair, which no file can."""
    (tmp_path / "t.jsonl").write_text('{"text": "a \\ud83d b", "label": "\\ud83d"}\n')
    (row,) = rows_of(LabelledSpec("file", path=str(tmp_path / "t.jsonl")), "classify")()
    assert row == Labelled("a \ufffd b", "\ufffd")


@pytest.mark.parametrize(
    "change, words",
    [
        ({"text_column": "body"}, "no column 'body'"),
        ({"label_column": "class"}, "no column 'class'"),
        ({"text_column": "label", "label_column": "label"}, "cannot be the same column"),
    ],
)
def test_columns_that_are_not_there_are_named(table, change, words):
    with pytest.raises(PlaygroundError, match=words) as caught:
        rows_of(table([("x", "a")], **change), "classify")
    assert "text, label" in caught.value.hint


def test_a_column_in_doubt_is_asked_for(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n5,6\n7,8\n")
    with pytest.raises(PlaygroundError, match="Which column of t.csv holds the label"):
        rows_of(LabelledSpec("file", path=str(tmp_path / "t.csv")), "classify")


def test_plain_text_has_no_labels(tmp_path):
    (tmp_path / "t.txt").write_text("hello\n")
    with pytest.raises(PlaygroundError, match="plain text, which has no labels"):
        rows_of(LabelledSpec("file", path=str(tmp_path / "t.txt")), "classify")
    with pytest.raises(PlaygroundError, match="does not exist"):
        rows_of(LabelledSpec("file", path=str(tmp_path / "none.csv")), "classify")


def test_tags_of_lists_and_of_words(table):
    lists = table(
        [{"tokens": ["Anna", "lives", "here"], "tags": ["P", "", "O"]}, {"tokens": ["我", "们"], "tags": ["a", "b"]}],
        "t.jsonl",
    )
    assert list(rows_of(lists, "tag")()) == [
        Tagged(("Anna", " lives", " here"), ("P", "", "O")),
        Tagged(("我", "们"), ("a", "b")),
    ]
    words = table([("Anna lives", "P O"), ("", "")])
    assert list(rows_of(words, "tag")()) == [Tagged(("Anna", " lives"), ("P", "O")), Tagged((), ())]


def test_words_and_tags_that_do_not_pair_up_are_refused_with_the_row(table):
    spec = table([("Anna lives", "P O"), ("one two three", "P O")])
    with pytest.raises(PlaygroundError, match="Words and tags in row 2 of rows.csv do not pair up: 3 and 2"):
        list(rows_of(spec, "tag")())


@settings(deadline=None)
@given(st.text())
def test_pieces_join_to_the_text(text):
    pieces = pieces_of(text)
    assert "".join(pieces) == text
    assert all(piece.strip() for piece in pieces[:-1])  # white space goes before what follows it


def test_pieces_are_words_marks_and_characters():
    assert pieces_of("Well, he said: 你好。 ") == ("Well", ",", " he", " said", ":", " 你", "好", "。", " ")


@settings(deadline=None)
@given(st.lists(st.text(st.characters(categories=["L", "N"], max_codepoint=0x17FF), min_size=1), max_size=8))
def test_words_are_read_back_as_they_were(words):
    """What is learnt from separate words is what a text of them is cut into."""
    assert pieces_of("".join(spaced(words))) == spaced(words)


@pytest.mark.parametrize(
    "rows, expected",
    [
        (
            [{"id": f"a long name of a row, {i}", "note": f"short {i}", "kind": "ab"} for i in range(9)],
            "note",
        ),
        ([{"user_id": 10**12 + i, "remark": "hi you"} for i in range(9)], "remark"),
        (
            [{"url": f"https://example.org/a/long/address/of/a/page/{i}", "remark": "it is"} for i in range(9)],
            "remark",
        ),
        ([{"id": 1}, *({"id": i, "remark": "some words"} for i in range(9))], "remark"),
    ],
)
def test_a_column_of_numbers_or_names_is_not_the_text(tmp_path, rows, expected):
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert guess_columns(str(tmp_path / "t.jsonl"))[0] == expected


def examples(path, task="classify", **columns):
    return list(rows_of(LabelledSpec("file", path=str(path), **columns), task)())


def test_lists_of_texts_and_labels(tmp_path):
    (tmp_path / "t.jsonl").write_text(
        '{"text": ["One here.", "Two."], "label": ["x"]}\n{"text": ["a", "b"], "label": []}\n'
    )
    assert examples(tmp_path / "t.jsonl") == [Labelled("One here.\nTwo.", "x"), Labelled("a b", "")]


@pytest.mark.parametrize(
    "second, words",
    [
        ('{"text": "b", "label": ["x", "y"]}', "Row 2 of t.jsonl has several labels in the column 'label'"),
        ('{"text": "b", "label": {"a": 1}}', "Row 2 of t.jsonl has an object in the column 'label'"),
        ('{"text": {"a": 1}, "label": "x"}', "Row 2 of t.jsonl has an object in the column 'text'"),
        (
            '{"text": [1, 2], "label": "x"}',
            "Row 2 of t.jsonl has a list in the column 'text', and not of words",
        ),
    ],
)
def test_what_is_no_text_or_label_is_refused_by_name_and_row(tmp_path, second, words):
    (tmp_path / "t.jsonl").write_text('{"text": "a", "label": "x"}\n' + second + "\n")
    with pytest.raises(PlaygroundError, match=words):
        examples(tmp_path / "t.jsonl")


def test_a_table_of_objects_is_refused_and_not_learnt_from_its_labels(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"data": {"text": "a"}, "label": "x"}\n' * 4)
    with pytest.raises(PlaygroundError, match="Row 1 of t.jsonl has an object in the column 'data'"):
        examples(tmp_path / "t.jsonl")


@pytest.mark.parametrize(
    "words, tags",
    [
        ("['The', 'cat']", "['D', 'N']"),
        ('["The", "cat"]', '["D", "N"]'),
        ("['The' 'cat']", "['D' 'N']"),
        ("The cat", "D N"),
    ],
)
def test_words_and_tags_that_a_csv_writes_as_lists(table, words, tags):
    spec = table([(words, tags), ("", ""), (words, tags)])
    row = Tagged(("The", " cat"), ("D", "N"))
    assert list(rows_of(spec, "tag")()) == [row, Tagged((), ()), row]


def test_numbers_as_tags_that_a_csv_writes_as_lists(table):
    for written in ("[0, 3]", "[0 3]"):
        assert next(rows_of(table([("['The', 'cat']", written)]), "tag")()).tags == ("0", "3")


def test_labels_of_numbers_are_one_kind(tmp_path):
    (tmp_path / "t.jsonl").write_text(
        "".join(json.dumps({"text": "a", "label": x}) + "\n" for x in (1, 1.0, "1", math.nan))
    )
    assert [row.label for row in examples(tmp_path / "t.jsonl")] == ["1", "1", "1", ""]


def test_lines_with_their_label_before_them(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("__label__good It was fine.\n\n__label__bad \t It was not.\r\n__label__good\n")
    rows, notes = read_table(LabelledSpec("file", path=str(path)), "classify")
    assert list(rows()) == [Labelled("It was fine.", "good"), Labelled("It was not.", "bad"), Labelled("", "good")]
    assert notes() == ["t.txt is read with the label that each line begins with, __label__ and its name."]
    path.write_text("__label__a One.\n__label__a __label__b Two.\n")
    with pytest.raises(PlaygroundError, match="Row 2 of t.txt has several labels"):
        list(rows_of(LabelledSpec("file", path=str(path)), "classify")())
