"""Tables as people write them: every kind gives the rows that were put into it, with what is unusual told."""

import csv
import datetime
import decimal
import json
import math
import random
import warnings

import pytest

from playground.core.errors import PlaygroundError
from playground.text import DataSpec
from playground.text.cell_values import NoText, label_of, text_of, words_of, written, written_value
from playground.text.corpora import open_source
from playground.text.files import open_table
from playground.text.tables import is_id, usual_pair, usual_text

ROWS = [(f"The dog number {i} runs, and stops.", "ab"[i % 2]) for i in range(40)]


def table(path, content, **choices):
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return open_table(DataSpec("file", path, **choices))


def pairs_of(read) -> list[tuple]:
    return [tuple(row.values()) for row in read.rows()]


def as_csv(rows, end="\n", separator=",", **how) -> str:
    import io

    buffer = io.StringIO()
    csv.writer(buffer, delimiter=separator, lineterminator=end, **how).writerows(rows)
    return buffer.getvalue()


def plain_lines(rows, separator="\t") -> str:
    return "".join(separator.join(row) + "\n" for row in [("text", "label"), *rows])


# A quote: a letter, or the wrapping of a cell


@pytest.mark.parametrize("first, second", [(3, 20), (3, 4), (0, 39)])
def test_between_tabs_a_stray_quote_is_a_letter(tmp_path, first, second):
    rows = list(ROWS)
    rows[first] = ('"' + rows[first][0], rows[first][1])
    rows[second] = (rows[second][0] + ' 5"', rows[second][1])  # closes what the first one seemed to open
    read = table(tmp_path / "t.tsv", plain_lines(rows))
    assert pairs_of(read) == rows
    assert read.notes() == ['In t.tsv a quote " is read as a letter, since it does not wrap cells.']


def test_one_text_in_quotation_marks_keeps_them(tmp_path):
    rows = [(f'"{text}"' if i == 3 else text, label) for i, (text, label) in enumerate(ROWS)]
    assert pairs_of(table(tmp_path / "t.tsv", plain_lines(rows))) == rows


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize(
    "separator, suffix", [(",", ".csv"), (";", ".csv"), ("|", ".csv"), ("\t", ".csv"), ("\t", ".tsv")]
)
def test_what_the_csv_module_writes_comes_back(tmp_path, quoting, separator, suffix):
    chance = random.Random(1)
    parts = [
        "word",
        "two words",
        "a;b",
        "a,b",
        "a|b",
        "tab\there",
        'she said "no"',
        "first\nsecond",
        '5"',
        'ends"',
    ]
    rows = [(" ".join(chance.choices(parts, k=3)), chance.choice(["a", "b"]), str(i)) for i in range(60)]
    content = as_csv([("text", "label", "n"), *rows], separator=separator, quoting=quoting)
    assert pairs_of(table(tmp_path / f"t{suffix}", content)) == rows


def test_a_quote_that_swallows_whole_rows_is_a_letter_in_a_csv_too(tmp_path):
    rows = [(str(i), f"A dog of {i}", "ab"[i % 2]) for i in range(40)]
    rows[3], rows[20] = ("3", '"A dog of 3', "b"), ("20", 'A dog of 20"', "a")
    read = table(tmp_path / "t.csv", "n,text,label\n" + "".join(",".join(row) + "\n" for row in rows))
    assert pairs_of(read) == rows and "is read as a letter" in read.notes()[0]


def test_two_rows_that_may_be_one_are_told(tmp_path):
    content = "n,text,label\n" + "".join(f"{i},text {i},a\n" for i in range(9)) + '9,"open,b\n10,shut",a\n11,x,b\n'
    read = table(tmp_path / "t.csv", content)
    assert len(pairs_of(read)) == 11
    assert read.notes() == [
        "Rows of t.csv that run over lines which look like rows of their own: 1 (first: line 11). "
        'Look for a quote " that is not closed.'
    ]


def test_a_quote_far_below_the_part_that_is_looked_at_is_told(tmp_path, monkeypatch):
    from playground.text import delimited

    monkeypatch.setattr(delimited, "SAMPLE", 500)
    rows = [(f'"row, {i}"', "a") for i in range(200)]
    rows[150], rows[160] = ('"open', "a"), ('shut"', "a")
    read = table(tmp_path / "t.csv", plain_lines(rows, ","))
    with pytest.raises(PlaygroundError, match="breaks off in the row that begins on line 152"):
        pairs_of(read)


# Line ends, separators, headers


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n", "\n\n"])
def test_every_line_end(tmp_path, suffix, end):
    separator = "\t" if suffix == ".tsv" else ","
    assert pairs_of(table(tmp_path / f"t{suffix}", as_csv([("text", "label"), *ROWS], end, separator))) == ROWS


@pytest.mark.parametrize("first", ["sep=;\n", "SEP=;\r\n", '"sep=;"\n', "\n \n;;\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_first_line_of_excel_and_a_mark_are_no_header(tmp_path, first, mark):
    read = table(tmp_path / "t.csv", mark + (first + as_csv([("text", "label"), *ROWS], separator=";")).encode())
    assert read.columns == ["text", "label"] and pairs_of(read) == ROWS


def test_a_mark_is_no_part_of_the_first_name_where_the_encoding_is_named(tmp_path):
    for name, content in (
        ("t.csv", '\ufeff"text",label\na,b\n'),
        ("t.jsonl", '\ufeff{"text": "a", "label": "b"}\n'),
    ):
        assert table(tmp_path / name, content, encoding="utf-8").columns == ["text", "label"]


def test_columns_without_a_name(tmp_path):
    read = table(tmp_path / "t.csv", "v1,v2,,,\n" + "".join(f'{label},"{text}",,,\n' for text, label in ROWS))
    assert pairs_of(read) == [(label, text) for text, label in ROWS]
    assert read.notes() == ["Columns of t.csv without a name and content, left out: 3."]
    read = table(tmp_path / "u.csv", ",text,label,\n" + "".join(f'{i},"{t}",{n},\n' for i, (t, n) in enumerate(ROWS)))
    assert read.columns == ["column 1", "text", "label"]
    assert pairs_of(read) == [(str(i), *row) for i, row in enumerate(ROWS)]
    assert read.notes() == [
        "Columns of u.csv without a name and content, left out: 1.",
        "Columns of u.csv without a name are called here: column 1.",
    ]


def test_a_comma_at_the_end_of_each_row(tmp_path):
    read = table(tmp_path / "t.csv", "text,label\n" + "".join(f'"{text}",{label},\n' for text, label in ROWS))
    assert pairs_of(read) == ROWS
    assert read.notes() == ["Rows of t.csv with empty cells after the last column, left out: 40 (first: line 2)."]


def test_rows_with_too_few_cells_are_told(tmp_path):
    read = table(tmp_path / "t.csv", "text,label,note\nx,a,n\ny,b\nz,a,n\nw,b\n")
    assert pairs_of(read)[1] == ("y", "b", "")
    assert read.notes() == ["Rows of t.csv with fewer cells than columns: 2 (first: line 3); what is missing is empty."]
    pairs_of(read)
    assert len(read.notes()) == 1 and ": 2 (first" in read.notes()[0]  # counted anew each time


def test_columns_of_one_name(tmp_path):
    read = table(tmp_path / "t.csv", "text,label,text,text 2\na,b,c,d\n")
    assert read.columns == ["text", "label", "text 3", "text 2"] and pairs_of(read) == [("a", "b", "c", "d")]
    assert read.notes() == ["t.csv has several columns named 'text'; a later one is called 'text 3' here."]


# JSON


def test_a_file_that_is_one_list(tmp_path):
    rows = [{"text": text, "label": label} for text, label in ROWS]
    for indent in (None, 2):
        assert list(table(tmp_path / "t.json", json.dumps(rows, indent=indent)).rows()) == rows
    with pytest.raises(PlaygroundError, match="Entry 2 of the list in t.json is no JSON object"):
        list(table(tmp_path / "t.json", '[{"text": "a"}, 3]').rows())


def test_a_list_too_large_for_the_memory_is_refused(tmp_path, monkeypatch):
    from playground.text import json_tables

    monkeypatch.setattr(json_tables, "LONGEST_LIST", 100)
    with pytest.raises(PlaygroundError, match="one JSON list of more than 100 characters") as caught:
        list(table(tmp_path / "t.json", json.dumps([{"text": "a" * 200}])).rows())
    assert ".jsonl" in caught.value.hint


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_records_with_every_line_end(tmp_path, end):
    content = end.join(json.dumps({"text": text, "label": label}) for text, label in ROWS)
    assert pairs_of(table(tmp_path / "t.jsonl", content)) == ROWS


@pytest.mark.parametrize(
    "content, words",
    [
        ('{"text": "a"}\n{"text": "b\n', "Line 2 of t.jsonl is not JSON: it breaks off."),
        ('{"text": "a"}\n{"text": \n', "Line 2 of t.jsonl is not JSON: it breaks off."),
        ('{"text": b}\n', "Line 1 of t.jsonl is not JSON: look at character 10."),
        (
            "[" * 100_000 + "\n",
            "Line 1 of t.jsonl is not JSON: it is nested too deeply, or has a number too long.",
        ),
        ('[{"text": "a"}]\n', "Line 1 of t.jsonl is no JSON object."),
    ],
)
def test_what_is_no_json_is_told_in_sentences(tmp_path, content, words):
    with pytest.raises(PlaygroundError) as caught:
        list(table(tmp_path / "t.jsonl", content).rows())
    assert caught.value.message == words
    assert caught.value.hint[0].isupper() and caught.value.hint.endswith(".")


def test_half_an_emoji_in_a_name_is_replaced(tmp_path):
    read = table(tmp_path / "t.jsonl", '{"text": "a", "k\\ud83d": 1, "\\ud83d\\ude00": 2}\n')
    assert read.columns == ["text", "k\ufffd", "😀"]


# Which column


def documents(path, **choices) -> list:
    return list(open_source(DataSpec("file", path, **choices)).documents())


@pytest.mark.parametrize("lacking", [0, 7, 450])
def test_a_record_without_the_text_decides_nothing(tmp_path, lacking):
    rows = [{"id": i} if i == lacking else {"id": i, "text": f"text {i}"} for i in range(460)]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    expected = ["" if i == lacking else f"text {i}" for i in range(460)]
    assert documents(tmp_path / "t.jsonl") == documents(tmp_path / "t.jsonl", text_column="text") == expected


def test_a_column_that_only_comes_far_below_can_be_named(tmp_path):
    rows = [{"id": i} for i in range(600)] + [{"id": 600, "late": "here"}]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert documents(tmp_path / "t.jsonl", text_column="late")[-1] == "here"
    with pytest.raises(PlaygroundError, match="Which column"):  # never the numbers of the rows
        documents(tmp_path / "t.jsonl")
    with pytest.raises(PlaygroundError, match="no column 'never'"):
        documents(tmp_path / "t.jsonl", text_column="never")


@pytest.mark.parametrize("name", ["id", "ID", "_id", "tweet_id", "tweetId", "index", "Unnamed: 0", "uuid", "编号"])
def test_names_of_numbers(name):
    assert is_id(name)


@pytest.mark.parametrize("name", ["text", "paid", "valid", "idea", "notes", "grid", "humid", "内容"])
def test_names_of_other_things(name):
    assert not is_id(name)


def test_what_pages_offer_at_first():
    assert usual_text(["id", "remark", "n"]) == "remark" and usual_text(["id"]) == "id"
    assert usual_text(["title", "body"]) == "body"
    assert usual_pair(["id", "topic", "Question", "Answer"]) == ("Question", "Answer")
    assert usual_pair(["id", "en", "zh"]) == ("en", "zh") and usual_pair(["en"]) == ("en", "en")


# Values


CHAT = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes."}]
SHAREGPT = [{"from": "human", "value": "Hello?"}, {"from": "gpt", "value": "Yes."}]
PARTS = [
    {"role": "user", "content": [{"type": "text", "text": "Hello?"}]},
    {"role": "assistant", "content": "Yes."},
]
SILENT = [CHAT[0], {"role": "assistant", "content": None, "tool_calls": [1]}, CHAT[1]]


@pytest.mark.parametrize("value", [CHAT, SHAREGPT, PARTS, SILENT, tuple(CHAT)])
def test_messages_are_read_as_a_conversation(value):
    assert text_of(value) == "user: Hello?\nassistant: Yes."


@pytest.mark.parametrize(
    "value, text",
    [
        (None, ""),
        (math.nan, ""),
        (math.inf, ""),
        (decimal.Decimal("NaN"), ""),
        ([], ""),
        (3, "3"),
        (3.0, "3"),
        (-2.5, "-2.5"),
        (1e300, "1e+300"),
        (True, "true"),
        (decimal.Decimal("1.50"), "1.50"),
        (decimal.Decimal("2.00"), "2"),
        (datetime.date(2024, 1, 2), "2024-01-02"),
        ("half \ud83d", "half \ufffd"),
        (["The", "cat", "sat"], "The cat sat"),
        (["我", "们"], "我们"),
        (["One here.", "Two here."], "One here.\nTwo here."),
        ({"role": "user", "content": "Hello?"}, "user: Hello?"),
    ],
)
def test_values_as_text(value, text):
    assert text_of(value) == text


@pytest.mark.parametrize("value", [b"bytes", {"a": 1}, [1, 2], [["a"]], [{"a": 1}], ["a", 1], {1, 2}, object()])
def test_what_is_no_text_is_refused(value):
    with pytest.raises(NoText):
        text_of(value)


def test_numbers_of_numpy():
    import numpy as np

    values = (np.int64(3), np.float32(0.5), np.float64("nan"), np.bool_(True))
    assert list(map(text_of, values)) == ["3", "0.5", "", "true"]


def test_labels():
    assert [label_of(value) for value in ("x ", ["x"], 1, 1.0, [2], [], None)] == [
        "x",
        "x",
        "1",
        "1",
        "2",
        "",
        "",
    ]
    for value in (["x", "y"], {"a": 1}, b"x", [["x"]]):
        with pytest.raises(NoText):
            label_of(value)


def test_words():
    assert words_of(["a", None, 2, 3.0]) == ["a", "", "2", "3"] and words_of("a  b") == ["a", "b"]
    with pytest.raises(NoText):
        words_of([["a"]])


@pytest.mark.parametrize(
    "text, found",
    [
        ("['The', 'cat']", ["The", "cat"]),
        ('["The", "cat"]', ["The", "cat"]),
        ("[\"it's\", 'a']", ["it's", "a"]),
        ("['The' 'cat'\n 'sat']", ["The", "cat", "sat"]),
        ("[0 1 2]", [0, 1, 2]),
        ("[0, 1]", [0, 1]),
        ("[]", []),
        (repr(CHAT), CHAT),
        (json.dumps(CHAT), CHAT),
        ("['comma, ' 'x']", ["comma, ", "x"]),
        ("('The', 'cat')", ["The", "cat"]),
        ("('a',)", ["a"]),
        ("array(['a', 'b'], dtype=object)", ["a", "b"]),
        ("array([0, 1])", [0, 1]),
        ("b'caf\\xc3\\xa9'", b"caf\xc3\xa9"),
        ("{'a': 1}", {"a": 1}),
        ('{"a": 1}', None),
        ("(laughs)", None),
        ("(aside, in a low voice)", None),
        ("b'open", None),
        ("('a')", None),
        ("[laughs]", None),
        ("[1] See above", None),
        ("['open", None),
        ("text", None),
        (None, None),
        ("[__import__('os')]", None),
        ("[" * 9999 + "]" * 9999, None),
    ],
)
def test_lists_that_a_text_writes_out(text, found):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert written_value(text) == found


def test_values_as_cells_of_a_csv():
    assert [written(value) for value in (None, 3.0, "a\ud83d", ["a", "我"], {"b": [b"x", math.pi]})] == [
        "",
        "3",
        "a\ufffd",
        '["a", "我"]',
        '{"b": ["x", 3.141592653589793]}',
    ]


def write_parquet(path, columns):
    import pyarrow as arrow
    from pyarrow import parquet

    parquet.write_table(arrow.table(columns), path)


def test_parquet_with_messages_and_with_what_is_no_text(tmp_path):
    write_parquet(tmp_path / "chat.parquet", {"id": [1, 2], "messages": [CHAT, SHAREGPT[:0]]})
    assert documents(tmp_path / "chat.parquet") == ["user: Hello?\nassistant: Yes.", ""]
    for kind, values in (
        ("bytes", [None, b"x"]),
        ("an object", [None, {"a": "x", "b": "y"}]),
        ("a list", [[], [1, 2]]),
    ):
        write_parquet(tmp_path / "t.parquet", {"text": values})
        with pytest.raises(PlaygroundError, match=f"Row 2 of t.parquet has {kind} in the column 'text'"):
            documents(tmp_path / "t.parquet")


def test_json_that_writes_nan_has_no_text_there(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"text": NaN}\n{"text": "nan"}\n{"text": Infinity}\n{"text": 1e999}\n')
    assert documents(tmp_path / "t.jsonl") == ["", "nan", "", ""]


def test_a_column_of_written_lists_is_joined_and_a_text_in_brackets_stays(tmp_path):
    (tmp_path / "t.csv").write_text(as_csv([("text",), ("['a', 'b']",), ("",), ('["c"]',)]))
    assert documents(tmp_path / "t.csv") == ["a b", "", "c"]
    (tmp_path / "t.csv").write_text(as_csv([("text",), ("['a', 'b']",), ("[laughs]",)]))
    assert documents(tmp_path / "t.csv") == ["['a', 'b']", "[laughs]"]


@pytest.mark.parametrize(
    "cells, kind",
    [
        (["b'The dog runs.'", "", "b'Caf\\xc3\\xa9'"], "bytes"),
        (["{'said': 'The dog runs.'}", "{'said': 'No.'}"], "an object"),
    ],
)
def test_what_python_wrote_into_a_csv_is_refused(tmp_path, cells, kind):
    (tmp_path / "t.csv").write_text(as_csv([("text", "label"), *((cell, "a") for cell in cells)]))
    with pytest.raises(PlaygroundError, match=f"Row 1 of t.csv has {kind} in the column 'text'"):
        documents(tmp_path / "t.csv")


def test_texts_that_are_json_objects_or_in_round_brackets_stay(tmp_path):
    texts = ['{"said": "The dog runs."}', '{"said": "No."}']
    (tmp_path / "t.csv").write_text(as_csv([("text",), *((text,) for text in texts)]))
    assert documents(tmp_path / "t.csv") == texts
    (tmp_path / "t.csv").write_text(as_csv([("text",), ("(aside)",), ("(1, 2)",)]))
    assert documents(tmp_path / "t.csv") == ["(aside)", "(1, 2)"]


def test_what_a_csv_calls_nan_is_missing(tmp_path):
    (tmp_path / "t.csv").write_text(as_csv([("text",), ("nan",), ("A nan",), ("NaN",), ("Nan",)]))
    assert documents(tmp_path / "t.csv") == ["", "A nan", "", "Nan"]
    (tmp_path / "t.csv").write_text(as_csv([("text",), ("['a', 'b']",), ("nan",)]))
    assert documents(tmp_path / "t.csv") == ["a b", ""]


def test_a_raw_tab_within_json_is_read(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"text": "one\ttwo"}\n')
    assert documents(tmp_path / "t.jsonl") == ["one\ttwo"]


# The first line


@pytest.mark.parametrize("separator, suffix", [(",", ".csv"), ("\t", ".tsv"), (";", ".csv")])
def test_a_first_line_that_is_a_row_like_the_others_is_read(tmp_path, separator, suffix):
    name = "t" + suffix
    read = table(tmp_path / name, as_csv(ROWS, separator=separator))
    assert read.columns == ["column 1", "column 2"] and pairs_of(read) == ROWS
    assert read.notes() == [
        f"The first line of {name} is a row like the others: the columns are called column 1, column 2 here."
    ]


def test_a_text_that_is_the_name_of_its_column_is_no_sign(tmp_path):
    for names, rows in (
        [("text", "label"), [("text", "b"), ("text", "a"), *ROWS]],
        [("said", "kind"), [("said", "b"), ("said", "a"), *ROWS * 4]],
        [("said", "kind"), [("kind", "said"), *ROWS]],
    ):
        read = table(tmp_path / "t.csv", as_csv([names, *rows]))
        assert read.columns == list(names) and pairs_of(read) == rows and not read.notes()


def test_tables_that_were_joined_say_their_names_again(tmp_path):
    part = [("text", "label"), *ROWS]
    read = table(tmp_path / "t.csv", as_csv([*part, *part, *part]))
    assert pairs_of(read) == ROWS * 3
    assert read.notes() == ["Rows of t.csv that say the names of the columns again, left out: 2 (first: line 42)."]


def test_texts_with_commas_under_one_name_are_one_column(tmp_path):
    texts = ["Come in, please.", "No.", "Well, well, well."]
    read = table(tmp_path / "t.csv", "\n".join(["text", *texts]))
    assert pairs_of(read) == [(text,) for text in texts]
    assert read.notes() == ["t.csv is read as one column, since its first line has no separator."]
    read = table(tmp_path / "u.csv", as_csv([("text",), *((text,) for text in texts)]))
    assert pairs_of(read) == [(text,) for text in texts] and not read.notes()


# Quotes that other programs write


def test_quotes_escaped_with_a_backslash(tmp_path):
    rows = [('She said "no", and left.', "a"), ("Well, well.", "b"), ("A \\ sign.", "a")]
    content = as_csv([("text", "label"), *rows], quoting=csv.QUOTE_ALL, doublequote=False, escapechar="\\")
    assert pairs_of(table(tmp_path / "t.csv", content)) == rows


def test_a_backslash_at_the_end_of_a_cell_is_a_letter(tmp_path):
    rows = [("C:\\files\\", "a"), ("D:\\a, b\\", "b")]
    assert pairs_of(table(tmp_path / "t.csv", as_csv([("text", "label"), *rows], quoting=csv.QUOTE_ALL))) == rows


def test_a_space_before_the_quote_is_no_part_of_the_cell(tmp_path):
    content = "label, text\n" + "".join(f'{label}, "{text}"\n' for text, label in ROWS)
    assert pairs_of(table(tmp_path / "t.csv", content)) == [(label, text) for text, label in ROWS]


def test_a_quote_after_a_space_within_a_text_is_a_letter(tmp_path):
    rows = [('"No", she said, "never".', "a"), ("Well.", "b")]
    assert pairs_of(table(tmp_path / "t.csv", as_csv([("text", "label"), *rows]))) == rows


@pytest.mark.parametrize(
    "above, left_out",
    [
        ("# made by us\n# 2020\n", 2),
        ("#one, with a comma\n", 1),
        ("Dogs that run,\n,\n", 1),
        ("Dogs that run\nin 2020\n\n", 2),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_above_the_names_are_left_out_and_told(tmp_path, above, left_out, end):
    content = (above + as_csv([("said", "kind", "n"), *((*row, i) for i, row in enumerate(ROWS))])).replace("\n", end)
    read = table(tmp_path / "t.csv", content)
    assert [row[:2] for row in pairs_of(read)] == ROWS and read.columns == ["said", "kind", "n"]
    assert read.notes() == [f"Lines of t.csv above the names of the columns, left out: {left_out}."]
    with pytest.raises(PlaygroundError, match=f"Line {42 + above.count(chr(10))} of u.csv has 5 cells"):
        pairs_of(table(tmp_path / "u.csv", content + f"a,b,c,d,e{end}"))


@pytest.mark.parametrize("content", ["#id\ttext\n1\ta b\n2\tc d\n", "# about us\n#id\ttext\n1\ta b\n2\tc d\n"])
def test_a_first_line_that_names_the_columns_may_begin_as_a_comment(tmp_path, content):
    read = table(tmp_path / "t.tsv", content)
    assert read.columns == ["#id", "text"] and pairs_of(read) == [("1", "a b"), ("2", "c d")]


def test_blank_lines_and_a_column_without_a_name_are_no_title(tmp_path):
    assert pairs_of(table(tmp_path / "t.csv", "text,\n\n" + as_csv(ROWS))) == ROWS
    assert [row[0] for row in pairs_of(table(tmp_path / "u.csv", "text\n\nCome in, you.\n\nNo.\n"))] == [
        "Come in, you.",
        "No.",
    ]


def test_rows_that_begin_with_their_number_as_r_writes_them(tmp_path):
    rows = [(str(i), *row) for i, row in enumerate(ROWS, 1)]
    read = table(tmp_path / "t.csv", as_csv([("text", "label")]) + as_csv(rows, quoting=csv.QUOTE_ALL))
    assert pairs_of(read) == ROWS and read.columns == ["text", "label"]
    assert read.notes() == ["The first column of t.csv numbers the rows, and has no name; it is left out."]


@pytest.mark.parametrize(("name", "help"), [("t.xlsx", "Excel"), ("t.ods", "LibreOffice"), ("t.csv.gz", "Unpack")])
def test_spreadsheets_and_packed_files_are_refused_with_what_helps(tmp_path, name, help):
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(PlaygroundError, match="are not read") as caught:
        documents(tmp_path / name)
    assert help in caught.value.hint


@pytest.mark.parametrize("last", ["\r\n", "\n", "\r\r\n"])
def test_old_line_ends_but_for_the_last_one(tmp_path, last):
    content = as_csv([("text", "label"), *ROWS]).strip().replace("\n", "\r") + last
    assert pairs_of(table(tmp_path / "t.csv", content)) == ROWS


def test_old_line_ends_with_new_ones_within_cells(tmp_path):
    rows = [("One.\nTwo, and three.", "a"), ("Four.", "b"), ("Five.\n\nSix.", "a")]
    read = table(tmp_path / "t.csv", as_csv([("text", "label"), *rows], end="\r", quoting=csv.QUOTE_ALL))
    assert pairs_of(read) == rows and read.notes() == []


@pytest.mark.parametrize("content, line", [('"text"x,label\n"a",b\n', 1), ('# by us\n"text,label\na,b\n', 2)])
def test_a_quote_that_breaks_the_names_is_told(tmp_path, content, line):
    with pytest.raises(PlaygroundError, match=f"breaks off in the row that begins on line {line}:"):
        table(tmp_path / "t.csv", content)
