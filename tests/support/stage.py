"""What tests of the browser do with the stage: open its drawer; what they measure of it is in `tests.support.views`."""

from typing import Any

HANDLE = "[data-drawer-handle]"
DRAWER = ".st-key-stage-drawer"


def open_drawer(page: Any) -> Any:
    """Opens the drawer of options if it is closed, and gives it."""
    handle = page.locator(HANDLE)
    handle.wait_for()
    if page.evaluate("document.documentElement.dataset.drawer") != "open":
        handle.click()
    page.locator(DRAWER).wait_for(state="visible")
    return page.locator(DRAWER)


def close_drawer(page: Any) -> None:
    """Closes the drawer, so that it lies over nothing."""
    if page.evaluate("document.documentElement.dataset.drawer") == "open":
        page.locator(HANDLE).click()
        page.locator(DRAWER).wait_for(state="hidden")
