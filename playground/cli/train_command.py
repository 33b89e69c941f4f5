"""``python -m playground train``: from text to a trained model, with a live line."""

import argparse
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from models.presets import PRESETS, nearest_preset
from models.spec import ModelSpec, SpecError
from playground.cli.checkpoint import run_at
from playground.core.errors import PlaygroundError, UserError
from playground.core.paths import grant
from playground.runs.branch import branch
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.folder import RunFolder
from playground.runs.settings import check_once, check_own, check_read, given, loose, parse_settings
from playground.runs.store import RunStore
from playground.runs.text_shape import check_shape
from playground.text.catalogue import CORPORA
from playground.text.spec import BASE_SIZE, DataSpec, TokenizerSpec

if TYPE_CHECKING:
    from playground.training.distributed import Group

EXAMPLE = """examples:
  python -m playground train --preset llama-tiny --data python-docs
  python -m playground train --preset lstm-tiny --data novel.txt --tokenizer char --steps 5000
  python -m playground train --preset bert-tiny --data reviews.csv --text-column review --objective mlm
  python -m playground train --preset gru-tiny --data task-recall --option distance=60 --set training.loss_on=completion
  python -m playground train --resume RUN
  torchrun --nproc-per-node=2 -m playground train --preset gpt2-tiny --data python-code
"""
PRESET, DATA = "modern-tiny", "python-docs"
OWN_OPTIONS = {
    "data.corpus": "--data",
    "data.path": "--data",
    "data.options": "--option",
    "data.tokenizer": "--tokenizer",
    "model.vocab_size": "--tokenizer KIND:SIZE",
}


def add_reading(parser: argparse.ArgumentParser) -> None:
    """How a text is read; `finetune` has these too."""
    parser.add_argument("--encoding", metavar="NAME", help="encoding of the file, such as cp1254 (default: detected)")
    parser.add_argument(
        "--option",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="options of a generated task, such as its difficulty",
    )


def add(commands) -> None:
    parser = commands.add_parser(
        "train",
        help="train a model on text",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--preset", metavar="NAME", help=f"the model (default {PRESET}): {', '.join(PRESETS)}")
    parser.add_argument("--data", metavar="NAME|FILE|hf:NAME", help=f"a corpus, a task or a file (default {DATA})")
    parser.add_argument("--text-column", metavar="COLUMN", help="which column of a table holds the text")
    parser.add_argument("--source-column", metavar="COLUMN", help="for pairs: the column of the input")
    parser.add_argument("--target-column", metavar="COLUMN", help="for pairs: the column of the output")
    add_reading(parser)
    parser.add_argument("--tokenizer", metavar="KIND[:SIZE]", help="char, byte, bpe or word, and the vocabulary's size")
    parser.add_argument("--objective", choices=("clm", "mlm", "seq2seq"))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="GROUP.NAME=VALUE",
        help="any setting of model, training or data",
    )
    parser.add_argument("--name", help="name of the run")
    parser.add_argument(
        "--branch-from",
        metavar="RUN[@STEP]",
        help="start from the weights of another run (and continue with its text, unless --data is given)",
    )
    parser.add_argument("--resume", metavar="RUN", help="continue a paused, stopped or interrupted run")
    parser.add_argument("--detach", action="store_true", help="train in the background, in the queue that the app uses")
    parser.add_argument("--quiet", action="store_true", help="print the result only")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from playground.training.distributed import under_torchrun

    folders = lambda: iter([open_folder(options, RunStore())])
    return detach(folders()) if options.detach and not under_torchrun() else train_each(folders, options.quiet)


def detach(folders: Iterator[RunFolder]) -> int:
    """Queues runs for the background."""
    from playground.runs.submit import submit

    for folder in folders:
        submit(folder)
        print(f"{folder.id} is queued; follow it with: python -m playground runs watch {folder.id}")
    return 0


def train_each(
    folders: Callable[[], Iterator[RunFolder]],
    quiet: bool,
    tell: Callable[[list[RunFolder]], None] = lambda done: None,
) -> int:
    """Trains one run after another, in this process or together with the others that torchrun started.

    Args:
        folders: makes the runs; only the leader calls it, the others are told where each is.
        tell: what the leader says when all are finished.
    """
    from playground.training.distributed import exit_together, join_group, leave_group

    group, code, done, noticed = join_group(), 0, [], set()
    try:
        made = folders() if group.is_main else None
        while path := _next_path(made, group):
            folder = RunFolder(Path(path))
            code = train_here(folder, quiet or not group.is_main, group, noticed)
            if code or not group.broadcast(folder.status().state == "finished" if group.is_main else None):
                break
            done.append(folder)
        else:
            if group.is_main:
                tell(done)
        if group.world > 1:
            exit_together(group, code)
        return code
    finally:
        leave_group(group)


def _next_path(made: Iterator[RunFolder] | None, group: "Group") -> str | None:
    """Where the next run is, in every process; None after the last one."""
    path, problem = None, None
    if made is not None:  # the leader
        try:
            folder = next(made, None)
            path = str(folder.path) if folder else None
        except UserError as error:
            problem = (error.message, error.hint)
    path, problem = group.broadcast((path, problem))
    if problem:
        raise PlaygroundError(*problem) if group.is_main else SystemExit(2)
    return path


def open_folder(options: argparse.Namespace, store: RunStore) -> RunFolder:
    """The run to train: an old one to go on with, or a new one from the options."""
    if not options.resume:
        return store.create(config_from(options, store))
    if unread := given(options, *(set(vars(options)) - {"run", "resume", "detach", "quiet"})):
        unread = ", ".join(sorted(unread))
        raise PlaygroundError(
            f"A run goes on with its own settings, so {unread} cannot be changed.",
            f"To train its weights on with others: --branch-from {options.resume}",
        )
    folder = store.own(options.resume)
    status = folder.status()
    if status.is_active or status.queue_place:
        raise PlaygroundError(
            f"{folder.name} is {status.state} already.",
            f"Follow it: python -m playground runs watch {folder.id}",
        )
    folder.clear_requests()  # a stop that was meant for its last life
    return folder


def config_from(options: argparse.Namespace, store: RunStore) -> RunConfig:
    """Preset, recipe and data, changed by whatever the person said."""
    from playground.training.recipes import recipe

    changes = _changes(options)
    parent = _parent(options.branch_from, store) if options.branch_from else None
    preset = options.preset or (nearest_preset(parent.model, parent.preset) if parent else PRESET)
    if preset not in PRESETS:
        raise SpecError(f"There is no preset {preset!r}.", f"There are: {', '.join(PRESETS)}.")
    if parent:
        _check_branch(options, parent)
    if parent and options.data is None:
        data = parent.data.replace(**changes["data"])
    else:
        data = data_from(options, changes["data"])
        data = data.replace(tokenizer=parent.data.tokenizer) if parent else data  # the weights know no other tokens
    model = parent.model if parent else PRESETS[preset].spec
    config = RunConfig(
        name=options.name or f"{preset} on {Path(data.path).stem if data.path else data.corpus}",
        model=model.replace(**changes["model"]),
        data=data,
        training=recipe(preset, **changes["training"]),
        preset=preset,
        parent=parent.parent if parent else None,
    )
    check_shape(config)
    check_read(changes, config)
    return config


def _check_branch(options: argparse.Namespace, parent: RunConfig) -> None:
    """Nothing that was written may be passed over in silence: the parent has the model, the tokens, and perhaps the text."""
    other = options.preset is not None and (
        options.preset != parent.preset
        if parent.preset in PRESETS
        else PRESETS[options.preset].spec.architecture != parent.model.architecture
    )
    fixed = ["--preset"] if other else []
    if options.tokenizer and tokenizer_from(options.tokenizer) != parent.data.tokenizer:
        fixed.append("--tokenizer")
    if fixed:
        raise PlaygroundError(
            f"A branch goes on with the model and the tokens of its parent, so {', '.join(fixed)} cannot be changed.",
            f"Leave out {', '.join(fixed)}; or leave out --branch-from, and train a new run.",
        )
    unread = given(options, "text_column", "source_column", "target_column", "encoding", "option")
    if options.data is None and unread:
        raise PlaygroundError(
            f"Without --data a branch goes on with its parent's text, so {', '.join(unread)} would change nothing.",
            f"Give --data too, or leave out {', '.join(unread)}.",
        )


def tokenizer_from(text: str) -> TokenizerSpec:
    """KIND or KIND:SIZE."""
    kind, _, size = text.partition(":")
    if size and not (size.isascii() and size.isdigit()):
        raise SpecError(f"{size!r} is not a vocabulary size.", "Write for example --tokenizer bpe:2000.")
    if kind == "byte" and size and int(size) != BASE_SIZE:
        raise SpecError(f"The vocabulary of bytes always has {BASE_SIZE} tokens.", "Write --tokenizer byte.")
    return TokenizerSpec(kind, int(size)) if size else TokenizerSpec(kind)


def _changes(options: argparse.Namespace) -> dict[str, dict]:
    """What ``--set`` and the short options say, by group."""
    check_own(options.set, OWN_OPTIONS)
    changes = parse_settings(options.set, {"model": ModelSpec, "training": TrainingSpec, "data": DataSpec})
    check_once(options, changes)
    short = {
        "objective": options.objective,
        "steps": options.steps,
        "lr": options.lr,
        "batch_size": options.batch_size,
        "seed": options.seed,
        "device": options.device,
    }
    changes["training"] = {**{k: v for k, v in short.items() if v is not None}, **changes["training"]}
    return changes


def _parent(which: str, store: RunStore) -> RunConfig:
    """RUN or RUN@STEP as the settings of a branch from there."""
    return branch(*run_at(which, store))


def _file(text: str) -> Path | None:
    """The file or folder of that name, if there is one."""
    try:
        path = Path(text).expanduser().absolute()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):  # a name that cannot be, the home of nobody
        return None


def data_from(options: argparse.Namespace, changes: dict) -> DataSpec:
    name = options.data or DATA
    tokenizer = TokenizerSpec()
    if options.tokenizer:
        tokenizer = tokenizer_from(options.tokenizer)
    elif name in CORPORA:
        tokenizer = TokenizerSpec(CORPORA[name].tokenizer)
    if name in CORPORA or name.startswith("hf:"):
        source = {"corpus": name}
    elif path := _file(name):
        grant(path)
        source = {"corpus": "file", "path": str(path)}
    else:
        raise PlaygroundError(
            f"{name[:200]!r} is neither a corpus nor a file here.",
            f"Corpora: {', '.join(CORPORA)}. Or give the path of a .txt, .csv, .jsonl or .parquet file.",
        )
    columns = given(options, "text_column", "source_column", "target_column")
    if columns and name in CORPORA:
        raise SpecError(f"{name} has no columns to choose.", f"Leave out {', '.join(columns)}.")
    if options.encoding and "path" not in source:
        raise SpecError(f"{name} is no file, so it has no encoding to choose.", "Leave out --encoding.")
    columns = {
        "text_column": options.text_column,
        "source_column": options.source_column,
        "target_column": options.target_column,
        "encoding": options.encoding,
    }
    task_options = {}
    for pair in options.option:
        key, equals, value = pair.partition("=")
        if not equals:
            raise SpecError(f"'{pair}' is not an option.", "Write KEY=VALUE, for example --option distance=60.")
        task_options[key] = loose(value)
    return DataSpec(**{**source, **columns, "options": task_options, "tokenizer": tokenizer, **changes})


def train_here(folder: RunFolder, quiet: bool, group: "Group", noticed: set[str]) -> int:
    """Trains in this process, without the notices that an earlier run has told; Ctrl-C stops after the step at hand and saves."""
    from playground.cli.progress import Progress
    from playground.training.worker import run as work

    progress = Progress(folder, quiet, noticed)

    def stop() -> None:
        progress.note("Stopping after this step (Ctrl-C again gives up at once) ...")
        folder.request("stop")

    def ask_to_stop(signum, frame) -> None:
        """In a thread: what the signal interrupted may be printing, or hold the very lock that a request needs."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if group.is_main:
            threading.Thread(target=stop).start()

    signal.signal(signal.SIGINT, ask_to_stop)
    signal.signal(signal.SIGTERM, ask_to_stop)
    state = work(folder, on_event=progress.on_event, in_queue=True, group=group)
    if group.is_main:
        progress.close(state)
    return {"finished": 0, "paused": 0, "stopped": 0}.get(state, 2)
