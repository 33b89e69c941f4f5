"""One slider over the steps of a run, for every view of it: whose weights are looked at, in the address as ``?step=``."""

import streamlit as st

from playground.runs.folder import RunFolder
from playground.runs.snapshots import steps_of
from playground.ui import url_state
from playground.ui.language import t


def scrub(page: str, run: RunFolder) -> int:
    """The step whose weights are looked at, the latest at first; no slider where there is but one.

    Args:
        page: each has a slider of its own; all of them begin with what the address says.
        run: with its checkpoints and its snapshots.
    """
    steps = steps_of(run)
    step = _chosen(page, run, steps)
    if len(steps) > 1:
        with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall", key=f"scrubber-{page}"):
            at = steps.index(step)
            _button(page, run, "before", ":material/chevron_left:", t("Step before"), steps[max(0, at - 1)], at == 0)
            _slider(page, run, steps, step)
            after, last = steps[min(at + 1, len(steps) - 1)], at == len(steps) - 1
            _button(page, run, "after", ":material/chevron_right:", t("Step after"), after, last)
    _remember(page, run, steps, step)
    return step


def scrubbed(page: str, run: RunFolder) -> int | None:
    """The step that was chosen on this page in this visit; None before the slider is first drawn."""
    return st.session_state.get(_key(page, run))


def _key(page: str, run: RunFolder) -> str:
    return f"{page}.step.{run.id}"


def _chosen(page: str, run: RunFolder, steps: list[int]) -> int:
    """What a link has said since, else what was chosen here, else the latest."""
    key, said = _key(page, run), url_state.read("", "step")
    if f"{key}.said" not in st.session_state or said != st.session_state[f"{key}.said"]:
        st.session_state[key] = said
    step = st.session_state.get(key)
    return step if step in steps else steps[-1]


def _slider(page: str, run: RunFolder, steps: list[int], step: int) -> None:
    key = f"{_key(page, run)}.slider"
    st.session_state[key] = step
    st.select_slider(
        t("Training step (move it and watch what the model learns)"),
        steps,
        format_func=lambda step: t("step {step:,}", step=step),
        key=key,
        label_visibility="collapsed",
        width=220,
        on_change=lambda: _choose(page, run, st.session_state[key]),
    )


def _button(page: str, run: RunFolder, name: str, icon: str, told: str, step: int, disabled: bool) -> None:
    key = f"{_key(page, run)}.{name}"
    st.button(told, icon=icon, type="tertiary", key=key, disabled=disabled, on_click=_choose, args=(page, run, step))


def _choose(page: str, run: RunFolder, step: int) -> None:
    st.session_state[_key(page, run)] = step


def _remember(page: str, run: RunFolder, steps: list[int], step: int) -> None:
    """Into the address, where it is not the latest; a run that is being trained has a later one soon."""
    key, told = _key(page, run), step if step != steps[-1] else None
    st.session_state[key], st.session_state[f"{key}.said"] = step, told
    url_state.remember("", step=told)
