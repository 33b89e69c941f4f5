"""Frames as bytes: what is written comes back, and what is damaged or hostile is said to be no frame."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from playground.core.errors import PlaygroundError
from playground.runs import frames
from playground.runs.frames import Frame, from_bytes, to_bytes

ABOUT = {
    "kind": "values",
    "step": 3,
    "tokens": 192,
    "seconds": 0.5,
    "loss": 2.5,
    "train_loss": None,
    "architecture": "decoder",
    "n_layers": 2,
    "n_heads": 4,
    "ids": [5, 6],
    "pieces": ["a", "é"],
    "source_ids": None,
    "source_pieces": None,
    "likeliest": [[7, "b", 0.5]],
    "targets": [6, -100],
}
TENSORS = st.dictionaries(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(lambda name: name != "__metadata__"),
    arrays(np.float16, array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5), elements=st.floats(width=16)),
    max_size=5,
)


@given(TENSORS)
def test_a_frame_comes_back_as_it_was(tensors):
    found = from_bytes(to_bytes(Frame(ABOUT, tensors)))
    assert found.about == ABOUT and list(found.tensors) == list(tensors)
    for name, value in tensors.items():
        assert found.tensors[name].dtype == np.float16
        np.testing.assert_array_equal(found.tensors[name], value, strict=True)


def test_the_file_is_what_a_reader_of_thirty_lines_expects():
    """Eight bytes of length, JSON, raw little-endian numbers: as JavaScript reads it."""
    values = np.arange(6, dtype=np.float32).reshape(2, 3).T  # not contiguous
    data = to_bytes(Frame(ABOUT, {"layers.0.output": values}))
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert json.loads(header["__metadata__"]["frame"]) == ABOUT
    entry = header["layers.0.output"]
    start, end = entry["data_offsets"]
    assert (entry["dtype"], entry["shape"]) == ("F16", [3, 2])
    assert list(struct.unpack("<6e", data[8 + length + start : 8 + length + end])) == [0, 3, 1, 4, 2, 5]


def test_no_number_is_no_json():
    with pytest.raises(ValueError):
        to_bytes(Frame({**ABOUT, "loss": float("nan")}))


WHOLE = to_bytes(Frame(ABOUT, {"a": np.ones((3, 4)), "b": np.zeros(2)}))


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=8), st.booleans())
def test_a_damaged_file_is_a_frame_or_said_to_be_none(place, put, cut):
    """Whatever is changed: no other error, no hang, and nothing but float16."""
    data = WHOLE[:place] + put + (b"" if cut else WHOLE[place + len(put) :])
    try:
        found = from_bytes(data)
    except PlaygroundError:
        return
    assert all(value.dtype == np.float16 for value in found.tensors.values())


def made(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def with_about(**changes) -> bytes:
    return made({"__metadata__": {"frame": json.dumps({**ABOUT, **changes})}})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8,
        b"\xff" * 100,
        made({}),
        made({"__metadata__": {}}),
        made({"__metadata__": {"frame": "[]"}}),
        made({"__metadata__": {"frame": json.dumps(ABOUT), "order": "3"}}),
        made({"__metadata__": [json.dumps(ABOUT)]}),
        made({"__metadata__": {"frame": "[" * 100_000}}),
        made({"__metadata__": {"frame": json.dumps({**ABOUT, "loss": float("nan")})}}),
        made({"__metadata__": {"frame": json.dumps({**ABOUT, "x": "x" * 2**20})}}),
        made(b"[" * 100_000),
        with_about(kind="pickle"),
        with_about(kind=["values"]),
        with_about(step=-1),
        with_about(step=True),
        with_about(step=1e300),
        with_about(loss="2"),
        with_about(ids=[1.5]),
        with_about(ids=list(range(1000))),
        with_about(pieces=[1]),
        with_about(likeliest=[[1, "a"]]),
        with_about(likeliest=[[1, "a", "b"]]),
        with_about(targets=3),
        made(
            {
                "__metadata__": {"frame": json.dumps(ABOUT)},
                "a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]},
            },
            b"\0" * 8,
        ),
        made(
            {
                "__metadata__": {"frame": json.dumps(ABOUT)},
                "a": {"dtype": "F16", "shape": [2**40, 2**40], "data_offsets": [0, 2]},
            },
            b"\0" * 2,
        ),
    ],
)
def test_what_is_no_frame_is_said_to_be_none(data):
    with pytest.raises(PlaygroundError):
        from_bytes(data)


def test_something_missing_is_no_frame():
    for name in ABOUT:
        about = {key: value for key, value in ABOUT.items() if key != name}
        with pytest.raises(PlaygroundError):
            from_bytes(to_bytes(Frame(about)))


def test_too_large_is_said(monkeypatch):
    monkeypatch.setattr(frames, "MAX_BYTES", len(WHOLE) - 1)
    with pytest.raises(PlaygroundError, match="too large"):
        from_bytes(WHOLE)
