"""``python -m playground train``: from text to a trained model, with a live line."""

import argparse
import signal
from pathlib import Path

from models.presets import PRESETS
from models.spec import ModelSpec, SpecError
from playground.cli.settings import loose, parse_settings
from playground.errors import PlaygroundError
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.text.corpora import CORPORA
from playground.text.spec import DataSpec, TokenizerSpec

EXAMPLE = """examples:
  python -m playground train --preset llama-tiny --data python-docs
  python -m playground train --preset lstm-tiny --data novel.txt --tokenizer char --steps 5000
  python -m playground train --preset bert-tiny --data reviews.csv --text-column review --objective mlm
  python -m playground train --preset gru-tiny --data task-recall --option distance=60 --set training.loss_on=answer
  python -m playground train --resume RUN
  torchrun --nproc-per-node=2 -m playground train --preset gpt2-tiny --data python-code
"""


def add(commands) -> None:
    parser = commands.add_parser(
        "train",
        help="train a model on text",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--preset", default="modern-tiny", metavar="NAME", help=f"the model: {', '.join(PRESETS)}"
    )
    parser.add_argument(
        "--data", default="python-docs", metavar="NAME|FILE|hf:NAME", help="a corpus, a task or a file"
    )
    parser.add_argument("--text-column", metavar="COLUMN", help="which column of a table holds the text")
    parser.add_argument("--source-column", metavar="COLUMN", help="for pairs: which column is read")
    parser.add_argument("--target-column", metavar="COLUMN", help="for pairs: which column is to be written")
    parser.add_argument("--option", nargs="+", default=[], metavar="KEY=VALUE", help="a task's difficulty")
    parser.add_argument(
        "--tokenizer", metavar="KIND[:SIZE]", help="char, byte, bpe or word, and the vocabulary's size"
    )
    parser.add_argument("--objective", choices=("clm", "mlm", "seq2seq"))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="GROUP.NAME=VALUE",
        help="any setting of model, training or data",
    )
    parser.add_argument("--name", help="what to call the run")
    parser.add_argument("--branch-from", metavar="RUN[@STEP]", help="start from the weights of another run")
    parser.add_argument("--resume", metavar="RUN", help="go on with a paused, stopped or interrupted run")
    parser.add_argument(
        "--detach", action="store_true", help="train in the background, in the queue that the app uses"
    )
    parser.add_argument("--quiet", action="store_true", help="print the result only")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from playground.training.distributed import under_torchrun

    if under_torchrun():
        return _run_in_group(options)
    folder = open_folder(options, RunStore())
    if options.detach:
        from playground.runs.submit import submit

        submit(folder)
        print(f"{folder.id} is queued; follow it with: python -m playground runs watch {folder.id}")
        return 0
    return train_here(folder, options.quiet)


def _run_in_group(options: argparse.Namespace) -> int:
    """The leader makes the run folder, the others are told where it is."""
    from playground.training.distributed import join_group, leave_group

    group = join_group()
    try:
        path, problem = None, None
        if group.leads:
            try:
                path = str(open_folder(options, RunStore()).path)
            except (PlaygroundError, SpecError) as error:
                problem = (error.message, error.hint)
        path, problem = group.share((path, problem))
        if problem:
            raise PlaygroundError(*problem) if group.leads else SystemExit(2)
        return train_here(RunFolder(Path(path)), options.quiet or not group.leads, group)
    finally:
        leave_group(group)


def open_folder(options: argparse.Namespace, store: RunStore) -> RunFolder:
    """The run to train: an old one to go on with, or a new one from the options."""
    if options.resume:
        folder = store.get(options.resume)
        folder.clear_requests()  # a stop that was meant for its last life
        return folder
    return store.create(config_from(options, store))


def config_from(options: argparse.Namespace, store: RunStore) -> RunConfig:
    """Preset, recipe and data, changed by whatever the person said."""
    from playground.training.recipes import recipe

    changes = parse_settings(options.set, {"model": ModelSpec, "training": TrainingSpec, "data": DataSpec})
    short = {"objective": options.objective, "steps": options.steps, "lr": options.lr, "batch_size": options.batch_size,
             "seed": options.seed, "device": options.device}  # fmt: skip
    changes["training"] = {**{k: v for k, v in short.items() if v is not None}, **changes["training"]}
    if options.preset not in PRESETS:
        raise SpecError(f"There is no preset {options.preset!r}.", f"There are: {', '.join(PRESETS)}.")
    parent = None
    model = PRESETS[options.preset].spec
    if options.branch_from:
        name, _, step = options.branch_from.partition("@")
        folder = store.get(name)
        parent = {"run": folder.id, "step": int(step) if step else folder.latest_checkpoint()}
        model = folder.config().model
    data = data_from(options, changes["data"])
    return RunConfig(
        name=options.name or f"{options.preset} on {Path(data.path).stem if data.path else data.corpus}",
        model=model.replace(**changes["model"]),
        data=data,
        training=recipe(options.preset, **changes["training"]),
        preset=options.preset,
        parent=parent,
    )


def data_from(options: argparse.Namespace, changes: dict) -> DataSpec:
    tokenizer = TokenizerSpec()
    if options.tokenizer:
        kind, _, size = options.tokenizer.partition(":")
        if size and not size.isdigit():
            raise SpecError(f"{size!r} is not a vocabulary size.", "Write for example --tokenizer bpe:2000.")
        tokenizer = TokenizerSpec(kind, int(size)) if size else TokenizerSpec(kind)
    elif options.data in CORPORA:
        tokenizer = TokenizerSpec(CORPORA[options.data].tokenizer)
    known = options.data in CORPORA or options.data.startswith("hf:")
    if not known and not Path(options.data).expanduser().exists():
        raise PlaygroundError(
            f"{options.data!r} is neither a corpus nor a file here.",
            f"Corpora: {', '.join(CORPORA)}. Or give the path of a .txt, .csv, .jsonl or .parquet file.",
        )
    source = (
        {"corpus": options.data}
        if known
        else {"corpus": "file", "path": str(Path(options.data).expanduser().absolute())}
    )
    columns = {
        "text_column": options.text_column,
        "source_column": options.source_column,
        "target_column": options.target_column,
    }
    task_options = {}
    for pair in options.option:
        key, equals, value = pair.partition("=")
        if not equals:
            raise SpecError(
                f"'{pair}' is not an option.", "Write KEY=VALUE, for example --option distance=60."
            )
        task_options[key] = loose(value)
    return DataSpec(**{**source, **columns, "options": task_options, "tokenizer": tokenizer, **changes})


def train_here(folder: RunFolder, quiet: bool, group=None) -> int:
    """Trains in this process; Ctrl-C stops after the step at hand and saves."""
    from playground.cli.progress import Progress
    from playground.training.worker import run as work

    progress = Progress(folder, quiet)

    def ask_to_stop(signum, frame) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        progress.note("Stopping after this step (Ctrl-C again gives up at once) ...")
        folder.request("stop")

    signal.signal(signal.SIGINT, ask_to_stop)
    signal.signal(signal.SIGTERM, ask_to_stop)
    arguments = {} if group is None else {"group": group}
    state = work(folder, on_event=progress.on_event, in_queue=True, **arguments)
    progress.close(state)
    return {"finished": 0, "paused": 0, "stopped": 0}.get(state, 2)
