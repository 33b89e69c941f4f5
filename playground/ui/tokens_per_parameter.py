"""Is a text enough for a model? Its tokens against the model's parameters, as a scale, a sentence and a way on.

Two published measures mark the scale. About 20 tokens per parameter, each read once, make the most of a given amount of
arithmetic (Hoffmann et al. 2022); a text that is read up to four times teaches almost as much as new text would
(Muennighoff et al. 2023), so that 5 tokens per parameter can stand for 20.

Measured here (modern-tiny, 1.05 M parameters, 1,000 steps on parts of asv-bible): with 0.007 tokens per parameter the
validation loss rises from the start (6.4 to 8.5); with 0.06 it is lowest after 3 readings (4.3) and ends at 5.2; with 1.1,
of which it reads two thirds, it still fell at step 800.
"""

from dataclasses import dataclass
from math import floor, log10

import streamlit as st

from models.parameter_counts import parameter_counts
from models.presets import PRESETS
from models.spec import ModelSpec, SpecError
from playground.core.errors import PlaygroundError
from playground.runs.config import TrainingSpec
from playground.text.prepare import Prepared, find, load
from playground.text.spec import DataSpec
from playground.text.statistics import Estimate
from playground.ui import links
from playground.ui.colours import ARCHITECTURE
from playground.ui.components.gauge import gauge
from playground.ui.language import joined, t, translated
from playground.ui.model_draft import START
from playground.ui.number_format import bytes_of, large

SCALE = (1e-4, 100.0)  # tokens per parameter, from end to end
MARKS = (0.1, 1.0, 5.0, 20.0)
FAR_TOO_LITTLE, LITTLE, ENOUGH, PLENTY = MARKS
SMALLER = {"d_model": 64, "n_layers": 2, "n_heads": 2}  # below every preset


@dataclass(frozen=True)
class Suggestion:
    """A model that suits a text better: a preset, and what to change of it."""

    preset: str
    changes: dict[str, int]
    parameters: int


def drafted() -> tuple[ModelSpec, str]:
    """The model of this session, from Build, and the preset it began with."""
    state = st.session_state
    preset = state.get("draft.preset") if state.get("draft.preset") in PRESETS else START
    try:
        return ModelSpec.from_dict(state["draft.model"]), preset
    except (KeyError, TypeError, SpecError):
        return PRESETS[preset].spec, preset


def name_of(model: ModelSpec, preset: str) -> str:
    return translated(PRESETS[preset].title) if model == PRESETS[preset].spec else t("The model drawn under Model")


def parameters(spec: ModelSpec, vocabulary: int) -> int:
    return sum(parameter_counts(spec.replace(vocab_size=vocabulary)).values())


def of(prepared: Prepared) -> Estimate:
    """The amounts of a prepared text: what is trained on, counted."""
    info = prepared.info
    return Estimate(info["train"]["tokens"], info["vocab_size"], info["train"]["bytes"], exact=True)


def place(ratio: float) -> float:
    """Where so many tokens per parameter stand on the scale, 0 to 1."""
    low, high = map(log10, SCALE)
    return min(1.0, max(0.0, (log10(max(ratio, 1e-9)) - low) / (high - low)))


def verdict(ratio: float) -> str:
    """One sentence about so many tokens per parameter."""
    if ratio < FAR_TOO_LITTLE:
        return t("Far too little for this model: it will soon memorise the text and repeat it.")
    if ratio < LITTLE:
        return t("Little for this model: it first learns from the text, then begins to memorise it (overfitting).")
    if ratio < ENOUGH:
        return t("Enough: over a few epochs, the text is almost as good as new text.")
    if ratio < PLENTY:
        return t("Plenty: four epochs are worth 20 tokens per parameter.")
    return t("More than this model can use: a larger one would learn more from it.")


def suggestion(text: Estimate, model: ModelSpec, preset: str) -> Suggestion | None:
    """A smaller model for a text that is too short, a larger one for a long text; None where the model suits."""
    now = parameters(model, text.vocabulary)
    ratio = text.tokens / now
    if LITTLE <= ratio < PLENTY:
        return None
    offered = [
        Suggestion(name, {}, parameters(PRESETS[name].spec, text.vocabulary))
        for name in PRESETS
        if name.rpartition("-")[0] == preset.rpartition("-")[0]
    ]
    if ratio >= PLENTY:
        larger = [each for each in offered if now < each.parameters <= text.tokens]
        return min(larger, key=lambda each: each.parameters, default=None)
    tiny = preset.rpartition("-")[0] + "-tiny"
    offered.append(Suggestion(tiny, SMALLER, parameters(PRESETS[tiny].spec.replace(**SMALLER), text.vocabulary)))
    smaller = [each for each in offered if each.parameters < 0.8 * now]
    fitting = [each for each in smaller if each.parameters <= text.tokens]
    if fitting:
        return max(fitting, key=lambda each: each.parameters)
    return min(smaller, key=lambda each: each.parameters, default=None)


def show_gauge(key: str, text: Estimate) -> None:
    """The scale with the text on it, the sentence, and the way to a model that suits it better."""
    model, preset = drafted()
    count = parameters(model, text.vocabulary)
    ratio = text.tokens / count
    said = amounts(text, count) if text.tokens else t("{n} parameters", n=large(count))
    gauge(
        key,
        title=t("Is this enough for “{model}”?", model=name_of(model, preset)),
        said=said,
        place=place(ratio) if text.tokens else None,
        marks=[(place(mark), f"{mark:g}") for mark in MARKS],
        zones=[t("memorised"), t("little"), t("enough"), t("plenty"), t("to spare")],
        unit=t("tokens per parameter"),
        colour=ARCHITECTURE[model.architecture],
        alt=f"{said}. {verdict(ratio)}" if text.tokens else said,
        help=t(
            "20 tokens per parameter, each read once, are compute-optimal (Hoffmann et al. 2022). Up to four epochs are almost as good as new text (Muennighoff et al. 2023): then 5 are enough. With less than 1, a model can memorise the text."
        ),
    )
    with st.container(horizontal=True, vertical_alignment="center", key=f"{key}.words"):
        words = (
            f"**{verdict(ratio)}** {advice(text, count, ratio)}"
            if text.tokens
            else t("The needle moves while you write.")
        )
        st.caption(words, width="content")
        if text.tokens and (better := suggestion(text, model, preset)):
            title = translated(PRESETS[better.preset].title)
            label = (
                t("Take {model}: {n} parameters", model=title, n=large(better.parameters))
                if not better.changes
                else t("Take a smaller model: {n} parameters", n=large(better.parameters))
            )
            links.link("build", label, icon=":material/account_tree:", preset=better.preset, **better.changes)


def amounts(text: Estimate, count: int) -> str:
    """The numbers behind the scale, with their units."""
    numbers = {"tokens": large(text.tokens), "parameters": large(count), "ratio": few(text.tokens / count)}
    if text.exact:
        return t("{tokens} tokens : {parameters} parameters = {ratio} tokens per parameter", **numbers)
    return t("about {tokens} tokens : {parameters} parameters = {ratio} tokens per parameter", **numbers)


def few(value: float) -> str:
    """A number in two digits: "0.0000023", "0.0015", "3.4", "1,200"."""
    if 0 < value < 1e-3:
        return f"{value:.{1 - floor(log10(value))}f}".rstrip("0")
    return f"{value:.2g}" if value < 10 else f"{float(f'{value:.2g}'):,.0f}"


def advice(text: Estimate, count: int, ratio: float) -> str:
    """How much text would do; "" where it does."""
    if ratio >= LITTLE or not text.tokens:
        return ""
    return t("1 token per parameter would be about {size} of text.", size=bytes_of(count * text.size / text.tokens))


# On the Train page


def line(model: ModelSpec, data: DataSpec, training: TrainingSpec) -> str:
    """The same in a line, and how often the run reads the text; "" where the text is not prepared yet."""
    text = counted(data)
    if text is None:
        return ""
    count = parameters(model, text.vocabulary)
    seen = training.steps * training.batch_size * model.context_length
    return joined(
        t("{amounts}.", amounts=amounts(text, count)),
        t("The run reads the text for about {times} epochs.", times=times)
        if (times := few(seen / max(1, text.tokens))) != "1"
        else t("The run reads the text for about one epoch."),
        verdict(text.tokens / count),
    )


def counted(data: DataSpec) -> Estimate | None:
    """The amounts of a text that was prepared before."""
    if data.corpus.startswith("hf:"):
        return None  # to look it up takes the network
    try:
        folder = find(data)
        return _of_folder(str(folder)) if folder else None
    except PlaygroundError:
        return None  # said where the text is chosen


@st.cache_data(max_entries=64, show_spinner=False)
def _of_folder(folder: str) -> Estimate:
    """The amounts of a prepared folder, which never change: to open one reads its tokenizer, and every move of a slider asks."""
    return of(load(folder))
