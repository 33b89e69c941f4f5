"""Teaching labels in a real browser: from a table of one's own to a classifier that is tried, and its file."""

import re
import zipfile
from pathlib import Path

from playwright.sync_api import expect

from tests.support.stage import close_drawer, open_drawer
from tests.support.stories import csv_to_onnx
from tests.support.views import FILLED, LEAST_SHARE
from tests.support.waiting import PHONE, wait_idle

SENTENCES = (("the king sat on throne {}", "royal"), ("a sheep ate grass {}", "farm"))
SMALL = {"width": 1280, "height": 720}
DROP = ".st-key-stage-picture input[type=file]"


def table(folder, rows: int = 60) -> str:
    lines = [f"{text.format(i)},{kind}" for i in range(rows) for text, kind in SENTENCES]
    path = folder / "kinds.csv"
    path.write_text("\n".join(["text,kind", *lines]))
    return str(path)


def whole(page) -> None:
    """The picture lies whole in the window and is filled; nobody has to scroll."""
    picture, window = page.locator(".st-key-stage-picture").bounding_box(), page.viewport_size
    assert picture["y"] + picture["height"] <= window["height"] + 0.5
    assert picture["width"] * picture["height"] >= LEAST_SHARE * window["width"] * window["height"]
    found = page.evaluate(FILLED)
    assert found["share"] > 0.7 and not found["cut"], found
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0


def test_own_table_to_a_tried_classifier_and_its_file_in_four_clicks(new_page, home, tmp_path):
    page = new_page("/", size=SMALL)

    def look(station: str) -> None:
        if station == "data":
            expect(page.get_by_text("300 rows, 2 labels: looks like classification")).to_be_visible()
            wait_idle(page)
        elif station == "verdict":
            expect(page.get_by_text(re.compile(r"\d+ of 60 held-out texts right"))).to_be_visible()
            wait_idle(page)
        whole(page)

    story = csv_to_onnx(page, Path(table(tmp_path, 150)), tmp_path, home, look)
    assert story.clicks <= 4
    assert 0 < story.seconds["beyond training"] < story.seconds["zip"]
    sure = re.compile(r"royal\s*(> 99|100|[5-9]\d)(\.\d)?\s*%")
    page.get_by_label("Type a text").fill("the king and his throne")
    page.locator("li.best").filter(has_text=sure).wait_for()
    with zipfile.ZipFile(next(tmp_path.glob("*.zip"))) as packed:
        names = {name.rpartition("/")[2]: name for name in packed.namelist()}
        card = packed.read(names["README.md"]).decode()
        texts = [packed.read(names[name]).decode() for name in ("README.md", "playground.json", "report.json")]
    assert {"model.onnx", "example.py", "demo.html", "tokenizer.json"} <= set(names)
    assert re.search(r"Accuracy on the test: [\d.]+% \(\d+ of 60 held-out examples right\), macro F1 [\d.]+%", card)
    assert "0. " in card and "royal" in card and "farm" in card
    assert not any(str(tmp_path) in text or "/uploads/" in text for text in texts), "no path of this machine"


def test_a_table_says_what_it_is_and_the_drawer_changes_the_plan(new_page, tmp_path):
    page = new_page("/finetune?data=file")
    page.locator(DROP).first.set_input_files(table(tmp_path, 40))
    page.get_by_text("80 rows, 2 labels: looks like classification").wait_for()
    expect(page.locator(".labels-read")).to_contain_text("royal")
    before = page.get_by_role("button", name="Teach a small model").inner_text()
    drawer = open_drawer(page)
    drawer.get_by_role("slider", name="Steps").press("Home")  # the fewest: 20
    expect(page.get_by_role("button", name="Teach a small model")).not_to_have_text(before)
    drawer.get_by_role("button", name="from scratch").click()
    wait_idle(page)
    close_drawer(page)
    whole(page)


def test_the_verdict_fills_a_room_without_forms(new_page, tuned):
    page = new_page(f"/finetune?run={tuned}&present=1", size=SMALL)
    page.locator(".verdict").wait_for()
    page.locator("li.best").wait_for()
    wait_idle(page)
    whole(page)
    assert not page.locator("textarea:visible, input:visible").count()
    judged = page.locator(".judged")
    assert judged.is_visible() and judged.inner_text().strip(), "the text that is judged"


def test_words_that_decide_move_with_the_text(new_page, tuned):
    page = new_page(f"/finetune?run={tuned}&view=try")
    page.get_by_label("Type a text").fill("the king and his throne")
    page.get_by_text("Attribution to “royal”").wait_for()
    page.get_by_label("Type a text").fill("a sheep ate grass")
    page.get_by_text("Attribution to “farm”").wait_for()


def test_a_cell_of_confusions_reads_its_texts_on_a_phone_and_by_night(new_page, tuned):
    page = new_page(f"/finetune?run={tuned}&view=results&cell=0-0", size=PHONE, scheme="dark")
    page.get_by_text(re.compile("^True label .*, predicted .* examples")).wait_for()
    page.get_by_text("Most confident mistakes").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], "nothing sticks out"


def test_a_file_is_labelled_and_downloaded(new_page, tuned, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("the king sat on throne 7\n\na sheep ate grass 7\n")
    page = new_page(f"/finetune?run={tuned}&view=file")
    page.locator(".st-key-stage-picture, .st-key-stage-drawer").locator("input[type=file]").first.set_input_files(
        str(path)
    )
    expect(page.get_by_role("combobox", name="Your files")).to_have_value(re.compile("lines.txt"))
    wait_idle(page)
    page.get_by_role("button", name="Label every row").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the labels").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0] == "text,label,probability" and len(lines) == 4
    assert lines[1].split(",")[1] == "royal" and lines[3].split(",")[1] == "farm" and lines[2] == ",,"


def test_a_head_whose_attention_moved_is_shown_before_and_after_and_in_explore(new_page, tuned):
    page = new_page(f"/finetune?run={tuned}&view=attention")
    grid = page.locator("canvas[data-shape='4 × 4']").first
    grid.wait_for()
    wait_idle(page)
    whole(page)
    with_head = lambda layer, head: page.get_by_text(re.compile(f"^Layer {layer}, head {head} moved"))
    grid.click(position={"x": 60, "y": 60})  # the first cell; what is left of it and above are names
    with_head(0, 0).wait_for()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        grid.press(key)
    with_head(1, 2).wait_for()
    expect(page.locator("canvas[data-shape]"), "all heads, and the one before and after").to_have_count(3)
    link = page.get_by_role("link", name="Look inside both")
    expect(link).to_have_attribute("href", re.compile("layer=1&head=2"), timeout=60_000)  # drawn after the pictures
    link.click()
    page.wait_for_url("**/explore**layer=1&head=2**")
    wait_idle(page)
    page.locator(".st-key-stage-picture canvas").first.wait_for()
