"""Attention step by step: the worked example that teachers project, or any head of a trained model."""

import re
from typing import Any

import streamlit as st

from playground.pages.explore.attention import tokens_of
from playground.pages.explore.url_widgets import choose, one_of, switch
from playground.runs.folder import RunFolder
from playground.text.visible import visible
from playground.ui import cached, url_state
from playground.ui.colours import ARCHITECTURE
from playground.ui.components.attention_steps import attention_steps
from playground.ui.components.heatmap import heatmap
from playground.ui.figure import downloads
from playground.ui.frame import presenting
from playground.ui.language import joined, t
from playground.ui.messages import plain
from playground.ui.number_format import share
from playground.ui.run_picker import name_of
from playground.ui.scene import Scene
from playground.ui.stage import Stage

VIEW = "explore.steps"
WHOSE = {"1": "A worked example, three numbers per token", "0": "A head of this run"}
PART_NAMES = {"cross": "Decoder to encoder", "decoder": "Decoder", "encoder": "Encoder"}


def show(scene: Scene, place: Stage) -> None:
    read_ones_own(scene)
    with place.command, st.container(width="content"):
        own = choose(VIEW, "example", t("Numbers from"), WHOSE, box=True, hidden=True)
    if own == "1" or scene.is_recurrent:
        example(place)
    else:
        of_run(scene, place)


def read_ones_own(scene: Scene) -> None:
    """Whoever changes the text wants to see what the model makes of it, and no longer the worked example."""
    state = st.session_state
    before = state.get(f"{VIEW}.read")
    state[f"{VIEW}.read"] = now = (scene.run.id, scene.text)
    if before and before[0] == now[0] and before != now:
        state[f"{VIEW}.example.{'-'.join(WHOSE)}"] = "0"


def picture(steps: Any, tokens: list[str], keys: list[str], query: int, name: str, alt: str, itself: bool) -> None:
    """All five steps of one query; a click on another token, or its key, makes that the query.

    Args:
        name: of the widget that holds the query, as `ask_query` has it.
        itself: the tokens that ask are those that are asked.
    """
    key = f"{VIEW}.picture.{name}"

    def choose_asked() -> None:
        asked = (st.session_state.get(key) or {}).get("asked") or {}
        if "query" in asked:
            st.session_state[f"{VIEW}.{name}.query"] = int(asked["query"])
        if "head" in asked:
            st.session_state[f"{VIEW}.head"] = int(asked["head"])

    heads = st.session_state.get(f"{VIEW}.heads", 0) if name != "example" else 0
    attention_steps(
        steps,
        key,
        tokens,
        keys,
        query,
        ARCHITECTURE["decoder"],
        alt,
        itself=itself,
        heads=heads,
        made_up=name == "example",
        on_asked=choose_asked,
    )


def most(steps: Any, keys: list[str]) -> dict[str, str]:
    """The key with the largest weight, for a sentence."""
    best = int(steps.weights.argmax())
    return {"key": visible(keys[best]), "weight": share(float(steps.weights[best]))}


# The worked example


def example(place: Stage) -> None:
    import numpy as np

    from playground.inspection.attention_steps import worked_example

    with place.drawer:
        st.markdown(
            t(
                "Six words with three made-up numbers each. To keep the arithmetic simple, the vector of a word is its **query**, its **key** and its **value** at once. Change any number; the picture follows."
            )
        )
        tokens, vectors = edited()
        query = ask_query(tokens, "example")
        scaling = switch(VIEW, "scaling", t("Divide by √d_k"), True)
        causal = switch(VIEW, "causal", t("Causal mask: look only at what came before"))
    steps = worked_example(np.array(vectors), query, causal, scaling)
    said = t(
        "A worked example with made-up numbers: “{query}” gives most weight to “{key}”, {weight}.",
        query=visible(tokens[query]),
        **most(steps, tokens),
    )
    with place.picture:
        picture(steps, tokens, tokens, query, "example", said, itself=True)
    place.say(said if presenting() else joined(said, t("Change a number under Options, and every step follows.")))
    with place.rest:
        draw_head(steps, tokens, tokens[query], "example", digits=3)
        downloads("explore-steps-example", arrays(steps))


def edited() -> tuple[list[str], Any]:
    """The table of words and numbers, as the person has changed it."""
    import pandas as pd

    from playground.inspection.attention_steps import EXAMPLE

    first = pd.DataFrame([(word, *vector) for word, vector in EXAMPLE.items()], columns=["token", "1", "2", "3"])
    if f"{VIEW}.given" not in st.session_state:
        st.session_state[f"{VIEW}.given"] = told_table(url_state.text("explore", "numbers"), first)
    number = {
        name: st.column_config.NumberColumn(f"x{sub}", step=0.1, format="%.2f", required=True)
        for name, sub in zip("123", "₁₂₃", strict=True)
    }
    table = st.data_editor(
        st.session_state[f"{VIEW}.given"],
        key=f"{VIEW}.table",
        hide_index=True,
        num_rows="fixed",
        column_config={"token": st.column_config.TextColumn(t("Word"), required=True), **number},
    )
    table = table.fillna(0)
    rows = ",".join(
        " ".join([re.sub(r"[\s,]", "_", str(row[0])), *(f"{x:g}" for x in row[1:])]) for row in table.to_numpy()
    )
    url_state.remember("explore", numbers=rows if not table.equals(first) else None)
    return [str(word) for word in table["token"]], table[["1", "2", "3"]].to_numpy(dtype=float)


def told_table(said: str, first: Any) -> Any:
    """The table as a link tells it, "The 0.1 0.2 0.3,cat 0.4 …"; else the first one."""
    import pandas as pd

    try:
        rows = [(word, *map(float, numbers)) for word, *numbers in (row.split() for row in said.split(","))]
        return pd.DataFrame(rows, columns=first.columns) if len(rows) == len(first) else first
    except ValueError:
        return first


def ask_query(tokens: list[str], name: str) -> int:
    """Which token asks, or to write which one (cross-attention); for a run the last one unless told."""
    from playground.inspection.attention_steps import EXAMPLE_QUERY

    first = EXAMPLE_QUERY if name == "example" else len(tokens) - 1
    return one_of(
        f"{VIEW}.{name}",
        "query",
        t("Query token"),
        range(len(tokens)),
        first,
        format_func=lambda place: f"{place}: {visible(tokens[place])}",
    )


# A head of a run


def of_run(scene: Scene, place: Stage) -> None:
    spec = scene.model().spec
    part = "self"
    with place.drawer:
        if scene.has_source:
            part = choose(VIEW, "part", t("Attention of"), PART_NAMES, box=True)
        layer, head = ask_head(spec)
        tokens, keys = tokens_of(scene, part)
        query = ask_query(tokens, f"run.{part}")
    st.session_state[f"{VIEW}.heads"] = spec.n_heads
    steps = computed(scene, layer, head, query, part)
    said = t(
        "Layer {layer}, head {head}, the model’s own numbers: “{query}” gives most weight to “{key}”, {weight}.",
        layer=layer,
        head=head,
        query=visible(tokens[query]),
        **most(steps.head, keys),
    )
    with place.picture:
        picture(steps.head, tokens, keys, query, f"run.{part}", said, itself=part != "cross")
    place.say(said)
    with place.rest:
        st.caption(
            t(
                "Layer {layer}, head {head} of {run} at step {step:,}.",
                layer=layer,
                head=head,
                run=plain(name_of(scene.run)),
                step=scene.step,
            )
        )
        draw_inputs(steps, keys, tokens[query])
        draw_head(steps.head, keys, tokens[query], "run", first=2)
        draw_output(steps, head, part)
        data = arrays(steps.head) | {
            "x": steps.x,
            "x_keys": steps.x_keys,
            "heads": steps.heads,
            "output": steps.output,
        }
        downloads("explore-steps-run", data)


def ask_head(spec: Any) -> tuple[int, int]:
    layer = one_of(VIEW, "layer", t("Layer"), range(spec.n_layers), 0, width=110)
    head = one_of(VIEW, "head", t("Head"), range(spec.n_heads), 0, width=110)
    url_state.remember("explore", layer=layer, head=head)
    return layer, head


def computed(scene: Scene, layer: int, head: int, query: int, part: str) -> Any:
    source = tuple(scene.source_ids()) if scene.has_source else None
    return _computed(str(scene.run.path), scene.step, tuple(scene.ids()), source, layer, head, query, part)


@st.cache_data(max_entries=64, show_spinner=False)
def _computed(
    path: str, step: int, ids: tuple, source: tuple | None, layer: int, head: int, query: int, part: str
) -> Any:
    from playground.inspection.attention_steps import run_steps

    return run_steps(cached.model(RunFolder(path), step), ids, layer, head, query, part, source)


# The steps


def title(number: int, text: str, equation: str) -> None:
    """A step: its number, what it does, its equation."""
    st.subheader(f"{number}. {text}", anchor=False)
    st.latex(equation)


def strip(values: Any, name: str, rows: list[str], columns: list[str], value: str, alt: str, **options: Any) -> Any:
    """A small matrix; written out where its numbers fit."""
    import numpy as np

    options.setdefault("cell", 34)
    values = np.atleast_2d(values)
    rows, columns = [visible(row) for row in rows], [visible(column) for column in columns]
    names = (t("row"), t("column"), value)
    small = values.shape[1] <= 12
    return heatmap(
        values,
        f"{VIEW}.{name}",
        rows,
        columns,
        names,
        alt,
        written=small,
        tokens=False,
        titles=False,
        hint=False,
        **options,
    )


def numbered(letter: str, n: int) -> list[str]:
    return [f"{letter}{i + 1}" for i in range(n)]


def draw_inputs(steps: Any, keys: list[str], asker: str) -> None:
    """x → q, k, v."""
    title(
        1,
        t("Query, key and value: three projections of the layer's input"),
        r"q = x_i W_Q \qquad k_j = x_j W_K \qquad v_j = x_j W_V",
    )
    notes = []
    if steps.normed:
        notes.append(t("q and k are divided by their root mean square (QK-norm)."))
    if steps.rotated:
        notes.append(t("q and k below are already rotated by their positions (RoPE)."))
    alt = t("The input vector of the layer at the query")
    strip(steps.x, "run.x", [visible(asker)], numbered("x", len(steps.x)), "x", alt, diverging=True)
    st.caption(
        joined(
            t("{n} numbers for each token: the residual stream as this layer reads it.", n=len(steps.x)),
            *notes,
        )
    )
    left, right = st.columns(2, gap="medium")
    size = max(14, min(30, 360 // max(1, len(keys))))
    for place, letter, values in ((left, "k", steps.head.k), (right, "v", steps.head.v)):
        with place:
            what = t("Keys") if letter == "k" else t("Values")
            st.markdown(f"**{what}**")
            strip(
                values,
                f"run.{letter}",
                keys,
                numbered(letter, values.shape[1]),
                letter,
                what,
                diverging=True,
                cell=size,
            )


def draw_head(steps: Any, keys: list[str], asker: str, name: str, first: int = 1, digits: int = 3) -> None:
    """q·k → scale → mask → softmax → weighted sum, the first of them numbered `first`."""
    key = draw_products(steps, keys, asker, name, first, digits)
    draw_scaled(steps, keys, name, key, first + 1, digits)
    draw_masked(steps, keys, name, key, first + 2)
    draw_weights(steps, keys, name, key, first + 3, digits)
    draw_sum(steps, keys, name, key, first + 4, digits)


def draw_products(steps: Any, keys: list[str], asker: str, name: str, number: int, digits: int) -> int:
    """q·k for each key; the key whose numbers are written out."""
    d = len(steps.q)
    title(number, t("Scores: the dot product of the query with each key"), r"s_j = q \cdot k_j")
    strip(steps.q, f"{name}.q", [f"q ({visible(asker)})"], numbered("q", d), "q", t("The query"), diverging=True)
    key = ask_key(steps, keys, name)
    strip(
        steps.products,
        f"{name}.products",
        ["q·k"],
        keys,
        "q·k",
        t("Products of the query with each key"),
        diverging=True,
        selected=(-1, key),
    )
    st.latex(product_in_numbers(steps, key, digits))
    return key


def draw_scaled(steps: Any, keys: list[str], name: str, key: int, number: int, digits: int) -> None:
    """Scores divided by √d_k."""
    title(
        number,
        t("Scale by √d_k"),
        r"\tilde s_j = \frac{s_j}{\sqrt{d_k}}" if steps.scale != 1 else r"\tilde s_j = s_j",
    )
    strip(
        steps.scaled,
        f"{name}.scaled",
        ["s / √d"],
        keys,
        t("score"),
        t("Scaled scores"),
        diverging=True,
        selected=(-1, key),
    )
    if steps.scale != 1:
        st.latex(
            rf"\frac{{{steps.products[key]:.{digits}f}}}{{\sqrt{{{len(steps.q)}}}}} = {steps.products[key] / steps.scale:.{digits}f}"
        )
    else:
        st.caption(t("Not scaled: with many channels, the softmax would then pick one key and ignore the rest."))
    if steps.bias is not None:
        st.caption(t("ALiBi has subtracted {bias:.3f} here, for the distance.", bias=-steps.bias[key]))


def draw_masked(steps: Any, keys: list[str], name: str, key: int, number: int) -> None:
    """Scores without those of later keys."""
    import numpy as np

    hidden = int((~steps.allowed).sum())
    title(
        number,
        t("Apply the mask"),
        r"\tilde s_j = -\infty \quad (j > i)" if hidden else r"\text{" + t("every key may be seen") + "}",
    )
    strip(
        np.where(steps.allowed, steps.scaled, np.nan),
        f"{name}.masked",
        ["s"],
        keys,
        t("score"),
        t("Scores after the mask"),
        diverging=True,
        selected=(-1, key),
        empty=t("masked: it comes later"),
    )
    st.caption(
        t("{n} of {all} keys are masked; they are hatched.", n=hidden, all=len(keys))
        if hidden
        else t("None of the {all} keys is masked.", all=len(keys))
    )


def draw_weights(steps: Any, keys: list[str], name: str, key: int, number: int, digits: int) -> None:
    """Softmax of the scores."""
    import numpy as np

    title(number, t("Softmax: from scores to weights"), r"w_j = \frac{e^{\tilde s_j}}{\sum_m e^{\tilde s_m}}")
    strip(
        np.where(steps.allowed, steps.weights, np.nan),
        f"{name}.weights",
        ["w"],
        keys,
        t("weight"),
        t("Attention weights"),
        span=(0.0, float(steps.weights.max())),
        selected=(-1, key),
        empty=t("masked: it comes later"),
    )
    st.latex(softmax_in_numbers(steps, key, digits))
    st.caption(
        t(
            "The weights add up to {total:.6f}; the largest goes to “{token}”.",
            total=steps.weights.sum(),
            token=plain(visible(keys[int(steps.weights.argmax())])),
        )
    )


def draw_sum(steps: Any, keys: list[str], name: str, key: int, number: int, digits: int) -> None:
    """Each value times its weight, and their sum."""
    import numpy as np

    d = len(steps.q)
    title(number, t("Weighted sum of the values"), r"z = \sum_j w_j v_j")
    rows = max(14, min(30, 360 // max(1, len(keys))))
    strip(
        np.where(steps.allowed[:, None], steps.parts, np.nan),
        f"{name}.parts",
        keys,
        numbered("v", d),
        "w·v",
        t("Each value times its weight"),
        diverging=True,
        cell=rows,
        selected=(key, -1),
        empty=t("masked: it comes later"),
    )
    strip(steps.mixed, f"{name}.mixed", ["z"], numbered("z", d), "z", t("Their sum"), diverging=True)
    if d <= 8:
        st.latex("z = (" + r",\; ".join(f"{value:.{digits}f}" for value in steps.mixed) + ")")


def ask_key(steps: Any, keys: list[str], name: str) -> int:
    """The key whose numbers are written out; the strongest unless told."""
    best = int(steps.weights.argmax())
    return one_of(
        f"{VIEW}.{name}.{best}",
        "key",
        t("Written out in numbers for the key"),
        range(len(keys)),
        best,
        format_func=lambda place: f"{place}: {visible(keys[place])}",
        width=320,
    )


def product_in_numbers(steps: Any, key: int, digits: int) -> str:
    signed = lambda value: f"{value:.2f}" if value >= 0 else f"({value:.2f})"
    terms = [rf"{signed(a)} \cdot {signed(b)}" for a, b in zip(steps.q, steps.k[key], strict=True)]
    if len(terms) > 4:
        terms = [*terms[:3], r"\dots", terms[-1]]
    return " + ".join(terms) + f" = {steps.products[key]:.{digits}f}"


def softmax_in_numbers(steps: Any, key: int, digits: int) -> str:
    import numpy as np

    if not steps.allowed[key]:
        return r"w = 0 \quad \text{(" + t("masked") + ")}"
    total = np.exp(steps.scaled[steps.allowed]).sum()
    return rf"\frac{{e^{{{steps.scaled[key]:.{digits}f}}}}}{{{total:.{digits}f}}} = {steps.weights[key]:.{digits}f}"


def draw_output(steps: Any, head: int, part: str) -> None:
    """Concatenation and output projection."""
    title(
        7,
        t("All heads side by side, and back into the residual stream"),
        r"o = [z^{(1)}; \dots; z^{(h)}]\, W_O",
    )
    n = len(steps.heads)
    names = [t("head {head}", head=i) for i in range(n)]
    strip(
        steps.heads,
        "run.heads",
        names,
        numbered("z", steps.heads.shape[1]),
        "z",
        t("Output of every head for this query"),
        diverging=True,
        cell=26,
        selected=(head, -1),
    )
    strip(
        steps.output,
        "run.output",
        ["o"],
        numbered("o", len(steps.output)),
        "o",
        t("What attention adds to the residual stream"),
        diverging=True,
    )
    st.caption(
        t("This head's row is outlined. The output is added to the residual stream; cross-attention comes next.")
        if part == "decoder"
        else t("This head's row is outlined. The output is added to the residual stream; the MLP comes next.")
    )


def arrays(steps: Any) -> dict[str, Any]:
    names = ("q", "k", "v", "products", "scaled", "allowed", "weights", "parts", "mixed")
    return {name: getattr(steps, name) for name in names}
