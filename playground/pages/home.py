"""What this is, a model at work, and the ways on."""

from playground.ui.frame import page_title
from playground.ui.language import t


def page() -> None:
    page_title(
        t("LM Playground"), t("Build a small language model, watch it learn, look inside it, and talk to it.")
    )
