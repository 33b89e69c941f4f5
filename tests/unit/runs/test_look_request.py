"""Requests for looks, as files that anybody may have written."""

import json
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.core.errors import Message
from playground.runs import look
from playground.runs.folder import RunFolder
from playground.runs.frames import KINDS
from playground.runs.look import LookRequest, ask, asked

TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)
REQUESTS = st.builds(
    LookRequest,
    text=TEXTS,
    source=TEXTS,
    kind=st.sampled_from(KINDS),
    names=st.lists(TEXTS, max_size=5).map(tuple),
    prompt=TEXTS,
)


@pytest.fixture
def run(tmp_path) -> RunFolder:
    return RunFolder(tmp_path)


@given(REQUESTS)
def test_what_is_asked_arrives(tmp_path_factory, request_):
    run = RunFolder(tmp_path_factory.mktemp("run"))
    ask(run, request_)
    assert asked(run) == request_


def test_the_longest_request_arrives(run):
    """Every character as twelve bytes of JSON."""
    request = LookRequest("\U0001f600" * 4000, "é" * 4000, "values", ("\U0001f600" * 120,) * 64, "\n" * 4000)
    ask(run, request)
    assert asked(run) == request


def test_nothing_is_asked_where_nobody_asks(run):
    assert asked(run) is None
    assert asked(RunFolder(run.path / "gone")) is None


def test_the_same_request_renews_its_lease_and_another_one_replaces_it(run):
    path = run.path / look.REQUEST
    ask(run, LookRequest("one"))
    number = path.stat().st_ino
    old = time.time() - 10
    os.utime(path, (old, old))
    assert asked(run) is None, "nobody has watched for ten seconds"
    ask(run, LookRequest("one"))
    assert asked(run) == LookRequest("one") and path.stat().st_ino == number
    ask(run, LookRequest("two"))
    assert asked(run) == LookRequest("two") and path.stat().st_ino != number
    os.utime(path, (time.time() + 3600,) * 2)
    assert asked(run) is None, "a clock that is wrong does not make it last for ever"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
FIELDS = st.fixed_dictionaries(
    {}, optional={name: JSON for name in ("text", "source", "kind", "names", "prompt", "__class__")}
)


@given(st.binary(max_size=200) | (JSON | FIELDS).map(lambda value: json.dumps(value).encode()))
def test_a_hostile_file_is_a_request_or_none(tmp_path_factory, data):
    run = RunFolder(tmp_path_factory.mktemp("run"))
    (run.path / look.REQUEST).write_bytes(data)
    found = asked(run)
    if found is None:
        return
    assert found.kind in KINDS and all(isinstance(name, str) for name in found.names)
    for text in (found.text, found.source, found.prompt):
        assert isinstance(text, str) and text.encode() is not None


@pytest.mark.parametrize(
    "written",
    [
        {"text": "a" * 4001},
        {"prompt": "a" * 4001},
        {"source": ["a"]},
        {"text": "\ud800"},
        {"kind": "pickle"},
        {"kind": ["values"]},
        {"kind": {}},
        {"names": "layers"},
        {"names": ["a" * 121]},
        {"names": ["a"] * 65},
        {"names": [1]},
        {"names": {"a": 1}},
        ["values"],
        "values",
        None,
    ],
)
def test_what_does_not_fit_is_no_request(run, written):
    (run.path / look.REQUEST).write_text(json.dumps(written))
    assert asked(run) is None


@pytest.mark.parametrize("data", [b"[" * 100_000, b" " * 2**20, b"\0" * 100, b'{"text": NaN}'])
def test_a_file_made_to_do_harm_is_no_request(run, data):
    (run.path / look.REQUEST).write_bytes(data)
    assert asked(run) is None


def test_a_pipe_or_a_folder_in_place_of_the_file_is_not_waited_for(run):
    """And leaves no file open, however often it is asked."""
    os.mkfifo(run.path / look.REQUEST)
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    assert asked(run) is None
    os.unlink(run.path / look.REQUEST)
    os.mkdir(run.path / look.REQUEST)
    for _ in range(20):
        assert asked(run) is None
    assert not before or len(os.listdir("/proc/self/fd")) == before


def test_answers_are_whole_whenever_they_are_read(run):
    """While one writes large and small ones in turns, nobody reads half of one."""
    answers, over, seen = [bytes([i]) * (1 + 500_000 * (i % 2)) for i in range(20)], threading.Event(), set()

    def write() -> None:
        for _ in range(5):
            for answer in answers:
                look.write_answer(run, answer)
        over.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not over.is_set():
        if (data := look.newest(run)) is not None:
            seen.add(data)
    thread.join()
    assert seen and seen <= set(answers)
    assert look.newest(run) == answers[-1]
    assert [path.name for path in run.path.iterdir()] == [look.ANSWER], "nothing is left behind"


def test_what_was_written_and_what_is_the_matter_come_back(run):
    assert look.written(run) is None and look.error(run) is None
    look.write_written(run, "a prompt", "é\n", 7)
    assert look.written(run) == {"prompt": "a prompt", "text": "é\n", "step": 7}
    look.write_error(run, Message("The model has no tensor {names}.", names="x"))
    said = look.error(run)
    assert isinstance(said, Message) and said == "The model has no tensor x." and said.values == {"names": "x"}
    look.write_error(run, "A plain sentence.")
    assert look.error(run) == "A plain sentence."
    look.clear_error(run)
    look.clear_error(run)
    assert look.error(run) is None
    for name, read in ((look.WRITTEN, look.written), (look.ERROR, look.error)):
        for data in (b"{", b"[]", b"null", b'{"message": 3, "prompt": 1}', b"\xff"):
            (run.path / name).write_bytes(data)
            assert read(run) is None


def test_a_folder_that_cannot_be_written_to_is_an_error_and_leaves_nothing(run, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    look.write_answer(run, b"old")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError):
        look.write_answer(run, b"new")
    assert look.newest(run) == b"old" and len(list(run.path.iterdir())) == 1
    with pytest.raises(OSError):
        ask(RunFolder(run.path / "gone"), LookRequest())
