"""The views of an export: size against quality, its proof, its speed, and its graph; each has a main drawing."""

from pathlib import Path
from typing import Any

import streamlit as st

from playground.core.errors import UserError
from playground.pages.export import size_charts
from playground.runs.folder import RunFolder
from playground.runs.samples import opening_text
from playground.ui import cached
from playground.ui.colours import SPARE
from playground.ui.components.race_bars import race_bars
from playground.ui.figure import downloads, figure
from playground.ui.held_out import pairs_of, windows_of
from playground.ui.language import joined, t, translated
from playground.ui.live_runs import samples_of
from playground.ui.messages import fragment, show
from playground.ui.number_format import bytes_of, share
from playground.ui.package_offer import offered
from playground.ui.scene import Scene
from playground.ui.stage import Stage

PAIRS, TEXTS = 100, 200  # held-out questions, and texts of the test, on which the cost of shrinking is measured
VIEWS = {"sizes": "Size and quality", "proof": "Proof", "race": "Speed", "graph": "Graph"}
LONGEST_NAME = 60  # characters of a check or an operator beside its bar


def writes(run: RunFolder) -> bool:
    """Whether the run continues or answers text, so that it can race."""
    config = run.config()
    return config.training.objective != "mlm" and not (config.finetune and config.finetune.reads_labels)


# The proof


def proof(run: RunFolder, made: Any, place: Stage, rest: Any) -> None:
    """Every shape that was compared: the difference, beside what differs."""
    import pandas as pd

    checks = made.report["checks"]
    with place.picture:
        draw_checks(checks, place)
    place.say(
        t(
            "The logits of PyTorch and ONNX Runtime differ by {worst:.0e} at most, where they are as large as {scale:.0f}: that is rounding.",
            worst=made.report["worst"],
            scale=max((check["scale"] for check in checks), default=0),
        )
    )
    table = pd.DataFrame(
        {
            t("Compared"): [translated(check["what"]) for check in checks],
            t("Largest difference of logits"): [f"{check['error']:.1e}" for check in checks],
            t("Largest logit"): [round(check["scale"], 2) for check in checks],
        }
    )
    greedy = made.report["greedy"]
    with rest:
        st.dataframe(table, hide_index=True, key="export.checks")
        st.caption(
            joined(
                t(
                    "Each row ran through PyTorch and ONNX Runtime with the same random tokens; differences of this size are rounding."
                ),
                t("The first {n} greedy tokens are the same.", n=greedy) if greedy else "",
            )
        )
        downloads("export-proof", table=table)


def draw_checks(checks: list[dict[str, Any]], place: Stage) -> None:
    """For each shape two points on one axis of powers of ten: the largest difference, and the largest logit."""
    import plotly.graph_objects as go

    names = [f"{i + 1}. {translated(check['what'])}"[:LONGEST_NAME] for i, check in enumerate(checks)][::-1]
    fig = go.Figure()
    for key, name, colour in (
        ("error", t("Largest difference of logits"), SPARE[0]),
        ("scale", t("Largest logit"), SPARE[5]),
    ):
        values = [max(check[key], 1e-9) for check in checks][::-1]
        fig.add_scatter(
            x=values,
            y=names,
            mode="markers",
            name=name,
            marker={"size": 14, "color": colour},
            hovertemplate="%{y}: %{x:.1e}<extra></extra>",
        )
    fig.update_xaxes(type="log", title=t("Size of logits and of their difference"))
    fig.update_layout(legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}, margin={"t": 40, "r": 20})
    figure(fig, "export.checks.drawn", t("Every shape that was compared"), place=place, say=False)


# Speed, beside PyTorch


def race(run: RunFolder, made: Any, place: Stage, rest: Any) -> None:
    """All ways of running the model against each other, live."""
    with place.drawer:
        most = st.select_slider(t("Tokens per engine"), [32, 64, 128, 256], 128, key="export.race.most")
    going = st.session_state.get("export.race")
    mine = bool(going and going[0] == run.id)
    with place.command:
        label, busy = t("Start the comparison"), bool(mine and not going[1].is_over)
        if st.button(label, icon=":material/sports_score:", key="export.race.go", disabled=busy):
            start_race(run, made, most)
            st.rerun()
    with place.picture:
        if mine:
            running()
        else:
            names = [
                t("PyTorch"),
                t("PyTorch with a KV cache"),
                *(f"ONNX Runtime {name}" for name in made.report["sizes"]),
            ]
            rows = [
                {"name": name, "value": 0, "told": "–", "colour": SPARE[i % len(SPARE)]} for i, name in enumerate(names)
            ]
            race_bars(rows, "export.race.before", 1, t("Speed"))
    if mine and going[1].is_over:
        tell_of_race(going[1], place, rest)
    else:
        place.say(t("PyTorch without and with a KV cache, beside ONNX Runtime, on this machine, with this model."))


def start_race(run: RunFolder, made: Any, most: int) -> None:
    """Begins the comparison in the background."""
    from playground.onnx_export.engine_comparison import EngineComparison

    with st.spinner(t("Warming up …")):
        model, tokenizer = cached.model(run, made.report["step"]), cached.tokenizer(run)
        prompt, source = tokenizer.encode(opening_text(samples_of(run))) or [tokenizer.eos_id], None
        if model.spec.reads_pairs:
            prompt, source = [tokenizer.bos_id], prompt
        elif run.about().get("data_shape") == "pairs":
            prompt = [*prompt, tokenizer.bos_id]
        comparison = EngineComparison(model, made.folder, prompt, most, source).start()
        st.session_state["export.race"] = (run.id, comparison)


@fragment(run_every=0.25)
def running() -> None:
    """The bars, as they are now."""
    _, race = st.session_state["export.race"]
    slow = reference_of(race)
    rows, most = [], max(runner.speed for runner in race.runners) if race.is_over else race.max_new_tokens
    for index, runner in enumerate(race.runners):
        said = translated(runner.error) or (f"{runner.speed:,.0f} " + t("tokens/s"))
        if slow.speed and runner.speed and runner is not slow and not runner.error:
            said += f" · {runner.speed / slow.speed:.1f} ×"
        rows.append(
            {
                "name": translated(runner.name),
                "value": runner.speed if race.is_over else runner.tokens,
                "told": said,
                "colour": SPARE[index % len(SPARE)],
            }
        )
    race_bars(rows, "export.race.bars", most or 1, t("Speed"))
    if race.is_over and st.session_state.get("export.race.told") != id(race):
        st.session_state["export.race.told"] = id(race)
        st.rerun()


def reference_of(race: Any) -> Any:
    """The runner that the others are compared with: PyTorch with its cache."""
    return next((runner for runner in race.runners if runner.name == "torch, cache"), race.runners[0])


def tell_of_race(race: Any, place: Stage, rest: Any) -> None:
    """Who was fastest, who writes the same text, and how it was measured."""
    from playground.onnx_export.engine_comparison import TURN, same_share

    slow = reference_of(race)
    best = max(race.runners, key=lambda runner: runner.speed)
    same = {translated(each.name): same_share(each, slow) for each in race.runners if "ONNX" in each.name}
    if slow.speed and best is not slow:
        place.say(
            t(
                "{name} is the fastest, {times:.1f} times PyTorch with a KV cache; {share} of its greedy tokens are the same.",
                name=translated(best.name),
                times=best.speed / slow.speed,
                share=share(same.get(translated(best.name), 1.0)),
            )
        )
    by = lambda onnx: ", ".join(sorted({each.provider for each in race.runners if ("ONNX" in each.name) == onnx}))
    with rest:
        st.caption(
            t(
                "The bars show tokens per second. The engines took turns of {ms} ms, so that conditions are equal; × is relative to torch with a KV cache. PyTorch ran on: {torch}; ONNX Runtime on: {providers}. Greedy tokens equal to torch's: {same}.",
                torch=by(False),
                providers=by(True),
                same=", ".join(f"{name} {part:.0%}" for name, part in same.items()),
                ms=round(1000 * TURN),
            )
        )


# What shrinking costs


def sizes(run: RunFolder, made: Any, place: Stage, rest: Any) -> None:
    """Size, speed and quality of every precision on the same held-out text."""
    import pandas as pd

    found = made.report["sizes"]
    with place.picture:
        drawing = st.empty()
    with drawing.container():
        size_charts.draw_sizes(found, place)
    try:
        with place.command:
            costs, caption = costs_of(run, made)
    except UserError as error:
        costs, caption = {}, ""
        with rest:
            show(error)
    if costs:
        with drawing.container():
            size_charts.draw_costs(found, costs, place, caption)
    place.say(told_of(found, costs))
    table = pd.DataFrame([size_row(name, found, costs, made.report) for name in found])
    with rest:
        st.dataframe(table, hide_index=True, key="export.sizes.table")
        if costs:
            st.caption(caption)
        downloads("export-sizes", table=table)


def told_of(found: dict[str, int], costs: dict[str, Any]) -> str:
    """What the smallest file that is nearly as good saves."""
    if len(found) == 1:
        return t("Only fp32 was exported. Choose other weights above and export again to compare them.")
    if not costs:
        name = min(found, key=lambda name: found[name])
        return t("{name} takes {share} of the space of fp32.", name=name, share=share(found[name] / found["fp32"]))
    whole = costs["fp32"]
    good = [name for name in found if costs[name].agreement(whole) >= 0.95] or ["fp32"]
    name = min(good, key=lambda name: found[name])
    if name == "fp32":
        return t("Every smaller file changes more than one answer in twenty: fp32 is the one to take.")
    return t(
        "{name} takes {share} of the space of fp32 and gives the same answer in {same} of the places. Smaller at the same height is better.",
        name=name,
        share=share(found[name] / found["fp32"]),
        same=share(costs[name].agreement(whole)),
    )


def costs_of(run: RunFolder, made: Any) -> tuple[dict[str, Any], str]:
    """How every precision does, and what that was measured on; nothing while the text is not there."""
    scene, tuned = Scene(run, made.report["step"], ""), run.config().finetune
    if tuned and tuned.reads_labels:
        kind, asked = "labels", None
        with offered():
            asked = labels_of(run)
        caption = t(
            "Measured on {n:,} held-out test texts with ONNX Runtime on the CPU; speed at batch size 1. Same top-1: the most likely label is that of fp32.",
            n=len(asked[0]) if asked else 0,
        )
    elif run.about().get("data_shape") == "pairs":
        kind, asked = "answers", pairs_of(scene, PAIRS, "export.sizes")
        caption = t(
            "Measured on {n:,} held-out questions with ONNX Runtime on the CPU; speed at batch size 1. Exact answers: every token is correct. Same top-1: the most likely token is that of fp32.",
            n=len(asked or ()),
        )
    else:
        kind, asked = "text", windows_of(scene, 16, "export.sizes", at_least=1 if scene.objective == "mlm" else 2)
        caption = t(
            "Measured on {n:,} tokens of held-out text with ONNX Runtime on the CPU; speed at batch size 1. Same top-1: the most likely token is that of fp32. A perplexity increase below one percent is hardly visible in the text.",
            n=asked.size if asked is not None else 0,
        )
    if asked is None:
        return {}, ""
    with st.spinner(t("Measuring …")):
        changed = (made.folder / "report.json").stat().st_mtime_ns
        return measured(str(made.folder), tuple(made.report["sizes"]), changed, kind, asked), caption


def labels_of(run: RunFolder) -> tuple[list[Any], list[Any]]:
    """Texts of the test, as ids, and the labels of each, spread evenly."""
    import numpy as np

    from playground.ui.labelled_text import data_of

    data = data_of(run)
    side = data.test
    chosen = np.linspace(0, len(side) - 1, num=min(TEXTS, len(side))).astype(int)
    label = side.tags if data.task == "tag" else lambda i: side.labels[i : i + 1]
    return [side.tokens(i) for i in chosen], [label(i) for i in chosen]


def size_row(name: str, found: dict[str, int], costs: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    """One precision: what it saves, and what that costs."""
    import math

    small = report.get("shrunk", {}).get(name)
    row = {
        t("Weights"): name,
        t("Size"): bytes_of(found[name]),
        t("of fp32"): f"{found[name] / found['fp32']:.0%}",
        t("Largest difference of logits"): f"{small['error']:.2g}" if small else f"{report['worst']:.1e}",
    }
    if not costs:
        return row
    cost, whole = costs[name], costs["fp32"]
    row |= {t("Tokens/s"): f"{cost.speed:,.0f}", t("of fp32's speed"): f"{cost.speed / whole.speed:.1f} ×"}
    if cost.right is not None:
        row[t("Accuracy") if report.get("task") else t("Exact answers")] = f"{cost.right:.1%}"
    else:
        row[t("Perplexity")] = round(math.exp(cost.loss), 3)
        row[t("increase over fp32")] = f"{round(math.exp(cost.loss - whole.loss) - 1, 4) + 0.0:+.2%}"
    return row | {t("Same top-1 as fp32"): f"{cost.agreement(whole):.1%}"}


@st.cache_data(max_entries=32, show_spinner=False)
def measured(folder: str, precisions: tuple[str, ...], changed: int, kind: str, asked: Any) -> dict[str, Any]:
    from playground.onnx_export import precision_eval

    if kind == "labels":
        return precision_eval.costs_of_labels(Path(folder), precisions, *asked)
    return {"text": precision_eval.costs_of, "answers": precision_eval.costs_of_answers}[kind](
        Path(folder), precisions, asked
    )


# The graph


def graph(run: RunFolder, made: Any, place: Stage, rest: Any) -> None:
    """How often each operator is in the graph; below, its ends, its operators, and one node and what belongs to it."""
    files = sorted(path.name for path in made.folder.glob("*.onnx"))
    with place.drawer:
        index = files.index("model.onnx") if "model.onnx" in files else 0
        name = st.selectbox(t("File"), files, index, key="export.graph.file")
    path = made.folder / name
    found = read_graph(str(path), path.stat().st_mtime_ns)
    with place.picture:
        draw_operators(found["operators"], place)
    place.say(
        t(
            "{n:,} nodes, {weights} of weights. Choose a row for its details; the same file opens in Netron too.",
            n=len(found["nodes"]),
            weights=bytes_of(found["bytes"]),
        )
    )
    with rest:
        graph_tables(found)


def draw_operators(operators: list[tuple[str, int]], place: Stage) -> None:
    """The operators, the most frequent on top."""
    import plotly.graph_objects as go

    shown = operators[:16][::-1]
    fig = go.Figure()
    fig.add_bar(
        x=[n for _, n in shown],
        y=[name for name, _ in shown],
        orientation="h",
        text=[f"{n:,}" for _, n in shown],
        textposition="outside",
        cliponaxis=False,
        marker_color=SPARE[0],
        hovertemplate="%{y}: %{x:,}<extra></extra>",
    )
    fig.update_xaxes(title=t("How many"), range=[0, 1.08 * max((n for _, n in shown), default=1)])
    fig.update_layout(showlegend=False, margin={"t": 10, "r": 30})
    figure(fig, "export.operators", t("How often each operator is in the graph"), place=place, say=False)


def graph_tables(found: dict[str, Any]) -> None:
    """Operators, shapes and sizes; one node and what belongs to it."""
    import pandas as pd

    left, right = st.columns(2, gap="medium")
    tall = lambda rows: 300 if len(rows) > 7 else "auto"
    with left:
        st.markdown(f"**{t('Inputs and outputs')}**")
        ends = pd.DataFrame(found["ends"], columns=[t("Name"), t("Kind"), t("Type"), t("Shape")])
        st.dataframe(ends, hide_index=True, key="export.graph.ends", height=tall(found["ends"]))
    with right:
        st.markdown(f"**{t('Operators')}**")
        operators = pd.DataFrame(found["operators"], columns=[t("Operator"), t("How many")])
        st.dataframe(operators, hide_index=True, key="export.graph.operators", height=tall(found["operators"]))
    st.markdown(f"**{t('Nodes, in the order in which they run')}**")
    columns = [t("Node"), t("Operator"), t("Inputs"), t("Outputs"), t("Weights"), t("Settings")]
    chosen = st.dataframe(
        pd.DataFrame(found["nodes"], columns=columns),
        hide_index=True,
        key="export.graph.nodes",
        height=360,
        on_select="rerun",
        selection_mode="single-row",
    )
    if rows := chosen.selection.rows:
        node = found["nodes"][rows[0]]
        told = [f"{column}: {value}" for column, value in zip(columns, node, strict=True)]
        st.code("\n".join(told), language=None)


@st.cache_data(max_entries=8, show_spinner=False)
def read_graph(path: str, changed: int) -> dict[str, Any]:
    from playground.onnx_export.inspect_graph import describe

    return describe(Path(path))


DRAWS = {"sizes": sizes, "proof": proof, "race": race, "graph": graph}
"""What draws each of `VIEWS`: the picture, and into ``rest`` the numbers under it."""
