import errno
import os
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.core import jsonl
from playground.core.errors import PlaygroundError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


def test_rows_come_back_in_order_and_once(path):
    jsonl.append(path, {"step": 1}, {"step": 2})
    rows, cursor, _ = jsonl.read(path)
    assert rows == [{"step": 1}, {"step": 2}]
    jsonl.append(path, {"step": 3, "text": "日本 ✓"})
    rows, cursor, restarted = jsonl.read(path, cursor)
    assert rows == [{"step": 3, "text": "日本 ✓"}] and not restarted
    assert jsonl.read(path, cursor) == ([], cursor, False)


def test_a_line_being_written_waits_for_its_end(path):
    jsonl.append(path, {"step": 1})
    with open(path, "ab") as file:
        file.write(b'{"step": 2, "lo')
    rows, cursor, _ = jsonl.read(path)
    assert rows == [{"step": 1}]
    with open(path, "ab") as file:
        file.write(b'ss": 3.5}\n')
    assert jsonl.read(path, cursor)[0] == [{"step": 2, "loss": 3.5}]


def test_a_line_torn_by_a_crash_spoils_only_itself(path):
    jsonl.append(path, {"step": 1})
    with open(path, "ab") as file:
        file.write(b'{"step": 2, "lo')
    jsonl.append(path, {"step": 3})
    assert jsonl.read(path)[0] == [{"step": 1}, {"step": 3}]


@pytest.mark.parametrize("rubbish", [b"\0\0\0\0\n", b"[1, 2]\n", b"\xff\xfe\n", b"[" * 100_000 + b"\n", b"\n"])
def test_foreign_lines_are_passed_over(path, rubbish):
    jsonl.append(path, {"step": 1})
    with open(path, "ab") as file:
        file.write(rubbish)
    jsonl.append(path, {"step": 2})
    assert jsonl.read(path)[0] == [{"step": 1}, {"step": 2}]


def test_no_file_is_no_rows(path):
    assert jsonl.read(path) == ([], 0, False)


@pytest.mark.parametrize("grown", [0, 1, 50])
def test_a_reader_notices_that_the_file_was_rewritten(path, grown):
    for step in range(20):
        jsonl.append(path, {"step": step, "seconds": step / 7})
    _, cursor, _ = jsonl.read(path)
    jsonl.keep_only(path, lambda row: row["step"] <= 5)
    for step in range(6, 6 + grown):
        jsonl.append(path, {"step": step, "seconds": step / 3})
    rows, cursor, restarted = jsonl.read(path, cursor)
    assert restarted and [row["step"] for row in rows] == list(range(6 + grown))
    assert jsonl.read(path, cursor)[0] == []


def test_a_full_disk_is_said(path, monkeypatch):
    jsonl.append(path, {"step": 1})

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(PlaygroundError, match="disk is full"):
        jsonl.append(path, {"step": 2})
    monkeypatch.undo()
    assert jsonl.read(path)[0] == [{"step": 1}]


def test_rows_that_cannot_be_judged_are_left_out(path):
    jsonl.append(path, {"step": 1}, {"step": "2"}, {"step": None}, {"step": 3}, {"loss": float("nan"), "step": 4})
    jsonl.keep_only(path, lambda row: row["step"] <= 3)
    assert jsonl.read(path)[0] == [{"step": 1}, {"step": 3}]


LINES = st.lists(
    st.sampled_from([b'{"a": 1}', b'{"b": "\xc3\xa9"}', b"", b"torn", b"x" * 30, b'{"c": [1, 2]}\r']), max_size=25
)


@settings(deadline=None)
@given(LINES, st.integers(3, 60), st.lists(st.integers(0, 200), max_size=8), st.booleans())
def test_read_in_parts_and_as_it_grows_nothing_is_lost_or_told_twice(tmp_path_factory, wanted, size, cuts, ends):
    """However it is cut: into parts, and into what was there at each look."""
    path = tmp_path_factory.mktemp("lines") / "metrics.jsonl"
    data = b"\n".join(wanted) + (b"\n" if ends else b"")
    whole = data[: data.rfind(b"\n") + 1]
    said, cursor = b"", 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, "PART", size)
        for cut in [*sorted(cuts), len(data)]:
            path.write_bytes(data[:cut])
            for part, after, restarted in jsonl.parts(path, cursor):
                assert not restarted
                said, cursor = said + part, after
    assert said == whole


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_of_many_megabytes_is_passed_over_in_little_memory(path, end):
    jsonl.append(path, {"step": 1})
    with open(path, "ab") as file:
        file.write(b'{"step": 2, "x": "' + b"y" * (9 * jsonl.LONGEST) + b'"}' + end)
    sizes = [len(part) for part, *_ in jsonl.parts(path)]
    assert max(sizes) <= jsonl.LONGEST + jsonl.PART
    rows, cursor, _ = jsonl.read(path)
    jsonl.append(path, {"step": 3})
    assert rows == [{"step": 1}] and jsonl.read(path, cursor)[0][-1:] == [{"step": 3}]


def test_a_large_file_is_read_and_rewritten_in_little_memory(path):
    line = b'{"step": 1, "text": "' + b"z" * 1000 + b'"}\n'
    with open(path, "wb") as file:
        for _ in range(20):
            file.write(line * 2000)
    tracemalloc.start()
    try:
        assert sum(part.count(b"\n") for part, *_ in jsonl.parts(path)) == 40_000
        jsonl.keep_only(path, lambda row: row["step"] == 1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size == 40_000 * len(line) and peak < 10 * jsonl.PART
