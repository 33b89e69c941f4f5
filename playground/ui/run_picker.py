"""Choosing a run, on every page in the same way, with the choice in the address."""

from collections.abc import Callable

import streamlit as st

from playground import gallery as shipped
from playground.core.errors import PlaygroundError, UserError
from playground.runs.folder import RunFolder
from playground.runs.integrity import first_intact, problem, problem_in_contents
from playground.runs.store import RunStore
from playground.ui import url_state
from playground.ui.language import language, t
from playground.ui.messages import show, shown_errors
from playground.ui.select import select
from playground.ui.titles import TITLES, readable

STATES = {
    "created": "new",
    "queued": "waiting",
    "preparing": "preparing",
    "running": "training",
    "paused": "paused",
    "stopped": "stopped",
    "finished": "finished",
    "failed": "failed",
    "interrupted": "interrupted",
    "damaged": "damaged",
}
LAST = "run.last"
"""Where the run chosen last is kept, so that every page opens on it."""
OFFERED = "run.offered"
"""Where the runs are kept that the page which is open can show, by their ids."""


def state_name(state: str) -> str:
    """A run's state in the person's language."""
    return t(STATES.get(state, state))


def choose_run(
    key: str,
    where: Callable[[RunFolder], bool] = lambda run: True,
    gallery: bool = True,
    gallery_first: bool = False,
    suits: Callable[[RunFolder], bool] = lambda run: True,
) -> RunFolder | None:
    """The model that is chosen, as far as this page can show it; bound to ``?run=``. None when there is none to choose.

    It is chosen in the header (see `playground.ui.chosen_model`), for every page; where this page cannot show it, the
    first that it can takes its place here.

    Args:
        key: "<page>.run".
        where: which runs the page can show.
        gallery: also those that ship with the app (after the person's own).
        gallery_first: those that ship with the app before the person's own.
        suits: which of them the page opens on rather than on others, as long as nobody has chosen one.

    Raises:
        PlaygroundError: what is wrong with the one chosen, when it cannot be used.
    """
    runs = {run.id: run for run in known_runs(gallery, gallery_first) if _fits(run, where)}
    wanted = _wanted(runs)
    st.session_state[OFFERED] = list(runs)
    if not runs:
        return None
    chosen = st.session_state.get(LAST)
    if wanted and st.session_state.get(f"{key}.link") != wanted:
        chosen = wanted
    elif chosen not in runs:
        suitable = (
            run for run in runs.values() if suits(run)
        )  # the first that opens: nobody has asked for a damaged one
        sound = first_intact(suitable) or first_intact(runs.values())
        chosen = sound.id if sound else next(iter(runs))
    url_state.remember("", run=chosen)
    st.session_state[f"{key}.link"] = st.session_state[LAST] = chosen
    check(runs[chosen])
    return runs[chosen]


def check(run: RunFolder) -> None:
    """
    Raises:
        PlaygroundError: what is wrong with a run, if anything, and what to do.
    """
    if not shipped.holds(run) and (wrong := problem_in_contents(run)):
        raise PlaygroundError(*wrong)


def named(which: str) -> RunFolder:
    """The run that an address names.

    Raises:
        PlaygroundError: when there is none; or what is wrong with it, when it cannot be opened.
    """
    run = RunStore().get(which)
    if not shipped.holds(run) and (wrong := problem(run)):
        raise PlaygroundError(*wrong)
    return run


def told_of_damage(wanted: str) -> None:
    """Of a run that the address names, and a page cannot offer: why."""
    if wanted:
        with shown_errors():
            check(RunStore().get(wanted))


def choose_step(page: str, run: RunFolder) -> int:
    """Which of its checkpoints, bound to ``?step=``, the latest at first; nothing to choose where there is but one."""
    steps = run.checkpoints()[::-1]
    if len(steps) == 1:
        return steps[0]
    wanted = url_state.read("", "step")
    index = steps.index(wanted) if wanted in steps else 0
    step = select(
        t("Checkpoint"),
        steps,
        index=index,
        format_func=lambda step: t("step {step:,}", step=step),
        key=f"{page}.step.{run.id}",
        width=150,
        label_visibility="collapsed",
    )
    url_state.remember("", step=step if step != steps[0] else None)
    return step


def known_runs(gallery: bool = True, gallery_first: bool = False) -> list[RunFolder]:
    """The person's runs, the newest first, and those that ship with the app, after or before them, in the order that suits
    the language.
    """
    own, others = RunStore().list(), shipped.runs(language()) if gallery else []
    return others + own if gallery_first else own + others


def describe(run: RunFolder) -> str:
    """A run in one line: name, architecture, and its state unless it is simply finished."""
    kind = t(TITLES.get(run.about().get("model", {}).get("architecture", ""), ""))
    state = run.status().state
    return " · ".join([name_of(run), kind, *([state_name(state)] if state != "finished" else [])])


def name_of(run: RunFolder) -> str:
    """What a run is called; the shipped ones in the person's language."""
    about = run.about()
    return t(str(about.get("name") or run.id)) if shipped.holds(run) else readable(about) or run.id


def _fits(run: RunFolder, where: Callable[[RunFolder], bool]) -> bool:
    try:
        return where(run)
    except UserError:
        return False


def _wanted(runs: dict[str, RunFolder]) -> str | None:
    """The run that the address names; a sentence when there is no such run (any more)."""
    wanted = url_state.text("", "run")
    if not wanted or wanted in runs:
        return wanted or None
    try:
        found = named(wanted)
    except PlaygroundError as error:
        show(error)
        return None
    return found.id if found.id in runs else None


def writes(run: RunFolder) -> bool:
    """Whether a run has a checkpoint that continues a text."""
    about = run.about()
    return about["training"]["objective"] == "clm" and about.get("data_shape") != "pairs" and talks(run)


def talks(run: RunFolder) -> bool:
    """Whether a run can be tried with words for an answer: it continues, answers or fills in, and gives no labels."""
    return speaks(run) and not gives_labels(run)


def gives_labels(run: RunFolder) -> bool:
    """Whether a run was fine-tuned to label texts or words."""
    return (run.about().get("finetune") or {}).get("labelled") is not None


def speaks(run: RunFolder) -> bool:
    """Whether a run has a checkpoint and its tokenizer, and so can be tried."""
    return bool(run.checkpoints()) and run.tokenizer_path.exists()
