"""Checkpoints: a folder for a step that is there whole or not at all.

``checkpoint/.tmp-…`` is filled, every file and the folder are flushed to the disk, and only then renamed
to ``checkpoint/step-00000100``. A crash, a kill or a full disk at any moment leaves the checkpoint before it.
"""

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playground.atomic import disk_errors

Writer = bytes | str | Callable[[Path], object]
"""What goes into a file: its bytes, its text, or a function that writes to the path it is given."""

_STEP = re.compile(r"step-(\d{8,})")


def folder_of(run: Path) -> Path:
    """Where the checkpoints of the run folder ``run`` are."""
    return Path(run) / "checkpoint"


def path_of(run: Path, step: int) -> Path:
    """The folder of one step's checkpoint, there or not."""
    return folder_of(run) / f"step-{step:08d}"


def steps(run: Path) -> list[int]:
    """The steps that have a whole checkpoint, in order."""
    return sorted(step for step, path in _folders(run).items() if is_whole(path))


def latest(run: Path) -> Path | None:
    """The folder of the newest whole checkpoint."""
    for _, path in sorted(_folders(run).items(), reverse=True):
        if is_whole(path):
            return path
    return None


def _folders(run: Path) -> dict[int, Path]:
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
    """safetensors: 8 bytes of header length, the header as JSON, then the tensors up to the last offset."""
    try:
        with open(file, "rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            size = os.fstat(stream.fileno()).st_size
            if length + 8 > size:
                return False
            header = json.loads(stream.read(length))
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        return size == 8 + length + max(ends, default=0)
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return False


def save(run: Path, step: int, files: Mapping[str, Writer], keep: Iterable[int] = (), last: int = 1) -> Path:
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
    with disk_errors(f"saving the checkpoint of step {step}"), _rust_disk_errors():
        parent.mkdir(exist_ok=True)
        tidy(run)
        temporary = Path(tempfile.mkdtemp(dir=parent, prefix=".tmp-"))
        try:
            os.chmod(temporary, 0o755)
            for name, writer in files.items():
                _write(temporary, name, writer)
            sync_folder(temporary)
            _put_in_place(temporary, target)
            sync_folder(parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    _remove_older(run, step, set(keep), last)
    return target


def _write(folder: Path, name: str, writer: Writer) -> None:
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
    found = _folders(run)
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
    for later, path in _folders(run).items():
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
