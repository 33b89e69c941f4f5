"""A person's files: every format and encoding gives its text; what is wrong is said with its place."""

import codecs
import csv
import json

import pytest

from playground.core.errors import PlaygroundError
from playground.text import DataSpec
from playground.text.corpora import open_source
from playground.text.encodings import CHUNK, detect
from playground.text.files import columns

CHINESE = "春天的早晨，河水从石桥下面静静地流过，孩子们在岸边数着小船。我们都很喜欢这个地方。\n"
WESTERN = "Le garçon a mangé une crêpe près de l'église, où l'été était très agréable déjà.\n"


def read(path, **choices) -> list:
    return list(open_source(DataSpec("file", path, **choices)).documents())


def text_of(path, **choices) -> str:
    return "".join(read(path, **choices))


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8-sig", b""),
        ("utf-16", b""),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32", b""),
        ("gb18030", b""),
        ("gbk", b""),
    ],
)
@pytest.mark.parametrize("lines", [1, 20_000])
def test_chinese_in_every_encoding(tmp_path, encoding, mark, lines):
    path = tmp_path / "a.txt"
    path.write_bytes(mark + (CHINESE * lines).encode(encoding))
    assert text_of(path) == CHINESE * lines


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "cp1252", "latin-1"])
def test_western_text_without_a_mark(tmp_path, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes((WESTERN * 50).encode(encoding))
    assert text_of(path) == WESTERN * 50


def test_a_named_encoding_is_believed(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("日本語の文章".encode("shift-jis"))
    assert text_of(path, encoding="shift-jis") == "日本語の文章"


def test_line_ends_become_newlines_even_across_chunks(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * (CHUNK - 1) + b"\r\nb\rc\n")
    assert text_of(path) == "x" * (CHUNK - 1) + "\nb\nc\n"


def test_a_character_across_chunks(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("x" * (CHUNK - 1) + "汉字" + "y" * CHUNK, encoding="utf-8")
    assert text_of(path) == "x" * (CHUNK - 1) + "汉字" + "y" * CHUNK


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1253"])
def test_a_file_in_another_encoding_is_refused_with_the_place(tmp_path, encoding):
    path = tmp_path / "a.txt"
    good = ("plain\n" * 50_000).encode(encoding)
    bad = b"\x00\xdc" if encoding == "utf-16" else b"\xff\xd2" * 2  # a low surrogate alone; no letters there
    path.write_bytes(good + bad * (200_000 if encoding == "utf-16" else 1000))  # a few halves of emoji would be damage
    with pytest.raises(PlaygroundError, match=rf"offset {len(good):,} \(line 50,001\)") as caught:
        text_of(path, encoding=encoding)
    assert encoding in caught.value.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "PNG image"),
        (b"PK\x03\x04" + b"a" * 100, "ZIP archive"),
        (b"%PDF-1.7 text", "PDF document"),
        (bytes(range(256)) * 40, "zero bytes"),
        (b"PAR1" + b"a" * 100, "Parquet"),
    ],
)
def test_what_is_no_text_is_named(tmp_path, content, words):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(PlaygroundError, match=words) as caught:
        text_of(path)
    assert caught.value.hint


def test_missing_folders_and_unknown_kinds(tmp_path):
    (tmp_path / "a.docx").write_text("x")
    for path, words in (
        (tmp_path, "folder"),
        (tmp_path / "none.txt", "not exist"),
        (tmp_path / "a.docx", "docx"),
    ):
        with pytest.raises(PlaygroundError, match=words):
            text_of(path)


ROWS = [{"id": 1, "text": 'He said "no", twice\nand left', "zh": "你好"}, {"id": 2, "text": "", "zh": "再见"}]


def write_csv(path, rows=ROWS, delimiter=",", encoding="utf-8"):
    with open(path, "w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path, rows=ROWS):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def write_parquet(path, rows=ROWS):
    import pyarrow as arrow
    from pyarrow import parquet

    parquet.write_table(arrow.Table.from_pylist(rows), path)


WRITERS = {".csv": write_csv, ".jsonl": write_jsonl, ".parquet": write_parquet}


@pytest.mark.parametrize("suffix", WRITERS)
def test_tables(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](path)
    assert columns(DataSpec("file", path)) == ["id", "text", "zh"]
    assert read(path) == [ROWS[0]["text"], ""]
    assert read(path, text_column="zh") == ["你好", "再见"]
    assert read(path, text_column="id") == ["1", "2"]
    assert read(path, source_column="text", target_column="zh") == [(ROWS[0]["text"], "你好"), ("", "再见")]
    with pytest.raises(PlaygroundError, match="no column 'txt'") as caught:
        read(path, text_column="txt")
    assert "id, text, zh" in caught.value.hint


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_table_whose_text_column_is_in_doubt(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](path, [{"en": "a", "zh": "b"}])
    with pytest.raises(PlaygroundError, match="Which column") as caught:
        read(path)
    assert "en, zh" in caught.value.hint
    WRITERS[suffix](path, [{"anything": "a"}])
    assert read(path) == ["a"]


@pytest.mark.parametrize(("delimiter", "suffix"), [(";", ".csv"), ("\t", ".csv"), ("\t", ".tsv"), ("|", ".csv")])
def test_other_separators(tmp_path, delimiter, suffix):
    write_csv(tmp_path / f"a{suffix}", delimiter=delimiter)
    assert read(tmp_path / f"a{suffix}")[0] == ROWS[0]["text"]


def test_a_spreadsheet_export_in_gbk(tmp_path):
    rows = [{"编号": i, "text": CHINESE.strip()} for i in range(30)]
    write_csv(tmp_path / "a.csv", rows, encoding="gbk")
    assert read(tmp_path / "a.csv") == [CHINESE.strip()] * 30


def test_broken_csv_names_the_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id,text\n1,fine\n2,"never closed\n3,x\n')
    with pytest.raises(PlaygroundError, match="line 3"):
        read(path)
    path.write_text("id,text\n1,fine\n2,one,too many\n")
    with pytest.raises(PlaygroundError, match="Line 3 .* 3 cells"):
        read(path)
    path.write_text("text\n")
    with pytest.raises(PlaygroundError, match="no rows"):
        read(path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": ', "Line 3 .* not JSON"),
        ("[1, 2]", "Line 3 .* no JSON object"),
    ],
)
def test_broken_jsonl_names_the_line(tmp_path, line, words):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n\n' + line + "\n")
    with pytest.raises(PlaygroundError, match=words):
        read(path, text_column="text")


def test_jsonl_of_strings_nulls_and_lists(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('"one"\n{"text": null}\n{"text": "\\ud800"}\n')
    assert read(path) == ["one", "", "\ufffd"]
    path.write_text('[{"text": "one"}]')
    with pytest.raises(PlaygroundError, match="no JSON object|not JSON"):
        read(path)


def test_a_broken_parquet_file(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + b"\0" * 100)
    with pytest.raises(PlaygroundError, match="not a Parquet table"):
        read(path)


def test_plain_text_has_no_columns(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    assert columns(DataSpec("file", tmp_path / "a.txt")) == []
    with pytest.raises(PlaygroundError, match="no column 'x'"):
        read(tmp_path / "a.txt", text_column="x")


def test_detection_looks_beyond_the_beginning(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"plain english\n" * 20_000 + (CHINESE * 3_000).encode("gb18030"))
    assert detect(path) == "gb18030"
