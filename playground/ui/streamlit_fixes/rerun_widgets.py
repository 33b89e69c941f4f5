"""What a part of a page brings along that runs again by itself, every so many seconds.

Streamlit 1.67 sends with each tick what every control of the page shows. Nobody has touched one: what people touch comes by
itself. But where a press has just set a control, and the browser has not drawn that yet, the tick brings the value of before,
and the press is undone: "Write or paste a text" opened nothing while a text was being prepared beside it.
"""

from dataclasses import replace

from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests, ScriptRequestType

_request = ScriptRequests._request_rerun_locked


def apply() -> None:
    """From now on, ticks change no control; safe to call at any time, and again."""
    ScriptRequests._request_rerun_locked = request


def request(requests: ScriptRequests, asked: RerunData) -> bool:
    """``ScriptRequests._request_rerun_locked``, where a tick has only what a request that still waits has brought."""
    if asked.is_auto_rerun:
        waits = requests._state == ScriptRequestType.RERUN and requests._rerun_data.widget_states
        asked = replace(asked, widget_states=waits or WidgetStates())
    return _request(requests, asked)
