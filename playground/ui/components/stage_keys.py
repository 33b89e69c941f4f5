"""Keys that a view answers wherever the person is on the page; nothing is drawn."""

from collections.abc import Sequence

from playground.ui.components import component, nothing


def stage_keys(key: str, keys: Sequence[str]) -> str | None:
    """The one of these keys that was pressed just now, outside of any field; None for none.

    Args:
        key: of the component.
        keys: "1" to "9", "l" or " ".
    """
    answer = component("stage_keys")(key=key, data={"keys": list(keys)}, height=1, on_pressed_change=nothing)
    return None if answer.pressed is None else str(answer.pressed["key"])
