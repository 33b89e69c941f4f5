"""The Fine-tune page in a real browser: from a gallery model to labels, read, tried and downloaded."""

import re

from playwright.sync_api import expect

from tests.support.charts import wait_for_step
from tests.support.waiting import PHONE, wait_idle

SENTENCES = (("the king sat on throne {}", "royal"), ("a sheep ate grass {}", "farm"))


def table(folder) -> str:
    rows = [f"{text.format(i)},{kind}" for i in range(60) for text, kind in SENTENCES]
    path = folder / "kinds.csv"
    path.write_text("\n".join(["text,kind", *rows]))
    return str(path)


def choose(page, box: str, option: str) -> None:
    page.get_by_role("combobox", name=box).click()
    page.get_by_role("option", name=option).click()
    wait_idle(page)


def test_own_table_to_labels(new_page, tmp_path):
    page = new_page("/finetune")
    choose(page, "Labelled text", "Your own table")
    page.locator("input[type=file]").last.set_input_files(table(tmp_path))
    page.get_by_text("2 labels").wait_for()
    expect(page.get_by_text("royal 50%")).not_to_have_count(0)
    page.get_by_role("slider", name="Steps").press("Home")  # the fewest: 20
    wait_idle(page)
    page.get_by_role("button", name="from scratch").click()  # not beside it, this time
    wait_idle(page)
    page.get_by_role("button", name="Fine-tune", exact=True).click()
    page.wait_for_url("**run=**")
    wait_for_step(page, 5)
    page.reload()
    page.get_by_text("Accuracy on the test").wait_for(timeout=90_000)
    wait_idle(page)
    page.get_by_role("radio", name="Try it").or_(page.get_by_role("button", name="Try it")).first.click()
    page.wait_for_url("**view=try**")
    box = page.get_by_label("Type a text")
    box.fill("the king and his throne")
    sure = re.compile(r"royal\s*(100|[5-9]\d)(\.\d)?\s*%")
    page.locator("li").filter(has_text=sure).wait_for()
    page.get_by_text("Attribution to “royal”").wait_for()


def test_a_cell_of_confusions_reads_its_texts_on_a_phone_and_by_night(new_page, tuned):
    page = new_page(f"/finetune?run={tuned}&view=results&cell=0-0", size=PHONE, scheme="dark")
    page.get_by_text(re.compile("^True label .*, predicted .* examples")).wait_for()
    page.get_by_text("Most confident mistakes").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], "nothing sticks out"


def test_a_file_is_labelled_and_downloaded(new_page, tuned, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("the king sat on throne 7\n\na sheep ate grass 7\n")
    page = new_page(f"/finetune?run={tuned}&view=file")
    page.locator("input[type=file]").last.set_input_files(str(path))
    expect(page.get_by_role("combobox", name="Your files")).to_have_value(re.compile("lines.txt"))
    wait_idle(page)
    page.get_by_role("button", name="Label every row").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the labels").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0] == "text,label,probability" and len(lines) == 4
    assert lines[1].split(",")[1] == "royal" and lines[3].split(",")[1] == "farm" and lines[2] == ",,"


def test_a_head_whose_attention_moved_is_shown_before_and_after_and_in_explore(new_page, tuned):
    page = new_page(f"/finetune?run={tuned}&view=gained")
    grid = page.locator("canvas[data-shape='4 × 4']").first
    with_head = lambda layer, head: page.get_by_text(f"Layer {layer}, head {head}, on the text")
    grid.click(position={"x": 60, "y": 60})  # the first cell; what is left of it and above are names
    with_head(0, 0).wait_for()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        grid.press(key)
    with_head(1, 2).wait_for()
    expect(page.locator("canvas[data-shape]"), "all heads, and the one before and after").to_have_count(3)
    link = page.get_by_role("link", name="Look at both in Explore")
    expect(link).to_have_attribute("href", re.compile("layer=1&head=2"), timeout=60_000)  # drawn after the pictures
    link.click()
    wait_idle(page)
    page.get_by_role("heading", name="Layer 1, head 2").wait_for()
    expect(page.get_by_text(re.compile("^An encoder that read the Bible, step 4,000: "))).to_be_visible()
