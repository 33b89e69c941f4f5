"""Where the playground keeps what a person makes, and which of the machine's files it may read: asked here, and nowhere else."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from playground.core.errors import PlaygroundError

PRIVATE = 0o700
GRANTED = "readable.txt"  # in the home: files that its owner named on the command line, one a line
GUARDED = "PLAYGROUND_GUARDED"  # set in processes of the app, see `on_guard`
READ = "PLAYGROUND_READ"  # folders that may be read besides, as in PATH; for a host with a folder of corpora


def home() -> Path:
    """The folder of everything a person made: ``$PLAYGROUND_HOME``, or ``~/.lm-playground``. Nobody else may enter it.

    Raises:
        PlaygroundError: when the folder cannot be made.
    """
    try:
        root = Path(os.environ.get("PLAYGROUND_HOME") or Path.home() / ".lm-playground").expanduser().absolute()
    except RuntimeError as error:  # no HOME, and a user without one
        raise PlaygroundError(
            "Your home folder is not known here.", "Set PLAYGROUND_HOME to a folder you may write to."
        ) from error
    try:
        root.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
    except OSError as error:
        raise PlaygroundError(
            "The folder {folder} cannot be made: {reason}.",
            "Set PLAYGROUND_HOME to a folder you may write to.",
            folder=root,
            reason=error.strerror,
        ) from error
    _close(str(root))
    return root


@lru_cache(maxsize=64)
def _close(root: str) -> None:
    """Takes what others may do there, once; homes of earlier versions were open to all."""
    with suppress(OSError):  # somebody else's: what cannot be written there is told when it is
        if os.stat(root).st_mode & 0o077:
            os.chmod(root, PRIVATE)


def on_guard() -> None:
    """This process opens runs and works for pages: it reads only what `may_read` says, as all do that it starts, and files and
    folders that it makes are its user's alone.
    """
    global _usual
    os.environ[GUARDED] = "1"
    before = os.umask(0o077)
    _usual = before if _usual is None else _usual


@contextmanager
def for_others() -> Iterator[None]:
    """What is made here goes where its owner wants it, and may be read by those whom the shell lets read what it makes."""
    before = os.umask(_usual if _usual is not None else umask())
    try:
        yield
    finally:
        os.umask(before)


def code_path() -> str:
    """``PYTHONPATH`` for a new Python, in which it finds this very code."""
    here = str(Path(__file__).parents[2])
    rest = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != here]
    return os.pathsep.join([here, *rest])


def umask() -> int:
    """What this process takes away of the permissions of what it makes."""
    now = os.umask(0o077)
    os.umask(now)
    return now


_usual: int | None = None  # of the shell


# What may be read

_for_once: set[str] = set()


def uploads() -> Path:
    """Where files that people brought are kept."""
    return home() / "uploads"


def is_digest(name: str) -> bool:
    """Whether a folder of uploads can be called that: each is called by the hash of its content."""
    return bool(re.fullmatch(r"[0-9a-f]{20}", name))


def here(path: str) -> str:
    """The path of an upload as this home has it now, where the home was moved or copied since; any other path as it is."""
    parts = re.split(r"[/\\]", path)
    if len(parts) > 3 and parts[-3] == "uploads" and is_digest(parts[-2]) and parts[-1][:1] not in ("", "."):
        kept = uploads() / parts[-2] / parts[-1]
        if str(kept) != path and kept.is_file():
            return str(kept)
    return path


def prepared(name: str) -> Path:
    """Where a text is kept as it was prepared, by the name of its folder, wherever the home was then."""
    return home() / "data" / (re.split(r"[/\\]", name.rstrip("/\\"))[-1].strip(".") or "?")


def is_upload(path: Path | str) -> bool:
    """Whether a path, wherever links and ``..`` lead, is that of a file that was brought, or of one beside it."""
    return _inside(_real(path), uploads())


def may_read(path: Path | str) -> bool:
    """Whether a text, table or model at a path may be opened: it was brought, or this home's owner said so.

    The path of a run or a link is anybody's word. Valid are, after links are followed: what is inside the home's uploads; what
    `grant` was given, as the command line does with each file that is named there; and what is inside the folders of
    ``$PLAYGROUND_READ``. A program of the owner's own, that is none of the app's processes, reads what it names.
    """
    return GUARDED not in os.environ or _is_allowed(path)


def _is_allowed(path: Path | str) -> bool:
    real = _real(path)
    if real is None:
        return False
    folders = [Path(each) for each in os.environ.get(READ, "").split(os.pathsep) if each]
    return (
        _inside(real, uploads())
        or any(_inside(real, each) for each in folders)
        or str(real) in (*_for_once, *_granted())
    )


def readable(path: Path | str) -> Path:
    """The path, where it may be read. Says the same of a file that is there and of one that is not.

    Raises:
        PlaygroundError: elsewhere.
    """
    if not may_read(path):
        name = os.path.basename(str(path).replace("\\", "/").rstrip("/"))[:80] or "?"
        if not os.path.isabs(path):  # of a run that came from elsewhere
            raise PlaygroundError(
                "The text {name} is not on this machine: it stayed where its run was made.",
                "Bring it as a file of your own, and choose it.",
                name=name,
            )
        raise PlaygroundError(
            "The file {name} is not one that was brought to this app, so it is not read.",
            "Bring it as a file of your own; or name it on the command line once: python -m playground data allow FILE.",
            name=name,
        )
    return Path(path) if GUARDED in os.environ else Path(path).expanduser()


def grant(path: Path | str, once: bool = False) -> Path:
    """Lets a file of this machine be read: called for what this home's owner names on the command line.

    Args:
        once: by this process alone; else by all of this home, from now on, such as the one that trains.

    Returns:
        The path, absolute, with ``~`` and links followed.

    Raises:
        PlaygroundError: for a name that the list of such files cannot hold.
    """
    from playground.core.atomic import write_bytes

    real = Path(path).expanduser().resolve()
    if once:
        _for_once.add(str(real))
    elif not _is_allowed(real):
        if "\n" in str(real):
            raise PlaygroundError(
                "The name {name!r} has a line break in it.", "Give the file another name.", name=real.name
            )
        write_bytes(home() / GRANTED, os.fsencode("".join(f"{each}\n" for each in [*_granted(), str(real)])))
    return real


def _granted() -> list[str]:
    try:
        return os.fsdecode((home() / GRANTED).read_bytes()).split("\n")[:-1]
    except OSError:
        return []


def _real(path: Path | str) -> Path | None:
    """Where a path leads; None for one that is not absolute, or cannot be one."""
    try:
        return Path(path).resolve() if os.path.isabs(path) else None
    except (OSError, ValueError, RuntimeError):  # a NUL, a name too long, links in a circle
        return None


def _inside(real: Path | None, folder: Path) -> bool:
    return real is not None and real != folder.resolve() and real.is_relative_to(folder.resolve())
