"""Turns a run's settings into the command line, or the Python code, that makes the run again."""

import os
import shlex
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from models.presets import PRESETS, nearest_preset
from models.spec import ModelSpec
from playground.core.errors import UserError
from playground.core.paths import is_upload
from playground.runs.config import RunConfig
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.runs.store import RunStore
from playground.runs.unused_settings import unused_settings
from playground.text.catalogue import CORPORA, UNKNOWN
from playground.text.spec import QUESTION, DataSpec, TokenizerSpec

PROGRAM = "python -m playground"
SHORT = {
    "steps": "--steps",
    "lr": "--lr",
    "batch_size": "--batch-size",
    "seed": "--seed",
    "device": "--device",
}
TUNED = {"rank": "--rank", "target_modules": "--target-modules", "last_layers": "--last-layers"}
OF_METHOD = {"lora": ("rank", "target_modules"), "last": ("last_layers",)}
TUNED_TRAINING = {name: SHORT[name] for name in ("steps", "lr", "batch_size", "seed")}
COLUMNS = {
    "text_column": "--text-column",
    "source_column": "--source-column",
    "target_column": "--target-column",
}


def command_line(config: RunConfig) -> str:
    """One line for a shell. Values that a preset, a recipe or a default gives anyway are left out.

    The vocabulary's size is left to the tokenizer, as it was when the run was made.
    """
    from playground.training.recipes import recipe

    if config.finetune:
        return _finetuned(config, config.finetune)
    if config.data.corpus == UNKNOWN and not config.parent:
        return f"{PROGRAM} import FOLDER {shlex.join(_option('--name', config.name))}"
    parent = _parent(config) if config.parent else config
    described = parent if parent.preset in PRESETS else config
    preset = nearest_preset(described.model, described.preset)
    tokenizer = parent.data.tokenizer if config.parent else None  # a branch has its parent's tokens
    data = config.data.replace(tokenizer=tokenizer) if tokenizer else config.data
    words = ["--preset", preset, *_data_words(data, tokenizer), *_option("--name", config.name)]
    settings: list[str] = []
    model = PRESETS[preset].spec
    if config.parent:
        model, words = _branched(config, words, model)
    settings += _settings("model", config.model, model, skip=("vocab_size",))
    usual, planned = recipe(preset), recipe(preset, steps=config.training.steps)
    for name, option in SHORT.items():
        if getattr(config.training, name) != getattr(usual, name):
            words += [option, _text(getattr(config.training, name))]
    if config.training.objective != planned.objective:
        words += ["--objective", config.training.objective]
    settings += _settings("training", config.training, planned, skip=(*SHORT, "objective"))
    settings += _data_settings(config.data)
    return f"{PROGRAM} train {shlex.join([*words, *_set(settings, config)])}"


def _finetuned(config: RunConfig, tuned: FineTuneSpec) -> str:
    """The line of a fine-tuned run."""
    from playground.training.finetune_recipes import DROPOUT, recipe

    assert config.parent is not None
    step, parent = config.parent.get("step"), _parent(config)
    run = config.parent["run"] + (f"@{step}" if step is not None else "")
    words = [run, "--task", tuned.task]
    settings: list[str] = []
    model = parent.model
    if tuned.labelled:
        more, settings = _labelled(tuned.labelled)
        words += more
        model = model if model.dropout else model.replace(dropout=DROPOUT)
    else:
        data = config.data.replace(tokenizer=parent.data.tokenizer)
        words += _data_words(data, parent.data.tokenizer)
        settings = _data_settings(data, skip=("template",) if tuned.task == "answer" else ())
        if tuned.task == "answer" and data.template != QUESTION:
            words += _option("--template", data.template)
    words += ["--method", tuned.method, *_option("--name", config.name)]
    own = OF_METHOD.get(tuned.method, ())  # the command refuses options of other methods
    for name in own:
        if getattr(tuned, name) != getattr(FineTuneSpec, name):
            words += [TUNED[name], _text(getattr(tuned, name))]
    plain = FineTuneSpec(task="language")
    settings += _settings("finetune", tuned, plain, skip=("task", "labelled", "method", *own))
    settings += _settings("model", config.model, model, skip=("vocab_size",))
    planned = recipe(tuned, parent, steps=config.training.steps)
    for name, option in TUNED_TRAINING.items():
        usual = recipe(tuned, parent).steps if name == "steps" else getattr(planned, name)
        if getattr(config.training, name) != usual:
            words += [option, _text(getattr(config.training, name))]
    settings += _settings("training", config.training, planned, skip=tuple(TUNED_TRAINING))
    return f"{PROGRAM} finetune {shlex.join([*words, *_set(settings, config)])}"


def _parent(config: RunConfig) -> RunConfig:
    """What the parent was trained with; where it is gone, the run itself has to stand in for it."""
    assert config.parent is not None
    try:
        return RunStore().get(config.parent["run"]).config()
    except UserError:
        return config


def _labelled(spec: LabelledSpec) -> tuple[list[str], list[str]]:
    """The words and the settings that tell which labelled text is read."""
    words = ["--data", spec.path if spec.dataset == "file" else spec.dataset]
    for name in ("text_column", "label_column"):
        if (value := getattr(spec, name)) is not None:
            words += _option(f"--{name.replace('_', '-')}", value)
    if spec.train_fraction != 1:
        words += ["--train-fraction", _text(spec.train_fraction)]
    plain = LabelledSpec(spec.dataset, path=spec.path)
    return words, _settings(
        "labelled", spec, plain, skip=("dataset", "path", "text_column", "label_column", "train_fraction")
    )


def _branched(config: RunConfig, words: list[str], model: ModelSpec) -> tuple[ModelSpec, list[str]]:
    parent = config.parent
    assert parent is not None
    step = parent.get("step")
    words = [*words, "--branch-from", parent["run"] + (f"@{step}" if step is not None else "")]
    try:
        return RunStore().get(parent["run"]).config().model, words
    except UserError:  # gone: the line tells the truth, and fails with a sentence
        return model, words


def _data_settings(data: DataSpec, skip: tuple[str, ...] = ()) -> list[str]:
    plain = DataSpec(data.corpus, path=data.path)
    return _settings("data", data, plain, skip=("corpus", "path", "options", "tokenizer", *COLUMNS, *skip))


def _data_words(data: DataSpec, usual: TokenizerSpec | None = None) -> list[str]:
    words = ["--data", data.path if data.corpus == "file" else data.corpus]
    for name, option in COLUMNS.items():
        if (value := getattr(data, name)) is not None:
            words += _option(option, value)
    plain = DataSpec(data.corpus, path=data.path).options
    chosen = [f"{key}={value}" for key, value in data.options.items() if plain.get(key) != value]
    if chosen:
        words += ["--option", *chosen]
    if usual is None:
        usual = TokenizerSpec(CORPORA[data.corpus].tokenizer) if data.corpus in CORPORA else TokenizerSpec()
    if data.tokenizer != usual:
        words += ["--tokenizer", f"{data.tokenizer.kind}:{data.tokenizer.vocab_size}"]
    return words


def _option(name: str, value: str) -> list[str]:
    return [f"{name}={value}"] if value.startswith("-") else [name, value]


def _settings(group: str, spec: Any, plain: Any, skip: tuple[str, ...]) -> list[str]:
    """``group.name=value`` for every field that differs."""
    names = [f.name for f in fields(spec) if f.name not in skip]
    return [
        f"{group}.{name}={_text(getattr(spec, name))}" for name in names if getattr(spec, name) != getattr(plain, name)
    ]


def _set(settings: list[str], config: RunConfig) -> list[str]:
    """The settings as words; those that nothing of this run reads change nothing, and the command would refuse them."""
    useless = unused_settings(config)
    kept = [setting for setting in settings if setting.partition("=")[0] not in useless]
    return ["--set", *kept] if kept else []


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return repr(value) if isinstance(value, float) else str(value)


def python_code(config: RunConfig) -> str:
    """A script that makes the run again and trains it, with every choice that is not a default."""
    if config.data.corpus == UNKNOWN and not config.parent:
        return _IMPORTING.format(name=config.name)
    model = config.model.replace(vocab_size=0) if not config.parent else config.model
    parts = [
        f"    name={config.name!r},",
        f"    model={_call(model, '    ')},",
        f"    data={_call(config.data, '    ')},",
    ]
    parts.append(f"    training={_call(config.training, '    ')},")
    if config.preset:
        parts.append(f"    preset={config.preset!r},")
    if config.parent:
        parts.append(f"    parent={config.parent!r},  # whose weights it starts from")
    tuning = ""
    if config.finetune:
        parts.append(f"    finetune={_call(config.finetune, '    ')},")
        tuning = "from playground.runs.finetuning import FineTuneSpec, LabelledSpec\n"
    return _SCRIPT.format(config="\n".join(parts), tuning=tuning, named=_named(config))


def _named(config: RunConfig) -> str:
    """The line that lets the run read a file of this machine which was not brought: whoever runs the script is its owner."""
    labelled = config.finetune.labelled if config.finetune else None
    path = labelled.path if labelled else config.data.path
    if not path or not os.path.isabs(path) or is_upload(path):
        return ""
    return f"    from playground.core.paths import grant\n\n    grant({path!r})\n"


_IMPORTING = """\
from pathlib import Path

from playground.finetune.sandboxed_import import import_sandboxed

print(import_sandboxed(Path("FOLDER"), name={name!r}).id)
"""
_SCRIPT = """\
from models.spec import ModelSpec
from playground.runs.config import RunConfig, TrainingSpec
{tuning}from playground.runs.store import RunStore
from playground.text.spec import DataSpec, TokenizerSpec

config = RunConfig(
{config}
)

if __name__ == "__main__":
    from playground.training.worker import run

{named}    print(run(RunStore().create(config), on_event=print))
"""


def _call(spec: Any, indent: str) -> str:
    """``Spec(name=value, …)`` with what is not a default; corpus options that are defaults go too."""
    inner = []
    for f in fields(spec):
        value = getattr(spec, f.name)
        if f.name == "options":
            usual = DataSpec(spec.corpus, path=spec.path).options
            value = {key: chosen for key, chosen in value.items() if usual.get(key) != chosen}
            default: Any = {}
        else:
            default = (
                f.default
                if f.default is not MISSING
                else f.default_factory()
                if f.default_factory is not MISSING
                else MISSING
            )
        if default is MISSING or value != default:
            shown = _call(value, indent + "    ") if is_dataclass(value) else repr(value)
            inner.append(f"{f.name}={shown}")
    line = f"{type(spec).__name__}({', '.join(inner)})"
    if len(indent) + len(line) < 100:
        return line
    joined = "".join(f"\n{indent}    {part}," for part in inner)
    return f"{type(spec).__name__}({joined}\n{indent})"
