"""A look into a model while it trains: what a page asks for, and where the trainer answers. Files of the run's folder.

A page writes ``look.json`` and renews it while somebody watches. The trainer answers with ``look.safetensors`` (a frame, see
`playground.runs.frames`), with ``written.json`` where it was given a prompt, or says in ``look_error.json`` what it cannot do.
Every file is replaced by a rename, so nobody reads half of one. None is needed by the run: they are not flushed to the disk,
and nothing that stands in them, or is the matter with them, may stop the training.
"""

import json
import os
import stat
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from playground.core.errors import Message, from_json, to_json
from playground.runs.folder import RunFolder
from playground.runs.frames import KINDS, MAX_BYTES

REQUEST, ANSWER, WRITTEN, ERROR = "look.json", "look.safetensors", "written.json", "look_error.json"
LEASE_SECONDS = 3.0
"""How long a request holds unless the page renews it: a page that vanishes costs the run nothing any more."""
MAX_TEXT = 4000  # characters
MAX_NAMES = 64
MAX_NAME = 120  # characters
_MAX_REQUEST = 2**18  # bytes
_MAX_WRITTEN = 2**20  # bytes
_TEXTS = ("text", "source", "prompt")


@dataclass(frozen=True)
class LookRequest:
    """What to look at.

    Attributes:
        text: read by the model; "" for one fixed text of the validation data. Of a model of pairs, the target.
        source: the source text of a model of pairs.
        kind: one of `frames.KINDS`.
        names: the tensors to show; () for the default set.
        prompt: what the model is to write on from; "" for nothing.
    """

    text: str = ""
    source: str = ""
    kind: str = "values"
    names: tuple[str, ...] = ()
    prompt: str = ""


def ask(run: RunFolder, request: LookRequest) -> None:
    """Asks for looks for the next LEASE_SECONDS; the same request again renews it.

    Raises:
        OSError: when the run's folder cannot be written to.
    """
    path = run.path / REQUEST
    if _request(path) == request:
        with suppress(FileNotFoundError):
            os.utime(path)
            return
    replace_file(path, json.dumps(asdict(request)).encode())


def asked(run: RunFolder) -> LookRequest | None:
    """What is asked for now; None when nothing is, or what stands there is too old or no request. Never an error.

    Without a request this costs one look at the folder (2 µs).
    """
    path = run.path / REQUEST
    try:
        age = time.time() - os.stat(path).st_mtime
    except OSError:
        return None
    return _request(path) if abs(age) <= LEASE_SECONDS else None


def newest(run: RunFolder) -> bytes | None:
    """The bytes of the newest frame; None when there is none, or what stands there cannot be one. Never an error."""
    return _read(run.path / ANSWER, MAX_BYTES)


def written(run: RunFolder) -> dict[str, Any] | None:
    """What the model last wrote, ``{"prompt": str, "text": str, "step": int}``; None when nothing. Never an error."""
    found = _object(run.path / WRITTEN, _MAX_WRITTEN)
    kinds = {"prompt": str, "text": str, "step": int}
    return found if found and all(type(found.get(name)) is kind for name, kind in kinds.items()) else None


def error(run: RunFolder) -> str | None:
    """What the trainer could not do of the last request; None when nothing is the matter. Never an error."""
    message = from_json((_object(run.path / ERROR, _MAX_WRITTEN) or {}).get("message"))
    return message if isinstance(message, str) else None


def write_answer(run: RunFolder, data: bytes) -> None:
    """The trainer's: a frame, which takes the place of the last one.

    Raises:
        OSError: when it cannot be written (a full disk).
    """
    replace_file(run.path / ANSWER, data)


def write_written(run: RunFolder, prompt: str, text: str, step: int) -> None:
    """The trainer's: what the model writes on from a prompt after so many steps.

    Raises:
        OSError: when it cannot be written.
    """
    replace_file(run.path / WRITTEN, json.dumps({"prompt": prompt, "text": text, "step": step}).encode())


def write_error(run: RunFolder, message: str) -> None:
    """The trainer's: why there is no answer, in a sentence.

    Raises:
        OSError: when it cannot be written.
    """
    said = to_json(message if isinstance(message, Message) else str(message))
    replace_file(run.path / ERROR, json.dumps({"message": said}).encode())


def clear_error(run: RunFolder) -> None:
    """The trainer's: nothing is the matter any more. Never an error."""
    with suppress(OSError):
        os.unlink(run.path / ERROR)


def tidy(run: RunFolder) -> None:
    """The trainer's: takes away what a trainer before it was killed over. Never an error."""
    with suppress(OSError):
        for name in (ANSWER, WRITTEN, ERROR):
            for left in run.path.glob(f".{name}.*"):
                left.unlink()


def replace_file(path: Path, data: bytes) -> None:
    """Replaces a file by a rename, without waiting for the disk: what is lost in a power cut is made again.

    Raises:
        OSError: when it cannot be written; nothing is left behind, and the old file stays.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _request(path: Path) -> LookRequest | None:
    """What the file asks for, checked in type and size: anybody may have written it."""
    found = _object(path, _MAX_REQUEST)
    if found is None:
        return None
    texts = {name: found.get(name, "") for name in _TEXTS}
    kind, names = found.get("kind", "values"), found.get("names", [])
    if not all(_is_text(text, MAX_TEXT) for text in texts.values()) or not (isinstance(kind, str) and kind in KINDS):
        return None
    if not (isinstance(names, list) and len(names) <= MAX_NAMES and all(_is_text(name, MAX_NAME) for name in names)):
        return None
    return LookRequest(**texts, kind=kind, names=tuple(names))


def _is_text(value: Any, most: int) -> bool:
    """Whether it is a text of at most so many characters that can be written as UTF-8: half a character cannot."""
    if not isinstance(value, str) or len(value) > most:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _object(path: Path, most: int) -> dict[str, Any] | None:
    """The JSON object of a file; None for anything else."""
    data = _read(path, most)
    try:
        found = None if data is None else json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _read(path: Path, most: int) -> bytes | None:
    """The bytes of a file of at most so many; None when there is none, or something that is no file (a pipe would wait)."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        with open(handle, "rb", closefd=False) as file:
            data = file.read(most + 1)
    except OSError:
        return None
    finally:
        os.close(handle)
    return data if len(data) <= most else None
