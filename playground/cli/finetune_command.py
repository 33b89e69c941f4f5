"""``python -m playground finetune RUN --task …``: from a trained run to a task, alone or beside its rivals."""

import argparse
import statistics
from collections.abc import Iterator
from pathlib import Path

from models.spec import ModelSpec, SpecError
from playground.cli.checkpoint import run_at
from playground.cli.old_flags import add_old_flag
from playground.cli.train_command import add_reading, data_from, detach, train_each
from playground.core.errors import PlaygroundError
from playground.core.paths import grant
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.finetuning import LABELLED_TASKS, METHODS, TASKS, FineTuneSpec, LabelledSpec
from playground.runs.folder import RunFolder
from playground.runs.report import read_report
from playground.runs.settings import check_once, check_own, check_read, given, parse_settings
from playground.runs.store import RunStore
from playground.text.spec import DataSpec
from playground.training.config_to_command import OF_METHOD

EXAMPLE = """examples:
  python -m playground finetune bible-encoder --task classify --data bible-unread
  python -m playground finetune bible-encoder --task classify --data bible-unread --method lora --rank 8
  python -m playground finetune bible-encoder --task classify --data bible-unread --compare scratch,lora --seeds 5
  python -m playground finetune bible-encoder --task classify --data reviews.csv --label-column stars
  python -m playground finetune bible-encoder --task tag --data bible-punctuation
  python -m playground finetune bible-decoder --task language --data python-docs
  torchrun --nproc-per-node=2 -m playground finetune bible-encoder --task classify --data bible-unread
  python -m playground finetune bible-decoder --task answer --data pairs.csv --source-column q --target-column a \\
      --template "Q: {question} A:"
"""

GROUPS = {
    "finetune": FineTuneSpec,
    "labelled": LabelledSpec,
    "training": TrainingSpec,
    "model": ModelSpec,
    "data": DataSpec,
}
OWN_OPTIONS = {
    "finetune.task": "--task",
    "finetune.method": "--method",
    "finetune.labelled": "--data",
    "labelled.dataset": "--data",
    "labelled.path": "--data",
    "data.corpus": "--data",
    "data.path": "--data",
    "data.options": "--option",
}
UNREAD = {  # columns that a task has no use for
    "classify": ("source", "target"),
    "tag": ("source", "target"),
    "language": ("label",),
    "answer": ("text", "label"),
}


def add(commands) -> None:
    parser = commands.add_parser(
        "finetune",
        help="fine-tune a trained run on a task",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parent", metavar="RUN[@STEP]", help="the run to start from")
    parser.add_argument(
        "--task", choices=TASKS, default="classify", help="; ".join(f"{k}: {v}" for k, v in TASKS.items())
    )
    parser.add_argument(
        "--data", required=True, metavar="NAME|FILE", help="labelled text, or a corpus to continue with"
    )
    for name in ("text", "label", "source", "target"):
        parser.add_argument(f"--{name}-column", metavar="COLUMN")
    add_reading(parser)
    parser.add_argument("--template", help='for answer: the prompt template, such as "Q: {question} A:"')
    parser.add_argument(
        "--method", choices=METHODS, default="all", help="; ".join(f"{k}: {v}" for k, v in METHODS.items())
    )
    parser.add_argument("--rank", type=int, help="rank of LoRA (default 8)")
    parser.add_argument(
        "--target-modules",
        metavar="NAME[,NAME…]",
        help="the matrices that LoRA adapts: query,key,value,output,up,down (default all)",
    )
    add_old_flag(parser, "--matrices", "--target-modules")
    parser.add_argument("--last-layers", type=int, help="number of layers for --method last")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--train-fraction", type=float, help="fraction of the labels that is used, above 0 up to 1")
    add_old_flag(parser, "--share", "--train-fraction", type=float)
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="GROUP.NAME=VALUE",
        help="any setting of finetune, labelled, training, model or data",
    )
    parser.add_argument("--compare", metavar="WAYS", help="baselines to train as well: scratch,all,head,last,lora")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds per method (default 1)")
    parser.add_argument(
        "--train-fractions", metavar="F[,F…]", help="train once for each fraction of the labels: 0.1,0.3,1"
    )
    add_old_flag(parser, "--shares", "--train-fractions")
    parser.add_argument("--name", help="name of the run")
    parser.add_argument("--detach", action="store_true", help="train in the background")
    parser.add_argument("--quiet", action="store_true", help="print the result only")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from playground.training.distributed import under_torchrun

    if options.detach and not under_torchrun():
        return detach(folders(options, numbered=False))
    quiet = options.quiet or bool(options.compare) or options.seeds > 1 or "," in (options.train_fractions or "")
    return train_each(lambda: folders(options), quiet, _tell)


def folders(options: argparse.Namespace, numbered: bool = True) -> Iterator[RunFolder]:
    """The runs that the options describe, each made when it is asked for."""
    store = RunStore()
    plans = _plans(config_from(options, store), options, store)
    for number, plan in enumerate(plans, start=1):
        if numbered and len(plans) > 1:
            print(f"[{number} of {len(plans)}] {plan.name}")
        yield store.create(plan)


def config_from(options: argparse.Namespace, store: RunStore) -> RunConfig:
    """The run that the options describe."""
    from playground.finetune.plan import plan

    parent, step = run_at(options.parent, store)
    check_own(options.set, OWN_OPTIONS)
    changes = parse_settings(options.set, GROUPS)
    check_once(options, changes)
    tuned = {"task": options.task, "method": options.method, **changes["finetune"]}
    short = {"rank": options.rank, "last_layers": options.last_layers}
    tuned |= {key: value for key, value in short.items() if value is not None}
    if options.target_modules:
        tuned["target_modules"] = tuple(part.strip() for part in options.target_modules.split(",") if part.strip())
    data = None
    _check_groups(tuned["task"], options, changes)
    if tuned["task"] in LABELLED_TASKS:
        tuned["labelled"] = _labelled(options).replace(**changes["labelled"])
    else:
        template = {"template": options.template} if options.template else {}
        data = data_from(argparse.Namespace(**vars(options), tokenizer=None), template | changes["data"])
    _check_method(tuned["method"], options)
    training = {"steps": options.steps, "lr": options.lr, "batch_size": options.batch_size, "seed": options.seed}
    training = {key: value for key, value in training.items() if value is not None} | changes["training"]
    config = plan(
        parent, FineTuneSpec(**tuned), data, step=step, name=options.name or "", model=changes["model"], **training
    )
    check_read(changes, config, [word.strip() for word in (options.compare or "").split(",")])
    return config


def _check_groups(task: str, options: argparse.Namespace, changes: dict[str, dict]) -> None:
    """Nothing that was written may be passed over in silence."""
    other = "data" if task in LABELLED_TASKS else "labelled"
    if changes[other]:
        raise SpecError(f"The task {task} has no settings of {other}.", f"Leave out --set {other}.…")
    labelled = task in LABELLED_TASKS
    names = [f"{name}_column" for name in UNREAD[task]] + (
        ["option"] if labelled else ["train_fraction", "train_fractions"]
    )
    if unread := given(options, *names, *([] if task == "answer" else ["template"])):
        raise SpecError(f"The task {task} does not read {', '.join(unread)}.", f"Leave out {', '.join(unread)}.")
    if options.train_fractions is not None and (
        options.train_fraction is not None or "train_fraction" in changes["labelled"]
    ):
        raise SpecError(
            "--train-fraction and --train-fractions both say how much of the labels is used.", "Give one of the two."
        )
    if options.seeds < 1:
        raise SpecError(f"--seeds cannot be {options.seeds:,}.", "Choose a whole number from 1.")


def _check_method(method: str, options: argparse.Namespace) -> None:
    """Options of a method that neither the run nor one of its rivals uses."""
    used = {method, *(word.strip() for word in (options.compare or "").split(","))}
    for of, names in OF_METHOD.items():
        if of not in used and (unread := given(options, *names)):
            words = ", ".join(unread)
            raise SpecError(
                f"The method {method} does not read {words}.", f"Leave out {words}, or choose --method {of}."
            )


def _labelled(options: argparse.Namespace) -> LabelledSpec:
    """A built-in set of that name, else the file of that name."""
    from playground.labelled.builtin_datasets import DATASETS

    columns = {"text_column": options.text_column, "label_column": options.label_column, "encoding": options.encoding}
    fraction = {} if options.train_fraction is None else {"train_fraction": options.train_fraction}
    if options.data in DATASETS:
        if options.encoding:
            raise SpecError(f"{options.data} is no file, so it has no encoding to choose.", "Leave out --encoding.")
        if unread := given(options, "text_column", "label_column"):
            raise SpecError(f"{options.data} has no columns to choose.", f"Leave out {', '.join(unread)}.")
        return LabelledSpec(options.data, **fraction)
    if Path(options.data).expanduser().is_file():
        grant(options.data)
        return LabelledSpec("file", path=str(Path(options.data).expanduser().absolute()), **columns, **fraction)
    raise PlaygroundError(
        f"{options.data[:200]!r} is neither labelled text nor a file here.",
        f"Built in: {', '.join(DATASETS)}. Or give the path of a .csv, .jsonl or .parquet file.",
    )


def _plans(config: RunConfig, options: argparse.Namespace, store: RunStore) -> list[RunConfig]:
    """Every run to train: rivals × fractions of the labels × seeds."""
    from playground.finetune.plan import baseline_run, parent_of, with_seed, with_train_fraction

    parent = parent_of(config).config()
    rivals = [word.strip() for word in (options.compare or "").split(",") if word.strip()]
    plans = [config, *(baseline_run(config, which, parent) for which in rivals)]
    if options.train_fractions:
        if config.finetune is None or config.finetune.labelled is None:
            raise SpecError("--train-fractions is for tasks with labels.")
        try:
            fractions = [float(word) for word in options.train_fractions.split(",")]
        except ValueError:
            raise SpecError(
                f"{options.train_fractions!r} is no list of fractions.",
                "Write for example --train-fractions 0.1,0.3,1.",
            ) from None
        plans = [with_train_fraction(plan, fraction, parent) for plan in plans for fraction in fractions]
    if options.seeds > 1:
        first = config.training.seed
        plans = [with_seed(plan, first + seed) for plan in plans for seed in range(options.seeds)]
    return plans


def _tell(done: list[RunFolder]) -> None:
    """The results: one line per method, with mean and standard deviation over seeds, and the linear baseline."""
    found = [(folder, report) for folder in done if (report := read_report(folder))]
    if not found:
        return
    done, reports = [folder for folder, _ in found], [(folder.config(), report) for folder, report in found]
    if "test" not in reports[0][1]:
        _tell_language(done, reports)
        return
    groups: dict[str, list[tuple[RunConfig, dict]]] = {}
    for config, report in reports:
        tuned = config.finetune
        assert tuned is not None and tuned.labelled is not None  # it was tested on labelled text
        way = "from scratch" if tuned.from_scratch else METHODS[tuned.method]
        groups.setdefault(f"{way}, {tuned.labelled.train_fraction:.0%} of the labels", []).append((config, report))
    print(f"\n{'':58} {'accuracy':>16} {'macro F1':>16}  trained parameters")
    for way, members in groups.items():
        figures = [_spread([report["test"][name] for _, report in members]) for name in ("accuracy", "macro_f1")]
        trained, total = members[0][1]["trained_parameters"], members[0][1]["parameters"]
        print(f"{way:58} {figures[0]:>16} {figures[1]:>16}  {trained:,} of {total:,}")
    _tell_baseline(done[0])
    _tell_forgetting(reports[0][1])
    print(f"on {reports[0][1]['test']['n']:,} test examples that no run has seen")


def _spread(values: list[float]) -> str:
    mean = statistics.mean(values)
    return f"{mean:.1%}" if len(values) == 1 else f"{mean:.1%} ± {statistics.stdev(values):.1%}"


def _tell_baseline(folder: RunFolder) -> None:
    from playground.labelled.baseline import baseline
    from playground.labelled.prepare import load_labelled

    tuned, prepared = folder.config().finetune, folder.data_folder()
    assert tuned is not None and tuned.labelled is not None and prepared is not None  # it has just been tested
    found = baseline(load_labelled(prepared), tuned.labelled)
    print(f"{'TF-IDF + logistic regression, for comparison':58} {found['accuracy']:>16.1%} {found['macro_f1']:>16.1%}")


def _tell_forgetting(report: dict) -> None:
    forgetting = report.get("forgetting", {})
    if "before" in forgetting:
        before, after = forgetting["before"], forgetting["after"]
        print(f"loss on the text of pre-training ({forgetting['text']}): {before:.3f} → {after:.3f} nats per token")


def _tell_language(done: list[RunFolder], reports: list[tuple[RunConfig, dict]]) -> None:
    for folder, (config, report) in zip(done, reports):
        status = folder.status()
        print(f"{config.name}: validation loss {status.val_loss:.4f}" if status.val_loss else config.name)
        _tell_forgetting(report)
