"""The model that is chosen, as a button, and the panel of all models that it opens at once: nothing of it waits for the server."""

from collections.abc import Callable, Sequence
from typing import Any

from playground.ui.components import component
from playground.ui.language import t


def models_drawer(
    key: str, name: str, chosen: str, cards: Sequence[dict[str, Any]], page: str, on_choice: Callable[[], None]
) -> None:
    """Draws the button; what is chosen is in ``st.session_state[key]["chosen"]`` while ``on_choice`` runs.

    It is ``{"run": id, "page": where it opens}``, ``{"compare": [ids]}`` or ``{"table": True}``.

    Args:
        key: of the component.
        name: what the button says.
        chosen: the id of the model that is chosen.
        cards: of `playground.ui.model_cards.told`, with ``page``: where it opens, "" for nowhere, and ``leads``: what is
            said of that, where it is not the page that is open.
        page: the page that is open; a link that hides its model hides the button.
    """
    component("models_drawer")(
        key=key,
        data={
            "name": name,
            "chosen": chosen,
            "cards": list(cards),
            "page": page,
            "words": {
                "button": t("Model"),
                "title": t("Models"),
                "search": t("Search models"),
                "close": t("Close"),
                "own": t("Yours"),
                "shipped": t("Shipped with the app"),
                "none": t("No model matches."),
                "compare": t("Compare"),
                "tick": t("Tick two or more to compare them"),
                "pick": t("Compare “{name}”"),
                "table": t("All models in a table"),
            },
        },
        on_chosen_change=on_choice,
    )
