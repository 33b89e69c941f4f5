"""Token files: what is read is what was written, and reading a huge file takes no memory."""

import os
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.core.errors import PlaygroundError
from playground.text.token_files import PairFile, TokenFile, dtype_for


def write(path, ids, dtype="<u2"):
    np.array(ids, dtype).tofile(path)
    return path


@pytest.mark.parametrize("dtype", ["<u2", "<u4"])
def test_slices_and_windows_are_those_of_an_array(tmp_path, dtype):
    ids = np.arange(1000, dtype=dtype)
    file = TokenFile(write(tmp_path / "a.tokens", ids, dtype), dtype)
    assert len(file) == 1000
    assert (file[0], file[-1], file[999]) == (0, 999, 999)

    @settings(max_examples=200, deadline=None)
    @given(st.one_of(st.slices(1000), st.just(slice(None))))
    def check(place):
        if (place.step or 1) > 0:
            assert np.array_equal(file[place], ids[place])

    check()
    windows = file.windows(np.array([0, 5, 990]), 10)
    assert windows.dtype == np.int64
    assert np.array_equal(windows, [range(0, 10), range(5, 15), range(990, 1000)])


def test_places_outside_are_refused(tmp_path):
    file = TokenFile(write(tmp_path / "a.tokens", range(20)), "<u2")
    for starts in ([-1], [11]):
        with pytest.raises(IndexError):
            file.windows(np.array(starts), 10)
    with pytest.raises(IndexError):
        file[20]
    assert file.windows(np.array([], int), 10).shape == (0, 10)


def test_pairs(tmp_path):
    write(tmp_path / "a.tokens", [1, 2, 3, 4, 5, 6])
    write(tmp_path / "a.offsets", [0, 2, 3, 3, 6], "<u8")
    pairs = PairFile(tmp_path / "a.tokens", "<u2")
    assert len(pairs) == 2
    assert [part.tolist() for part in pairs[0]] == [[1, 2], [3]]
    assert [part.tolist() for part in pairs[-1]] == [[], [4, 5, 6]]
    assert pairs.lengths().tolist() == [[2, 1], [0, 3]]
    with pytest.raises(IndexError):
        pairs[2]


def test_damage_is_a_sentence(tmp_path):
    with pytest.raises(PlaygroundError, match="cannot be read"):
        TokenFile(tmp_path / "none", "<u2")
    (tmp_path / "odd").write_bytes(b"123")
    with pytest.raises(PlaygroundError, match="damaged"):
        TokenFile(tmp_path / "odd", "<u2")
    file = TokenFile(write(tmp_path / "short", range(100)), "<u2")
    os.truncate(tmp_path / "short", 50)
    with pytest.raises(PlaygroundError, match="shorter"):
        file.windows(np.array([80]), 10)


def test_the_smallest_type_that_holds_the_vocabulary():
    assert [dtype_for(size).itemsize for size in (260, 65_536, 65_537)] == [2, 2, 4]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_random_windows_over_a_gigabyte_take_no_memory(tmp_path):
    path = tmp_path / "huge.tokens"
    with open(path, "wb") as file:
        file.truncate(1 << 30)
        for place in range(0, 1 << 30, 1 << 26):  # some real pages among the holes
            file.seek(place)
            file.write(b"\1\0" * 4096)
    tokens = TokenFile(path, "<u2")
    rng = np.random.default_rng(0)
    tokens.windows(rng.integers(0, len(tokens) - 257, 64), 257)
    before = resident()
    for _ in range(300):
        tokens.windows(rng.integers(0, len(tokens) - 257, 64), 257)
    assert resident() - before < 5_000_000


def resident() -> int:
    """Bytes of this process in memory, mapped files included."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
