"""From rows to tokens on sides; what is wrong with a table is said, and what was left out is counted."""

import json

import numpy as np
import pytest

from playground.core.errors import PlaygroundError
from playground.labelled.prepare import load_labelled, prepare_labelled
from playground.labelled.split import SIDES
from playground.runs.finetuning import LabelledSpec
from playground.text.prepare import Cancelled
from playground.text.targets import IGNORE_INDEX


@pytest.fixture
def prepared(tokenizer):
    return lambda spec, task="classify", length=64, **kw: prepare_labelled(spec, task, tokenizer, length, **kw)


def everything(data) -> list[tuple[str, str]]:
    return [
        (text, data.labels[label])
        for name in SIDES
        for text, label in zip(data.side(name).texts(range(len(data.side(name)))), data.side(name).labels)
    ]


def test_every_row_is_on_one_side_with_its_label_and_tokens(table, ratings, prepared, tokenizer):
    data = prepared(table(ratings))
    assert sorted(everything(data)) == sorted(ratings) and data.labels == ("bad", "good")
    assert [len(data.side(name)) for name in SIDES] == [70, 10, 20]
    assert data.info["counts"] == {"train": [35, 35], "validation": [5, 5], "test": [10, 10]}
    assert data.info["notes"] == [] and data.info["licence"] == ""
    for name in SIDES:
        side = data.side(name)
        for i, text in enumerate(side.texts(range(len(side)))):
            assert tokenizer.decode(side.tokens(i)) == text


def test_it_is_prepared_once_and_anew_when_something_counts(table, ratings, prepared, home):
    spec = table(ratings)
    one = prepared(spec)
    for same in (spec.replace(train_fraction=0.1), spec.replace(limit=5), spec):
        assert prepared(same).folder == one.folder
    others = [prepared(spec.replace(seed=1)), prepared(spec.replace(test_fraction=0.3)), prepared(spec, length=8)]
    assert len({data.folder for data in (one, *others)}) == 4
    table([*ratings, ("one more", "good")])
    assert prepared(spec).folder != one.folder  # the file has changed
    (one.folder / "train.ids.npy").unlink()
    with pytest.raises(PlaygroundError, match="not prepared data"):
        load_labelled(one.folder)


def test_the_most_frequent_label_is_first(table, prepared):
    rows = [(f"text {i}", "b" if i < 40 else "a" if i < 70 else "c") for i in range(100)]
    assert prepared(table(rows)).labels == ("b", "a", "c")


def test_rows_that_cannot_be_used_are_left_out_and_counted(table, ratings, prepared):
    data = prepared(table([*ratings, ("", "good"), ("  ", "bad"), ("no label", ""), ("nor here", "  ")]))
    assert sorted(everything(data)) == sorted(ratings)
    assert data.info["notes"] == [
        "Rows without a text, left out: 2 (first: row 101).",
        "Rows without a label, left out: 2 (first: row 103).",
    ]


def test_copies_are_on_one_side_and_contradictions_are_told(table, ratings, prepared):
    copies = [*ratings, *ratings[:30], ("text number 1 is fine", "bad"), (" text number 3 is fine ", "good")]
    data = prepared(table(copies))
    seen = {}
    for name in SIDES:
        for text in data.side(name).texts(range(len(data.side(name)))):
            assert seen.setdefault(text.strip(), name) == name
    assert data.info["notes"] == [
        "Rows with a text that another row has too: 62; copies are on one side.",
        "Texts with more than one label: 1; no model can be right about all.",
    ]  # 30 pairs, of which two have a third row: 60 + 2


def test_texts_longer_than_the_model_are_cut_and_counted(table, ratings, prepared):
    data = prepared(table([*ratings, ("x" * 500, "good")]), length=100)
    assert data.info["notes"] == ["Texts longer than the model reads: 1 of 101 (first: row 101); 100 tokens are kept."]
    assert max(np.diff(data.side(name).starts).max() for name in SIDES) == 100
    assert "x" * 500 in [text for text, _ in everything(data)]  # shown whole


def test_rare_labels_are_told(table, ratings, prepared):
    data = prepared(table([*ratings, ("odd one", "rare"), ("other odd", "rare")]))
    assert data.info["notes"] == ["Labels with fewer than three texts: 1; they are in training alone."]
    assert data.info["counts"]["train"][2] == 2


@pytest.mark.parametrize(
    "rows, words",
    [
        ([("x", ""), ("y", ""), ("", "a")], r"no row with both a text and a label \(1 without text, 2 without label\)"),
        ([(f"text {i}", "same") for i in range(50)], "All 50 rows have the same label, 'same'"),
        ([(f"text {i}", f"id-{i}") for i in range(10_000)], "10,000 different labels in 10,000 rows"),
        ([(f"text {i}", f"label {i}") for i in range(6)], "No text is left for the validation side"),
    ],
)
def test_nothing_to_learn_from(table, prepared, home, rows, words):
    with pytest.raises(PlaygroundError, match=words) as caught:
        prepared(table(rows, label_column="label"))
    assert caught.value.hint
    assert not [path for path in (home / "data").iterdir() if not path.name.endswith(".lock")]  # no half of it


def test_ten_thousand_real_classes(table, prepared):
    rows = [(f"text {i} of {i % 10_000}", f"class {i % 10_000:05}") for i in range(30_000)]
    data = prepared(table(rows, label_column="label"))
    assert len(data.labels) == 10_000
    assert [len(data.side(name)) for name in SIDES] == [10_000, 10_000, 10_000]  # one of three, each


def test_files_in_other_encodings(tmp_path, prepared):
    text = "内容,类别\n" + "".join(f"这是第{i}条评论，写得很{word},{word}\n" for i in range(30) for word in "好差")
    (tmp_path / "gb.csv").write_bytes(text.encode("gb18030"))
    detected = LabelledSpec("file", path=str(tmp_path / "gb.csv"))
    for spec in (detected, detected.replace(encoding="gb18030")):
        data = prepared(spec)
        assert set(data.labels) == {"好", "差"} and "评论" in data.train.texts([0])[0]
    (tmp_path / "wide.csv").write_bytes(text.encode("utf-16"))
    assert len(prepared(LabelledSpec("file", path=str(tmp_path / "wide.csv"))).labels) == 2
    with pytest.raises(PlaygroundError):
        prepared(detected.replace(encoding="utf-8"))


def test_not_a_table(tmp_path, prepared):
    (tmp_path / "t.csv").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(PlaygroundError, match="it is a PNG image"):
        prepared(LabelledSpec("file", path=str(tmp_path / "t.csv")))
    (tmp_path / "empty.csv").write_text("text,label\n")
    with pytest.raises(PlaygroundError, match="has no rows"):
        prepared(LabelledSpec("file", path=str(tmp_path / "empty.csv")))


def test_tags_are_on_the_last_token_of_each_word(table, prepared, tokenizer):
    rows = [{"tokens": ["Anna", "lives", "in", f"Town{i}"], "tags": ["P", "O", "O", "L"]} for i in range(30)]
    data = prepared(table(rows, "t.jsonl"), "tag")
    side = data.train
    (pieces,) = side.texts([0])
    ids, tags = side.tokens(0), side.tags(0)
    assert "".join(pieces) == tokenizer.decode(ids) and pieces[:2] == ["Anna", " lives"]
    ends = np.cumsum([len(tokenizer.encode(piece)) for piece in pieces]) - 1
    assert np.flatnonzero(tags != IGNORE_INDEX).tolist() == ends.tolist()
    assert [data.labels[code] for code in tags[ends]] == ["P", "O", "O", "L"]
    assert sum(map(sum, data.info["counts"].values())) == 120


def test_words_that_are_not_asked_about_do_not_shift_the_others(table, prepared):
    """The n-th asked token belongs to the n-th piece, which is what pages, probes and the baseline count on."""
    rows = [
        {"tokens": ["skip", "", f"one{i}", "mid", "two", "end"], "tags": ["", "X", "A", None, "B", ""]}
        for i in range(30)
    ]
    data = prepared(table(rows, "t.jsonl"), "tag")
    (pieces,) = data.train.texts([0])
    asked = data.train.tags(0)
    codes = asked[asked != IGNORE_INDEX]
    said = [(piece[:4], data.labels[code]) for piece, code in zip(pieces, codes)]
    assert said == [("skip", "X"), (" one", "A"), (" mid", "B")] and pieces[2:] == [" mid two", " end"]


def test_a_set_for_another_task_is_refused(prepared):
    with pytest.raises(PlaygroundError, match="gives a label to each word") as caught:
        prepared(LabelledSpec("bible-punctuation"))
    assert "task tag" in caught.value.hint
    with pytest.raises(PlaygroundError, match="no labelled text 'nothing'"):
        prepared(LabelledSpec("nothing"))


def test_progress_is_told_and_cancelling_leaves_nothing(table, ratings, prepared, home):
    told = []
    prepared(table(ratings), progress=lambda what, share: told.append((what, share)))
    assert told[-1] == ("Ready", 1.0) and {"Reading the labelled text", "Cutting into tokens"} <= {
        what for what, _ in told
    }
    asked = []
    with pytest.raises(Cancelled):
        prepared(table(ratings, seed=5), cancelled=lambda: bool(asked.append(1)) or len(asked) > 1)
    assert len([path for path in (home / "data").iterdir() if path.is_dir()]) == 1


def test_a_row_that_appears_meanwhile_is_noticed(table, ratings, prepared, monkeypatch):
    """The file is read twice; the second time it may not be what it was."""
    from playground.labelled import prepare as module

    spec = table(ratings)
    original = module._write

    def grown(*args):
        with open(spec.path, "a") as file:
            file.write("late,good\n")
        return original(*args)

    monkeypatch.setattr(module, "_write", grown)
    with pytest.raises(PlaygroundError, match="changed while it was read"):
        prepared(spec)


def test_what_is_written_can_be_read_by_hand(table, ratings, prepared):
    data = prepared(table(ratings))
    lines = (data.folder / "test.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == data.test.texts(range(20))


def test_labels_that_are_texts_are_refused_before_all_are_held(table, prepared, monkeypatch):
    with pytest.raises(PlaygroundError, match="Row 2 has a label of more than 1,000 characters."):
        prepared(table([("a text", "a"), ("another", "b" * 1001)] * 20))
    read = []
    spec = table((f"text {i}", f"label {i}") for i in range(60_000))
    from playground.labelled import prepare

    usual = prepare._usable
    counted = lambda *args: (read.append(None) or row for row in usual(*args))
    monkeypatch.setattr(prepare, "_usable", counted)
    with pytest.raises(PlaygroundError, match="20,001 different labels in 20,001 rows"):
        prepared(spec)
    assert len(read) == 20_001
