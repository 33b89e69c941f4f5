"""The controls of the Build page; what they make stands in `ui.model_draft`.

Every control gets its value twice, in the session and as its default: a browser that is still loading a
control when the page runs again would otherwise show the lowest value.
"""

from typing import Any

import streamlit as st

from models.presets import PRESETS
from playground.pages.build.settings import HELP, SENTENCES, TITLES, UNUSUAL, applies
from playground.text.spec import BASE_SIZE, LARGEST_VOCABULARY, TokenizerSpec
from playground.ui import number_inputs
from playground.ui.controls import control
from playground.ui.language import t
from playground.ui.messages import show
from playground.ui.model_draft import draft, drafted_data, key_of, settle, take_preset
from playground.ui.model_settings import MAIN, NAMES
from playground.ui.select import keep, select
from playground.ui.titles import TITLES as ARCHITECTURES

RANGES = {
    "d_model": (16, 1024, 16),
    "n_layers": (1, 24, 1),
    "n_heads": (1, 16, 1),
    "context_length": (16, 1024, 16),
}


def _changed(name: str) -> None:
    """A control was moved."""
    state = st.session_state
    if name in SENTENCES and keep(key_of(name), SENTENCES[name]):
        return
    state["build.told"] = None
    values = state["build.values"]
    values[name] = state[key_of(name)]
    if name == "architecture":
        values["bidirectional"] = state["build.bidirectional"] = False
        values["chrono_max_span"] = state["build.chrono_max_span"] = None
    if name == "vocab_size":
        data = drafted_data()
        kind = data.tokenizer.kind if data.tokenizer.kind != "byte" else "bpe"
        state["draft.data"] = data.replace(tokenizer=TokenizerSpec(kind, values[name])).to_dict()
    settle(name)
    state["build.preset"] = state["draft.preset"]


def _chosen_preset() -> None:
    if keep("build.preset", PRESETS):
        return
    st.session_state["build.told"] = None
    take_preset(st.session_state["build.preset"])


def preset_box() -> None:
    """Where to start from."""
    names = list(PRESETS)
    with control("build", "preset", "content"):
        select(
            t("Start from"),
            names,
            index=names.index(st.session_state["draft.preset"]),
            key="build.preset",
            on_change=_chosen_preset,
            format_func=_preset_title,
            label_visibility="collapsed",
            width=300,
        )


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
        st.expander(t("More settings"), icon=":material/tune:", expanded=bool(error) and error[0] in UNUSUAL),
    ):
        for name in UNUSUAL:
            _control(name)


def _control(name: str) -> None:
    values = st.session_state["build.values"]
    if not applies(name, values):
        return
    look = {"label": t(NAMES[name]), "key": key_of(name), "on_change": _changed, "args": (name,)}
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
