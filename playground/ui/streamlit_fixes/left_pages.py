"""What a part of a page asks for while the browser is on its way to another page.

Streamlit 1.67 runs the part after the new page, as a part of the page before. The browser takes that for the way back, and
shows an empty page under the address of the new one. It happens to whoever types and clicks a link at once, and to whoever
leaves a page that looks at a training several times a second.
"""

from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType

_request = AppSession.request_rerun


def apply() -> None:
    """From now on, parts of a page that was left ask for nothing; safe to call at any time, and again."""
    AppSession.request_rerun = request


def request(session: AppSession, client_state: ClientState | None) -> None:
    """``AppSession.request_rerun``, which leaves out a part of another page than the one that was asked for last.

    What was typed there is not lost: the request for the new page has it too.
    """
    if client_state is not None and client_state.fragment_id and client_state.page_script_hash:
        wanted = page_asked_for(session)
        if wanted and client_state.page_script_hash != wanted:
            return
    _request(session, client_state)


def page_asked_for(session: AppSession) -> str:
    """The hash of the page that is open or was asked for; "" before the first one."""
    requests = session._scriptrunner and session._scriptrunner._requests
    if requests and requests._state is ScriptRequestType.RERUN:
        waits = requests._rerun_data
        if waits.page_script_hash and not waits.fragment_id_queue:
            return waits.page_script_hash
    return session._pages_manager.current_page_script_hash
