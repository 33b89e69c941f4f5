import errno
import os

import pytest

from playground.errors import PlaygroundError
from playground.runs import lines


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


def test_rows_come_back_in_order_and_once(path):
    lines.append(path, {"step": 1}, {"step": 2})
    rows, cursor, _ = lines.read(path)
    assert rows == [{"step": 1}, {"step": 2}]
    lines.append(path, {"step": 3, "text": "日本 ✓"})
    rows, cursor, restarted = lines.read(path, cursor)
    assert rows == [{"step": 3, "text": "日本 ✓"}] and not restarted
    assert lines.read(path, cursor) == ([], cursor, False)


def test_a_line_being_written_waits_for_its_end(path):
    lines.append(path, {"step": 1})
    with open(path, "ab") as file:
        file.write(b'{"step": 2, "lo')
    rows, cursor, _ = lines.read(path)
    assert rows == [{"step": 1}]
    with open(path, "ab") as file:
        file.write(b'ss": 3.5}\n')
    assert lines.read(path, cursor)[0] == [{"step": 2, "loss": 3.5}]


def test_a_line_torn_by_a_crash_spoils_only_itself(path):
    lines.append(path, {"step": 1})
    with open(path, "ab") as file:
        file.write(b'{"step": 2, "lo')
    lines.append(path, {"step": 3})
    assert lines.read(path)[0] == [{"step": 1}, {"step": 3}]


@pytest.mark.parametrize(
    "rubbish", [b"\0\0\0\0\n", b"[1, 2]\n", b"\xff\xfe\n", b"[" * 100_000 + b"\n", b"\n"]
)
def test_foreign_lines_are_passed_over(path, rubbish):
    lines.append(path, {"step": 1})
    with open(path, "ab") as file:
        file.write(rubbish)
    lines.append(path, {"step": 2})
    assert lines.read(path)[0] == [{"step": 1}, {"step": 2}]


def test_no_file_is_no_rows(path):
    assert lines.read(path) == ([], 0, False)


@pytest.mark.parametrize("grown", [0, 1, 50])
def test_a_reader_notices_that_the_file_was_rewritten(path, grown):
    for step in range(20):
        lines.append(path, {"step": step, "seconds": step / 7})
    _, cursor, _ = lines.read(path)
    lines.keep_only(path, lambda row: row["step"] <= 5)
    for step in range(6, 6 + grown):
        lines.append(path, {"step": step, "seconds": step / 3})
    rows, cursor, restarted = lines.read(path, cursor)
    assert restarted and [row["step"] for row in rows] == list(range(6 + grown))
    assert lines.read(path, cursor)[0] == []


def test_a_full_disk_is_said(path, monkeypatch):
    lines.append(path, {"step": 1})

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(PlaygroundError, match="disk is full"):
        lines.append(path, {"step": 2})
    monkeypatch.undo()
    assert lines.read(path)[0] == [{"step": 1}]
