"""From a run to ONNX, in the browser: export, proof, race, download."""

import re
import shutil
import zipfile

import pytest

from playground.onnx_export.quantize import PRECISIONS
from tests.support.stage import close_drawer, open_drawer
from tests.support.views import FILLED, LEAST_SHARE, share_of_window
from tests.support.waiting import PHONE, wait_idle

SMALL = {"width": 1280, "height": 720}


def whole(page) -> None:
    """The picture lies whole in the window and is filled."""
    share, is_whole = share_of_window(page)
    found = page.evaluate(FILLED)
    assert is_whole and share >= LEAST_SHARE and found["share"] > 0.7 and not found["cut"], (share, found)


def choose_view(page, title: str) -> None:
    open_drawer(page).get_by_role("combobox", name="Show").click()
    page.get_by_role("option", name=title, exact=True).click()
    wait_idle(page)
    close_drawer(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_before_the_first_export_the_picture_is_an_estimate(new_page, home, scheme):
    shutil.rmtree(home / "exports" / "induction", ignore_errors=True)
    page = new_page("/export?run=induction", size=SMALL, scheme=scheme)
    page.get_by_text("these sizes are estimates").wait_for()
    page.get_by_text(re.compile("^≈ ")).first.wait_for()
    wait_idle(page)
    whole(page)
    assert page.locator(".st-key-export-go button").get_attribute("data-testid") == "stBaseButton-primary"


def test_export_race_and_download(new_page, home):
    shutil.rmtree(home / "exports", ignore_errors=True)  # of an earlier try
    page = new_page("/export?run=bible-decoder", size=SMALL)
    page.get_by_text("Not exported yet").wait_for()
    page.get_by_role("button", name="Export", exact=True).click()
    page.get_by_text("Agrees with PyTorch over").wait_for()
    page.get_by_text(re.compile("^int8 takes .* of the space of fp32")).wait_for(timeout=90_000)
    wait_idle(page)
    whole(page)
    download_button = page.locator(".st-key-export-zip button")
    assert download_button.get_attribute("data-testid") == "stBaseButton-primary", (
        "what one came for is the main button"
    )
    assert page.locator("[data-testid=stCode]").count() == 2, "the lines of Python and JavaScript"
    choose_view(page, "Speed")
    page.get_by_role("button", name="Start the comparison").click()
    page.get_by_text("took turns").wait_for(timeout=90_000)
    whole(page)
    told = page.locator(".row .told").all_inner_texts()
    kinds = 2 + len(PRECISIONS)  # torch without and with its cache, and each kind exported
    assert len(told) == kinds and all(re.match(r"[\d,]+ tokens/s", text) for text in told)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download everything").click()
    with zipfile.ZipFile(download.value.path()) as packed:
        names = {name.rpartition("/")[2] for name in packed.namelist()}
    assert {"model.onnx", "example.py", "demo.html", "tokenizer.json", "model.safetensors", "README.md"} <= names
    page.reload()
    page.get_by_text("Agrees with PyTorch over").wait_for()
    page.get_by_role("link", name="Write with the model").click()
    page.get_by_role("button", name="Write", exact=True).click()
    page.get_by_text("tokens/s, by ONNX Runtime on").wait_for()


def test_a_phone_shows_it_all(new_page):
    page = new_page("/export?run=bible-lstm", size=PHONE, scheme="dark")
    page.get_by_role("button", name="Export", exact=True).click()
    page.get_by_text("Agrees with PyTorch over").wait_for()
    wait_idle(page)
    assert page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollWidth") <= PHONE["width"] + 1
