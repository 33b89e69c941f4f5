"""The state that stands in a page's address, so that a link opens what its sender saw: one table of all parameters.

Every parameter has a row in `PARAMETERS`: its name, type and default, the pages that have it, and the control that
chooses it. A link can hide controls and pages (``?hide=build,train.steps``, see `CONTROLS`), so that a lesson shows a
class only what it is about. Names of earlier versions stand in the rows as `old_names`: they are read, never written.
"""

from dataclasses import dataclass, field, fields
from typing import Any, get_type_hints

import streamlit as st

from models.spec import ModelSpec
from playground.runs.config import TrainingSpec
from playground.runs.old_keys import old_names
from playground.ui.model_settings import MAIN, NAMES

PAGES = ("home", "build", "data", "train", "finetune", "runs", "generate", "explore", "export")
LONGEST_TEXT = 500
"""Characters of a typed text that an address carries; a longer one is left out."""
LONGEST = 50_000
"""Characters of one parameter that are read; browsers and servers take addresses of about that length."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of an address.

    Attributes:
        name: in the address.
        type: str, int (0 or more), float, bool ("1" or "0") or tuple ("a,b").
        default: what holds where the address says nothing, and is then left out of it. None: the run, the model or the
            recipe decides, and the page passes None for what it leaves out.
        pages: the pages that have it; every page where there are none.
        control: the control of `CONTROLS` that chooses it, if that can be hidden.
        old_names: names of earlier versions. They are read where the name is missing, and never written.
        old_values: values of earlier versions, and what they are today.
    """

    name: str
    type: type = str
    default: Any = None
    pages: tuple[str, ...] = ()
    control: str = ""
    old_names: tuple[str, ...] = ()
    old_values: dict[str, str] = field(default_factory=dict)

    def parse(self, text: str) -> Any:
        """The value that a text of the address stands for; the default where it stands for none of this type."""
        if not text:
            return () if self.type is tuple else self.default
        if self.type is bool:
            return {"1": True, "0": False}.get(text, self.default)
        if self.type is int:
            number = whole(text)
            return self.default if number is None else number
        if self.type is float:
            try:
                return float(text)
            except ValueError:
                return self.default
        return tuple(dict.fromkeys(filter(None, text.split(",")))) if self.type is tuple else text

    def write(self, value: Any) -> str:
        """A value as the address has it; "" for the default and for None, which stand in no address."""
        if value is None or value == self.default:
            return ""
        if isinstance(value, bool):
            return str(int(value))
        return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _rows(page: str, *rows: tuple) -> list[Parameter]:
    """Rows of one page, each (name, type, default, control); the last two can be left out."""
    return [Parameter(row[0], row[1], *(row[2:3] or (None,)), (page,), *row[3:4]) for row in rows]


MODEL_FIELDS = {each.name: each.type for each in fields(ModelSpec)}
TRAINING_FIELDS = {
    name: kind
    for name, kind in get_type_hints(TrainingSpec).items()
    if name not in ("objective", "muon_lr", "eval_batches", "sample_max_new_tokens", "checkpoint_seconds", "keep_steps")
}
"""What the form of the Train page asks for; all else follows from it."""
_OLD = {group: old_names(group) for group in ("model", "training")}  # name → the one of earlier versions


def _setting(group: str, name: str, page: str, control: str) -> Parameter:
    """A field of a spec. Its text is converted by the spec's own rules, which say what is wrong with it."""
    return Parameter(name, str, None, (page,), control, (_OLD[group][name],) if name in _OLD[group] else ())


# Control of a training setting, where it is not among "More settings".
_TRAINING_CONTROLS = {"steps": "steps", "lr": "lr", "batch_size": "batch"}
_TEXT = (  # and the control on the Data page
    ("corpus", str, "corpus"),
    ("file", str, "corpus"),
    ("encoding", str, "encoding"),
    ("column", str, "corpus"),
    ("source", str, "corpus"),
    ("target", str, "corpus"),
    ("tokenizer", str, "tokenizer"),
    ("vocabulary", int, "tokenizer"),
    ("limit", int, "limit"),
    ("options", tuple, "corpus"),
)
# fmt: off
PARAMETERS: tuple[Parameter, ...] = (
    # every page
    Parameter("lang"),                       # en or zh; the browser's own language is left out
    Parameter("present", bool, False),       # presentation mode
    Parameter("hide", tuple),                # names of pages and controls
    Parameter("run", control="run"),
    Parameter("step", int, control="step"),  # of the checkpoint
    # a model that was built, and how it is trained
    *_rows("build", ("preset", str, None, "preset")),
    *(_setting("model", name, "build", name if name in MAIN else "unusual") for name in MODEL_FIELDS),
    *_rows("train", ("preset", str, None, "model")),
    *(_setting("model", name, "train", "model") for name in MODEL_FIELDS),
    *(_setting("training", name, "train", _TRAINING_CONTROLS.get(name, "more")) for name in TRAINING_FIELDS),
    *_rows(
        "train",
        ("keep", str, None, "more"),         # how many checkpoints are kept along the way
        ("parent", str),                     # RUN@STEP whose weights a branch starts from
        ("like", str),                       # the run whose settings the form starts with
        ("with", tuple, None, "compare"),    # runs drawn beside it
        ("picture", str, "curve", "picture"),
        ("look", str, "values", "picture"),  # what the picture of the model shows
        ("read", str, None, "picture"),      # the text that it is of
        ("pin", tuple),                      # tensors that stay above it
    ),
    # a text and how it is cut, on the Data page and on the Train page
    *_rows("data", *((name, kind, None, control) for name, kind, control in _TEXT)),
    *_rows("train", *((name, kind, None, "text") for name, kind, _ in _TEXT)),
    *_rows("data", ("view", str, "sample", "view")),
    *_rows("home", ("text", str)),
    *_rows("runs", ("runs", tuple), ("view", str, "curves")),
    *_rows(
        "generate",
        ("prompt", str),
        ("end", bool, True, "stop"),         # whether <eos> ends the text
        ("stop", str, None, "stop"),
        ("seed", int, None, "stop"),
        ("t", float, None, "sampling"),      # temperature
        ("k", float, None, "sampling"),      # top-k
        ("p", float, None, "sampling"),      # top-p
        ("m", float, None, "sampling"),      # min-p
        ("r", float, None, "sampling"),      # repetition penalty
    ),
    *_rows(
        "finetune",
        ("parent", str, None, "parent"),
        ("task", str, None, "task"),
        ("data", str, None, "text"),
        ("file", str, None, "text"),
        ("encoding", str, None, "text"),
        ("method", str, "all", "method"),
        ("text", str),
        ("cell", str),                       # of the confusion matrix: "TRUE-PREDICTED"
    ),
    Parameter("view", pages=("finetune",), old_values={"gained": "pretraining"}),
    *_rows("export", ("view", str, "sizes", "view")),
    *_rows(
        "explore",
        ("view", str, None, "view"),
        ("text", str, None, "text"),
        ("target", str, None, "text"),       # what is written in answer, of pairs
        ("look", str),                       # the aspect that a view shows
        ("part", str),                       # self, cross, decoder or encoder attention
        ("layer", str),
        ("head", int),
        ("place", int),                      # the position looked at
        ("cell", str),
        ("n", int),
        ("way", str), ("draw", str), ("more", int), ("with", str), ("texts", int), ("then", int),
        ("at", int),                         # the step, in old links: read, never written
        ("pieces", bool),                    # of words, each by itself
        *((f"{name}{i}", str) for i in range(1, 5) for name in ("other", "target")),
        ("beside", tuple),                   # runs to compare with
        ("how", str), ("off", tuple), ("places", tuple), ("mlps", tuple), ("other", str), ("other_target", str),
        ("gate", str), ("level", int), ("units", tuple), ("on", bool),
        ("d", int), ("channels", tuple), ("when", str), ("table", str), ("m", int), ("seed", int),
        ("colour", str), ("near", int), ("kind", str),
        ("signal", str), ("order", str), ("unit", int), ("all", bool), ("span", str), ("untrained", bool),
        ("pin", tuple),
        ("example", str), ("scaling", bool), ("causal", bool), ("query", int), ("key", int), ("numbers", str),
    ),
)
# fmt: on

CONTROLS: dict[str, dict[str, str]] = {
    "home": {"run": "The model", "ways": "Next steps"},
    "build": {
        "preset": "Start from",
        **{name: NAMES[name] for name in MAIN},
        "unusual": "More settings",
        "train": "Train this",
    },
    "data": {
        "corpus": "Text",
        "encoding": "Encoding",
        "limit": "Read",
        "tokenizer": "Tokenizer",
        "view": "View",
    },
    "train": {
        "model": "Model",
        "text": "Text",
        "steps": "Steps",
        "lr": "Learning rate",
        "batch": "Batch size (sequences per step)",
        "more": "More settings",
        "name": "Name",
        "steering": "Pause, stop, branch",
        "picture": "Picture",
        "race": "Compare with the architecture",
        "compare": "Compare with",
    },
    "runs": {"load": "Load a run", "filter": "Search", "actions": "Rename, duplicate, delete"},
    "generate": {
        "run": "Run",
        "step": "Checkpoint",
        "sampling": "Sampling",
        "beam": "Beam search",
        "stop": "Stop condition",
    },
    "finetune": {
        "parent": "Start from",
        "task": "Task",
        "text": "Text",
        "method": "Method",
        "more": "More settings",
        "steps": "Steps",
        "lr": "Learning rate",
        "batch": "Batch size (sequences per step)",
        "seed": "Seed",
        "beside": "Baselines, with the same budget",
        "shares": "Also with 10 % and 30 % of the labels",
    },
    "explore": {"run": "Run", "step": "Checkpoint", "text": "Your text", "view": "View"},
    "export": {
        "run": "Run",
        "step": "Checkpoint",
        "weights": "Weights",
        "attentions": "Include attention weights as outputs",
        "offline": "Demo page without network",
        "zip": "Download everything (.zip)",
        "view": "View",
    },
}
"""The controls of each page that a link can hide, by what a person reads there."""

KEPT = ("lang", "present", "hide")
"""What stays in the address whichever page is opened."""
UNKNOWN = object()
_TABLE = {(page, row.name): row for row in PARAMETERS for page in (row.pages or PAGES)}
_EVERYWHERE = {row.name: row for row in PARAMETERS if not row.pages}


def parameter(page: str, name: str) -> Parameter:
    """The row of a parameter.

    Args:
        page: by name ("train"); "" for a parameter that every page has.

    Raises:
        KeyError: when the table has no such row.
    """
    return _TABLE[page, name] if page else _EVERYWHERE[name]


def text(page: str, name: str) -> str:
    """What the address says, as it is written there; "" where it says nothing.

    Raises:
        KeyError: when the table has no such parameter.
    """
    row = parameter(page, name)
    said = next((st.query_params[each] for each in (name, *row.old_names) if st.query_params.get(each)), "")
    return row.old_values.get(said, said)[:LONGEST]


def read(page: str, name: str) -> Any:
    """What the address says, in the parameter's type; the default where it says nothing, or nothing of that type.

    Raises:
        KeyError: when the table has no such parameter.
    """
    return parameter(page, name).parse(text(page, name))


def whole(text: str) -> int | None:
    """The whole number that a part of an address is; None where it is none ("²" is none) or no number of ours."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def query(page: str, values: dict[str, Any]) -> dict[str, str]:
    """The parameters of an address of a page, and what is kept from page to page. None and defaults are left out.

    Raises:
        KeyError: when the table has no such parameter.
    """
    written = {name: parameter(page, name).write(value) for name, value in values.items()}
    return {**kept(), **{name: value for name, value in written.items() if value}}


def kept() -> dict[str, str]:
    """What the present address says that stays whichever page is opened."""
    return {name: st.query_params[name] for name in KEPT if name in st.query_params}


def remember(page: str, **values: Any) -> None:
    """Writes choices into the page's address; None and the default take one out. Free when they are there already.

    Raises:
        KeyError: when the table has no such parameter.
    """
    rows = {name: parameter(page, name) for name in values}
    wanted = {old: "" for row in rows.values() for old in row.old_names}
    _write(wanted | {name: row.write(values[name]) for name, row in rows.items()})


def opened(page: str) -> None:
    """Says at each run which page it draws. Another page than before tells the browser its whole address again: what the page
    before told may have reached the browser after it left that page, and stand in the address of this one.
    """
    before = st.session_state.setdefault("links.page", page)
    if before != page:
        st.session_state["links.page"] = page
        st.query_params.update({})  # tells all, also without a change


def _write(wanted: dict[str, str]) -> None:
    """Whether they are there already is asked of the address that the browser had when it sent the last click, and of what
    it was told last: it may not have heard of that yet. A run that ends while it tells, since a next click waits, leaves
    unknown what was told.
    """
    told = st.session_state.setdefault("links.told", {})
    there = lambda name, value: st.query_params.get(name, "") == value == told.get(name, value)
    changed = {name: value for name, value in wanted.items() if not there(name, value)}
    if not changed:
        return
    told.update(dict.fromkeys(changed, UNKNOWN))
    for name in [name for name, value in changed.items() if not value and name in st.query_params]:
        del st.query_params[name]
    # Tells all, also without a change.
    st.query_params.update({name: value for name, value in changed.items() if value})
    told.update(changed)
