"""What a planned run is called, and what it changes of the one that is looked at, in the person's words."""

from typing import Any

from models.presets import PRESETS
from playground.runs.config import RunConfig
from playground.text import uploads
from playground.text.catalogue import CORPORA
from playground.text.spec import DataSpec
from playground.training.recipes import recipe
from playground.ui.language import t, translated
from playground.ui.titles import READS, TITLES
from playground.ui.url_state import TRAINING_FIELDS

SETTINGS = {
    "steps": "steps",
    "lr": "learning rate",
    "batch_size": "batch size",
    "optimizer": "optimizer",
    "schedule": "decay",
    "warmup_steps": "warm-up",
    "weight_decay": "weight decay",
    "grad_clip": "gradient clipping",
    "mask_rate": "masked tokens",
    "seed": "seed",
}
"""What the settings that people change most are called in a list of changes."""
SAID = ("steps", "lr", "batch_size", "optimizer", "schedule", "weight_decay", "grad_clip", "mask_rate", "seed")
"""Those that tell runs apart by their values."""
FOLLOWING = ("warmup_steps", "eval_every", "sample_every")
"""Settings that follow from others: told only where nothing else changes."""
MOST = 2


def proposed(config: RunConfig) -> str:
    """ "GPT-2 tiny reads the Bible · 1,000 steps": what a run does, until somebody says otherwise; and what is unusual."""
    told = {"model": model_name(config), "steps": config.training.steps}
    corpus = config.data.corpus
    what = t(READS[corpus]) if corpus in READS else f"“{text_name(config.data)}”"
    if corpus.startswith("task-"):
        name = t("{model} learns {what} · {steps:,} steps", what=what, **told)
    else:
        name = t("{model} reads {what} · {steps:,} steps", what=what, **told)
    usual = recipe(config.preset).to_dict() if config.preset in PRESETS else {}
    unusual = [
        each for each in SAID if each != "steps" and _value(config, each) != usual.get(each, _value(config, each))
    ]
    return " · ".join([name, *(_valued(each, _value(config, each)) for each in unusual[:MOST])])


def apart(runs: list[RunConfig]) -> list[str]:
    """What tells runs beside one another apart, for each: "learning rate 0.001"; "" where nothing of that kind does."""
    told: list[list[str]] = [[] for _ in runs]
    for of in (model_name, lambda run: text_name(run.data)):
        if len(names := [of(run) for run in runs]) and len(set(names)) > 1:
            told = [[*before, name] for before, name in zip(told, names, strict=True)]
    for name in SAID:
        if len({_value(run, name) for run in runs}) > 1:
            told = [[*before, _valued(name, _value(run, name))] for before, run in zip(told, runs, strict=True)]
    return [" · ".join(each[:MOST]) for each in told]


def model_name(config: RunConfig) -> str:
    """ "GPT-2 tiny"."""
    if config.preset in PRESETS:
        return translated(PRESETS[config.preset].title).replace(", ", " ").replace("，", " ")
    return t(TITLES[config.model.architecture])


def text_name(data: DataSpec) -> str:
    """What a text is called."""
    if data.corpus in CORPORA:
        return t(CORPORA[data.corpus].title)
    return uploads.display_name(data.path) if data.path else data.corpus


def changes(planned: RunConfig, run: RunConfig) -> list[str]:
    """What a plan changes of a run: ["learning rate 0.003 → 0.001"]; nothing where it is the same."""
    found = []
    if planned.model.replace(vocab_size=0) != run.model.replace(vocab_size=0):
        before, after = model_name(run), model_name(planned)
        found.append(f"{before} → {after}" if before != after else t("the model"))
    if planned.data != run.data:
        before, after = text_name(run.data), text_name(planned.data)
        found.append(f"{before} → {after}" if before != after else t("how the text is read"))
    different = [name for name in TRAINING_FIELDS if _value(planned, name) != _value(run, name)]
    if planned.preset == run.preset:
        settled = [name for name in different if name not in FOLLOWING] or ([] if found else different)
        found += [_told(name, _value(run, name), _value(planned, name)) for name in settled]
    return found


def brief(found: list[str]) -> str:
    """The first of the changes, and how many more there are."""
    more = len(found) - MOST
    told = t(", ").join(found[:MOST])
    return f"{told} + {more}" if more > 0 else told


def _value(config: RunConfig, name: str) -> Any:
    return getattr(config.training, name)


def _valued(name: str, value: Any) -> str:
    return f"{t(SETTINGS[name])} {value:,g}" if isinstance(value, int | float) else f"{t(SETTINGS[name])} {value}"


def _told(name: str, before: Any, after: Any) -> str:
    said = t(SETTINGS[name]) if name in SETTINGS else t("further settings")
    if isinstance(before, int | float) and isinstance(after, int | float):
        return f"{said} {before:,g} → {after:,g}" if name in SETTINGS else said
    return f"{said} {before} → {after}" if name in SETTINGS else said
