"""Teach a trained model labels: bring the data, teach, see how good it is, take it away, all on one screen."""

import streamlit as st

from playground.pages.finetune.data_choice import changed, sample_rows
from playground.pages.finetune.form import form
from playground.pages.finetune.results import show_run
from playground.runs.config import RunConfig
from playground.runs.store import RunStore
from playground.runs.submit import submit
from playground.ui import links, url_state
from playground.ui.frame import page_title
from playground.ui.language import t
from playground.ui.messages import shown_errors
from playground.ui.number_format import duration
from playground.ui.places import place_tabs
from playground.ui.run_picker import named
from playground.ui.stage import Stage, stage

OPERATIONS = 2e10
"""Per second of one thread, in matrices of this size."""
START = 10  # seconds until the first step, and for the test after the last one


def page() -> None:
    page_title(
        t("Fine-tune"),
        t("Teach a trained model a task, and see what its pre-training is worth."),
    )
    with shown_errors():
        if url_state.text("finetune", "run"):
            show_run(named(url_state.text("finetune", "run")))
        else:
            begin(stage())


def begin(place: Stage) -> None:
    """The data as it will be read, and the button that begins to teach."""
    with place.tabs:
        place_tabs("finetune")
    plans = form(place)
    with place.command:
        label = button_label(plans[0]) if plans else t("Teach a small model")
        look = {"type": "primary", "icon": ":material/play_arrow:", "width": "content"}
        if st.button(label, key="finetune.start", disabled=not plans, **look):
            runs = [RunStore().create(plan) for plan in plans]
            for run in runs:
                submit(run)
            st.session_state.pop("finetune.view", None)
            links.go("finetune", run=runs[0].id)


def button_label(config: RunConfig) -> str:
    """What the main button does, and about how long that takes."""
    seconds = expected_seconds(config)
    if seconds is None:
        return t("Teach the model")
    about = duration(max(5, 5 * round(seconds / 5)) if seconds < 100 else seconds)
    return t("Teach a small model (about {time})", time=about)


def expected_seconds(config: RunConfig) -> float | None:
    """How long the training takes, by the arithmetic of its steps; None for a text whose length nobody has seen."""
    labelled = config.finetune.labelled
    if labelled is None:
        return None
    rows, *_ = sample_rows(labelled.to_dict(), config.finetune.task, changed(labelled))
    if not rows:
        return None
    model, training = config.model, config.training
    letters = sum(len(text) for text, _ in rows) / len(rows)
    tokens = min(model.context_length, 2 + letters / 2.5)  # of a small vocabulary, some letters are a token
    weights = 12 * model.n_layers * model.d_model**2
    operations = 6 * weights * tokens * training.batch_size * training.gradient_accumulation_steps * training.steps
    return START + operations / OPERATIONS
