"""The switches of a run, as the Train and the Fine-tune page show them: pause, resume, one step, stop, learning rate, branch."""

import streamlit as st

from playground.runs.curves import RunCurves
from playground.runs.folder import RunFolder
from playground.runs.gallery import holds
from playground.runs.snapshots import steps_of
from playground.runs.status import Status
from playground.runs.submit import halt, submit
from playground.training.schedule import lr_factor
from playground.ui import links
from playground.ui.language import t
from playground.ui.live_runs import LIVE, curves_of
from playground.ui.messages import shown_errors
from playground.ui.select import select

SCALES = [0.0, 0.01, 0.03, 0.1, 0.2, 0.33, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0]


def steering(run: RunFolder, status: Status) -> None:
    """The buttons that fit the run's state, and the ways on, in one row."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="train.steering.row"):
        switches(run, status)
        if holds(run):
            onward(run)
            return
        if status.state == "running":
            learning_rate(run)
        if run.checkpoints():
            onward(run)
            if not run.about().get("finetune"):
                branching(run, status)


def switches(run: RunFolder, status: Status, is_main: bool = True) -> None:
    """Pause and stop while it trains; else resume and one step, where there is something left to train.

    Args:
        is_main: whether the first of them is the main button of the page.
    """
    with st.container(horizontal=True, vertical_alignment="center", key="train.steering", width="content"):
        if holds(run):
            st.caption(
                t("This run ships with the app; duplicate it in the table of runs to train it further."),
                width="content",
            )
            return
        waits = is_ending(run)
        if status.state in LIVE:
            queued = status.state == "queued"
            button(t("Pause"), ":material/pause:", "pause", lambda: halt(run, "pause"), waits or queued, is_main)
            button(t("Stop"), ":material/stop:", "stop", lambda: halt(run, "stop"), waits)
            if waits:
                st.caption(t("Ends after this step …"), width="content")
        elif not (status.state == "finished" or curves_of(run).not_finite is not None):
            label = t("Train") if status.state == "created" else t("Resume")
            button(label, ":material/play_arrow:", "resume", lambda: resume(run), primary=is_main)
            button(t("One step"), ":material/skip_next:", "one", lambda: one_step(run))


def is_ending(run: RunFolder) -> bool:
    """Whether it was asked to pause or to stop, and still trains."""
    return bool({"pause", "stop"} & {each for each in run.pending_requests() if isinstance(each, str)})


def result(run: RunFolder, is_main: bool) -> None:
    """What a run was trained for: to be typed to, looked into, taken away.

    Args:
        is_main: whether the first of them is the main button of the page.
    """
    with st.container(
        horizontal=True, vertical_alignment="center", key=f"train.result{'.main' if is_main else ''}", width="content"
    ):
        links.link("generate", t("Type here"), icon=":material/edit_note:", run=run.id)
        links.link("explore", t("Look inside"), icon=":material/search_insights:", run=run.id)
        links.link("export", t("Export"), icon=":material/deployed_code:", run=run.id)


def onward(run: RunFolder) -> None:
    """The ways to what was learned; the Fine-tune page has its own to try it."""
    if not run.about().get("finetune"):
        links.link("generate", t("Try it"), icon=":material/edit_note:", run=run.id)
    links.link("explore", t("Look inside"), icon=":material/search_insights:", run=run.id)


def button(label: str, icon: str, name: str, action, disabled: bool = False, primary: bool = False) -> None:
    if st.button(label, icon=icon, key=f"train.{name}", disabled=disabled, type="primary" if primary else "secondary"):
        with shown_errors():
            action()
            st.rerun()


def resume(run: RunFolder) -> None:
    submit(run)


def one_step(run: RunFolder) -> None:
    """Wakes the run for exactly one step."""
    submit(run)
    run.request("step")


def learning_rate(run: RunFolder) -> None:
    """Multiplies the learning rate from the next step on."""
    key = f"train.scale.{run.id}"
    # As the widget's default and not through its state: a browser that still loads the slider while the next answer
    # comes keeps only the default, and would send that of an untold slider (× 0) back.
    now = min(SCALES, key=lambda scale: abs(scale - scale_now(run, curves_of(run))))
    first = st.session_state.setdefault(f"{key}.first", now)

    def changed() -> None:
        run.request({"lr_scale": st.session_state[key]})

    st.select_slider(
        t("Learning rate ×"),
        SCALES,
        value=first,
        key=key,
        on_change=changed,
        format_func="{:g}".format,
        help=t("Multiplies the schedule from the next step on. Watch how the loss and the gradient norm respond."),
    )


def scale_now(run: RunFolder, measured: RunCurves) -> float:
    """What the schedule is multiplied with at present, from the last step's learning rate."""
    row, training = measured.newest, run.config().training
    planned = training.lr * lr_factor(training, row["step"] - 1) if row and "lr" in row else 0
    return row["lr"] / planned if planned else 1.0


def branching(run: RunFolder, status: Status) -> None:
    """A new run from one of this run's checkpoints or snapshots."""
    steps = steps_of(run)
    best = curves_of(run).best
    with st.popover(t("Branch from here"), icon=":material/fork_right:"):
        st.write(t("A new run that starts from these weights, with other settings or other text."))
        chosen = select(
            t("Weights of step"),
            steps[::-1],
            key=f"train.branch.{run.id}",
            format_func=lambda step: (
                f"{step:,}" + (f" · {t('best validation loss')}" if best and step == best[0] else "")
            ),
        )
        links.link("train", t("Plan the branch"), icon=":material/arrow_forward:", parent=f"{run.id}@{chosen}")
