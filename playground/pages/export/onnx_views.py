"""The views of an export: its proof, its speed, the cost of quantization, and its graph."""

from pathlib import Path
from typing import Any

import streamlit as st

from playground.runs.folder import RunFolder
from playground.runs.samples import opening_text
from playground.ui import cached, url_state
from playground.ui.colours import SPARE
from playground.ui.components.race_bars import race_bars
from playground.ui.figure import downloads
from playground.ui.held_out import pairs_of, windows_of
from playground.ui.language import t, translated
from playground.ui.live_runs import samples_of
from playground.ui.messages import fragment, shown_errors
from playground.ui.number_format import bytes_of
from playground.ui.scene import Scene

PAIRS, TEXTS = 100, 200  # held-out questions, and texts of the test, on which the cost of shrinking is measured
VIEWS = {"proof": "Proof", "race": "Speed", "sizes": "Cost of quantization", "graph": "Graph"}


def choose_view(run: RunFolder) -> str:
    """Which view, kept in the address."""
    wanted = url_state.read("export", "view")
    offered = [name for name in VIEWS if name != "race" or writes(run)]
    view = st.segmented_control(
        t("View"),
        offered,
        default=wanted if wanted in offered else "proof",
        required=True,
        key=f"export.view.{len(offered)}",
        format_func=lambda name: t(VIEWS[name]),
        label_visibility="collapsed",
    )
    url_state.remember("export", view=view)
    return view


def writes(run: RunFolder) -> bool:
    """Whether the run continues or answers text, so that it can race."""
    config = run.config()
    return config.training.objective != "mlm" and not (config.finetune and config.finetune.reads_labels)


@fragment
def draw(view: str, run: RunFolder, made: Any) -> None:
    """The view; runs again without the rest of the page."""
    with shown_errors():
        {"proof": proof, "race": race, "sizes": sizes, "graph": graph}[view](run, made)


# The proof


def proof(run: RunFolder, made: Any) -> None:
    """Every shape that was compared."""
    import pandas as pd

    checks = made.report["checks"]
    table = pd.DataFrame(
        {
            t("Compared"): [translated(check["what"]) for check in checks],
            t("Largest difference of logits"): [f"{check['error']:.1e}" for check in checks],
            t("Largest logit"): [round(check["scale"], 2) for check in checks],
        }
    )
    st.dataframe(table, hide_index=True, key="export.checks")
    greedy = made.report["greedy"]
    st.caption(
        t(
            "Each row ran through PyTorch and ONNX Runtime with the same random tokens; differences of this size are rounding."
        )
        + (" " + t("The first {n} greedy tokens are the same.", n=greedy) if greedy else "")
    )
    downloads("export-proof", table=table)


# Speed, beside PyTorch


def race(run: RunFolder, made: Any) -> None:
    """All ways of running the model against each other, live."""
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    most = right.select_slider(t("Tokens per engine"), [32, 64, 128, 256], 128, key="export.race.most")
    going = st.session_state.get("export.race")
    mine = going and going[0] == run.id
    if left.button(
        t("Start the comparison"),
        icon=":material/sports_score:",
        type="primary",
        key="export.race.go",
        disabled=bool(mine and not going[1].is_over),
    ):
        from playground.onnx_export.engine_comparison import EngineComparison

        with st.spinner(t("Warming up …")):
            model, tokenizer = cached.model(run, made.report["step"]), cached.tokenizer(run)
            prompt, source = tokenizer.encode(opening_text(samples_of(run))) or [tokenizer.eos_id], None
            if model.spec.architecture == "encoder-decoder":
                prompt, source = [tokenizer.bos_id], prompt
            elif run.about().get("data_shape") == "pairs":
                prompt = [*prompt, tokenizer.bos_id]
            st.session_state["export.race"] = (
                run.id,
                EngineComparison(model, made.folder, prompt, most, source).start(),
            )
        mine = True
    if mine:
        running()
    else:
        st.caption(t("PyTorch without and with a KV cache, beside ONNX Runtime, on this machine, with this model."))


@fragment(run_every=0.25)
def running() -> None:
    """The bars, as they are now."""
    from playground.onnx_export.engine_comparison import TURN, same_share

    _, race = st.session_state["export.race"]
    slow = next((runner for runner in race.runners if runner.name == "torch, cache"), race.runners[0])
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
    if race.is_over:
        same = ", ".join(
            f"{translated(runner.name)} {same_share(runner, slow):.0%}"
            for runner in race.runners
            if "ONNX" in runner.name
        )
        by = lambda onnx: ", ".join(sorted({each.provider for each in race.runners if ("ONNX" in each.name) == onnx}))
        st.caption(
            t(
                "The bars show tokens per second. The engines took turns of {ms} ms, so that conditions are equal; × is relative to torch with a KV cache. PyTorch ran on: {torch}; ONNX Runtime on: {providers}. Greedy tokens equal to torch's: {same}.",
                torch=by(False),
                providers=by(True),
                same=same,
                ms=round(1000 * TURN),
            )
        )
    elif st.button(t("Stop"), icon=":material/stop:", key="export.race.stop"):
        race.stop()


# What shrinking costs


def sizes(run: RunFolder, made: Any) -> None:
    """Size, speed and quality of every precision on the same held-out text."""
    import pandas as pd

    found = made.report["sizes"]
    if len(found) == 1:
        st.info(t("Only fp32 was exported. Choose other weights above and export again to compare them."))
    costs, caption = costs_of(run, made)
    table = pd.DataFrame([size_row(name, found, costs, made.report) for name in found])
    st.dataframe(table, hide_index=True, key="export.sizes.table")
    if costs:
        st.caption(caption)
    downloads("export-sizes", table=table)


def costs_of(run: RunFolder, made: Any) -> tuple[dict[str, Any], str]:
    """How every precision does, and what that was measured on; nothing while the text is not there."""
    scene, tuned = Scene(run, made.report["step"], ""), run.config().finetune
    if tuned and tuned.reads_labels:
        kind, asked = "labels", labels_of(run)
        caption = t(
            "Measured on {n:,} held-out test texts with ONNX Runtime on the CPU; speed at batch size 1. Same top-1: the most likely label is that of fp32.",
            n=len(asked[0]),
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


def graph(run: RunFolder, made: Any) -> None:
    """Operators, shapes and sizes; one node and what belongs to it."""
    import pandas as pd

    files = sorted(path.name for path in made.folder.glob("*.onnx"))
    name = st.selectbox(
        t("File"), files, files.index("model.onnx") if "model.onnx" in files else 0, key="export.graph.file"
    )
    path = made.folder / name
    found = read_graph(str(path), path.stat().st_mtime_ns)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(f"**{t('Inputs and outputs')}**")
        st.dataframe(
            pd.DataFrame(found["ends"], columns=[t("Name"), t("Kind"), t("Type"), t("Shape")]),
            hide_index=True,
            key="export.graph.ends",
            height=300 if len(found["ends"]) > 7 else "auto",
        )
    with right:
        st.markdown(f"**{t('Operators')}**")
        st.dataframe(
            pd.DataFrame(found["operators"], columns=[t("Operator"), t("How many")]),
            hide_index=True,
            key="export.graph.operators",
            height=300 if len(found["operators"]) > 7 else "auto",
        )
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
        st.code(
            "\n".join(f"{column}: {value}" for column, value in zip(columns, node, strict=True)),
            language=None,
        )
    st.caption(
        t(
            "{n:,} nodes, {weights} of weights. Choose a row for its details; the same file opens in Netron too.",
            n=len(found["nodes"]),
            weights=bytes_of(found["bytes"]),
        )
    )


@st.cache_data(max_entries=8, show_spinner=False)
def read_graph(path: str, changed: int) -> dict[str, Any]:
    from playground.onnx_export.inspect_graph import describe

    return describe(Path(path))
