"""The link to what is on the screen: to copy, as a code for phones, with the controls that it hides."""

from functools import lru_cache
from urllib.parse import urlencode, urlsplit, urlunsplit

import streamlit as st

from playground.ui import controls
from playground.ui.allowed_hosts import EVERYWHERE, is_loopback, own_address
from playground.ui.language import t
from playground.ui.messages import fragment
from playground.ui.select import select_several


@fragment
def share() -> None:
    """A button in the header, and what unfolds from it; before a room the code alone, as a tile in the corner."""
    if st.session_state.get("present"):
        tile()
        return
    opened = st.popover(t("Share"), icon=":material/qr_code_2:", type="tertiary", key="frame.share", on_change="rerun")
    if not opened.open:
        return
    with opened:
        above, shown = st.container(), controls.hidden()
        address = link(choose_hidden(shown))
        if shown and st.button(t("Show all that is hidden here"), icon=":material/visibility:", key="share.all"):
            controls.hide([])
            st.rerun()
    with above:
        st.markdown(f"**{t('A link to what you see')}**")
        st.code(address, language=None, wrap_lines=True)
        if is_local(address):
            st.caption(
                t(
                    "Only this computer reaches it. Start the app with `make app HOST=0.0.0.0`: a code for phones appears here."
                )
            )
        else:
            with st.container(horizontal_alignment="center"):
                st.image(qr_code(address), width=220, alt=t("The link as a QR code"))


def tile() -> None:
    """The code for the phones of a class, in the corner of what is shown; on and off by one button."""
    shown = st.session_state.get("share.tile", False)
    label = t("Take the code away") if shown else t("Show the link as a code")
    with st.container(key="frame-share-tile", width="content"):
        st.button(label, icon=":material/qr_code_2:", key="share.turn", type="tertiary", on_click=_turn)
    if shown:
        address = link(controls.hidden())
        with st.container(key="share-tile"):
            if is_local(address):
                st.markdown(
                    t(
                        "Only this computer reaches it: start the app with `make app HOST=0.0.0.0` for a code that phones can use."
                    )
                )
            else:
                st.image(qr_code(address), width=220, alt=t("The link as a QR code"))


def _turn() -> None:
    st.session_state["share.tile"] = not st.session_state.get("share.tile", False)


def choose_hidden(shown: list[str]) -> list[str]:
    """What the link shall hide: pages, and controls of this page; those hidden here at first."""
    page, pages = here(), st.session_state.get("pages", {})
    titles = {f"{page}.{name}": t(title) for name, title in controls.CONTROLS.get(page, {}).items()}
    titles |= {name: t("Page: {title}", title=each.title) for name, each in pages.items() if name not in ("home", page)}
    titles |= {
        name: f"{pages[name.partition('.')[0]].title}: {t(controls.titled(name))}"
        for name in shown
        if "." in name and name not in titles and name.partition(".")[0] in pages
    }
    return select_several(
        t("Hidden from whoever opens it"),
        list(titles),
        [name for name in shown if name in titles],
        format_func=titles.get,
        placeholder=t("nothing is hidden"),
        key=f"share.hide.{page}",
        help=t("For a lesson: the class sees only the pages and controls that it needs. Nothing is locked."),
    )


def here() -> str:
    """The name of this page."""
    path = urlsplit(st.context.url or "").path.rstrip("/").rpartition("/")[2]
    return path if path in st.session_state.get("pages", {}) else "home"


def link(hide: list[str]) -> str:
    """The whole address of what is shown, with these hidden; by the machine's name in the network where it has one.

    Never in presentation mode: who opens it sits before a screen of their own.
    """
    parts = urlsplit(st.context.url or "")
    query = {**st.query_params.to_dict(), "hide": ",".join(hide), "present": ""}
    said = urlencode({name: value for name, value in query.items() if value}, safe=",@:/")
    return urlunsplit((parts.scheme, outside(parts.netloc), parts.path, said, ""))


def outside(netloc: str) -> str:
    """``localhost:8501`` as others in the network would have to write it, when the server lets them in."""
    name, _, port = netloc.rpartition(":") if netloc.rpartition(":")[2].isdigit() else (netloc, "", "")
    if not is_loopback(name) or (st.get_option("server.address") or "") not in EVERYWHERE:
        return netloc
    known = own_address()
    return f"{known}:{port}" if known and port else known or netloc


def is_local(address: str) -> bool:
    return is_loopback(urlsplit(address).hostname or "")


@lru_cache(maxsize=50)
def qr_code(address: str) -> str:
    """The address as a code that a phone's camera reads, an SVG of dark squares on white."""
    import segno

    code = segno.make(address, error="m", micro=False)
    return code.svg_inline(scale=5, border=3, dark="#14181d", light="#ffffff")
