"""A store of runs that are damaged, each in another way: by a power cut, a disk, another version, or somebody's hand."""

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playground.runs import gallery
from playground.runs.checkpoints import digest_of
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore

GOOD = "a-good-one"
CHECKPOINT = "checkpoint/step-00003000"
WEIGHTS = f"{CHECKPOINT}/model.safetensors"
SUMS = f"{CHECKPOINT}/sha256.json"
LONG = 10**400
TUNED = {
    "task": "classify",
    "method": "all",
    "labelled": {"dataset": "file", "path": "kinds.csv", "text_column": "text", "label_column": "kind"},
}

Damage = Callable[[Path], None]


def make_damaged(home: Path, good: bool = False) -> list[RunFolder]:
    """A home whose runs are all damaged; with ``good``, with one besides that is whole, and older than all of them."""
    runs = home / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    if good:
        _like_shipped(runs / GOOD)
        changed(runs / GOOD, name="A good one", created=1_000_000.0)
    for number, (id, damage) in enumerate({**BROKEN, **SPOILT, **PARTLY}.items()):
        _like_shipped(runs / id)
        changed(runs / id, name=id, created=1_700_000_000.0 + number)
        damage(runs / id)
    return [RunFolder(runs / id) for id in (*BROKEN, *SPOILT, *PARTLY)]


def ids() -> list[str]:
    """Of the runs that cannot be used: the table says what is wrong with each."""
    return [*BROKEN, *SPOILT]


def _like_shipped(path: Path) -> None:
    """A copy of a run that was trained; of its large files, links."""
    shutil.copytree(
        gallery.get("bible-lstm").path, path, copy_function=os.link if _same_disk(path.parent) else shutil.copyfile
    )


def _same_disk(path: Path) -> bool:
    return gallery.FOLDER.stat().st_dev == path.stat().st_dev


# How to damage


def put(path: Path, data: bytes | str | Any) -> None:
    """Another file in the place of one (never into it: others may be links to the same)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(
        data if isinstance(data, bytes) else data.encode() if isinstance(data, str) else json.dumps(data).encode()
    )


def changed(run: Path, file: str = "run.json", **values: Any) -> None:
    """Other values in one of a run's JSON files; dots lead inwards ("model__d_model" is about["model"]["d_model"])."""
    about = json.loads((run / file).read_text())
    for name, value in values.items():
        *ways, last = name.split("__")
        place = about
        for way in ways:
            place = place[way]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    put(run / file, about)


def file(name: str, data: bytes | str | Any) -> Damage:
    return lambda run: put(run / name, data)


def said(**values: Any) -> Damage:
    return lambda run: changed(run, **values)


def written(before: str, after: str) -> Damage:
    """Other words in run.json: what Python would not write as JSON."""
    return lambda run: put(
        run / "run.json", json.dumps(json.loads((run / "run.json").read_text())).replace(before, after)
    )


def zeros(name: str) -> Damage:
    return lambda run: put(run / name, bytes((run / name).stat().st_size))


def cut_off(name: str, part: float = 0.5) -> Damage:
    return lambda run: put(run / name, (data := (run / name).read_bytes())[: int(part * len(data))])


def gone(name: str) -> Damage:
    return lambda run: (run / name).unlink()


def emptied(run: Path) -> None:
    shutil.rmtree(run)
    run.mkdir()


def a_folder(name: str) -> Damage:
    def make(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        (run / name).mkdir()

    return make


def leads_nowhere(name: str) -> Damage:
    def make(run: Path) -> None:
        (run / name).unlink()
        (run / name).symlink_to("/nowhere/at/all.json")

    return make


def in_header(change: Callable[[dict], None]) -> Damage:
    """Another header of the weights; their numbers stay."""

    def make(run: Path) -> None:
        data = (run / WEIGHTS).read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8 : 8 + length])
        change(header)
        text = json.dumps(header).encode()
        put(run / WEIGHTS, struct.pack("<Q", len(text)) + text + data[8 + length :])

    return make


def blank_header(run: Path) -> None:
    data = (run / WEIGHTS).read_bytes()
    put(run / WEIGHTS, struct.pack("<Q", 20 << 20) + b" " * (20 << 20) + data[8:])


def inside_weights(what: bytes, told: bool = True) -> Damage:
    """Other numbers in the middle of the weights; ``told``: a checksum of before is there."""

    def make(run: Path) -> None:
        data = (run / WEIGHTS).read_bytes()
        if told:
            put(run / SUMS, {"model.safetensors": digest_of(run / WEIGHTS)})
        middle, more = len(data) // 2 // 4 * 4, what * (65536 // len(what))
        put(run / WEIGHTS, data[:middle] + more + data[middle + len(more) :])

    return make


def weights_of(other: str) -> Damage:
    def make(run: Path) -> None:
        put(run / WEIGHTS, (gallery.get(other).latest_checkpoint() / "model.safetensors").read_bytes())

    return make


def tokenizer(change: Callable[[dict], None]) -> Damage:
    def make(run: Path) -> None:
        about = json.loads((run / "tokenizer.json").read_text())
        change(about)
        put(run / "tokenizer.json", about)

    return make


def growing(about: dict) -> None:
    """Each step doubles a letter: forty of them, a text of a trillion."""
    step = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    about["normalizer"] = {"type": "Sequence", "normalizers": [step] * 40}


def smaller(about: dict) -> None:
    last = max(about["model"]["vocab"], key=about["model"]["vocab"].get)
    del about["model"]["vocab"][last]
    about["model"]["merges"].pop()


def exported(report: Any, **more: bytes | str) -> Damage:
    """An export beside it, made of anything."""

    def make(run: Path) -> None:
        put(run / "export/report.json", report)
        for name, data in more.items():
            put(run / "export" / name.replace("__", "."), data)

    return make


def labels(what: Any) -> Damage:
    """A run that learnt labels, as its settings say, with these for its labels."""

    def make(run: Path) -> None:
        changed(run, finetune=TUNED, parent={"run": "bible-lstm", "step": 3000}, data_shape="labelled")
        put(run / "labels.json", what)

    return make


def tuned_from(parent: str | None, **results: Any) -> Damage:
    """A run that went on from another one with another text; results by their files' names."""

    def make(run: Path) -> None:
        begun = {"run": parent or run.name, "step": 3000}
        changed(run, finetune={"task": "language", "method": "all"}, parent=begun)
        for name, data in results.items():
            put(run / "results" / name.replace("__", "."), data)

    return make


NEST = "[" * 200_000 + "]" * 200_000
REPORT = {"step": 3000, "worst": 1e-6, "seconds": 1.0, "greedy": 64, "loaders": "", "checks": [], "sizes": {"fp32": 9}}
RESULTS = {"step": 3000, "trained_parameters": 1, "parameters": 1, "training_seconds": 1}

BROKEN: dict[str, Damage] = {
    # run.json
    "run-missing": gone("run.json"),
    "run-empty": file("run.json", b""),
    "run-zeros": zeros("run.json"),
    "run-cut-off": cut_off("run.json"),
    "run-a-text": file("run.json", '"a text"'),
    "run-a-list": file("run.json", "[1, 2]"),
    "run-nothing": file("run.json", "{}"),
    "run-nested": file("run.json", NEST),
    "run-nested-inside": written('"parent": null', f'"parent": {NEST}'),
    "run-not-utf-8": file("run.json", b'{"name": "\xff\xfe\x00"}'),
    "run-a-folder": a_folder("run.json"),
    "run-leads-nowhere": leads_nowhere("run.json"),
    "run-folder-empty": emptied,
    "no-model": said(model=...),
    "no-training": said(training=...),
    "no-name": said(name=...),
    "format-of-tomorrow": said(format=999),
    "format-a-text": said(format="1"),
    "width-endless": written('"d_model": 128', f'"d_model": {LONG}'),
    "width-a-float": said(model__d_model=1e300),
    "layers-a-billion": said(model__n_layers=10**9),
    "architecture-unknown": said(model__architecture="perceiver"),
    "architecture-a-list": said(model__architecture=["lstm"]),
    "model-a-list": said(model=[1]),
    "data-a-text": said(data="the Bible"),
    "data-options-a-list": said(data__options=[1]),
    "training-steps-a-text": said(training__steps="many"),
    "training-rate-no-number": said(training__lr=float("nan")),
    "setting-unknown": said(training__colour="red"),
    "preset-a-dict": said(preset={"a": 1}),
    "parent-a-number": said(parent=7),
    "parent-a-path": said(parent={"run": ["../../etc"], "step": 1}),
    "finetune-a-text": said(finetune="yes", parent={"run": "bible-lstm", "step": 3000}),
    "created-a-text": said(created="yesterday"),
    "created-endless": said(created=LONG // 10**90),
    "notes-a-number": said(notes=5),
    "shape-a-dict": said(data_shape={"a": 1}),
    "versions-a-list": said(versions=["3.11"]),
    "info-a-text": said(data_info="much"),
    # tokenizer.json
    "tokenizer-missing": gone("tokenizer.json"),
    "tokenizer-zeros": zeros("tokenizer.json"),
    "tokenizer-cut-off": cut_off("tokenizer.json"),
    "tokenizer-a-folder": a_folder("tokenizer.json"),
    # the weights
    "weights-missing": gone(WEIGHTS),
    "weights-cut-off": cut_off(WEIGHTS),
    "weights-zeros": zeros(WEIGHTS),
    "weights-blank-header": blank_header,
    "weights-unknown-dtype": in_header(lambda header: next(iter(header.values())).update(dtype="F4096")),
    "weights-smaller-model": said(model__n_layers=40),
    "weights-of-another": weights_of("bible-decoder"),
    # the labels
    "labels-a-dict": labels({"a": 1}),
    "labels-numbers": labels([1, 2]),
    "labels-zeros": labels(bytes(20)),
}
"""Told by a look at the small files."""

SPOILT: dict[str, Damage] = {
    "tokenizer-empty": file("tokenizer.json", "{}"),
    "tokenizer-of-another": tokenizer(smaller),
    "tokenizer-grows": tokenizer(growing),
    "tokenizer-unknown-step": tokenizer(lambda about: about.update(pre_tokenizer={"type": "Telepathy"})),
    "tokenizer-no-ids": tokenizer(lambda about: about["model"].update(vocab={"a": LONG})),
    "weights-zeros-inside": inside_weights(bytes(64)),
    "weights-sums-damaged": file(SUMS, b"\x00" * 40),
    "weights-sums-a-list": file(SUMS, "[]"),
    "weights-sums-of-others": file(SUMS, {"other.safetensors": "00"}),
}
"""Told by reading all of the tokenizer and the weights."""

PARTLY: dict[str, Damage] = {
    "status-zeros": zeros("status.json"),
    "status-a-list": file("status.json", "[]"),
    "status-wrong-types": file(
        "status.json", {"state": "finished", "step": "many", "loss": [], "note": 3, "message": {}}
    ),
    "status-unknown": file("status.json", {"state": "melted"}),
    "status-a-folder": a_folder("status.json"),
    "weights-renamed": in_header(lambda header: header.update(other=header.pop(next(iter(header))))),
    "weights-no-numbers": inside_weights(struct.pack("<f", float("nan")), told=False),
    "metrics-wrong-types": file("metrics.jsonl", '{"kind": "train", "step": "one", "loss": {}}\n[1]\n7\n{"kind": 5}\n'),
    "metrics-binary": file("metrics.jsonl", bytes(range(256)) * 400),
    "metrics-a-long-line": file("metrics.jsonl", b'{"kind": "' + b"x" * (50 << 20)),
    "metrics-a-folder": a_folder("metrics.jsonl"),
    "samples-wrong-types": file("samples.jsonl", '{"kind": "text", "step": {}, "prompt": 7, "text": [1]}\n"x"\nnull\n'),
    "samples-binary": file("samples.jsonl", bytes(range(256)) * 400),
    "samples-a-folder": a_folder("samples.jsonl"),
    "report-wrong-types": tuned_from("bible-lstm", report__json={"step": "x", "test": 5, "forgetting": []}),
    "report-zeros": tuned_from("bible-lstm", report__json=bytes(300)),
    "test-damaged": tuned_from("bible-lstm", report__json=RESULTS, test__safetensors=b"\x10"),
    "parent-gone": tuned_from("nobody-knows"),
    "parent-itself": tuned_from(None),
    "parent-damaged": tuned_from("run-zeros"),
    "export-wrong-types": exported({"step": [], "checks": 3, "sizes": "large", "worst": None}),
    "export-no-graphs": exported(REPORT, model__onnx=b"no graph", playground__json="{}"),
    "export-lies": exported(
        REPORT, model__onnx=b"", playground__json={"vocab_size": -1, "layers": LONG, "objective": 5}
    ),
    "export-a-file": lambda run: put(run / "export", b"a file"),
    "name-of-markup": said(name="<img src=x onerror=alert(1)> ![a](http://b.c/d.png) **bold** $x$ :material/home:"),
    "name-very-long": said(name="name " * 2000),
    "name-of-controls": said(name="a\x00b\x1b[31mc\u202ed\ne\ufffe"),
    "name-a-list": said(name=["a", 1]),
}
"""They open; what is damaged of them is passed over, or told where it belongs."""


def store(home: Path) -> RunStore:
    return RunStore(home / "runs")
