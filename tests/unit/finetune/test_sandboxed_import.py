"""What comes from elsewhere: good runs arrive whole, hostile ones end in a sentence, and nothing of them is left."""

import io
import json
import re
import shutil
import struct
import zipfile
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from playground.core import limited_process
from playground.core.errors import PlaygroundError
from playground.finetune import sandboxed_import
from playground.finetune.sandboxed_import import SandboxedImport, import_sandboxed
from playground.inference.exports import exported, opened
from playground.onnx_export.export import export
from playground.runs import gallery
from playground.runs.config import FORMAT
from playground.runs.folder import RunFolder
from playground.runs.samples import opening_text
from playground.runs.store import RunStore
from playground.training.load_model import load_model
from tests.support.mutants import files_of, forking

PREFIX = "bible-lstm"
REALLY = (
    "test_a_good_run_arrives_whole",
    "test_an_export_that_comes_with_a_run_is_made_anew",
    "test_what_takes_too_much_is_stopped",
    "test_a_header_of_blanks_is_refused",
    "test_a_folder_is_taken_through_the_same_gate",
    "test_stop_counts_also_between_the_two_openings",
)
"""Tests that start processes as the app does; the others get theirs from a doorkeeper, each in a tenth of the time."""


@pytest.fixture(autouse=True)
def by_the_doorkeeper(request, doorkeeper, monkeypatch):
    if request.node.originalname not in REALLY:
        monkeypatch.setattr(limited_process, "LimitedProcess", forking(doorkeeper))


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> dict[str, bytes]:
    """The files of a packed run, by their names in it."""
    place = tmp_path_factory.mktemp("good")
    path = RunStore(place / "runs").export_zip(PREFIX, place / "run.zip")
    return {name.removeprefix(f"{PREFIX}/"): data for name, data in files_of(path).items()}


@pytest.fixture
def store(tmp_path, monkeypatch) -> RunStore:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    return RunStore()


def zipped(files: dict[str, bytes], name: str = "run.zip") -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        for inside, data in files.items():
            packed.writestr(f"{PREFIX}/{inside}", data)
    made.seek(0)
    made.name = name
    return made


def run_json(good: dict[str, bytes], **changes) -> dict[str, bytes]:
    about = json.loads(good["run.json"])
    for key, value in changes.items():
        about[key] = {**about[key], **value} if isinstance(value, dict) and isinstance(about.get(key), dict) else value
    return {**good, "run.json": json.dumps(about).encode()}


def refused(store: RunStore, files: dict[str, bytes], said: str) -> None:
    with pytest.raises(PlaygroundError) as caught:
        import_sandboxed(zipped(files), store)
    assert said in caught.value.message, caught.value
    assert list(store.root.iterdir()) == [], "nothing of it is left"


def newest(good: dict[str, bytes]) -> str:
    return next(name.rpartition("/")[0] for name in good if name.endswith("/model.safetensors"))


def test_a_good_run_arrives_whole(store, good):
    opening = SandboxedImport(zipped(good), store)
    run = opening.run()
    shipped = gallery.get(PREFIX)
    assert run.config() == shipped.config() and run.checkpoints() == shipped.checkpoints()
    assert run.metrics()[0] == shipped.metrics()[0] and run.samples() == shipped.samples()
    theirs, ours = load_model(shipped).state_dict(), load_model(run).state_dict()
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert (run.latest_checkpoint() / "sha256.json").exists() and store.list() == [run]
    assert opening._opening.most_memory < 2**30, "a child holds less than 1 GB"
    assert [path.name for path in store.root.iterdir()] == [run.id]


def test_settings_that_ask_for_all_memory_are_refused_before_anything_is_built(store, good):
    refused(store, run_json(good, model={"n_layers": 10**9}), "more than 1,000 layers")
    refused(store, run_json(good, model={"d_model": 10**400}), "more than 1,000,000 channels")
    refused(store, run_json(good, model={"d_model": 20_000, "n_layers": 500}), "parameters")
    refused(store, run_json(good, model={"n_layers": 90}), "do not belong to this model")


def test_a_newer_version_is_told(store, good):
    refused(store, run_json(good, format=7), "newer LM Playground: its format is 7")
    refused(store, run_json(good, format="new"), "in which format")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ["a"]}, None),
        ({"preset": {}}, "what it began with"),
        ({"parent": 7}, "what it began with"),
        ({"parent": {"run": 5}}, "what it began with"),
        ({"training": {"keep_steps": ["x"]}}, "keep_steps"),
        ({"training": {"steps": 1.5}}, "whole number"),
        ({"training": {"sample_prompt": []}}, "must be a text"),
        ({"data": {"text_column": 7}}, "must be a text"),
        ({"data": {"corpus": ["file"]}}, "corpus"),
        ({"model": []}, "names and values"),
        ({"finetune": 7}, "names and values"),
        ({"created": "now"}, None),
        ({"versions": 5}, None),
        ({"data_shape": ["x"]}, None),
        ({"notes": 7}, None),
        ({"data_folder": "/etc"}, None),
    ],
)
def test_settings_of_other_kinds_are_refused_or_left_out(store, good, changes, said):
    if said:
        refused(store, run_json(good, **changes), said)
    else:
        about = import_sandboxed(zipped(run_json(good, **changes)), store).about()
        assert isinstance(about["name"], str) and about["created"] > 0 and isinstance(about["versions"], dict)
        assert not {"notes", "data_folder"} & set(about)


def test_a_tokenizer_that_grows_a_text_is_refused(store, good):
    """Thirty kilobytes ended the server at the next visitor's first click."""
    state = json.loads(good["tokenizer.json"])
    growing = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    state["normalizer"] = {"type": "Sequence", "normalizers": [growing] * 40}
    refused(store, {**good, "tokenizer.json": json.dumps(state).encode()}, "times as long")


def test_a_tokenizer_of_another_model_is_refused(store, good):
    other = gallery.get("dates").tokenizer_path.read_bytes()
    refused(store, {**good, "tokenizer.json": other}, "tokens, and its model")


def test_a_header_of_blanks_is_refused(store, good):
    """It packs to nothing and unpacks to gigabytes, which were read anew at each view."""
    name = f"{newest(good)}/model.safetensors"
    header = b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' + b" " * 300 * 2**20
    hostile = {**good, name: struct.pack("<Q", len(header)) + header}
    with pytest.raises(PlaygroundError) as caught:
        import_sandboxed(zipped(hostile), store)
    assert caught.value.hint and list(store.root.iterdir()) == []


@pytest.mark.parametrize("damage", ["zeros", "cut", "another model", "NaN", "dtype"])
def test_weights_that_are_not_the_runs_are_refused(store, good, damage):
    name = f"{newest(good)}/model.safetensors"
    data = good[name]
    (length,) = struct.unpack("<Q", data[:8])
    if damage == "zeros":  # of the right length, as after a power cut
        run = import_sandboxed(zipped(good), store)
        packed = {
            n.partition("/")[2]: d for n, d in files_of(store.export_zip(run.id, store.root.parent / "x.zip")).items()
        }
        shutil.rmtree(run.path)
        refused(store, {**packed, name: data[: len(data) // 2] + bytes(len(data) - len(data) // 2)}, "is damaged")
        return
    changed = {
        "cut": data[:-1000],
        "another model": files_of(RunStore().export_zip("induction", store.root.parent / "y.zip")).get(
            "induction/checkpoint/step-00001500/model.safetensors"
        ),
        "NaN": data[: 8 + length] + b"\xff" * (len(data) - 8 - length),
        "dtype": data[:8] + re.sub(rb'"dtype":"F', b'"dtype":"X', data[8 : 8 + length]) + data[8 + length :],
    }[damage]
    said = {"cut": "damaged", "another model": "do not belong", "NaN": "no number", "dtype": "damaged"}[damage]
    refused(store, {**good, name: changed}, said)


def endless() -> bytes:
    """A graph of one Loop of 2^62 turns."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Identity", ["x"], ["x2"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("c2", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x2", TensorProto.FLOAT, [1]),
        ],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["n", "yes", "input_ids"], ["logits"], body=body)],
        "endless",
        [helper.make_tensor_value_info("input_ids", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1])],
        [
            helper.make_tensor("n", TensorProto.INT64, [], [2**62]),
            helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
        ],
    )
    return helper.make_model(graph).SerializeToString()


def test_an_export_that_comes_with_a_run_is_made_anew(store, good, tmp_path, monkeypatch):
    made = export(gallery.get(PREFIX), to=tmp_path / "export", precisions=["int8"]).folder
    theirs = {f"export/{path.name}": path.read_bytes() for path in made.iterdir() if path.suffix in (".onnx", ".json")}
    hostile = {name: endless() if name.endswith(".onnx") else data for name, data in theirs.items()}
    run = import_sandboxed(zipped({**good, **hostile}), store)
    ours = exported(run)
    assert ours is not None and set(ours.report["sizes"]) == {"fp32", "int8"} and ours.report["worst"] < 1e-3
    assert "Loop" not in {node.op_type for node in onnx.load(ours.folder / "model.onnx").graph.node}
    tokens = [t for t, _ in zip(opened(ours.folder).generate([5, 6, 7], 3), range(3))]
    assert len(tokens) == 3, "and it runs"


def test_an_export_that_cannot_be_made_anew_is_left_out_and_told(store, good, monkeypatch):
    report = json.dumps({"step": 3000, "attentions": True}).encode()
    seconds = limited_process.SECONDS
    monkeypatch.setattr(sandboxed_import, "_export", None)
    hostile = {
        **good,
        "export/report.json": report,
        "export/model.kv8.onnx": endless(),
    }  # an LSTM has no such cache
    run = import_sandboxed(zipped(hostile), store)
    assert exported(run) is None and "left out" in run.about()["notes"][-1] and seconds == limited_process.SECONDS


def test_an_export_that_an_earlier_version_took_over_is_not_run(store, good, tmp_path):
    """Homes of before the gate hold exports of loaded runs as they came."""
    import os

    run = import_sandboxed(zipped(good), store)
    made = export(gallery.get(PREFIX), to=tmp_path / "export").folder
    shutil.copytree(made, run.export_path)
    arrived = run.about()["imported"]
    os.utime(run.export_path / "report.json", (arrived - 1, arrived - 1))
    assert exported(run) is None
    os.utime(run.export_path / "report.json", (arrived + 1, arrived + 1))
    assert exported(run) is not None


@pytest.mark.parametrize(
    ("said", "limits"), [("memory", {"MEMORY": 60 * 2**20}), ("longer than 0 seconds", {"SECONDS": 0.05})]
)
def test_what_takes_too_much_is_stopped(store, good, monkeypatch, said, limits):
    for name, value in limits.items():
        monkeypatch.setattr(limited_process, name, value)
    refused(store, good, said)


def test_what_a_killed_server_left_is_removed(store, good):
    import os

    old, new = store.root / ".import-old", store.root / ".import-new"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (1, 1))
    import_sandboxed(zipped(good), store)
    assert not old.exists() and new.exists(), "another server may be opening something there now"


@pytest.mark.parametrize(
    "name", ["../../evil.zip", "/etc/evil.zip", "a\0b.zip", "x" * 500 + ".zip", "", "~/.ssh/x.zip"]
)
def test_the_name_of_a_file_leads_nowhere(store, good, name):
    source = zipped(good, name)
    run = import_sandboxed(source, store)
    assert run.path.parent == store.root and not list(store.root.parent.rglob("evil*"))


def test_a_folder_is_taken_through_the_same_gate(store, tmp_path):
    made = export(gallery.get("bible-decoder"), to=tmp_path / "a model").folder
    run = import_sandboxed(made, store, name="from a folder")
    assert run.name == "from a folder" and run.config().model == gallery.get("bible-decoder").config().model
    (made / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(PlaygroundError, match="cannot be read"):
        import_sandboxed(made, store)
    assert store.list() == [run]
    with pytest.raises(PlaygroundError, match="There is no file"):
        import_sandboxed(Path(tmp_path / "nothing"), store)


def test_a_run_of_an_earlier_version_is_taken(store, good):
    """Its run.json has no format, its checkpoints have no checksums."""
    about = json.loads(good["run.json"])
    about.pop("format", None)
    old = {name: data for name, data in good.items() if not name.endswith("sha256.json")} | {
        "run.json": json.dumps(about).encode()
    }
    run = import_sandboxed(zipped(old), store)
    assert run.about()["format"] == FORMAT and json.loads((run.latest_checkpoint() / "sha256.json").read_bytes())


def test_an_answer_of_a_pair_stays_one(store):
    """What the run was made of is kept, where it can be: a model that answers is asked as one that answers."""
    run = import_sandboxed(store.export_zip("dates", store.root.parent / "dates.zip"), store)
    assert (
        isinstance(run, RunFolder)
        and run.about()["data_shape"] == gallery.get("dates").about()["data_shape"] == "pairs"
    )


def test_a_model_of_more_heads_than_can_be_looked_at_is_refused(tmp_path, monkeypatch):
    """All heads are drawn, and the weights of all of them are kept: 6,400 took 3.5 GB and two minutes."""
    copy = RunFolder(shutil.copytree(gallery.get("bible-decoder").path, tmp_path / "bible-decoder"))
    model = copy.config().model
    sandboxed_import.check_run(copy)
    monkeypatch.setattr(sandboxed_import, "MOST_HEADS", model.n_layers * model.n_heads - 1)
    with pytest.raises(PlaygroundError, match="heads, and at most"):
        sandboxed_import.check_run(copy)


def test_settings_that_every_page_would_read_for_seconds_are_refused(store, good):
    """Each list of runs reads each run.json: one of 64 MB packs to a third of one."""
    versions = {f"package {i}": "1.0" for i in range(20_000)}
    refused(store, run_json(good, versions=versions), "run.json is larger")
    refused(store, run_json(good, training={"sample_prompt": "in the beginning " * 50_000}), "run.json is larger")
    labels = json.dumps([f"label {i} {'ä' * (i % 90)}" for i in range(40_000)]).encode()
    refused(store, {**good, "labels.json": labels}, "labels.json is larger")


def test_a_step_has_one_checkpoint(store, good):
    """A second one, called with more zeros, was opened in place of the one that had been proved."""
    name = f"{newest(good)}/model.safetensors"
    again = {**good, name.replace("step-", "step-0000"): good[name]}
    refused(store, again, "not called as its step is")


def test_a_long_opening_is_cut(store, good):
    """It is what every page that opens on the run cuts into tokens."""
    said = json.dumps({"step": 1, "prompt": "".join(f"{i} " for i in range(100_000)), "text": "x"})
    run = import_sandboxed(zipped({**good, "samples.jsonl": said.encode() + b"\n"}), store)
    opening = opening_text(run.samples())
    assert opening == "".join(f"{i} " for i in range(1000))[: len(opening)] and 1000 < len(opening) <= 2000


def test_stop_counts_also_between_the_two_openings(store, good, monkeypatch):
    """The first child has ended, and the one that makes the export anew has not begun: nobody would hear of it."""
    step = gallery.get(PREFIX).checkpoints()[-1]
    export_too = {**good, "export/report.json": json.dumps({"step": step}).encode()}
    coming, usual = SandboxedImport(zipped(export_too), store), limited_process.LimitedProcess

    def stopped_first(*args, **more):
        coming.stop()
        return usual(*args, **more)

    monkeypatch.setattr(limited_process, "LimitedProcess", stopped_first)
    with pytest.raises(PlaygroundError, match="was stopped"):
        coming.run()
    assert list(store.root.iterdir()) == []
