"""The app: ``streamlit run app.py``. Wires the pages together; what they do is in playground/pages."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import streamlit as st

from playground.ui import allowed_hosts, controls, links, server_start, url_state
from playground.ui.chosen_model import choose_model
from playground.ui.frame import frame
from playground.ui.language import t
from playground.ui.messages import shown_bugs, shown_errors

PAGES = {
    "home": ("Home", ":material/home:"),
    "build": ("Build", ":material/account_tree:"),
    "data": ("Data", ":material/dataset:"),
    "train": ("Train", ":material/monitoring:"),
    "finetune": ("Fine-tune", ":material/model_training:"),
    "runs": ("Runs", ":material/table_rows:"),
    "generate": ("Generate", ":material/edit_note:"),
    "explore": ("Explore", ":material/search_insights:"),
    "export": ("Export", ":material/deployed_code:"),
}
ICON = str(Path(__file__).parent / "playground/ui/icon.svg")


def opener(name: str) -> Callable[[], None]:
    """A page that is imported when it is first opened, so that no page waits for another one's imports."""

    def open_page() -> None:
        with shown_bugs(f"The page {name}"), shown_errors():
            import_module(f"playground.pages.{name}.page").page()

    return open_page


def visit() -> None:
    """One run for one visitor, as they come, click and type."""
    st.set_page_config(page_title="LM Playground", page_icon=ICON, layout="wide")
    server_start.server()
    server_start.trainer()
    hidden = set(controls.hidden()) - {"home"}
    pages = {
        name: st.Page(
            opener(name),
            title=t(title),
            icon=icon,
            url_path=name,
            default=name == "home",
            visibility="hidden" if name in hidden else "visible",
        )
        for name, (title, icon) in PAGES.items()
        if find_spec(f"playground.pages.{name}")
    }
    links.register(pages, hidden)
    chosen = st.navigation(list(pages.values()), position="hidden")
    links.follow()
    here = chosen.url_path or "home"
    url_state.opened(here)
    place = frame(here)
    with st.container(key="page"):
        chosen.run()
    with place:
        choose_model(here)


# Streamlit imports this file once to find the server, and runs it as a script at each visit.
if __name__ == "__main__":
    visit()
else:
    app = st.App(__file__, middleware=allowed_hosts.middleware(), lifespan=allowed_hosts.started)
