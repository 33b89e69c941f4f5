"""One run from its folder to its end: what the app's dispatcher, the command line and torchrun all call."""

import contextlib
import logging
import threading
import time
import traceback
from collections.abc import Callable

from models.parameter_counts import parameter_counts
from playground.core import limited_process
from playground.core.atomic import is_full_disk, write_json
from playground.core.errors import Message, PlaygroundError, UserError, sentences
from playground.labelled.prepare import LabelledSet, load_labelled, prepare_labelled
from playground.runs import queue, snapshots, submit
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder
from playground.runs.text_shape import check_shape
from playground.text.prepare import Cancelled, Prepared, Progress, load, prepare
from playground.training.batches import truncation_warning
from playground.training.device import choose_device
from playground.training.distributed import Group
from playground.training.load_model import LABELS, labels_of
from playground.training.results import write_report
from playground.training.run_logger import Listener
from playground.training.schedule import warmup_warning
from playground.training.trainer import Trainer

log = logging.getLogger(__name__)
TELL_SECONDS = 0.2


def run(folder: RunFolder, on_event: Listener | None = None, in_queue: bool = False, group: Group = Group()) -> str:
    """Trains the run until it ends, is paused, is stopped or fails; never raises for what a person can mend.

    Args:
        folder: with a ``run.json``; goes on from its latest checkpoint where there is one.
        on_event: told of progress as it is written to the folder.
        in_queue: take a place in the device's queue and wait for the turn (the dispatcher has done that already).
        group: the processes that train together; only the leader writes.

    Returns:
        The state that the run ends in: "finished", "paused", "stopped" or "failed".
    """
    listener = on_event or (lambda kind, value: None)
    if not group.is_main:
        return _train(folder, listener, group)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(folder.hold())
        except PlaygroundError as error:  # the status belongs to whoever trains it
            listener("status", {"state": "failed", "message": error.message, "hint": error.hint})
            return "failed"
        return _run_alone(folder, listener, in_queue, group)


def _run_alone(folder: RunFolder, listener: Listener, in_queue: bool, group: Group) -> str:
    """Trains with the run to itself, and turns what can go wrong into a status."""
    try:
        with _turn(folder, in_queue, listener):
            state = _train(folder, listener, group)
            folder.update_status(state=state)
            return state
    except Cancelled:
        folder.clear_requests()
        folder.update_status(state="stopped")
        return "stopped"
    except UserError as error:
        return _fail(folder, listener, error.message, error.hint)
    except MemoryError:
        return _fail(folder, listener, *OUT_OF_MEMORY)
    except Exception as error:
        if limited_process.is_memory(error):
            return _fail(folder, listener, *OUT_OF_MEMORY)
        if is_full_disk(error):
            return _fail(folder, listener, *FULL_DISK)
        log.error("bug in run %s\n%s", folder.id, traceback.format_exc())
        with contextlib.suppress(OSError), open(folder.log_path, "a") as file:
            file.write(traceback.format_exc())
        return _fail(
            folder,
            listener,
            Message("Something went wrong inside: {error}.", error=error),
            Message("The details are in {log}.", log=f"{folder.path.parent.name}/{folder.id}/{folder.log_path.name}"),
        )


OUT_OF_MEMORY = (
    "There is not enough memory for this model and batch.",
    "Try a smaller batch (or more micro-batches with gradient_accumulation_steps), a shorter context, or a smaller model.",
)


FULL_DISK = (
    "The disk is full, so the training ended.",
    "Free some space (old runs can be deleted), then resume it; what was saved before is whole.",
)


def _fail(folder: RunFolder, listener: Listener, message: str, hint: str) -> str:
    with contextlib.suppress(PlaygroundError, OSError):
        folder.update_status(state="failed", message=message, hint=hint)
    listener("status", {"state": "failed", "message": message, "hint": hint})
    return "failed"


@contextlib.contextmanager
def _turn(folder: RunFolder, in_queue: bool, listener: Listener):
    """Waits for a free place on the device, saying how many are ahead."""
    if not in_queue:
        yield
        return
    device = queue.device_for(folder.config().training.device)

    def waiting(place: int) -> None:
        listener(
            "status",
            {
                "state": "queued",
                "message": Message("Waiting for the {device}: place {place} in the queue.", device=device, place=place),
            },
        )
        submit.revive()  # those before it may wait for a dispatcher
        if _asked_to_end(folder):
            raise Cancelled("Stopped while waiting.")

    folder.update_status(state="queued")
    with queue.slot(device, folder.id, waiting=waiting):
        yield


def _train(folder: RunFolder, listener: Listener, group: Group) -> str:
    if group.is_main:
        folder.update_status(state="preparing", message="")
    prepared = _prepare(folder, listener, group)
    if isinstance(prepared, Prepared):
        check_shape(folder.config(), prepared.shape)
    config = _complete(folder, prepared, group)
    device = choose_device(config.training, group.local_rank)
    with _heartbeat(folder) if group.is_main else contextlib.nullcontext():
        trainer = Trainer(folder, config, prepared, device, group, listener)
        if group.is_main:
            _announce(folder, trainer, listener)
        state = trainer.run()
        if group.is_main and config.finetune and state in ("finished", "stopped"):
            write_report(folder, trainer, listener)
        return state


def _asked_to_end(folder: RunFolder) -> bool:
    """Looks without taking: the trainer takes requests, once it is there."""
    return any(request in ("stop", "pause") for request in folder.pending_requests())


def _announce(folder: RunFolder, trainer: Trainer, listener: Listener) -> None:
    device, prepared, training = trainer.device.describe(), trainer.prepared, trainer.training
    message, steps, cut = Message("Training on {device}.", device=device), training.steps, ""
    if planned := trainer.snapshot_steps:
        parameters = sum(parameter_counts(trainer.config.model).values())
        size = snapshots.size(len(planned), parameters) / 1e6
        kept = Message("{n} snapshots of its weights are kept on the way ({size:,.2f} MB).", n=len(planned), size=size)
        message = sentences(message, kept)
    if isinstance(prepared, Prepared) and prepared.shape == "pairs":
        cut = truncation_warning(prepared, trainer.config.model.context_length, training.objective)
    folder.update_status(
        state="running",
        step=trainer.progress.step,
        steps=steps,
        device=device,
        message="",
        note={"probe": trainer.probability_tracker.tokens, "cut": cut},
    )
    for notice in filter(None, [*prepared.info.get("notes", []), cut, warmup_warning(training)]):
        listener("notice", {"message": notice})
    listener("status", {"state": "running", "message": message, "steps": steps})


Data = Prepared | LabelledSet


def _prepare(folder: RunFolder, listener: Listener, group: Group) -> Data:
    """The tokens: prepared once by the leader, then found in the cache by the others."""
    last = 0.0

    def progress(what: str, share: float) -> None:
        nonlocal last
        if time.monotonic() - last > TELL_SECONDS:
            last = time.monotonic()
            message = Message("{what}: {share:.0%}", what=what, share=share)
            folder.update_status(state="preparing", message=message)
            listener("status", {"state": "preparing", "message": message})

    if group.is_main and (known := _prepared_before(folder)):
        prepared = known
    elif group.is_main:
        stopped = lambda: _asked_to_end(folder)
        prepared = _tokens(folder, progress, stopped)
        if _asked_to_end(folder):
            raise Cancelled("Stopped before training.")
        prepared.tokenizer.save(folder.tokenizer_path)
    path = group.broadcast(prepared.folder if group.is_main else None)
    return prepared if group.is_main else _load(folder, path)


def _tokens(folder: RunFolder, progress: Progress, stopped: Callable[[], bool]) -> Data:
    """The run's text, or its labelled text, in the tokens of the weights that it starts from."""
    config, tokenizer = folder.config(), _known_tokenizer(folder)
    if not _reads_labels(config):
        return prepare(config.data, progress, stopped, tokenizer=tokenizer)
    tuned = config.finetune
    assert tuned is not None and tuned.labelled is not None and tokenizer is not None  # a fine-tuned run has a parent
    data = prepare_labelled(tuned.labelled, tuned.task, tokenizer, config.model.context_length, progress, stopped)
    _write_labels(folder, data)
    return data


def _write_labels(folder: RunFolder, data: LabelledSet) -> None:
    """The labels' names, once; weights that were trained for others must not be read with these.

    Raises:
        PlaygroundError: when the labels have changed since the last checkpoint.
    """
    if folder.checkpoints() and (folder.path / LABELS).exists():
        if labels_of(folder) != list(data.labels):
            raise PlaygroundError("The labels of the text have changed since this run was trained.", "Start a new run.")
        return
    write_json(folder.path / LABELS, list(data.labels))


def _reads_labels(config: RunConfig) -> bool:
    return config.finetune is not None and config.finetune.reads_labels


def _load(folder: RunFolder, path: str) -> Data:
    return (load_labelled if _reads_labels(folder.config()) else load)(path)


def _prepared_before(folder: RunFolder) -> Data | None:
    """The tokens that the run began with: going on needs neither the person's file nor the time to read it again."""
    path = folder.data_folder()
    if not folder.checkpoints() or not path:
        return None
    try:
        return _load(folder, path)
    except PlaygroundError:  # cleaned away, or the run comes from another machine
        return None


def _known_tokenizer(folder: RunFolder):
    """What weights that exist already were trained with; None: learn one.

    A run that goes on (perhaps on another machine, whose text is a little different) keeps its own tokens, a branch its
    parent's, whatever text it goes on with: other ids would make the weights nonsense.
    """
    from playground.runs.store import RunStore
    from playground.text.tokenizers import Tokenizer

    parent = folder.config().parent
    if folder.checkpoints() and folder.tokenizer_path.exists():
        return Tokenizer.load(folder.tokenizer_path)
    return Tokenizer.load(RunStore().get(parent["run"]).tokenizer_path) if parent else None


def _complete(folder: RunFolder, prepared: Data, group: Group) -> RunConfig:
    """The config with the vocabulary size that the tokenizer has."""
    config = folder.config()
    size = prepared.tokenizer.size
    if config.model.vocab_size == size and "data_shape" in folder.about():
        return config
    if config.model.vocab_size not in (0, size) and folder.checkpoints():
        raise PlaygroundError(
            "The text gives {size} different tokens, but the model was trained with {vocab_size}.",
            "The file {name} of the run is missing or another one: put the old one back.",
            size=size,
            vocab_size=config.model.vocab_size,
            name=folder.tokenizer_path.name,
        )
    config = config.replace(model=config.model.replace(vocab_size=size))
    if group.is_main:
        folder.write_config(
            config, data_shape=prepared.shape, data_info=prepared.info, data_folder=str(prepared.folder)
        )
    return config


@contextlib.contextmanager
def _heartbeat(folder: RunFolder):
    """Signs of life from a thread, so that a long step does not look like a dead process."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(1.0):
            folder.beat()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
