"""Checkpoints: a folder for a step that is there whole or not at all.

``checkpoint/.tmp-…`` is filled, every file and the folder are flushed to the disk, and only then renamed
to ``checkpoint/step-00000100``. A crash, a kill or a full disk at any moment leaves the checkpoint before it. What a disk or
a power cut makes of it later is found by the checksums in ``sha256.json``.
"""

import errno
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from playground.core.atomic import disk_errors
from playground.core.errors import Message, PlaygroundError

FileContent = bytes | str | Callable[[Path], object]
"""What goes into a file: its bytes, its text, or a function that writes to the path it is given."""

SUMS = "sha256.json"  # in a checkpoint: the SHA-256 of each of its safetensors files
LONGEST_HEADER = 10 * 2**20  # bytes; a model of 1,000 layers has one of 2 MB
_STEP = re.compile(r"step-([0-9]{8,12})")
_BYTES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U64": 8,
    "U32": 4,
    "U16": 2,
    "U8": 1,
    "BOOL": 1,
}


def folder_of(run: Path) -> Path:
    """Where the checkpoints of the run folder ``run`` are."""
    return Path(run) / "checkpoint"


def path_of(run: Path, step: int) -> Path:
    """The folder of one step's checkpoint, there or not."""
    return folder_of(run) / f"step-{step:08d}"


def steps(run: Path) -> list[int]:
    """The steps that have a whole checkpoint, in order."""
    return sorted(step for step, path in folders(run).items() if is_whole(path))


def latest(run: Path) -> Path | None:
    """The folder of the newest whole checkpoint."""
    for _, path in sorted(folders(run).items(), reverse=True):
        if is_whole(path):
            return path
    return None


def folders(run: Path) -> dict[int, Path]:
    """The folders of checkpoints by their steps, whole or not."""
    try:
        entries = list(os.scandir(folder_of(run)))
    except OSError:
        return {}
    found = ((_STEP.fullmatch(entry.name), entry) for entry in entries)
    return {int(match[1]): Path(entry.path) for match, entry in found if match and entry.is_dir()}


def is_whole(path: Path) -> bool:
    """Whether a checkpoint folder holds the model, and every safetensors file is as long as its header says.

    The rename makes what this program writes whole; this also finds copies that broke off.
    """
    files = list(path.glob("*.safetensors"))
    return any(file.name == "model.safetensors" for file in files) and all(map(_has_all_its_tensors, files))


def _has_all_its_tensors(file: Path) -> bool:
    return header_of(file) is not None


@dataclass(frozen=True)
class Header:
    """What the header of a safetensors file says.

    Attributes:
        numbers: how many all tensors hold together.
        tensors: how many there are.
    """

    numbers: int
    tensors: int


def header_of(file: Path) -> Header | None:
    """The header of a safetensors file, read once for each state of the file; None where it is damaged, or the file is not as
    long as it says.
    """
    try:
        about = os.stat(file)
    except OSError:
        return None
    return _header(str(file), about.st_ino, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=4096)
def _header(file: str, number: int, size: int, changed: int) -> Header | None:
    """safetensors: 8 bytes of header length, the header as JSON, then the tensors, without a gap up to the file's end."""
    try:
        with open(file, "rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > min(size - 8, LONGEST_HEADER):
                return None
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        places, numbers = [], 0
        for tensor in header.values():
            count, (start, end) = math.prod(map(_size, tensor["shape"])), map(_size, tensor["data_offsets"])
            if end - start != count * _BYTES[tensor["dtype"]]:
                return None
            places.append((start, end))
            numbers += count
        places.sort()
        whole = all(
            one[1] == next[0] for one, next in zip([(0, 0), *places], [*places, (size - 8 - length, 0)], strict=True)
        )
        return Header(numbers, len(places)) if whole else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError):
        return None


def _size(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**48:
        raise ValueError("no size")
    return value


def check_sums(path: Path, *names: str) -> None:
    """Compares files of a checkpoint with the checksums that were written with them; reads each whole (about 1.7 GB/s).

    Args:
        path: of the checkpoint's folder.
        names: of its files; none: all that have a checksum. One from before there were checksums is believed.

    Raises:
        PlaygroundError: when a file is not what was written.
    """
    for name, said in _sums(path).items():
        if (not names or name in names) and digest_of(path / name) != said:
            raise PlaygroundError(
                "The file {file} of {name} is damaged: it is not what was written, as after a power cut.",
                "Choose another checkpoint, or delete the folder of this one; then the run goes on from an earlier one, or anew.",
                file=name,
                name=path.name,
            )


def write_sums(path: Path) -> None:
    """Gives a checkpoint that came from elsewhere, or from an earlier version, its checksums; nothing where it has them."""
    if not (path / SUMS).exists():
        _write(path, SUMS, json.dumps({file.name: digest_of(file) for file in path.glob("*.safetensors")}, indent=1))


def _sums(path: Path) -> dict[str, str]:
    try:
        said = json.loads((path / SUMS).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        said = None
    names = {file.name for file in path.glob("*.safetensors")}
    if not isinstance(said, dict) or not all(isinstance(each, str) for each in said.values()) or set(said) != names:
        raise PlaygroundError(
            "The file {file} of {name} is damaged.", "Choose another checkpoint.", file=SUMS, name=path.name
        )
    return said


def digest_of(file: Path) -> str:
    """The SHA-256 of a file; "" where it cannot be read."""
    try:
        with open(file, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def save(run: Path, step: int, files: Mapping[str, FileContent], keep: Iterable[int] = (), last: int = 1) -> Path:
    """Writes the checkpoint of ``step``, then removes older ones.

    Args:
        files: what goes into each file, by its name.
        keep: steps whose checkpoints stay for good.
        last: how many of the newest stay besides.

    Returns:
        The folder of the new checkpoint.

    Raises:
        PlaygroundError: when the disk is full or read-only; the checkpoints before are untouched.
    """
    parent, target = folder_of(run), path_of(run, step)
    with disk_errors(Message("saving the checkpoint of step {step}", step=step)), _rust_disk_errors():
        parent.mkdir(exist_ok=True)
        tidy(run)
        temporary = Path(tempfile.mkdtemp(dir=parent, prefix=".tmp-"))
        try:
            for name, writer in files.items():
                _write(temporary, name, writer)
            sums = {name: digest_of(temporary / name) for name in files if name.endswith(".safetensors")}
            _write(temporary, SUMS, json.dumps(sums, indent=1))
            sync_folder(temporary)
            _put_in_place(temporary, target)
            sync_folder(parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    _remove_older(run, step, set(keep), last)
    return target


def _write(folder: Path, name: str, writer: FileContent) -> None:
    if name != Path(name).name or name.startswith("."):
        raise ValueError(f"not a file name: {name!r}")
    path = folder / name
    if isinstance(writer, str):
        writer = writer.encode()
    if isinstance(writer, bytes):
        path.write_bytes(writer)
    else:
        writer(path)
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put_in_place(temporary: Path, target: Path) -> None:
    """Renames; one of the same step is set aside first, and ``tidy`` brings it back after a crash."""
    aside = target.with_name(f".old-{target.name}")
    if target.exists():
        os.rename(target, aside)
    try:
        os.rename(temporary, target)
    except BaseException:
        if aside.exists():
            os.rename(aside, target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _remove_older(run: Path, newest: int, keep: set[int], last: int) -> None:
    found = folders(run)
    recent = sorted((step for step in found if step <= newest), reverse=True)[: max(1, last)]
    for step, path in found.items():
        if step < newest and step not in keep and step not in recent:
            remove(path)


def remove(path: Path) -> None:
    """Removes one checkpoint so that no reader ever sees half of it: renamed first, then emptied."""
    doomed = path.with_name(f".tmp-old-{path.name}-{os.getpid()}")
    try:
        os.rename(path, doomed)
    except OSError:
        return
    shutil.rmtree(doomed, ignore_errors=True)


def tidy(run: Path) -> None:
    """Removes what a crash left behind. Only the process that trains the run may call this."""
    for left in folder_of(run).glob(".tmp-*"):
        shutil.rmtree(left, ignore_errors=True)
    for aside in folder_of(run).glob(".old-*"):
        target = aside.with_name(aside.name.removeprefix(".old-"))
        if target.exists():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            os.rename(aside, target)


def rewind(run: Path, step: int) -> None:
    """Removes the checkpoints after ``step``: their future is about to be trained anew."""
    for later, path in folders(run).items():
        if later > step:
            remove(path)


def sync_folder(path: Path) -> None:
    """Flushes a folder's list of names to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _rust_disk_errors() -> Iterator[None]:
    """safetensors reports a full disk in its own exception; says it as the OSError it was."""
    try:
        yield
    except Exception as error:
        text = str(error)
        if type(error).__name__ == "SafetensorError" and ("StorageFull" in text or "No space left" in text):
            raise OSError(errno.ENOSPC, "No space left on device") from error
        raise
