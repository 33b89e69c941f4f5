"""From text to tokens: nothing lost, nothing on both sides, the same again, nothing left of a stop."""

import errno
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.core.errors import PlaygroundError
from playground.text import Cancelled, DataSpec, PairFile, TokenFile, TokenizerSpec, load, prepare
from playground.text.corpus_buffer import TRAIN, VALIDATION, CorpusBuffer
from playground.text.sources import Source
from playground.text.spec import KINDS


def write_rows(path, rows):
    path.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows), encoding="utf-8")
    return path


def documents(data, side) -> list[str]:
    """The texts of a side, cut at ``<eos>``."""
    ids = side[:]
    ends = np.flatnonzero(ids == data.tokenizer.eos_id)
    assert not len(ids) or ends[-1] == len(ids) - 1
    return [data.tokenizer.decode(part) for part in np.split(ids, ends + 1)[:-1]]


@pytest.mark.parametrize("kind", KINDS)
def test_one_long_text_is_cut_once_and_kept_whole(tmp_path, prose, kind):
    text = prose(2000)
    path = tmp_path / "a.txt"
    path.write_text(text, encoding="utf-8")
    data = prepare(DataSpec("file", path, tokenizer=TokenizerSpec(kind, 300), validation_fraction=0.2))
    train, validation = (data.tokenizer.decode(side[:]) for side in (data.train, data.validation))
    assert train + validation == text
    assert train.endswith("\n")
    assert len(validation.encode()) == pytest.approx(0.2 * len(text.encode()), rel=0.02)
    assert data.tokenizer.encode(train) == data.train[:].tolist()
    assert isinstance(data.train, TokenFile) and data.shape == "stream"


def test_what_was_left_out_is_told_with_its_row(tmp_path, prose):
    rows = [prose(1, seed) for seed in range(60)]
    data = prepare(DataSpec("file", write_rows(tmp_path / "a.jsonl", [*rows[:30], "", "  ", *rows[30:]])))
    assert data.info["notes"] == ["Rows left out, since they have no text: 2 (first: row 31)."]
    assert load(data.folder).info["skipped"] == 2
    pairs = [{"q": row, "a": "" if i in (7, 9) else " " if i == 12 else "yes"} for i, row in enumerate(rows)]
    pairs[5]["q"] = None
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    for template in ({}, {"template": "Q: {question} A:"}):  # a question that is empty is not one for its template
        data = prepare(DataSpec("file", tmp_path / "p.jsonl", source_column="q", target_column="a", **template))
        assert data.info["documents"] == 56
        assert data.info["notes"] == ["Pairs left out, since the question or the answer is empty: 4 (first: row 6)."]


def test_what_is_unusual_about_a_table_is_kept_with_it(tmp_path, prose):
    (tmp_path / "a.csv").write_text("text,,\n" + "".join(f'"{prose(1, seed)}",,\n' for seed in range(60)))
    assert prepare(DataSpec("file", tmp_path / "a.csv")).info["notes"] == [
        "Columns of a.csv without a name and content, left out: 2."
    ]


def test_one_text_is_one_document(tmp_path, prose):
    (tmp_path / "a.txt").write_text(prose(2000))
    data = prepare(DataSpec("file", tmp_path / "a.txt"))
    assert data.info["documents"] == 1 and data.info["notes"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_documents_are_whole_and_on_one_side(tmp_path, prose, kind):
    rows = [prose(1, seed) for seed in range(300)] + ["long " * 5000]
    rows += rows[::3]  # duplicates
    data = prepare(DataSpec("file", write_rows(tmp_path / "a.jsonl", rows), tokenizer=TokenizerSpec(kind, 300)))
    train, validation = documents(data, data.train), documents(data, data.validation)
    assert not set(train) & set(validation)
    assert sorted(train + validation) == sorted(rows)
    assert data.info["documents"] == len(rows)
    assert (data.info["train"]["documents"], data.info["validation"]["documents"]) == (
        len(train),
        len(validation),
    )
    assert data.info["tokens"] == len(data.train) + len(data.validation)
    assert data.info["bytes"] == sum(len(row.encode()) for row in rows)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.text(st.characters(codec="utf-8"), max_size=5), min_size=2, max_size=40),
    seed=st.integers(0, 3),
    fraction=st.floats(0.01, 0.5),
)
def test_no_document_is_on_both_sides(tmp_path_factory, rows, seed, fraction):
    source = Source(documents=lambda: iter(rows), shape="stream", fingerprint="")
    texts = {row.encode().strip() for row in rows} - {b""}
    folder = tmp_path_factory.mktemp("spool")
    if len(texts) < 2:
        return
    spool = CorpusBuffer(folder, source, seed, fraction, None, lambda size: None)
    sides = {TRAIN: set(), VALIDATION: set()}
    for side, text, _ in spool.pieces():
        sides[side].add(text.encode().strip())
    assert sides[TRAIN] and sides[VALIDATION]
    assert not sides[TRAIN] & sides[VALIDATION]
    assert sides[TRAIN] | sides[VALIDATION] == texts


def test_many_documents_are_split_by_hash_alone(tmp_path):
    rows = [f"row {i % 9000}" for i in range(12_000)]
    data = prepare(DataSpec("file", write_rows(tmp_path / "a.jsonl", rows), tokenizer=TokenizerSpec("byte")))
    train, validation = set(documents(data, data.train)), set(documents(data, data.validation))
    assert not train & validation and len(train | validation) == 9000
    assert 750 < len(validation) < 1050


def test_another_seed_validates_on_other_documents(tmp_path, prose):
    path = write_rows(tmp_path / "a.jsonl", [prose(1, seed) for seed in range(100)])
    sides = [
        set(documents(data, data.validation)) for data in (prepare(DataSpec("file", path, seed=s)) for s in (0, 1))
    ]
    assert sides[0] != sides[1]


def test_pairs(tmp_path):
    rows = [{"en": f"number {i % 80}", "zh": f"数字{i}"} for i in range(100)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = DataSpec("file", path, source_column="en", target_column="zh", tokenizer=TokenizerSpec("char", 300))
    data = prepare(spec)
    assert data.shape == "pairs" and isinstance(data.train, PairFile)
    pairs = [
        {tuple(data.tokenizer.decode(part) for part in side[i]) for i in range(len(side))}
        for side in (data.train, data.validation)
    ]
    assert pairs[0] | pairs[1] == {(row["en"], row["zh"]) for row in rows}
    assert not {source for source, _ in pairs[0]} & {source for source, _ in pairs[1]}
    assert data.train.lengths().sum() == data.info["train"]["tokens"]


def test_the_vocabulary_is_learnt_on_the_training_side_alone(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("训练\n" * 900 + "验证\n" * 100, encoding="utf-8")
    data = prepare(DataSpec("file", path, tokenizer=TokenizerSpec("char", 300)))
    assert data.tokenizer.pieces(range(260, data.tokenizer.size)) == ["练", "训"]


def test_the_sample_is_drawn_evenly(tmp_path):
    rows = [f"{i:05d} " + "x" * 994 for i in range(3000)]  # 3 MB
    source = Source(documents=lambda: iter(rows), shape="stream", fingerprint="")
    spool = CorpusBuffer(tmp_path, source, 0, 0.1, None, lambda size: None)
    training = [text[:5] for side, text, _ in spool.pieces() if side == TRAIN]
    sample = "".join(spool.sample(600_000))
    assert 500_000 < len(sample) < 700_000
    places = [training.index(number) for number in re.findall(r"(\d{5}) ", sample)]
    assert min(places) < 500 and max(places) > 2200 and np.diff(places).max() < 700
    assert "".join(spool.sample(10**9)) == "".join(row for row in rows if row[:5] in set(training))


def test_prepared_once_and_found_again(tmp_path, prose, home):
    path = tmp_path / "a.txt"
    path.write_text(prose(200), encoding="utf-8")
    stages = []
    first = prepare(DataSpec("file", path), progress=lambda stage, part: stages.append((stage, part)))
    assert [part for _, part in stages] == sorted(part for _, part in stages)
    assert stages[0][1] == 0 and stages[-1] == ("Ready", 1.0)
    stages.clear()
    second = prepare(DataSpec("file", path), progress=lambda stage, part: stages.append(stage))
    assert stages == ["Ready"]
    assert first.folder == second.folder == load(first.folder).folder
    assert first.folder.parent == home / "data"
    assert load(first.folder).spec == DataSpec("file", path)
    path.write_text(prose(201), encoding="utf-8")
    assert prepare(DataSpec("file", path)).folder != first.folder


@pytest.mark.parametrize("kind", KINDS)
def test_deterministic_to_the_byte(tmp_path, prose, monkeypatch, kind):
    path = write_rows(tmp_path / "a.jsonl", [prose(3, seed) for seed in range(100)])
    made = []
    for name in ("one", "two"):
        monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / name))
        folder = prepare(DataSpec("file", path, tokenizer=TokenizerSpec(kind, 400))).folder
        made.append({file.name: file.read_bytes() for file in folder.iterdir() if file.name != "info.json"})
    assert made[0] == made[1]


@pytest.mark.parametrize("stage", ["Reading the text", "Learning the vocabulary", "Tokenizing", "Saving"])
def test_a_cancelled_preparation_leaves_nothing(tmp_path, prose, home, stage):
    path = tmp_path / "a.txt"
    path.write_text(prose(500), encoding="utf-8")
    reached = []
    with pytest.raises(Cancelled):
        prepare(DataSpec("file", path), lambda name, part: reached.append(name), lambda: stage in reached)
    assert left(home) == []
    assert len(prepare(DataSpec("file", path)).train)


def test_what_a_killed_process_left_is_cleared_away(tmp_path, prose, home):
    path = tmp_path / "a.txt"
    path.write_text(prose(50), encoding="utf-8")
    name = prepare(DataSpec("file", path)).folder.name
    os.rename(home / "data" / name, home / "data" / f".{name}.x.tmp")
    assert prepare(DataSpec("file", path)).folder.name == name
    assert left(home) == [name]


def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path, prose, home, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text(prose(50), encoding="utf-8")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys.modules["playground.text.prepare"], "encode_stream", full)
    with pytest.raises(PlaygroundError, match="disk is full"):
        prepare(DataSpec("file", path))
    assert left(home) == []


def test_two_processes_at_once_make_one_folder(tmp_path, prose, home):
    path = tmp_path / "a.txt"
    path.write_text(prose(5000), encoding="utf-8")
    code = (
        "import sys; from playground.text import DataSpec, prepare; "
        "print(prepare(DataSpec('file', sys.argv[1])).folder.name)"
    )
    command = [sys.executable, "-c", code, str(path)]
    at_once = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    folders = [process.communicate(timeout=60)[0].strip() for process in at_once]
    assert all(process.returncode == 0 for process in at_once)
    assert len(set(folders)) == 1
    assert left(home) == [folders[0]]


@pytest.mark.parametrize(
    ("text", "words"),
    [("x", "too short"), ("   \n", "no text"), ("abcdefghij", "too short")],
)
def test_too_little_text(tmp_path, text, words):
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(PlaygroundError, match=words):
        prepare(DataSpec("file", path, tokenizer=TokenizerSpec("byte")))


def test_the_limit_on_bytes(tmp_path, prose):
    path = tmp_path / "a.txt"
    path.write_text(prose(500), encoding="utf-8")
    data = prepare(DataSpec("file", path, max_bytes=5000))
    assert 4990 < data.info["bytes"] <= 5000
    rows = write_rows(tmp_path / "a.jsonl", [prose(1, seed) for seed in range(100)])
    assert 2900 < prepare(DataSpec("file", rows, max_bytes=3000)).info["bytes"] <= 3000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_does_not_follow_the_size_of_the_text(tmp_path, prose):
    code = (
        "import sys; from playground.text import DataSpec, TokenizerSpec, prepare;"
        "prepare(DataSpec('file', sys.argv[1], tokenizer=TokenizerSpec('char', 400)));"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    peaks = []
    for megabytes in (2, 80):
        path = tmp_path / f"{megabytes}.txt"
        line = prose(100).encode()
        path.write_bytes(line * (megabytes * 1_000_000 // len(line)))
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) * 1024)
    assert peaks[1] - peaks[0] < 20_000_000


def test_damaged_prepared_data(tmp_path, prose):
    with pytest.raises(PlaygroundError, match="not prepared data"):
        load(tmp_path)
    path = tmp_path / "a.txt"
    path.write_text(prose(50), encoding="utf-8")
    folder = prepare(DataSpec("file", path)).folder
    os.truncate(folder / "train.tokens", 10)
    with pytest.raises(PlaygroundError, match="damaged"):
        load(folder)
    (folder / "info.json").unlink()
    assert len(prepare(DataSpec("file", path)).train) > 5


def test_a_tokenizer_that_is_given_is_used(tmp_path, prose):
    path = tmp_path / "a.txt"
    path.write_text(prose(50), encoding="utf-8")
    plain = prepare(DataSpec("file", path))
    given_one = prepare(DataSpec("python-docs", tokenizer=TokenizerSpec("char", 300))).tokenizer
    data = prepare(DataSpec("file", path), tokenizer=given_one)
    assert data.folder != plain.folder
    assert data.tokenizer.kind == "char"
    assert data.tokenizer.encode(data.tokenizer.decode(data.train[:])) == data.train[:].tolist()


def left(home) -> list[str]:
    """What the data folder holds, locks aside."""
    return sorted(each.name for each in (home / "data").iterdir() if not each.name.endswith(".lock"))
