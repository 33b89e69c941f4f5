"""The controls of the Build page, and the model they describe: what was chosen, and the last that can be built.

Every control gets its value twice, in the session and as its default: a browser that is still loading a
control when the page runs again would otherwise show the lowest value.
"""

from dataclasses import fields
from typing import Any

import streamlit as st

from models.presets import PRESETS
from models.spec import ModelSpec, SpecError
from playground.core.errors import PlaygroundError
from playground.runs.old_keys import KEYS, with_present_names
from playground.text.spec import BASE_SIZE, LARGEST_VOCABULARY, DataSpec, TokenizerSpec
from playground.ui import links, number_inputs
from playground.ui.choices import HELP, MAIN, NAMES, SENTENCES, TITLES, UNUSUAL, applies, nearest_preset
from playground.ui.controls import control
from playground.ui.language import t
from playground.ui.messages import plain, show
from playground.ui.select import keep, select
from playground.ui.titles import TITLES as ARCHITECTURES

START = "modern-tiny"
RANGES = {
    "d_model": (16, 1024, 16),
    "n_layers": (1, 24, 1),
    "n_heads": (1, 16, 1),
    "context_length": (16, 1024, 16),
}
FIELDS = {field.name: field.type for field in fields(ModelSpec)}
FLOATS = [name for name, kind in FIELDS.items() if kind in (float, float | None)]


def draft() -> ModelSpec:
    """The model as it stands, with the size of the vocabulary: the last choices that could be built."""
    return st.session_state["build.spec"]


def begin() -> None:
    """Takes up the choices of the address, else of this session, else the first preset."""
    query = _asked()
    state = st.session_state
    if "build.values" not in state or (query and query != state.get("build.query")):
        _begin_with(query)
    for name, value in state["build.values"].items():
        state.setdefault(_key(name), value)
    state.setdefault("build.preset", state["draft.preset"])


def _asked() -> dict[str, str]:
    """What the address says of the model."""
    said = with_present_names("model", dict(st.query_params.items()))
    return {name: value for name, value in said.items() if name == "preset" or name in FIELDS}


def _begin_with(query: dict[str, str]) -> None:
    state = st.session_state
    preset = query.get("preset") or state.get("draft.preset") or START
    values = state.get("draft.model") if not query else None
    state["build.told"] = None
    _take(preset if preset in PRESETS else START, values)
    if query.get("preset", START) not in PRESETS:
        message = f"There is no preset {query['preset']!r}."
        state["build.told"] = PlaygroundError(message, f"There are {', '.join(PRESETS)}.")
    _apply(query)


def take_link() -> None:
    """On another page: a model of no preset that the address describes becomes this session's model."""
    query = _asked()
    if set(query) - {"preset"} and query != st.session_state.get("build.query"):
        _begin_with(query)
        st.session_state["build.query"] = query
        if told := st.session_state["build.told"]:
            show(told)


def remember_model(spec: ModelSpec | None, preset: str | None) -> None:
    """On another page: the preset, and a built model's differences from it, into the address."""
    query = {"preset": preset} if preset else {}
    if spec:
        query = {"preset": nearest_preset(spec, preset)}
        query |= _different(spec, query["preset"])
        st.session_state["build.query"] = query
    links.remember(**{name: query.get(name) for name in ("preset", *FIELDS, *KEYS["model"])})


def _key(name: str) -> str:
    return f"build.{name}"


def _take(preset: str, values: dict[str, Any] | None = None) -> None:
    """All values of a preset, or of a model that was made before."""
    state = st.session_state
    values = dict(values or PRESETS[preset].spec.to_dict())
    for name in FLOATS:  # a box takes one kind of number, and JSON may write 10000.0 as 10000
        values[name] = None if values[name] is None else float(values[name])
    values["vocab_size"] = _data().tokenizer.vocab_size
    state["build.values"] = values
    state["draft.preset"] = preset
    for name, value in values.items():
        state[_key(name)] = value
    state["build.preset"] = preset
    _settle()


def _apply(query: dict[str, str]) -> None:
    """The settings of the address: all of them, or those that can be, and a sentence about the others."""
    state = st.session_state
    wanted: dict[str, Any] = {}
    for name in [name for name in FIELDS if name in query and name != "vocab_size"]:
        try:
            wanted[name] = _typed(name, query[name])
        except SpecError as error:
            state["build.told"] = error
    for changes in [wanted, *({name: value} for name, value in wanted.items())]:
        try:
            values = ModelSpec.from_dict({**state["build.values"], **changes}).to_dict()
        except SpecError as error:
            state["build.told"] = error
            continue
        state["build.values"] = values
        state.update({_key(name): value for name, value in changes.items()})
        if changes is wanted:
            break
    else:
        if not wanted:
            return
    _settle()


def _typed(name: str, text: str) -> Any:
    """A setting of the address as the spec types it."""
    from playground.runs.settings import convert

    kinds = {"int": int, "float": float, "bool": bool, "str": str}
    kind = str(getattr(FIELDS[name], "__name__", FIELDS[name])).split(" |")[0]
    return None if text.lower() == "none" else convert(text, kinds[kind], name)


def _data() -> DataSpec:
    try:
        return DataSpec.from_dict(st.session_state["draft.data"])
    except (KeyError, PlaygroundError, SpecError):
        return DataSpec("python-docs")


def _settle(changed: str = "") -> None:
    """Builds the spec from the values; where that cannot be, keeps the last one and the reason."""
    state = st.session_state
    values = state["build.values"]
    try:
        spec = ModelSpec.from_dict(values)
    except SpecError as error:
        state["build.error"] = (changed, error)
        return
    state["build.error"] = None
    state["build.spec"] = spec
    state["draft.model"] = spec.replace(vocab_size=0).to_dict()
    state["draft.preset"] = nearest_preset(spec, state["draft.preset"])


def _changed(name: str) -> None:
    """A control was moved."""
    state = st.session_state
    if name in SENTENCES and keep(_key(name), SENTENCES[name]):
        return
    state["build.told"] = None
    values = state["build.values"]
    values[name] = state[_key(name)]
    if name == "architecture":
        values["bidirectional"] = state["build.bidirectional"] = False
        values["chrono_max_span"] = state["build.chrono_max_span"] = None
    if name == "vocab_size":
        data = _data()
        kind = data.tokenizer.kind if data.tokenizer.kind != "byte" else "bpe"
        state["draft.data"] = data.replace(tokenizer=TokenizerSpec(kind, values[name])).to_dict()
    _settle(name)
    state["build.preset"] = state["draft.preset"]


def _chosen_preset() -> None:
    if keep("build.preset", PRESETS):
        return
    st.session_state["build.told"] = None
    _take(st.session_state["build.preset"])


def preset_box() -> None:
    """Where to start from."""
    names = list(PRESETS)
    with control("build", "preset"):
        select(
            t("Start from"),
            names,
            index=names.index(st.session_state["draft.preset"]),
            key="build.preset",
            on_change=_chosen_preset,
            format_func=_preset_title,
        )
        preset = PRESETS[st.session_state["draft.preset"]]
        st.caption(t(preset.summary))


def _preset_title(name: str) -> str:
    title, _, size = PRESETS[name].title.rpartition(", ")
    return f"{t(title)} · {t(size)}"


def controls() -> None:
    """Every choice about the model, the unusual ones folded away."""
    for name in MAIN:
        if applies(name, st.session_state["build.values"]):
            with control("build", name):
                _control(name)
    error = st.session_state["build.error"]
    with (
        control("build", "unusual"),
        st.expander(t("Unusual choices"), icon=":material/tune:", expanded=bool(error) and error[0] in UNUSUAL),
    ):
        for name in UNUSUAL:
            _control(name)


def _control(name: str) -> None:
    values = st.session_state["build.values"]
    if not applies(name, values):
        return
    look = {"label": t(NAMES[name]), "key": _key(name), "on_change": _changed, "args": (name,)}
    if name in HELP:
        look["help"] = t(HELP[name])
    if name in SENTENCES:
        options = list(SENTENCES[name])
        select(options=options, index=options.index(values[name]), format_func=_choice_title, **look)
        st.caption(t(SENTENCES[name][values[name]]))
    elif name in RANGES:
        low, high, step = RANGES[name]
        value = values[name]
        st.slider(min_value=min(low, value), max_value=max(high, value), value=value, step=step, **look)
    elif isinstance(values[name], bool):
        st.toggle(value=values[name], **look)
    else:
        _number(name, look)
    _error(name)


def _number(name: str, look: dict[str, Any]) -> None:
    look["value"] = st.session_state["build.values"][name]
    if name == "vocab_size":
        st.number_input(min_value=BASE_SIZE, max_value=LARGEST_VOCABULARY, step=256, **look)
    elif name == "dropout":
        st.slider(min_value=0.0, max_value=max(0.9, look["value"]), step=0.05, **look)
    elif name in ("n_kv_heads", "d_mlp"):
        spec = draft()
        usual = spec.kv_heads if name == "n_kv_heads" else spec.mlp_width
        st.number_input(min_value=1, step=1 if name == "n_kv_heads" else 16, placeholder=str(usual), **look)
    elif name == "chrono_max_span":
        st.number_input(min_value=1, step=8, placeholder=t("usual"), **look)
    elif name == "init_std":
        st.number_input(
            min_value=0.0, max_value=10.0, step=0.01, format=number_inputs.FORM, placeholder=t("usual"), **look
        )
    elif name == "logit_softcap":
        st.number_input(min_value=0.0, step=1.0, placeholder=t("no cap"), **look)
    elif name == "norm_eps":
        st.number_input(min_value=0.0, format="%.3g", step=1e-6, **look)
    else:
        st.number_input(min_value=0.0, step=1000.0, format="%.15g", **look)


def _choice_title(value: str) -> str:
    return t(ARCHITECTURES.get(value) or TITLES[value])


def _error(name: str) -> None:
    """The reason why the last change cannot be built, beside the control that made it."""
    error = st.session_state["build.error"]
    if error and error[0] == name:
        show(error[1])


def unplaced_error() -> None:
    """What was wrong in the address, and a reason whose control is not there to stand beside."""
    if told := st.session_state["build.told"]:
        show(told)
    error = st.session_state["build.error"]
    if error and not (error[0] and applies(error[0], st.session_state["build.values"])):
        show(error[1])


def remember() -> None:
    """The preset, and what differs from it, into the address."""
    preset = st.session_state["draft.preset"]
    different = _different(draft(), preset)
    query = {"preset": preset} | different
    links.remember(**{name: None for name in (*FIELDS, *KEYS["model"]) if name not in different}, **query)
    st.session_state["build.query"] = query


def _different(spec: ModelSpec, preset: str) -> dict[str, str]:
    """The settings that differ from a preset's, as an address writes them."""
    base = PRESETS[preset].spec
    return {
        name: str(value)
        for name, value in spec.to_dict().items()
        if value != getattr(base, name) and name != "vocab_size"
    }


__all__ = [
    "begin",
    "controls",
    "draft",
    "plain",
    "preset_box",
    "remember",
    "remember_model",
    "take_link",
    "unplaced_error",
]
