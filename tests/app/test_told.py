"""What the core says in English comes out in the person's language: errors, hints, statuses, provenance."""

import ast
import errno
import json
import re
from pathlib import Path

import pytest

from models.spec import ModelSpec, SpecError
from playground.core.atomic import disk_errors
from playground.core.errors import PlaygroundError
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.store import RunStore
from playground.text.spec import DataSpec, TokenizerSpec
from playground.ui import language
from playground.ui.locale import update

ROOT = Path(__file__).parents[2]
KNOWN = json.loads((ROOT / "playground/ui/locale/zh/errors.json").read_text(encoding="utf-8"))
ERRORS = {"PlaygroundError", "SpecError", "Cancelled", "Diverged"}
NOT_DRAWN = ("ui", "pages", "cli")  # translated by t(), or printed in a terminal


@pytest.fixture(autouse=True)
def chinese(monkeypatch):
    monkeypatch.setattr(language, "language", lambda: "zh")


def templates(node: ast.expr) -> list[str]:
    """What an expression can say, its values as numbered holes."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) and node.value else []
    if isinstance(node, ast.IfExp):
        return templates(node.body) + templates(node.orelse)
    if not isinstance(node, ast.JoinedStr):
        return []
    said, holes = "", 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            said += part.value.replace("{", "{{").replace("}", "}}")
        else:
            said, holes = said + f"{{{holes}}}", holes + 1
    return [said]


def raised() -> dict[str, str]:
    """Every message and hint of the core, and where it is."""
    found = {}
    for path in sorted([*ROOT.glob("models/**/*.py"), *ROOT.glob("playground/**/*.py")]):
        if path.relative_to(ROOT).parts[1] in NOT_DRAWN:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        own = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef) and any(getattr(base, "id", "") in ERRORS for base in node.bases)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS | own:
                for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                    found |= {said: f"{path.name}:{node.lineno}" for said in templates(argument)}
    return found


def test_every_error_of_the_core_has_its_chinese_one():
    missing = [f"{where} {said!r}" for said, where in raised().items() if said not in KNOWN]
    assert len(raised()) > 200 and not missing, "no Chinese in errors.json for\n" + "\n".join(missing)


def test_no_sentence_consists_of_its_values():
    """What fits every sentence translates none."""
    assert not [f"{where} {said!r}" for said, where in raised().items() if len(re.sub(r"\{\d+\}", "", said)) <= 3]


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
        said.append(language.told(error.value.message).replace(str(tmp_path), ""))
    assert said == [" 是文件夹。", "/gone.txt 不存在。", "没有两篇不同的文档，因此无法留出一篇用于验证。"]


@pytest.mark.parametrize("english", KNOWN)
def test_holes_are_kept_and_the_sentence_is_found_again(english):
    holes = re.findall(r"\{\d+\}", english)
    assert sorted(set(holes)) == sorted(set(re.findall(r"\{\d+\}", KNOWN[english])))
    filled = re.sub(r"\{(\d+)\}", lambda hole: f"q{hole[1]}q", english).replace("{{", "{").replace("}}", "}")
    said = language.told(filled)
    assert said != filled or KNOWN[english] == english
    assert all(f"q{hole[1:-1]}q" in said for hole in holes)


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
    with pytest.raises((PlaygroundError, SpecError)) as caught:
        wrong()
    for said in filter(None, (caught.value.message, caught.value.hint)):
        assert re.search(r"[一-鿿]", language.told(said)), said


def test_english_stays_english(monkeypatch):
    monkeypatch.setattr(language, "language", lambda: "en")
    assert language.told("x has no checkpoint yet.") == "x has no checkpoint yet."


def test_what_nobody_translated_stays_as_it_is():
    assert language.told("A sentence from a library: 42") == "A sentence from a library: 42"


def test_a_sentence_after_another():
    said = language.told("Type a sentence. Shorten it.")
    assert "请输入一句话。" in said and "请缩短。" in said


def test_what_is_said_of_labelled_text_has_its_chinese(tmp_path, monkeypatch):
    """Titles of the built-in sets, tasks and methods, and the notes on rows that were left out."""
    from playground.labelled.builtin_datasets import DATASETS
    from playground.labelled.prepare import _notes, _Read
    from playground.labelled.split import Split
    from playground.runs.finetuning import METHODS, TASKS

    named = [words for dataset in DATASETS.values() for words in (dataset.title, dataset.summary)]
    known = KNOWN | update.translations("zh")
    missing = [words for words in (*named, *TASKS.values(), *METHODS.values()) if words not in known]
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
    assert len(notes) == 7 and all(re.search(r"[一-鿿]", language.told(note)) for note in notes)


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
    assert named and all(re.search(r"[一-鿿]", language.told(name)) for name in named)


def test_encodings_and_what_is_said_of_them_have_their_chinese(tmp_path):
    from playground.text.encodings import COMMON, notes_on

    path = tmp_path / "a.b.txt"
    path.write_bytes("Yaşlı adam güneş doğmadan önce ağaçları suladı.\n".encode("cp1254"))
    notes = notes_on(path, "cp1254", guessed=True)
    path.write_bytes("été\n".encode() * 9 + b"\xff")
    notes += notes_on(path, "utf-8", guessed=True)
    assert len(notes) == 2 and all(re.fullmatch(r".*[一-鿿]。", language.told(note)) for note in notes)
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
    notes += ["Rows without a text, and so without a label: 3 (first: row 1,000)."]
    assert len(notes) == 10
    missing = [note for note in notes if not re.search(r"[一-鿿]", language.told(note))]
    assert not missing, missing


def test_what_is_said_of_a_model_that_was_brought_has_its_chinese():
    """Notes on what differs from the original are no errors, and so are not found above."""
    from playground.huggingface import families

    config = {"architectures": ["BertForSequenceClassification"], "vocab_size": 30}
    found = families.with_what_is_there(families.found_in(config, context=8), ["classifier.weight", "classifier.bias"])
    assert len(found.notes) == 3
    assert all(re.fullmatch(r".*[一-鿿].*。", language.told(note)) for note in found.notes)


DISK = (
    "writing metrics.jsonl",
    "saving the checkpoint of step 20",
    "making the folder of runs",
    "keeping a text.txt",
    "starting the training",
)


@pytest.mark.parametrize("doing", DISK)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_what_a_disk_did_not_take_is_told_in_one_language(doing, number, monkeypatch):
    """What was being done stands in the sentence: in Chinese but for the names of files."""
    monkeypatch.setattr("playground.ui.language.language", lambda: "zh")
    with pytest.raises(PlaygroundError) as caught, disk_errors(doing):
        raise OSError(number, "no", "/a/file")
    left = language.told(caught.value.message)
    for name in ("/a/file", "metrics.jsonl", "a text.txt"):
        left = left.replace(name, "")
    assert not re.search("[A-Za-z]", left), left
