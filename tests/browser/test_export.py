"""From a run to ONNX, in the browser: export, proof, race, download."""

import re
import shutil
import zipfile

from playground.onnx_export.quantize import PRECISIONS
from tests.support.waiting import PHONE, wait_idle


def test_export_race_and_download(new_page, home):
    shutil.rmtree(home / "exports", ignore_errors=True)  # of an earlier try
    page = new_page("/export?run=bible-decoder")
    page.get_by_text("Not exported yet").wait_for()
    page.get_by_role("button", name="Export", exact=True).click()
    page.get_by_text("Agrees with PyTorch over").wait_for()
    page.get_by_text("Speed", exact=True).click()
    page.get_by_role("button", name="Start the comparison").click()
    page.get_by_text("took turns").wait_for(timeout=90_000)
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
