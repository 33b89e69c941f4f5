import errno
import json
import os
import signal
import struct

import pytest

from playground.core.errors import PlaygroundError
from playground.runs import checkpoints


def tensors(values=(1.0, 2.0)):
    """A safetensors file: header length, header, data."""
    data = struct.pack(f"<{len(values)}f", *values)
    header = json.dumps({"w": {"dtype": "F32", "shape": [len(values)], "data_offsets": [0, len(data)]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


def files(values=(1.0, 2.0)):
    return {"model.safetensors": tensors(values), "trainer.json": "{}"}


def left_over(run):
    return [path.name for path in checkpoints.folder_of(run).iterdir() if path.name.startswith(".")]


def test_saved_whole_and_older_ones_removed(tmp_path):
    path = checkpoints.save(tmp_path, 100, files())
    assert path.name == "step-00000100" and (path / "trainer.json").read_text() == "{}"
    checkpoints.save(tmp_path, 200, {**files(), "extra.json": lambda to: to.write_text("by path")})
    assert checkpoints.steps(tmp_path) == [200]
    assert checkpoints.latest(tmp_path) == checkpoints.path_of(tmp_path, 200)
    assert (checkpoints.latest(tmp_path) / "extra.json").read_text() == "by path"
    assert left_over(tmp_path) == []


def test_some_are_kept_for_good(tmp_path):
    for step in (10, 20, 30, 40):
        checkpoints.save(tmp_path, step, files(), keep=(10,), last=2)
    assert checkpoints.steps(tmp_path) == [10, 30, 40]


def test_same_step_again_replaces(tmp_path):
    checkpoints.save(tmp_path, 100, files((1.0,)))
    path = checkpoints.save(tmp_path, 100, files((7.0,)))
    assert (path / "model.safetensors").read_bytes() == tensors((7.0,))
    assert checkpoints.steps(tmp_path) == [100] and left_over(tmp_path) == []


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("where", ["fsync", "rename", "mkdir"])
def test_full_disk_leaves_the_one_before(tmp_path, monkeypatch, where):
    checkpoints.save(tmp_path, 100, files())
    monkeypatch.setattr(os, where, full)
    with pytest.raises(PlaygroundError, match="disk is full"):
        checkpoints.save(tmp_path, 200, files())
    monkeypatch.undo()
    assert checkpoints.steps(tmp_path) == [100] and left_over(tmp_path) == []


def test_full_disk_while_a_file_is_written(tmp_path):
    checkpoints.save(tmp_path, 100, files())
    with pytest.raises(PlaygroundError, match="disk is full"):
        checkpoints.save(tmp_path, 200, {**files(), "optimizer.safetensors": full})
    assert checkpoints.steps(tmp_path) == [100] and left_over(tmp_path) == []


def test_full_disk_as_safetensors_says_it(tmp_path):
    class SafetensorError(Exception):
        pass

    def writer(path):
        raise SafetensorError('I/O error: Os { code: 28, kind: StorageFull, message: "No space left on device" }')

    with pytest.raises(PlaygroundError, match="disk is full"):
        checkpoints.save(tmp_path, 200, {"model.safetensors": writer})
    assert checkpoints.steps(tmp_path) == []


def die_at_the_second(rename):
    done = []

    def move(old, new):
        if done:
            os.kill(os.getpid(), signal.SIGKILL)
        done.append(old)
        rename(old, new)

    return move


@pytest.mark.parametrize("crash_at", ["second file", "swap"])
def test_killed_while_saving(tmp_path, monkeypatch, crash_at):
    """Dies at once, without any cleaning up, as by kill -9."""
    checkpoints.save(tmp_path, 100, files((1.0,)))
    pid = os.fork()
    if pid == 0:
        if crash_at == "second file":
            checkpoints.save(tmp_path, 200, {**files(), "z": lambda to: os.kill(os.getpid(), signal.SIGKILL)})
        moves = []
        rename = os.rename
        os.rename = lambda a, b: os.kill(os.getpid(), signal.SIGKILL) if moves else (moves.append(a), rename(a, b))
        checkpoints.save(tmp_path, 100, files((2.0,)))
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    assert left_over(tmp_path)
    checkpoints.tidy(tmp_path)
    assert left_over(tmp_path) == [] and checkpoints.steps(tmp_path) == [100]
    assert (checkpoints.latest(tmp_path) / "model.safetensors").read_bytes() == tensors((1.0,))


@pytest.mark.parametrize("cut", [0, 4, 20, -1])
def test_a_broken_copy_is_not_whole(tmp_path, cut):
    checkpoints.save(tmp_path, 100, files(), last=9)
    checkpoints.save(tmp_path, 200, files(), last=9)
    path = checkpoints.path_of(tmp_path, 200) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    assert checkpoints.steps(tmp_path) == [100]
    assert checkpoints.latest(tmp_path) == checkpoints.path_of(tmp_path, 100)


def test_rewind_removes_the_future(tmp_path):
    for step in (10, 20, 30):
        checkpoints.save(tmp_path, step, files(), last=9)
    checkpoints.rewind(tmp_path, 20)
    assert checkpoints.steps(tmp_path) == [10, 20] and left_over(tmp_path) == []


def test_names_are_names(tmp_path):
    with pytest.raises(ValueError):
        checkpoints.save(tmp_path, 1, {"../evil": b""})


def test_real_safetensors(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    weights = {"a": torch.randn(3, 4), "b": torch.zeros(0), "c": torch.ones(2, dtype=torch.bfloat16)}
    path = checkpoints.save(tmp_path, 5, {"model.safetensors": lambda to: save_file(weights, to, {"format": "pt"})})
    assert checkpoints.steps(tmp_path) == [5]
    assert torch.equal(load_file(path / "model.safetensors")["a"], weights["a"])


# What a power cut, a failing disk, or a stranger makes of it


@pytest.fixture
def saved(tmp_path):
    return checkpoints.save(tmp_path, 100, {**files(), "optimizer.safetensors": tensors((3.0, 4.0, 5.0))})


def test_checksums_are_those_of_sha256sum(saved):
    import subprocess

    told = json.loads((saved / checkpoints.SUMS).read_bytes())
    assert set(told) == {"model.safetensors", "optimizer.safetensors"}
    for name, digest in told.items():
        assert subprocess.run(["sha256sum", saved / name], capture_output=True, text=True).stdout.split()[0] == digest
    checkpoints.check_sums(saved)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors"])
@pytest.mark.parametrize("damage", ["zeros", "a bit"])
def test_zeros_after_a_power_cut_are_told(saved, name, damage):
    """The file has its length, its header too: only its checksum tells."""
    data = bytearray((saved / name).read_bytes())
    if damage == "zeros":
        data[-4:] = bytes(4)
    else:
        data[-1] ^= 1
    (saved / name).write_bytes(data)
    assert checkpoints.is_whole(saved)
    with pytest.raises(PlaygroundError, match=f"The file {name} of step-00000100 is damaged") as caught:
        checkpoints.check_sums(saved)
    assert "Choose another checkpoint" in caught.value.hint
    other = {"model.safetensors", "optimizer.safetensors"} - {name}
    checkpoints.check_sums(saved, *other)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"model.safetensors": 7}', '{"../x.safetensors": "a"}', "[" * 100_000]
)
def test_damaged_checksums_are_told(saved, text):
    (saved / checkpoints.SUMS).write_text(text)
    with pytest.raises(PlaygroundError, match="sha256.json"):
        checkpoints.check_sums(saved)


def test_a_checkpoint_of_an_earlier_version_is_believed_and_can_get_checksums(saved):
    (saved / checkpoints.SUMS).unlink()
    checkpoints.check_sums(saved)
    checkpoints.write_sums(saved)
    (saved / "model.safetensors").write_bytes(tensors((9.0, 9.0)))
    with pytest.raises(PlaygroundError):
        checkpoints.check_sums(saved)


@pytest.mark.parametrize(
    "header",
    [
        {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
        {"w": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}},
        {"w": {"dtype": "F32", "shape": [2.0], "data_offsets": [0, 8]}},
        {"w": {"dtype": "F32", "shape": [-2], "data_offsets": [0, -8]}},
        {name: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for name in "wv"},
        {"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}},
        {"w": {"dtype": "F32", "shape": [10**400], "data_offsets": [0, 8]}},
        {"w": {"dtype": "F32", "shape": [True, 2], "data_offsets": [0, 8]}},
        {"w": {"shape": [2], "data_offsets": [0, 8]}},
        {"w": None},
        {},
    ],
)
def test_a_header_that_does_not_fit_its_file_is_damaged(tmp_path, header):
    text = json.dumps(header).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(8))
    assert checkpoints.header_of(tmp_path / "x.safetensors") is None


def test_a_header_is_read_once_for_each_state_of_its_file(saved, monkeypatch):
    """One of blanks took seconds at every view of a page."""
    file = saved / "model.safetensors"
    assert checkpoints.header_of(file) == checkpoints.Header(numbers=2, tensors=1)
    monkeypatch.setattr(checkpoints.json, "loads", lambda _: pytest.fail("read again"))
    assert checkpoints.header_of(file).numbers == 2
    monkeypatch.undo()
    file.write_bytes(tensors((1.0, 2.0, 3.0)))
    assert checkpoints.header_of(file).numbers == 3


def test_a_header_of_blanks_is_not_read_at_all(tmp_path, monkeypatch):
    file = tmp_path / "x.safetensors"
    length = checkpoints.LONGEST_HEADER + 1
    with open(file, "wb") as made:
        made.write(struct.pack("<Q", length))
        made.seek(8 + length - 2)
        made.write(b"{}")
    monkeypatch.setattr(checkpoints.json, "loads", lambda _: pytest.fail("read"))
    assert checkpoints.header_of(file) is None
