"""Files that are either the old ones or the new ones, never half of each."""

import errno
import json
import lzma
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from playground.core.errors import Message, PlaygroundError, to_json


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turns a full or read-only disk into a sentence: ``with disk_errors("saving the run"): ...``"""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise PlaygroundError(
                "The disk is full, so {doing} did not work.",
                "Free some space (old runs can be deleted); what was saved before is whole.",
                doing=doing,
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise PlaygroundError(
                "Writing is not allowed at {path}, so {doing} did not work.",
                "Set PLAYGROUND_HOME to a folder you may write to.",
                path=error.filename,
                doing=doing,
            ) from error
        raise


def is_full_disk(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that there is no room: each library tells it in its own way."""
    while error is not None:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def is_damaged_zip(error: Exception) -> bool:
    """Whether an error says that an archive is not whole: zipfile, the disk and each way of packing have their own."""
    if isinstance(error, OSError):
        return error.errno in (None, errno.EINVAL)
    kinds = (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        UnicodeDecodeError,
        NotImplementedError,
        RuntimeError,
    )
    return isinstance(error, kinds)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Replaces ``path`` in one step by what is written inside; a crash or an error leaves the old file.

    Raises:
        PlaygroundError: when the disk is full or the folder may not be written to.
    """
    path = Path(path)
    with disk_errors(Message("writing {file}", file=path.name)):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def write_bytes(path: Path, data: bytes) -> None:
    """Replaces ``path`` by ``data`` in one step; a crash leaves the old file.

    Raises:
        PlaygroundError: when the disk is full or the folder may not be written to.
    """
    with replacing(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Replaces ``path`` by ``text`` (UTF-8) in one step."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Replaces ``path`` by ``value`` as readable JSON in one step."""
    write_text(path, readable_json(value))


def readable_json(value: Any) -> str:
    """JSON on many lines with letters as they are; escaped where a file's name is not UTF-8, to come back as it was."""
    value = to_json(value)
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    return text + "\n"
