"""Small files that unfold to much, or take very long: read, or refused in a sentence, with little memory."""

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as arrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from playground.core.errors import PlaygroundError
from playground.text import cell_values, delimited, size_limits, uploads
from playground.text import parquet as tables_of_parquet
from playground.text.documents import clean_pdf_text
from playground.text.encodings import decoded
from playground.text.fasttext import marked_rows
from playground.text.tables import open_rows

MEMORY = 320 << 20  # bytes of data that a reader may hold, itself and in its child
SECONDS = 40  # on the CPU, of which none takes more than some; what grows with the square takes hours
READER = """
import resource, sys
from itertools import islice
from pathlib import Path
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]),) * 2)
from playground.core.errors import PlaygroundError
from playground.labelled.table import guess, by_sentence
from playground.text.tables import open_rows
try:
    path = Path(sys.argv[3])
    table = open_rows(path, None if path.suffix == ".parquet" else "utf-8")
    guess(table)
    table = by_sentence(table) or table
    text = table.texts(table.columns[0])
    rows = 0
    for rows, row in enumerate(islice(table.rows(), 20_000), 1):
        text(rows, row)
    table.notes()
    print(rows, "rows,", len(table.columns), "columns")
except PlaygroundError as error:
    assert error.hint
    print(error.message)
"""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")


def read(path) -> str:
    """What a process with little memory says of a table."""
    done = subprocess.run(
        [sys.executable, "-c", READER, str(MEMORY), str(SECONDS), str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"},
    )
    assert done.returncode == 0, done.stderr[-1000:]
    assert len(done.stdout) < 3000
    return done.stdout.strip()


def repeated(cell: str, n: int) -> arrow.Array:
    return arrow.DictionaryArray.from_arrays(arrow.array(np.zeros(n, np.int32)), arrow.array([cell]))


def listed(values: arrow.Array) -> arrow.Array:
    """One row that is a list of all values."""
    return arrow.ListArray.from_arrays(arrow.array([0, len(values)], arrow.int32()), values)


def write(path, **columns) -> int:
    parquet.write_table(arrow.table(columns), path, compression="zstd", store_schema=False)
    return path.stat().st_size


def test_a_cell_that_comes_again_and_again_is_read(tmp_path):
    path = tmp_path / "t.parquet"
    assert write(path, text=repeated("x" * 3_000_000, 120)) < 2000  # 360 MB
    assert read(path) == "120 rows, 1 columns"
    parquet.write_table(arrow.table({"text": repeated("x" * 3_000_000, 120)}), path, compression="zstd")  # a category
    assert read(path) == "120 rows, 1 columns"


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (lambda: arrow.array(["x" * 80_000_000]), "Row 1 of t.parquet is too large to be held in memory."),
        (
            lambda: listed(arrow.array(np.zeros(4 * 10**7, np.int8))),
            "Row 1 of t.parquet is too large to be held in memory.",
        ),
        (lambda: listed(arrow.nulls(2**21)), "Row 1 of t.parquet is too large to be held in memory."),
        (lambda: listed(repeated("y" * 10**6, 1000)), "Row 1 of t.parquet is too large to be held in memory."),
    ],
)
def test_a_row_that_unfolds_to_more_than_there_is_memory_is_told(tmp_path, column, says):
    size = write(tmp_path / "t.parquet", text=column())
    assert size < 50_000
    assert read(tmp_path / "t.parquet") == says


def test_rows_of_one_file_may_be_of_very_different_sizes(tmp_path):
    texts = ["a" * (10_000_000 if i % 100 == 50 else 10) + str(i) for i in range(600)]
    write(tmp_path / "t.parquet", text=texts, n=[None if i == 3 else i for i in range(600)])
    rows = list(open_rows(tmp_path / "t.parquet", None).rows())
    assert [row["text"] for row in rows] == texts and [row["n"] for row in rows][:5] == [0, 1, 2, None, 4]
    few = open_rows(tmp_path / "t.parquet", None, ("n",))
    assert [row["n"] for row in few.rows()][-2:] == [598, 599] and few.columns == ["n"]


def test_a_row_is_never_told_twice_where_memory_makes_batches_smaller(tmp_path, monkeypatch):
    write(tmp_path / "t.parquet", text=[str(i) for i in range(2000)])

    class Short:
        """A file whose batches of more than 32 rows do not fit into the memory, from the second on."""

        def __init__(self):
            self.file = parquet.ParquetFile(tmp_path / "t.parquet")
            self.metadata = self.file.metadata

        def iter_batches(self, size, **others):
            for number, batch in enumerate(self.file.iter_batches(size, **others)):
                if number and size > 32:
                    raise MemoryError
                yield batch

    told = [row for batch in tables_of_parquet._batches(Short(), None) for row in batch.column(0).to_pylist()]
    assert told == [str(i) for i in range(2000)]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_parquet_file_is_read_or_refused(tmp_path, data):
    path = tmp_path / "t.parquet"
    write(path, text=["some words", "and more"] * 20, tags=[["a"], ["b", "c"]] * 20)
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(4, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(damaged))
    try:
        assert all(set(row) <= {*row} for row in open_rows(path, None).rows())
    except PlaygroundError as error:
        assert "t.parquet" in error.message and error.hint and len(error.message) < 500


WIDE = "has {} columns, and at most 2,000 are read."
LARGE = "The row on line {} of {} is too large to be held in memory."


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "names.csv",
            lambda: ",".join(f"c{i}" for i in range(100_000)) + "\n1\n",
            "names.csv " + WIDE.format("100,000"),
        ),
        ("wide.csv", lambda: "text,label\n" + "ab," * 8_000_000 + "x\n", LARGE.format(2, "wide.csv")),
        ("lines.csv", lambda: "text,label\n" + '"ab\n",' * 6_000_000 + "x\n", LARGE.format(2, "lines.csv")),
        ("endless.csv", lambda: 'text,label\n"' + "some words\n" * 7_000_000, LARGE.format(2, "endless.csv")),
        ("blanks.csv", lambda: "sep= \na b\n" + " " * 600_000 + "x\n", "Line 3 of blanks.csv has 600001 cells"),
        ("array.csv", lambda: 'text,label\n"array([' + "],dtype=a" * 100_000 + 'a",x\n', "1 rows, 2 columns"),
        ("lists.jsonl", lambda: '{"text":[' + "[]," * 6_000_000 + "[]]}\n", LARGE.format(1, "lists.jsonl")),
        (
            "keys.jsonl",
            lambda: "{" + ",".join(f'"k{i}":0' for i in range(9_000)) + "}\n",
            "keys.jsonl " + WIDE.format("9,000"),
        ),
        (
            "more.jsonl",
            lambda: "".join("{" + ",".join(f'"{i}.{k}":0' for k in range(99)) + "}\n" for i in range(99)),
            "more.jsonl " + WIDE.format("9,801"),
        ),
        (
            "lists.json",
            lambda: "[" + "[]," * 8_000_000 + "[]]",
            "lists.json is one JSON list of more than 4,194,304 values.",
        ),
        (
            "far.json",
            lambda: "{" + ",".join(f'"c{i}":{{"{i}":1}}' for i in range(9_000)) + "}",
            "The columns of far.json have hardly a row in common.",
        ),
        (
            "deep.json",
            lambda: '{"data":' * 900 + '[{"text":"a"}]' + "}" * 900,
            "Line 1 of deep.json is not JSON: it is nested too deeply, or has a number too long.",
        ),
        ("wide.conll", lambda: ("ab\t" * 300_000 + "O\n") * 30, "wide.conll " + WIDE.format("300,001")),
        ("long.conll", lambda: ("w" * 60_000 + "\tO\n") * 4_000, LARGE.format("1,119", "long.conll")),
        (
            "labels.txt",
            lambda: ("__label__a " + "x" * 200 + "\n") * 2_000 + "__label__b " * 900_000 + "x\n",
            "2001 rows, 2 columns",
        ),
        (
            "sentence.csv",
            lambda: "sentence,word,tag\n1,a,O\n" + ",b,O\n" * 900_000,
            "The sentence that row 20,001 of sentence.csv belongs to is too long.",
        ),
    ],
)
def test_a_table_that_is_too_much_is_told(tmp_path, name, content, says):
    (tmp_path / name).write_text(content())
    assert read(tmp_path / name).startswith(says)


def test_labels_and_text_of_a_line_are_parted_as_before(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("__label__a,  __label__b\tthe text \n__label__c\n plain\n__label__d__label__e x\n")
    assert list(marked_rows(path, "utf-8")()) == [
        {"text": "the text", "label": ["a", "b"]},
        {"text": "", "label": "c"},
        {"text": "plain", "label": []},
        {"text": "x", "label": "d__label__e"},
    ]


def test_a_table_that_is_too_much_is_not_kept(home):
    for name, content in (
        ("names.csv", ",".join(f"c{i}" for i in range(100_000)).encode() + b"\n1\n"),
        ("same.jsonl", b'{"text":[' + b"[]," * 2_000_000 + b"[]]}\n"),
        ("broken.parquet", b"PAR1" + b"\0" * 100),
    ):
        with pytest.raises(PlaygroundError, match=name) as told:
            uploads.keep(io.BytesIO(content), name)
        assert told.value.hint
    assert not uploads.uploads() and not list((home / "uploads").glob(".part-*"))
    unsure = "text,label\nпривет,да\nпока,нет\n".encode("koi8-r")
    assert uploads.keep(io.BytesIO(unsure), "t.csv").size == len(unsure)


def test_an_archive_says_itself_how_much_memory_lzma_needs_and_is_refused(home):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.txt", "words\n" * 100)
    file.seek(0)
    with pytest.raises(PlaygroundError, match="packed in a way that is not known here"):
        uploads.keep(file, "t.zip")


def test_a_page_of_one_endless_word_is_tidied():
    code = "from playground.text.documents import clean_pdf_text; print(len(clean_pdf_text({})))"
    for text in ("'a' * 400_000", "'a\\x02' * 200_000", "'a-\\n\\xad' * 100_000"):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                f"import resource; resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS},) * 2); " + code.format(text),
            ],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0 and int(done.stdout) > 100_000, done.stderr[-500:]
    assert clean_pdf_text("ex\xad\nam\x02ple and state-of-\u2010\nthe") == "example and state-of--the"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=30,
)


def count(value) -> int:
    """Values, each list and object among them."""
    parts = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    return 1 + sum(map(count, parts))


@given(VALUES)
def test_values_are_counted_without_building_them(value):

    text = json.dumps(value)
    found = size_limits.values_in(text, len(text) - 1)
    assert count(value) - 1 <= 2 * found + 1 and found <= 2 * count(value)


@given(VALUES, st.integers(0, 200))
def test_a_weight_goes_no_further_than_asked(value, most):
    whole = size_limits.weight(value, 10**9)
    assert whole >= 8 * count(value)
    assert (size_limits.weight(value, most) > most) == (whole > most)


def test_a_whole_number_too_long_to_write_out_is_no_text():
    with pytest.raises(cell_values.NoText):
        cell_values.plain(16**90_000)
    assert cell_values.plain(10**300) == "1" + "0" * 300


@given(st.lists(st.sampled_from(["a", "b", "a 2", "a 3", "b 2"]) | st.none(), max_size=12))
def test_columns_of_one_name_get_names_of_their_own(wanted):
    names = delimited._unlike([name or "" for name in wanted], wanted)
    named = [name for name in names if name is not None]
    assert len(set(named)) == len(named) == len(wanted) - wanted.count(None)
    for i, (name, was) in enumerate(zip(names, wanted)):
        assert name is None or re.fullmatch(rf"{was}( \d+)?", name)
        assert was is None or was in wanted[:i] or name == was


def test_an_encoding_that_keeps_bytes_back_does_not_read_them_again_and_again(tmp_path):
    (tmp_path / "t.txt").write_text("+" + "AGEA" * 2_000_000)
    with pytest.raises(PlaygroundError, match="t.txt is not utf-7: the bytes before offset"):
        list(decoded(tmp_path / "t.txt", "utf-7"))
    (tmp_path / "t.txt").write_bytes(("some words, 词 and more\n" * 50_000).encode("utf-7"))
    assert "".join(decoded(tmp_path / "t.txt", "utf-7")) == "some words, 词 and more\n" * 50_000


KINDS_OF_COLUMNS = {
    "texts": arrow.array(["a", "", None, "b\x1ec", "词\n"]),
    "categories": arrow.array(["a", None, "b", "a", "a"]).dictionary_encode(),
    "numbers": arrow.array([1, None, 2**63 - 1, 0, -5]),
    "fractions": arrow.array([0.5, None, -1e300, 1.0, 3.25]),
    "exact": arrow.array([Decimal("1.50"), None, Decimal("0"), Decimal("-2.25"), Decimal("9")]),
    "days": arrow.array([date(2020, 1, 2), None, date(1, 1, 1), date(9999, 12, 31), date(1970, 1, 1)]),
    "times": arrow.array([datetime(2020, 1, 2, 3, 4, 5, 6), None, *[datetime(1969, 7, 20)] * 3]),
    "zones": arrow.array([0, None, 10**15, -1, 1], arrow.timestamp("us", "Asia/Shanghai")),
    "bytes": arrow.array([b"\0\xff", None, b"", b"a", b"b"]),
    "truths": arrow.array([True, None, False, True, True]),
    "nothing": arrow.nulls(5),
    "lists": arrow.array([["a", None], None, [], ["b"], ["c"]]),
    "pairs": arrow.array([[1, 2], None, [3, 4], [5, 6], [7, 8]], arrow.list_(arrow.int8(), 2)),
    "tags": arrow.array(
        [["B", "O"], None, [], ["O"], ["O"]], arrow.list_(arrow.dictionary(arrow.int8(), arrow.string()))
    ),
    "chats": arrow.array([[{"role": "user", "content": "Hi"}], None, [], [{"role": None, "content": ""}], [None]]),
    "named": arrow.array([[("a", 1)], None, [], [("b", None)], []], arrow.map_(arrow.string(), arrow.int64())),
    "kinds": arrow.array(
        [{"x": "a"}, None, {"x": None}, {"x": "b"}, {}],
        arrow.struct({"x": arrow.dictionary(arrow.int8(), arrow.string())}),
    ),
}


@pytest.mark.parametrize("name", KINDS_OF_COLUMNS)
def test_a_column_of_any_kind_is_read_as_arrow_has_it(tmp_path, name):
    column = KINDS_OF_COLUMNS[name]
    path = tmp_path / "t.parquet"
    many = arrow.concat_arrays([column] * 300).slice(2)
    parquet.write_table(arrow.table({name: many, "row": list(range(1498))}), path, row_group_size=700)
    rows = list(open_rows(path, None).rows())
    assert [row[name] for row in rows] == many.to_pylist()
    assert [row["row"] for row in rows] == list(range(1498))
    assert [row[name] for row in open_rows(path, None, (name,)).rows()] == many.to_pylist()


def test_a_file_that_changes_is_read_anew(tmp_path):
    for text in ("one", "another", "a third"):
        write(tmp_path / "t.parquet", text=[text] * 600)
        assert {row["text"] for row in open_rows(tmp_path / "t.parquet", None).rows()} == {text}
        assert len(list(open_rows(tmp_path / "t.parquet", None, ("text",)).rows())) == 600
