"""What tests of the browser do with the stage: open its drawer, save a drawing; what they measure of it is in `tests.support.views`."""

from typing import Any

HANDLE = "[data-drawer-handle]"
DRAWER = ".st-key-stage-drawer"


def open_drawer(page: Any) -> Any:
    """Opens the drawer of options if it is closed, and gives it."""
    handle = page.locator(HANDLE).first
    handle.wait_for()
    if page.evaluate("document.documentElement.dataset.drawer") != "open":
        handle.click()
    page.locator(DRAWER).wait_for(state="visible")
    return page.locator(DRAWER)


def close_drawer(page: Any) -> None:
    """Closes the drawer, so that it lies over nothing."""
    if page.evaluate("document.documentElement.dataset.drawer") == "open":
        page.locator(HANDLE).first.click()
        page.locator(DRAWER).wait_for(state="hidden")


def save_drawing(page: Any, kind: str, nth: int = 0) -> Any:
    """Saves a drawing of the page by the menu at its corner, and gives the download.

    Args:
        kind: "PNG", "SVG" or "CSV".
        nth: which drawing, in the order of the page; of the drawings that can be saved.
    """
    page.locator("button.save-menu").nth(nth).click()
    entry = page.locator(".save-list:popover-open").get_by_role("button", name=kind, exact=True)
    with page.expect_download() as download:
        entry.click()
    entry.wait_for(state="hidden")
    return download.value
