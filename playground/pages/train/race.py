"""Another architecture against a run, on the same text, seed and budget."""

import streamlit as st

from models.parameter_counts import parameter_counts
from models.presets import PRESETS
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.runs.submit import submit
from playground.training.architecture_comparison import comparable_presets, comparison_run
from playground.ui import links
from playground.ui.language import t, translated
from playground.ui.select import select


def race(run: RunFolder) -> None:
    """Another architecture against this run, on the same text, seed and budget."""
    config = run.config()
    names = comparable_presets(config)
    if not names:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="bottom", key="train.race"):
        name = select(
            t("Compare with the architecture"),
            names,
            format_func=lambda name: translated(PRESETS[name].title),
            key="train.rival",
            width=260,
            help=t(
                "The same text, seed, steps and batch size; the other architecture trains with its own best-known recipe."
            ),
        )
        same = st.toggle(t("as many parameters"), value=True, key="train.rival.same")
        opponent = comparison_run(config, name, same)
        if st.button(t("Start the comparison"), icon=":material/sports_score:", key="train.race.start"):
            other = RunStore().create(opponent)
            submit(other)
            links.go("train", run=other.id, **{"with": run.id})
        if config.model.vocab_size:
            st.caption(
                t(
                    "{width} channels; {mine:.2f} M parameters beside {its:.2f} M",
                    width=opponent.model.d_model,
                    mine=sum(parameter_counts(opponent.model).values()) / 1e6,
                    its=sum(parameter_counts(config.model).values()) / 1e6,
                ),
                width="content",
            )
