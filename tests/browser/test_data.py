"""The Data page as a person uses it: choose, bring a file, look at tokens."""

import io
import re
import zipfile

import pytest
from playwright.sync_api import expect

from tests.support.stage import open_drawer
from tests.support.waiting import PHONE, wait_idle

PROSE = "".join(f"Line {n} tells of rivers, mills and {n % 7} children.\n" for n in range(3000))
CHINESE = "话说天下大势，分久必合，合久必分。\n" * 500


def bring(page, name: str, data: bytes) -> None:
    open_drawer(page)
    page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    )


def taken(page, name: str) -> None:
    """Waits until a file is kept and chosen."""
    open_drawer(page)
    chosen = page.locator(".st-key-data-file input").first
    expect(chosen).to_have_value(re.compile(re.escape(name)), timeout=120_000)


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("../evil.txt", "words")
    return file.getvalue()


def ready(page) -> None:
    page.get_by_text("Bytes per token").wait_for(timeout=60_000)
    wait_idle(page)


def test_a_text_is_seen_as_tokens(new_page):
    page = new_page("/data?corpus=python-docs")
    ready(page)
    page.locator(".token").nth(100).wait_for()
    page.locator(".token").nth(3).hover()
    page.get_by_text("token ", exact=False).first.wait_for()
    page.locator(".st-key-data-view").get_by_role("combobox").click()
    page.get_by_role("option", name="Compare tokenizers").click()
    page.get_by_text("characters per token on held-out text").nth(2).wait_for(timeout=60_000)
    page.wait_for_url("**view=compare**")


def test_what_masked_training_hides_is_dashed(new_page):
    page = new_page("/data?corpus=python-docs")
    ready(page)
    open_drawer(page)
    page.get_by_text("Mask tokens, as in masked training").click()
    page.locator(".token.dashed", has_text="<mask>").nth(20).wait_for()
    wait_idle(page)  # until then, the strip of before may stand there too
    few, all_of_them = page.locator(".token.dashed").count(), page.locator(".token").count()
    share = page.get_by_role("slider", name="Fraction of tokens masked")
    for _ in range(30):
        share.press("ArrowRight")
    page.locator(".token.dashed").nth(int(few * 2)).wait_for()
    expect(page.locator(".token")).to_have_count(all_of_them)


def test_typed_text_is_cut_anew(new_page):
    page = new_page("/data?corpus=python-docs&view=compare")
    ready(page)
    page.get_by_label("Type any text").fill("zebra")
    page.keyboard.press("Enter")
    page.locator(".token", has_text="a").first.wait_for()
    page.get_by_text("5 tokens here").first.wait_for()  # one a character


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.txt", b"", "empty.txt is empty."),
        ("photo.txt", b"\x89PNG\r\n\x1a\n" + bytes(500), "photo.txt is not text: it is a PNG image."),
        ("trap.zip", archive(), "leads out of its folder"),
        ("table.csv", b"title,words\n" + b"a,b c d e\n" * 50, "Which column of table.csv holds the text?"),
    ],
)
def test_what_cannot_be_read_is_said(new_page, name, data, says):
    page = new_page("/data?corpus=file")
    bring(page, name, data)
    page.get_by_text(says).wait_for()


@pytest.mark.parametrize(("encoding", "text"), [("utf-16", PROSE), ("gbk", CHINESE)])
def test_a_file_is_read_in_its_encoding(new_page, encoding, text):
    page = new_page("/data?corpus=file")
    bring(page, f"{encoding}.txt", text.encode(encoding))
    taken(page, f"{encoding}.txt")
    ready(page)
    page.locator(".token").nth(50).wait_for()
    expect(page.locator(".strip").first).not_to_contain_text("\ufffd", use_inner_text=True)


def test_a_large_file_is_taken_and_let_go_of(new_page, tmp_path, home):
    large = tmp_path / "large.txt"
    with open(large, "w") as file:
        for _ in range(200_000_000 // len(PROSE)):
            file.write(PROSE)
    page = new_page("/data?corpus=file")
    page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(large)
    taken(page, "large.txt")
    ready(page)
    expect(page.locator(".st-key-data-limit input").first).to_have_value("The first 10 MB")
    assert any(path.stat().st_size == large.stat().st_size for path in (home / "uploads").glob("*/large.txt"))


def test_preparing_can_be_stopped(new_page):
    page = new_page("/data?corpus=python-code&vocabulary=8192")
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped. Nothing was kept.").wait_for()
    page.get_by_role("button", name="Try again").wait_for()


def test_a_phone_shows_it_all(new_page):
    page = new_page("/data?corpus=python-docs", size=PHONE, scheme="dark")
    ready(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
