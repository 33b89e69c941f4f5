"""The rows of a JSON file that is one object, wherever programs put them."""

import json

import pytest

from playground.core.errors import PlaygroundError
from playground.text import DataSpec
from playground.text.files import open_table

ROWS = [{"text": f"The dog number {i} runs.", "label": "ab"[i % 2]} for i in range(5)]
CHAT = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hello."}]
COLUMNS = {name: [row[name] for row in ROWS] for name in ("text", "label")}


def opened(path, value, indent=None):
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=indent), encoding="utf-8")
    return open_table(DataSpec("file", path))


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "value, note",
    [
        ({"data": ROWS}, "The rows of t.json are those of its list 'data'."),
        ({"version": "1.0", "about": {"by": "us"}, "mine": ROWS}, "The rows of t.json are those of its list 'mine'."),
        ({"rows": ROWS, "features": [{"name": "text"}]}, "The rows of t.json are those of its list 'rows'."),
        (
            {"train": ROWS[:4], "test": ROWS[4:]},
            "t.json holds several lists, and the rows of all are read: train (4), test (1).",
        ),
        ({"train": ROWS, "test": []}, "The rows of t.json are those of its list 'train'."),
        (
            {"a": ROWS[:3], "b": ROWS[3:]},
            "t.json holds several lists, and the rows of all are read: a (3), b (2).",
        ),
        ({"status": "ok", "result": {"items": ROWS}}, "The rows of t.json are those of its list 'items'."),
        (
            {
                "features": [{"name": "text", "type": "string"}],
                "rows": [{"row_idx": i, "row": row} for i, row in enumerate(ROWS)],
            },
            "The rows of t.json are those of its list 'rows'.",
        ),
        (COLUMNS, "t.json is read by columns: text, label."),
        (
            {name: {str(i): cell for i, cell in enumerate(cells)} for name, cells in COLUMNS.items()},
            "t.json is read by columns: text, label.",
        ),
        (
            {name: {f"n{i}": cell for i, cell in enumerate(cells)} for name, cells in COLUMNS.items()},
            "t.json is read by columns: text, label.",
        ),
        (
            {"columns": ["text", "label"], "index": [*range(5)], "data": [list(row.values()) for row in ROWS]},
            "The rows of t.json are those of its list 'data'.",
        ),
        ({str(i): row for i, row in enumerate(ROWS)}, "Each entry of t.json is read as a row."),
        ({f"n{i}": row for i, row in enumerate(ROWS)}, "Each entry of t.json is read as a row."),
        (
            {"train": {k: v[:2] for k, v in COLUMNS.items()}, "dev": {"data": ROWS[2:]}},
            "t.json holds several lists, and the rows of all are read: train (2), dev (3).",
        ),
    ],
)
def test_rows_are_found(tmp_path, value, note, indent):
    read = opened(tmp_path / "t.json", value, indent)
    assert list(read.rows()) == list(read.rows()) == ROWS and read.columns == ["text", "label"]
    assert read.notes() == [note]


def test_a_split_without_labels_is_a_part_of_the_table_too(tmp_path):
    bare = [{"text": "No label here."}]
    assert list(opened(tmp_path / "t.json", {"train": ROWS, "test": bare}).rows()) == [*ROWS, *bare]


def test_rows_that_are_lists(tmp_path):
    cells = [list(row.values()) for row in ROWS]
    read = opened(tmp_path / "t.json", [["text", "label"], *cells])
    assert list(read.rows()) == ROWS and read.notes() == ["t.json is read by columns: text, label."]
    for content in (json.dumps(cells), "\n".join(map(json.dumps, cells))):
        read = opened(tmp_path / "u.json", content)
        assert [list(row.values()) for row in read.rows()] == cells and read.columns == ["column 1", "column 2"]
        assert read.notes()[0].startswith("The first line of u.json is a row like the others")


@pytest.mark.parametrize(
    "value",
    [
        {"header": ["text", "label"], "rows": [list(row.values()) for row in ROWS]},
        {"version": 2, "data": [["text", "label"], *(list(row.values()) for row in ROWS)]},
    ],
)
def test_rows_that_are_lists_beside_other_things(tmp_path, value):
    assert list(opened(tmp_path / "t.json", value).rows()) == ROWS


def test_a_cell_that_says_the_name_of_its_column(tmp_path):
    read = opened(tmp_path / "t.json", [["text", "label"], ["text", "x"], ["text", "y"], ["text", "label"]])
    assert list(read.rows())[1:] == [{"text": "text", "label": "y"}, {"text": "text", "label": "label"}]
    read = opened(tmp_path / "t.json", [["said", "by"], ["said", "x"], ["b", "y"]])
    assert list(read.rows()) == [{"said": "said", "by": "x"}, {"said": "b", "by": "y"}]


def test_conversations_that_are_lists(tmp_path):
    for more in ([], CHAT[:1]):
        read = opened(tmp_path / "t.json", [CHAT, CHAT + more])
        assert list(read.rows()) == [{"messages": CHAT}, {"messages": CHAT + more}] and not read.notes()


def test_texts_by_split(tmp_path):
    read = opened(tmp_path / "t.json", {"train": ["a", "b"], "test": ["c"]})
    assert [row["text"] for row in read.rows()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "value",
    [
        {"text": "One text.", "label": "a"},
        {"messages": CHAT},
        {"id": 3, "conversations": CHAT},
        {"text": "One text.", "about": {"tags": ["a", "b"], "by": {"name": "us"}}},
        {"text": "One text.", "tags": ["a", "b"]},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_one_record_stays_one(tmp_path, value, indent):
    read = opened(tmp_path / "t.json", value, indent)
    assert list(read.rows()) == [value] and not read.notes()


def test_objects_one_after_the_other(tmp_path):
    for end in ("\n", "\n\n", ""):
        content = end.join(json.dumps(row, indent=2) for row in ROWS)
        assert list(opened(tmp_path / "t.json", content).rows()) == ROWS
    lines = "\n".join(json.dumps({"data": [row]}) for row in ROWS)  # records, on a line each
    assert list(opened(tmp_path / "t.json", lines).rows()) == [{"data": [row]} for row in ROWS]


@pytest.mark.parametrize(
    "value, words",
    [
        (
            {"users": [{"name": "x"}], "posts": [{"said": "y"}, {"said": "z"}]},
            "t.json holds several lists with different columns: users (1), posts (2).",
        ),
        ({"text": ["a", "b"], "label": ["x"]}, "The columns of t.json are of different lengths: text (2), label (1)."),
        ({"text": ["a", "b"], "label": []}, "The columns of t.json are of different lengths: text (2), label (0)."),
        ({"data": []}, "t.json has no rows."),
        ({}, "t.json has no rows."),
        (json.dumps({"data": ROWS}, indent=1)[:-30], "Line 20 of t.json is not JSON: it breaks off."),
        ('{\n "data": [\n  {"text": a}]}', "Line 3 of t.json is not JSON: look at character 12."),
        ('{"text": "a"}\n{"text": b}\n', "Line 2 of t.json is not JSON: look at character 10."),
    ],
)
def test_what_is_wrong_is_told(tmp_path, value, words):
    with pytest.raises(PlaygroundError) as caught:
        opened(tmp_path / "t.json", value).head  # noqa: B018
    assert caught.value.message == words and caught.value.hint
