"""What tests of the browser do with the stage: open its drawer, measure its picture."""

from typing import Any

HANDLE = "[data-drawer-handle]"
DRAWER = ".st-key-stage-drawer"
PICTURE = ".st-key-stage-picture"


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


def picture_share(page: Any) -> tuple[float, bool]:
    """How much of the window the main drawing takes, and whether it lies whole in it."""
    box, window = page.locator(PICTURE).bounding_box(), page.viewport_size
    whole = (
        box["x"] >= 0
        and box["y"] >= 0
        and box["x"] + box["width"] <= window["width"] + 0.5
        and box["y"] + box["height"] <= window["height"] + 0.5
    )
    return box["width"] * box["height"] / (window["width"] * window["height"]), whole
