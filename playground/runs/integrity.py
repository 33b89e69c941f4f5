"""What is wrong with a run, if anything: asked before it is shown, so that one damaged run spoils nothing for the others."""

import json
import os
import stat
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from playground.core.errors import Message, PlaygroundError, UserError
from playground.runs import checkpoints, gallery
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder

Problem = tuple[str, str]
"""What is wrong, and what to do."""

LARGEST = 64 * 2**20  # bytes of a JSON file of a run; nothing reads more into memory
_WATCHED = ("run.json", "labels.json", "tokenizer.json", "checkpoint")
_DELETE = "Delete the run: it goes into the trash."
WEIGHTS = "model.safetensors"
SHAPES = ("stream", "pairs", "labelled")


def problem(run: RunFolder) -> Problem | None:
    """What keeps a run from being opened, as far as a look at its small files tells; None for a sound one.

    Costs a few stats where nothing has changed since the last look, and some tenths of a millisecond else.
    """
    return _cached_check(str(run.path), tuple(_stamp(run.path / name) for name in _WATCHED))


def problem_in_contents(run: RunFolder) -> Problem | None:
    """As `problem`, and what only reading all of it tells: the tokenizer, and the newest weights against their checksum."""
    if wrong := problem(run):
        return wrong
    newest = run.latest_checkpoint()
    stamps = [_stamp(newest / name) for name in (WEIGHTS, checkpoints.SUMS)] if newest else []
    return _cached_contents_check(str(run.path), (_stamp(run.tokenizer_path), *stamps))


def first_intact(runs: Iterable[RunFolder]) -> RunFolder | None:
    """The first of the runs that opens; those that ship with the app do."""
    return next((run for run in runs if gallery.holds(run) or problem_in_contents(run) is None), None)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        about = os.lstat(path)
    except OSError:
        return (0, 0, 0)
    return about.st_ino, about.st_size, about.st_mtime_ns


@lru_cache(maxsize=4096)
def _cached_check(path: str, stamps: tuple) -> Problem | None:
    return _first_problem(
        RunFolder(Path(path)), (_check_settings, _check_about, _check_labels, _check_tokenizer, _check_weights)
    )


@lru_cache(maxsize=1024)
def _cached_contents_check(path: str, stamps: tuple) -> Problem | None:
    return _first_problem(RunFolder(Path(path)), (_check_tokenizer_contents, _check_weights_contents))


def _first_problem(run: RunFolder, looks: Iterable[Callable[[RunFolder], None]]) -> Problem | None:
    try:
        for look in looks:
            look(run)
    except UserError as error:
        return error.message, error.hint or _DELETE
    except OSError as error:
        return Message("A file of {name} cannot be read: {reason}.", name=run.id, reason=error.strerror), _DELETE
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, MemoryError):
        return Message("What is in the folder of {id} does not fit together.", id=run.id), _DELETE
    return None


def _check_settings(run: RunFolder) -> None:
    if not run.exists:
        raise PlaygroundError("The folder {id} holds no run: its run.json is gone.", _DELETE, id=run.id)
    if (run.path / "run.json").stat().st_size > LARGEST:
        raise PlaygroundError("The file run.json of {id} is too large.", _DELETE, id=run.id)
    about = run.about()
    try:
        RunConfig.from_dict(about)
    except UserError as error:  # their hints help who chooses settings, and not who reads a file
        raise PlaygroundError(
            error.message, "The file run.json is damaged. {what_to_do}", what_to_do=_DELETE
        ) from error


def _check_about(run: RunFolder) -> None:
    """What run.json says besides the config."""
    about = run.about()
    kinds: dict[str, Callable[[Any], bool]] = {
        "created": _is_time,
        "imported": _is_time,
        "versions": _texts,
        "data_info": lambda said: isinstance(said, dict),
        "data_shape": lambda said: said in SHAPES,
        "source": lambda said: isinstance(said, str),
        "notes": lambda said: isinstance(said, list) and all(isinstance(note, str) for note in said),
        "data_folder": lambda said: isinstance(said, str),
    }
    for name, can_be in kinds.items():
        if about.get(name) is not None and not can_be(about[name]):
            raise PlaygroundError(
                "The file run.json of {id} is damaged: what it says of {name!r} makes no sense.",
                _DELETE,
                id=run.id,
                name=name,
            )


def _is_time(said: Any) -> bool:
    return type(said) in (int, float) and 0 <= said < 10**11


def _texts(said: Any) -> bool:
    return isinstance(said, dict) and all(isinstance(each, str) for each in said.values())


def _check_labels(run: RunFolder) -> None:
    path = run.path / "labels.json"
    if path.exists():
        labels = _json(path, run)
        if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
            raise PlaygroundError("The file labels.json of {id} is damaged.", _DELETE, id=run.id)


def _json(path: Path, run: RunFolder) -> Any:
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("too large")
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise PlaygroundError("The file {file} of {name} is damaged.", _DELETE, file=path.name, name=run.id) from error


def _check_tokenizer(run: RunFolder) -> None:
    """Its ends alone, which tell a file that broke off, or that a power cut left as zeros."""
    path = run.tokenizer_path
    if not path.exists():
        if run.checkpoints():
            raise PlaygroundError("{name} has no tokenizer, so nobody could use its weights.", _DELETE, name=run.name)
        return
    if not stat.S_ISREG(path.stat().st_mode):
        raise PlaygroundError("The tokenizer of {name} is no file.", _DELETE, name=run.name)
    if path.stat().st_size > LARGEST:
        raise PlaygroundError("The tokenizer of {name} is too large to be one.", _DELETE, name=run.name)
    with open(path, "rb") as file:
        start, _ = file.read(64), file.seek(max(0, path.stat().st_size - 64))
        if not start.lstrip().startswith(b"{") or not file.read().rstrip().endswith(b"}"):
            raise PlaygroundError("The tokenizer of {name} is damaged.", _DELETE, name=run.name)


def _check_weights(run: RunFolder) -> None:
    """A checkpoint is whole, and the newest holds as many numbers as the model has; more, where it was fine-tuned."""
    from models.parameter_counts import parameter_counts

    there = [
        entry.name for entry in checkpoints.folders(run.path).values()
    ]  # first: while it trains, a whole one follows
    whole, config = run.checkpoints(), run.config()
    model = config.model
    if there and not whole:
        raise PlaygroundError(
            "The weights of {name} are damaged: {reason}.", _DELETE, name=run.name, reason=", ".join(sorted(there)[:3])
        )
    if whole and not model.vocab_size:
        raise PlaygroundError(
            "The settings of {name} do not say how many tokens its weights know.", _DELETE, name=run.name
        )
    if whole:
        newest, count = checkpoints.path_of(run.path, whole[-1]), sum(parameter_counts(model).values())
        header = checkpoints.header_of(newest / WEIGHTS)
        if header is None and not newest.exists():
            return  # the one after it took its place just now
        if header is None or header.numbers < count or (header.numbers > count and config.finetune is None):
            raise PlaygroundError(
                "The weights in {name} do not belong to this model: it has {count:,} parameters.",
                _DELETE,
                name=newest.name,
                count=count,
            )


def _check_tokenizer_contents(run: RunFolder) -> None:
    from playground.text.tokenizers import Tokenizer

    if run.tokenizer_path.exists():
        try:
            tokenizer, size = Tokenizer.load(run.tokenizer_path), run.config().model.vocab_size
        except PlaygroundError as error:
            raise PlaygroundError(
                error.message, "The file tokenizer.json is damaged. {what_to_do}", what_to_do=_DELETE
            ) from error
        if size and tokenizer.size != size:
            raise PlaygroundError(
                "The tokenizer of {name} has {tokens:,} tokens, and its model {known:,}.",
                "The two belong to different runs. {what_to_do}",
                name=run.name,
                tokens=tokenizer.size,
                known=size,
                what_to_do=_DELETE,
            )


def _check_weights_contents(run: RunFolder) -> None:
    steps = run.checkpoints()
    if not steps:
        return
    newest = checkpoints.path_of(run.path, steps[-1])
    try:
        checkpoints.check_sums(newest, WEIGHTS)
    except PlaygroundError as error:
        if not newest.exists():
            return  # the one after it took its place just now
        if len(steps) == 1:  # there is no other one to choose
            raise PlaygroundError(error.message, _DELETE) from error
        raise
