"""What an export is looked at with: its proof, a race, what shrinking costs, and its graph."""

from pathlib import Path
from typing import Any

import streamlit as st

from playground.runs.folder import RunFolder
from playground.ui import cached, links
from playground.ui.amounts import bytes_of
from playground.ui.colours import SPARE
from playground.ui.components.race_bars import race_bars
from playground.ui.explore.figure import downloads
from playground.ui.explore.held_out import windows_of
from playground.ui.explore.scene import Scene
from playground.ui.language import t
from playground.ui.live import first_text
from playground.ui.messages import shown_errors

VIEWS = {"proof": "Proof", "race": "Race", "sizes": "What shrinking costs", "graph": "Graph"}


def choose_view(run: RunFolder) -> str:
    """Which view, kept in the address."""
    wanted = links.param("view")
    architecture = run.about()["model"]["architecture"]
    offered = [
        name
        for name in VIEWS
        if name == "proof"
        or name == "graph"
        or (name == "race" and writes(run))
        or (name == "sizes" and architecture == "decoder")
    ]
    view = st.segmented_control(
        t("View"), offered, default=wanted if wanted in offered else "proof", required=True, key=f"export.view.{len(offered)}",
        format_func=lambda name: t(VIEWS[name]), label_visibility="collapsed",
    )  # fmt: skip
    links.remember(view=view if view != "proof" else None)
    return view


def writes(run: RunFolder) -> bool:
    """Whether the run continues text, so that it can race."""
    about = run.about()
    return about["training"]["objective"] == "clm"


@st.fragment
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
            t("Compared"): [check["what"] for check in checks],
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


# The race


def race(run: RunFolder, made: Any) -> None:
    """All ways of running the model against each other, live."""
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    most = right.select_slider(t("Tokens each"), [32, 64, 128, 256], 128, key="export.race.most")
    going = st.session_state.get("export.race")
    mine = going and going[0] == run.id
    if left.button(
        t("Start the race"),
        icon=":material/sports_score:",
        type="primary",
        key="export.race.go",
        disabled=bool(mine and not going[1].is_over),
    ):
        from playground.onnx_export.race import Race

        with st.spinner(t("Warming up …")):
            model, tokenizer = cached.model(run, made.report["step"]), cached.tokenizer(run)
            prompt = tokenizer.encode(first_text(run)) or [tokenizer.eos_id]
            if run.about().get("data_shape") == "pairs":
                prompt = [*prompt, tokenizer.bos_id]
            st.session_state["export.race"] = (run.id, Race(model, made.folder, prompt, most).start())
        mine = True
    if mine:
        running()
    else:
        st.caption(
            t("PyTorch without and with a cache against ONNX Runtime, on this machine, with this model.")
        )


@st.fragment(run_every=0.25)
def running() -> None:
    """The bars, as they are now."""
    from playground.onnx_export.race import same_share

    _, race = st.session_state["export.race"]
    slow = next((runner for runner in race.runners if runner.name == "torch, cache"), race.runners[0])
    rows = []
    for index, runner in enumerate(race.runners):
        told = runner.error or (f"{runner.speed:,.0f} " + t("tokens/s"))
        if slow.speed and runner.speed and runner is not slow and not runner.error:
            told += f" · {runner.speed / slow.speed:.1f} ×"
        rows.append(
            {"name": runner.name, "tokens": runner.tokens, "told": told, "colour": SPARE[index % len(SPARE)]}
        )
    race_bars(rows, "export.race.bars", race.most, t("Race"))
    if race.is_over:
        same = ", ".join(
            f"{runner.name} {same_share(runner, slow):.0%}"
            for runner in race.runners
            if "ONNX" in runner.name
        )
        providers = ", ".join(sorted({runner.provider for runner in race.runners if "ONNX" in runner.name}))
        st.caption(
            t("They took turns of a few tokens, so that all had the same machine; × is against torch with a cache. ONNX Runtime "
              "ran on: {providers}. Greedy text the same as torch's, from the beginning: {same}.", providers=providers, same=same)
        )  # fmt: skip
    elif st.button(t("Stop"), icon=":material/stop:", key="export.race.stop"):
        race.stop()


# What shrinking costs


def sizes(run: RunFolder, made: Any) -> None:
    """Size, loss and perplexity of every precision on the same held-out text."""
    import numpy as np
    import pandas as pd

    found = made.report["sizes"]
    if not found:
        st.info(t("This model runs with the graph of standard operators alone; there is nothing smaller."))
        return
    scene = Scene(run, made.report["step"], "")
    windows = windows_of(scene, 16, "export.sizes")
    if windows is None:
        rows = [{t("Weights"): name, t("Size"): bytes_of(size)} for name, size in found.items()]
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="export.sizes.table")
        return
    with st.spinner(t("Measuring …")):
        losses = {name: measured(str(made.folder), name, made.report["step"], windows) for name in found}
    rows = [
        {
            t("Weights"): name,
            t("Size"): bytes_of(size),
            t("of fp32"): f"{size / found['fp32']:.0%}",
            t("Loss (nats a token)"): round(losses[name], 4),
            t("Perplexity"): round(float(np.exp(losses[name])), 3),
            t("worse than fp32 by"): f"{np.exp(losses[name] - losses['fp32']) - 1:+.2%}",
        }
        for name, size in found.items()
    ]
    table = pd.DataFrame(rows)
    st.dataframe(table, hide_index=True, key="export.sizes.table")
    st.caption(
        t("Measured on {n:,} tokens of held-out text, token by token through ONNX Runtime. A perplexity worse by less than one "
          "percent is hardly seen in the text.", n=windows.size)
    )  # fmt: skip
    downloads("export-sizes", table=table)


@st.cache_data(max_entries=32, show_spinner=False)
def measured(folder: str, precision: str, step: int, windows: Any) -> float:
    from playground.onnx_export.quality import loss_of

    return loss_of(Path(folder), precision, windows)


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
            height=300,
        )
    with right:
        st.markdown(f"**{t('Operators')}**")
        st.dataframe(
            pd.DataFrame(found["operators"], columns=[t("Operator"), t("How many")]),
            hide_index=True,
            key="export.graph.operators",
            height=300,
        )
    st.markdown(f"**{t('Nodes, in the order in which they run')}**")
    columns = [t("Node"), t("Operator"), t("Inputs"), t("Outputs"), t("Weights"), t("Settings")]
    chosen = st.dataframe(
        pd.DataFrame(found["nodes"], columns=columns), hide_index=True, key="export.graph.nodes", height=360,
        on_select="rerun", selection_mode="single-row",
    )  # fmt: skip
    if rows := chosen.selection.rows:
        node = found["nodes"][rows[0]]
        st.code(
            "\n".join(f"{column}: {value}" for column, value in zip(columns, node, strict=True)),
            language=None,
        )
    st.caption(
        t("{n:,} nodes, {weights} of weights. Choose a row for its details; the same file opens in Netron too.",
          n=len(found["nodes"]), weights=bytes_of(found["bytes"]))
    )  # fmt: skip


@st.cache_data(max_entries=8, show_spinner=False)
def read_graph(path: str, changed: int) -> dict[str, Any]:
    from playground.onnx_export.reading import describe

    return describe(Path(path))
