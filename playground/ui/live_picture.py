"""The picture of a run's model: as it is now while it learns, and played again from its snapshots afterwards."""

from typing import Any

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.runs import look
from playground.runs.folder import RunFolder
from playground.runs.frames import from_bytes
from playground.runs.look import LookRequest
from playground.runs.status import Status
from playground.ui.components.living import about_of, living
from playground.ui.language import t, translated
from playground.ui.live_runs import LIVE
from playground.ui.messages import plain
from playground.ui.model_strip import model_strip
from playground.ui.timeline import Played, in_words, timeline_of


def live_picture(
    key: str, run: RunFolder, status: Status, request: LookRequest, compact: bool = False, pinned: tuple[str, ...] = ()
) -> Any:
    """Draws it; asks the trainer for more while there is one to ask. A run that waits is still at the step of its last look.

    Args:
        key: of the drawing.
        request: what is looked at.
        compact: the small one, to stand beside something else.
        pinned: names of tensors that stay above it.

    Returns:
        The drawing's answer, see `playground.ui.components.living`; None where nothing is drawn yet.
    """
    if status.state in LIVE and not asked(run, request):
        return None
    frame = newest_of(key, run, request)
    if frame and (status.state in LIVE or (status.state == "paused" and about_of(frame).get("kind") == request.kind)):
        if said := look.error(run):
            st.caption(plain(translated(said)))
        return living(f"{key}.live", [frame], mode="live", pinned=pinned, compact=compact)
    played = Played() if status.state in LIVE else timeline_of(run, request)
    if len(played.frames) > 1:
        more = {"mode": "timeline", "events": in_words(played.events)}
        return living(f"{key}.played", played.frames, pinned=pinned, compact=compact, **more)
    if compact:
        model_strip(run)
    elif status.state in LIVE:
        st.caption(t("The picture comes with the first steps …"))
    else:
        st.caption(t("This run kept no snapshots to play. Train again: a small model keeps fifteen by itself."))
    return None


def newest_of(key: str, run: RunFolder, request: LookRequest) -> bytes | None:
    """The newest frame of this request: two people who look at a run in different ways get theirs in turns. Of a file that is
    no frame nothing is drawn, and it is said.
    """
    frame, kept = look.newest(run), st.session_state.get(f"{key}.kept")
    if not frame or (kept and frame == kept[1]):
        return frame
    try:
        about = from_bytes(frame).about
    except PlaygroundError as error:
        st.caption(plain(translated(error.message)))
        return None
    wanted = (run.id, request.kind, [request.text, request.source])
    if (run.id, about["kind"], about.get("asked")) == wanted:
        st.session_state[f"{key}.kept"] = wanted, frame
        return frame
    return kept[1] if kept and kept[0] == wanted else frame


def asked(run: RunFolder, request: LookRequest) -> bool:
    """Asks the trainer; where nothing can be written, it says so, and the run goes on."""
    try:
        look.ask(run, request)
    except OSError as error:
        said = t("The picture cannot be asked for ({reason}); the training goes on.", reason=plain(str(error.strerror)))
        st.caption(said)
        return False
    return True
