"""What the Fine-tune page reads of a table before anything is trained: so many rows, and so many characters of them."""

import json

import pytest

from playground.pages.finetune import data_choice as form


@pytest.fixture
def values(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    path = tmp_path / "t.jsonl"
    rows = [{"text": f"text {i} " + "x" * 990, "label": "ab"[i % 2] if i % 5 else ""} for i in range(100)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"dataset": "file", "path": str(path), "text_column": "text", "label_column": "label"}


def test_all_rows_of_a_short_table_are_counted(values):
    rows, counts, of, _ = form.sample_rows(values, "classify", 1.0)
    assert of == 0 and counts == {"a": 40, "b": 40} and len(rows) == 20
    assert all(len(text) == 300 and label in "ab" for text, label in rows)


@pytest.mark.parametrize(("rows", "characters", "read"), [(30, 10**9, 30), (20_000, 20_000, 21)])
def test_a_long_table_is_read_in_part(values, monkeypatch, rows, characters, read):
    monkeypatch.setattr(form, "SAMPLED", rows)
    monkeypatch.setattr(form, "LONGEST_SAMPLE", characters)
    _, counts, of, _ = form.sample_rows(values, "classify", 2.0 + rows)
    assert of == read and sum(counts.values()) == sum(i % 5 > 0 for i in range(read))
