"""The model that this session builds, its draft: the values that were chosen, and the last model they describe that can be
built. The Build page changes it, the Train page trains it, and both pages keep it in their address.
"""

from typing import Any

import streamlit as st

from models.presets import PRESETS, nearest_preset
from models.spec import ModelSpec, SpecError
from playground.core.errors import Message, PlaygroundError
from playground.text.spec import DataSpec, TokenizerSpec
from playground.ui import url_state
from playground.ui.language import language
from playground.ui.messages import show
from playground.ui.url_state import MODEL_FIELDS as FIELDS

START = "llama-tiny"
"""The model to begin with: small, and the one that writes readable stories soonest (`tests.benchmarks.stories`)."""
USUAL = {
    "zh": DataSpec("little-stories-zh", tokenizer=TokenizerSpec("word", 1024)),
    "en": DataSpec("little-stories", tokenizer=TokenizerSpec("word", 1024)),
}
"""The texts to begin with, by language: simple words, ready in a second, readable after seconds of training."""
FLOATS = [name for name, kind in FIELDS.items() if kind in (float, float | None)]


def draft() -> ModelSpec:
    """The model as it stands, with the size of the vocabulary: the last choices that could be built."""
    return st.session_state["build.spec"]


def begin() -> None:
    """Takes up the choices of the address, else of this session, else the first preset."""
    query = _asked("build")
    state = st.session_state
    if "build.values" not in state or (query and query != state.get("build.query")):
        _begin_with(query)
    for name, value in state["build.values"].items():
        state.setdefault(key_of(name), value)
    state.setdefault("build.preset", state["draft.preset"])


def _asked(page: str) -> dict[str, str]:
    """What the address says of the model."""
    return {name: said for name in ("preset", *FIELDS) if (said := url_state.text(page, name))}


def _begin_with(query: dict[str, str]) -> None:
    state = st.session_state
    preset = query.get("preset") or state.get("draft.preset") or START
    values = state.get("draft.model") if not query else None
    state["build.told"] = None
    take_preset(preset if preset in PRESETS else START, values)
    if query.get("preset", START) not in PRESETS:
        message = Message("There is no preset {preset!r}.", preset=query["preset"])
        state["build.told"] = PlaygroundError(message, "There are {presets}.", presets=", ".join(PRESETS))
    _apply(query)


def take_link() -> None:
    """On another page: a model of no preset that the address describes becomes this session's model."""
    query = _asked("train")
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
        query |= differences(spec, query["preset"])
        st.session_state["build.query"] = query
    url_state.remember("train", **{name: query.get(name) for name in ("preset", *FIELDS)})


def key_of(name: str) -> str:
    return f"build.{name}"


def take_preset(preset: str, values: dict[str, Any] | None = None) -> None:
    """All values of a preset, or of a model that was made before."""
    state = st.session_state
    values = dict(values or PRESETS[preset].spec.to_dict())
    for name in FLOATS:  # a box takes one kind of number, and JSON may write 10000.0 as 10000
        values[name] = None if values[name] is None else float(values[name])
    values["vocab_size"] = drafted_data().tokenizer.vocab_size
    state["build.values"] = values
    state["draft.preset"] = preset
    for name, value in values.items():
        state[key_of(name)] = value
    state["build.preset"] = preset
    settle()


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
        state.update({key_of(name): value for name, value in changes.items()})
        if changes is wanted:
            break
    else:
        if not wanted:
            return
    settle()


def _typed(name: str, text: str) -> Any:
    """A setting of the address as the spec types it."""
    from playground.runs.settings import convert

    kinds = {"int": int, "float": float, "bool": bool, "str": str}
    kind = str(getattr(FIELDS[name], "__name__", FIELDS[name])).split(" |")[0]
    return None if text.lower() == "none" else convert(text, kinds[kind], name)


def drafted_data() -> DataSpec:
    try:
        return DataSpec.from_dict(st.session_state["draft.data"])
    except (KeyError, PlaygroundError, SpecError):
        return usual_data()


def usual_data() -> DataSpec:
    """The text to begin with, in the person's language."""
    return USUAL.get(language(), USUAL["en"])


def settle(changed: str = "") -> None:
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
    state["draft.preset"] = _preset_after(spec, state["draft.preset"])


def _preset_after(spec: ModelSpec, before: str) -> str:
    """The preset to go on from: of another architecture that becomes a decoder, the one with the best recipe."""
    if spec.architecture == "decoder" and PRESETS[before].spec.architecture != "decoder":
        return "modern-" + nearest_preset(spec).rpartition("-")[2]
    return nearest_preset(spec, before)


def remember() -> None:
    """The preset, and what differs from it, into the address."""
    preset = st.session_state["draft.preset"]
    different = differences(draft(), preset)
    query = {"preset": preset} | different
    url_state.remember("build", **{name: None for name in FIELDS if name not in different}, **query)
    st.session_state["build.query"] = query


def differences(spec: ModelSpec, preset: str) -> dict[str, str]:
    """The settings that differ from a preset's, as an address writes them."""
    base = PRESETS[preset].spec
    return {
        name: str(value)
        for name, value in spec.to_dict().items()
        if value != getattr(base, name) and name != "vocab_size"
    }
