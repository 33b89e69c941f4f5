"""From a trained run to a task: choose, watch, see what came of it, try it."""

import streamlit as st

from playground.pages.finetune.form import form
from playground.pages.finetune.progress import progress
from playground.pages.finetune.results import show_results
from playground.runs.store import RunStore
from playground.runs.submit import submit
from playground.ui import links, url_state
from playground.ui.frame import page_title
from playground.ui.language import t
from playground.ui.messages import shown_errors
from playground.ui.run_picker import named


def page() -> None:
    if url_state.text("finetune", "run"):
        with shown_errors():
            run = named(url_state.text("finetune", "run"))
            progress(run)
            show_results(run)
            return
    page_title(
        t("Fine-tune"),
        t("Teach a trained model a task, and see what its pre-training is worth."),
    )
    with shown_errors():
        plans, place = form()
        look = {"type": "primary", "icon": ":material/play_arrow:", "width": "stretch"}
        if place.button(t("Fine-tune"), key="finetune.start", disabled=not plans, **look):
            runs = [RunStore().create(plan) for plan in plans]
            for run in runs:
                submit(run)
            st.session_state.pop("finetune.view", None)
            links.go("finetune", run=runs[0].id)
