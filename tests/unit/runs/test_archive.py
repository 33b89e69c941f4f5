import io
import json
import stat
import zipfile

import pytest

from playground.core.errors import PlaygroundError
from playground.runs import archive


@pytest.fixture
def trained(store, config, checkpoint_files):
    run = store.create(config)
    run.update_status(state="running")
    run.append_metrics(*({"step": step, "loss": 3.0} for step in range(9)))
    run.append_sample({"step": 5, "text": "hello"})
    run.save_checkpoint(5, checkpoint_files)
    (run.path / "tokenizer.json").write_text("{}")
    run.export_path.mkdir()
    (run.export_path / "model.onnx").write_bytes(b"onnx")
    (run.export_path / "evil.py").write_text("no")
    run.update_status(state="finished", step=8)
    return run


def zipped(entries, **options):
    """A zip file in memory from (name or ZipInfo, content) pairs."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as packed:
        for name, content in entries:
            packed.writestr(name, content)
    file.seek(0)
    return file


@pytest.fixture
def good(config):
    return ("run.json", json.dumps(config.to_dict()))


def refuse(store, file, match=None):
    with pytest.raises(PlaygroundError, match=match):
        archive.unpack(file, store.root)
    assert store.list() == [] and list(store.root.iterdir()) == []


def test_there_and_back(store, trained, tmp_path):
    path = store.export_zip(trained.id, tmp_path / "run.zip")
    names = zipfile.ZipFile(path).namelist()
    assert f"{trained.id}/export/model.onnx" in names
    assert not any("worker.log" in name or "evil" in name or ".lock" in name for name in names)
    back = archive.unpack(path, store.root)
    assert back.id != trained.id and back.config() == trained.config()
    assert back.checkpoints() == [5] and back.metrics()[0] == trained.metrics()[0]
    assert back.samples() == trained.samples() and not back.export_path.exists(), (
        "a graph from elsewhere is never taken"
    )
    assert back.status().state == "finished" and back.about()["imported"]
    assert back.about()["created"] == trained.about()["created"]


def test_without_the_export(store, trained, tmp_path):
    path = store.export_zip(trained.id, tmp_path / "run.zip", export=False)
    assert not any("export" in name for name in zipfile.ZipFile(path).namelist())


def test_exported_while_training_is_paused_elsewhere(store, trained, tmp_path):
    trained.update_status(state="running")
    back = archive.unpack(store.export_zip(trained.id, tmp_path / "run.zip"), store.root)
    assert back.status().state == "paused" and back.status().step == 5 and back.status().pid is None


def test_packed_again_by_hand(store, good):
    """Other zip programs leave the folder out and add their own rubbish."""
    back = archive.unpack(zipped([good, ("__MACOSX/._run.json", "x"), (".DS_Store", "x")]), store.root)
    assert back.status().state == "created" and sorted(p.name for p in back.path.iterdir()) == [
        "run.json",
        "status.json",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../evil.json",
        "a/../../evil.json",
        "/etc/evil.json",
        "\\\\host\\evil.json",
        "..\\evil.json",
        "C:/evil.json",
        "C:evil.json",
        "checkpoint/../../evil.json",
        "./../evil.json",
        "export/../run.json",
        "checkpoint/step-00000001/../../../evil.json",
        "~/.bashrc",
        "x" * 400,
    ],
)
def test_paths_out_of_the_run_are_refused(store, good, name, home):
    refuse(store, zipped([good, (name, "x")]))
    assert not list(home.parent.rglob("evil*"))


@pytest.mark.parametrize(
    "name",
    [
        "evil.py",
        "worker.log",
        "control.json",
        ".lock",
        "export/run.sh",
        "export/model.pt",
        "checkpoint/model.pkl",
        "checkpoint/step-00000001/model.pt",
        "checkpoint/step-00000001/a.pickle",
        "checkpoint/.tmp-x/trainer.json",
        "checkpoint/step-1/trainer.json",
        "export/a/b/c.json",
        "export/.hidden.json",
        "checkpoint/step-00000001/.x.json",
        "run.json\n",
        "status.json.exe",
    ],
)
def test_unknown_files_are_refused(store, good, name):
    refuse(store, zipped([good, (name, "x")]), "no run has|path")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_are_refused(store, good, kind):
    info = zipfile.ZipInfo("tokenizer.json")
    info.external_attr = (kind | 0o777) << 16
    refuse(store, zipped([good, (info, "/etc/passwd")]), "link or a device")


def test_bombs_are_refused(store, good):
    zeros = b"\0" * (8 * 2**20)
    refuse(store, zipped([good, ("metrics.jsonl", zeros)], compression=zipfile.ZIP_DEFLATED), "times its size")


def test_many_small_bombs_are_refused(store, good):
    entries = [(f"export/x{i}.json", b"0" * 2**20) for i in range(60)]
    refuse(store, zipped([good, *entries], compression=zipfile.ZIP_DEFLATED), "unpacks to")


def test_too_large_and_too_many(store, good):
    file = zipped([good, ("export/model.onnx", bytes(range(256)) * 40)])
    with pytest.raises(PlaygroundError, match="unpacks to"):
        archive.unpack(file, store.root, limit=5000)
    refuse(store, zipped([good, *((f"export/x{i}.json", "1") for i in range(archive.MOST_FILES + 1))]), "files")


def test_a_size_that_lies_is_refused(store, good):
    """The header says 3 bytes, the data are more."""
    file = zipped([good, ("tokenizer.json", "[1, 2, 3, 4, 5, 6, 7, 8]")])
    data = bytearray(file.getvalue())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (3).to_bytes(4, "little")
    refuse(store, io.BytesIO(bytes(data)))


def test_names_twice_are_refused(store, good):
    with pytest.warns(UserWarning, match="Duplicate"):
        file = zipped([good, ("tokenizer.json", "{}"), ("tokenizer.json", "[]")])
    refuse(store, file, "twice")


@pytest.mark.parametrize("damage", ["none", "half", "not a zip", "flipped"])
def test_what_is_no_whole_zip_is_refused(store, good, damage):
    data = zipped([good, ("tokenizer.json", "x" * 2000)]).getvalue()
    flipped = bytearray(data)
    flipped[data.index(b"xxxx") + 9] ^= 1
    data = {"none": b"", "half": data[: len(data) // 2], "not a zip": b"hello", "flipped": bytes(flipped)}[damage]
    refuse(store, io.BytesIO(data), "zip file")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"name": "x"}',
        "[" * 50_000,
        '{"name": "x", "model": 3, "data": 4, "training": 5}',
    ],
)
def test_damaged_settings_are_refused(store, content):
    refuse(store, zipped([("run.json", content)]))


def test_nonsense_settings_are_refused(store, config):
    said = config.to_dict()
    said["training"]["steps"] = -5
    refuse(store, zipped([("run.json", json.dumps(said))]), "not valid")
    refuse(store, zipped([("tokenizer.json", "{}")]), "no run.json")


def test_what_was_measured_comes_with_a_run(store, trained, tmp_path):
    """The table of runs compares by these, also those that others hand in."""
    trained.update_status(loss=2.5, val_loss=2.75, tokens_per_second=1000.5)
    back = archive.unpack(store.export_zip(trained.id, tmp_path / "run.zip"), store.root).status()
    assert (back.loss, back.val_loss, back.tokens_per_second) == (2.5, 2.75, 1000.5)
    assert back.pid is None and back.host == "" and back.message == ""


@pytest.mark.parametrize("said", ["1e400", "NaN", '"low"', "[1]", "1e20", "true"])
def test_no_number_that_cannot_be_is_taken_for_a_loss(store, trained, tmp_path, said):
    packed = zipfile.ZipFile(store.export_zip(trained.id, tmp_path / "run.zip"))
    held = {name: packed.read(name) for name in packed.namelist()}
    held[f"{trained.id}/status.json"] = f'{{"state": "finished", "val_loss": {said}, "loss": 2.5}}'.encode()
    back = archive.unpack(zipped(held.items()), store.root).status()
    assert back.val_loss is None and back.loss == 2.5


def test_damaged_weights_are_refused(store, good, checkpoint_files):
    cut = checkpoint_files["model.safetensors"][:-3]
    refuse(store, zipped([good, ("checkpoint/step-00000005/model.safetensors", cut)]), "damaged")


def test_a_file_that_is_gone(store, tmp_path):
    with pytest.raises(PlaygroundError):
        archive.unpack(tmp_path / "nothing.zip", store.root)


def test_a_claimed_state_is_not_believed(store, good):
    claims = {"state": "running", "pid": 1, "birth": "x", "host": "h", "message": "<script>", "step": 10**30}
    back = archive.unpack(zipped([good, ("status.json", json.dumps(claims))]), store.root)
    assert back.status().state == "created" and back.status().message == "" and back.status().step == 0
