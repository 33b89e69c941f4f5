"""What a run of a page has drawn and the server has not sent yet, when a part of that page runs again.

Streamlit 1.67 takes the part's drawing out of the queue then, because the new run draws it anyway. Two things go wrong on a
busy machine, where several runs end before the queue is sent. The part is missing at the moment the page is complete, so the
browser closes the gap, and what follows stands in the wrong places. And the short forms of drawings that the browser knows
(``ref_hash``) bear no part's name and stay: the browser is to change what it has not got, and says "Bad delta path".
"""

from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

_clear = ForwardMsgQueue.clear


def apply() -> None:
    """From now on, parts that run again leave in the queue what is there; safe to call at any time, and again."""
    ForwardMsgQueue.clear = clear


def clear(
    queue: ForwardMsgQueue,
    retain_lifecycle_msgs: bool = False,
    fragment_ids_this_run: list[str] | None = None,
) -> None:
    """``ForwardMsgQueue.clear``, which for parts of a page (``fragment_ids_this_run``) forgets only where things stand in the
    queue: what they draw comes after all that is there, and not in the place of what an earlier run drew.
    """
    if retain_lifecycle_msgs and fragment_ids_this_run is not None:
        queue._delta_index_map = {}
    else:
        _clear(queue, retain_lifecycle_msgs, fragment_ids_this_run)
