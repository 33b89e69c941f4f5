"""The table of runs in a real browser: pick, compare, rename, copy, delete and undo, take along and load."""

import re

import pytest
from playwright.sync_api import expect

from playground.runs.store import RunStore
from tests.support.charts import step, wait_for_step
from tests.support.made_runs import make_run
from tests.support.stage import close_drawer, open_drawer
from tests.support.waiting import PHONE, eventually, wait_idle


@pytest.fixture
def two(home):
    """Two runs that are there for this test alone."""
    store, made = RunStore(home / "runs"), []
    for name, seed in (("first of two", 3), ("second of two", 4)):
        made.append(make_run(home, name, seed))
    yield made
    for run in made:
        if run.exists:
            store.delete(run.id)


def open_both(new_page, two, **params):
    more = "".join(f"&{name}={value}" for name, value in params.items())
    page = new_page(f"/runs?runs={two[0].id},{two[1].id}{more}")
    open_drawer(page)
    page.get_by_role("button", name="Delete 2 runs").wait_for()
    return page


def test_picked_runs_are_drawn_together_and_the_address_keeps_them(new_page, two):
    page = open_both(new_page, two)
    wait_for_step(page, 400)
    expect(page.locator(".st-key-stage-picture .legend .entry")).to_have_count(2)
    expect(page.locator(".st-key-stage-notice")).to_contain_text("Lowest validation loss: ")
    close_drawer(page)
    page.get_by_text("Differences", exact=True).click()
    page.wait_for_url("**view=settings**")
    wait_idle(page)
    page.get_by_text("seed 3 → 4").or_(page.get_by_text("seed 4 → 3")).first.wait_for()
    page.reload()
    page.get_by_text("also what they have in common").wait_for()


def test_a_row_is_picked_with_a_click(new_page, two):
    page = new_page("/runs")
    table = page.locator("[data-testid=stDataFrame]").first
    table.locator("canvas tr").nth(2).wait_for(state="attached")  # what a screen reader is told: the rows are drawn
    wait_idle(page)
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    page.mouse.click(box["x"] + 15, box["y"] + 38 + 19)
    page.wait_for_url("**runs=**")
    open_drawer(page)
    page.get_by_role("link", name="Open").wait_for()
    wait_for_step(page, 1)
    assert step(page) == 400


def test_the_same_in_a_terminal_and_in_python(new_page, two):
    page = open_both(new_page, two, view="recipe")
    page.get_by_text("python -m playground train --preset lstm-tiny").first.wait_for()
    expect(page.locator("[data-testid=stCode]").nth(1)).to_contain_text("TrainingSpec(", use_inner_text=True)


def test_rename(new_page, two):
    page = new_page(f"/runs?runs={two[0].id}")
    open_drawer(page)
    page.get_by_role("button", name=re.compile("Rename")).first.click()
    name = page.locator("[data-testid=stPopoverBody]").get_by_label("Name")
    name.fill("a better name")
    page.locator("[data-testid=stPopoverBody]").get_by_role("button", name="Rename").click()
    eventually(page, lambda: two[0].name == "a better name")


def test_delete_and_undo(new_page, two):
    page = open_both(new_page, two)
    page.get_by_role("button", name="Delete 2 runs").click()
    page.get_by_role("button", name="Undo").wait_for()
    assert not two[0].exists and not two[1].exists
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Delete 2 runs").wait_for()
    assert two[0].exists and two[1].exists


def test_duplicate(new_page, two, home):
    page = new_page(f"/runs?runs={two[0].id}")
    open_drawer(page)
    page.get_by_role("button", name=re.compile("Duplicate")).first.click()
    page.get_by_role("button", name="Make the copy").click()
    page.wait_for_url(lambda address: two[0].id not in address and "runs=" in address)
    store = RunStore(home / "runs")
    copy = store.get(page.url.partition("runs=")[2].partition("&")[0])
    assert copy.config().training == two[0].config().training and copy.name == "first of two (2)"
    store.delete(copy.id)


def test_a_run_travels_as_a_zip_file(new_page, two, home, tmp_path):
    page = new_page(f"/runs?runs={two[0].id}")
    open_drawer(page)
    with page.expect_download() as waiting:
        page.get_by_test_id("stDownloadButton").get_by_role("button").click()
    file = tmp_path / "run.zip"
    waiting.value.save_as(file)
    page.get_by_role("button", name=re.compile("Load a run")).click()
    page.locator("input[type=file]").set_input_files(file)
    page.wait_for_url(lambda address: two[0].id not in address and "runs=" in address)
    store = RunStore(home / "runs")
    copy = store.get(page.url.partition("runs=")[2].partition("&")[0])
    assert copy.about()["imported"] and len(copy.metrics()[0]) == len(two[0].metrics()[0])
    store.delete(copy.id)


def test_a_zip_file_that_climbs_out_is_refused_with_a_sentence(new_page, two, tmp_path):
    import zipfile

    file = tmp_path / "evil.zip"
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("run/../../escaped.json", "{}")
    page = new_page("/runs")
    open_drawer(page)
    page.get_by_role("button", name=re.compile("Load a run")).click()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_text("This file was not opened").wait_for()


def test_nothing_is_cut_off_on_a_phone(new_page, two):
    page = new_page(f"/runs?runs={two[0].id},{two[1].id}", size=PHONE)
    open_drawer(page)
    page.get_by_role("button", name="Delete 2 runs").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_in_chinese(new_page, two):
    page = new_page(f"/runs?runs={two[0].id}", locale="zh-CN")
    page.get_by_role("heading", name="实验").wait_for()
    open_drawer(page)
    page.get_by_text("重命名").first.wait_for()


def test_without_a_choice_the_newest_are_drawn(new_page, two):
    page = new_page("/runs")
    expect(page.locator(".st-key-stage-notice")).to_contain_text("The newest models.")
    wait_for_step(page, 400)


def test_a_card_is_chosen_by_keys_and_two_are_compared(new_page, two):
    page = new_page("/explore?run=bible-decoder")
    opener = page.locator(".st-key-frame-model .open")
    opener.click()
    panel = page.get_by_role("dialog", name="Models")
    panel.get_by_role("searchbox").fill("lstm bible")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**run=bible-lstm**")
    wait_idle(page)
    expect(panel).to_be_hidden()
    expect(opener).to_be_focused()
    expect(opener).to_contain_text("An LSTM that read the Bible")
    opener.click()
    for run in two:
        panel.get_by_role("searchbox").fill(run.name)
        panel.get_by_role("checkbox").first.check()
    panel.get_by_role("button", name="Compare (2)").click()
    page.wait_for_url(lambda address: all(run.id in address for run in two))
    wait_for_step(page, 400)


def test_escape_closes_the_drawer_of_models_and_gives_the_focus_back(new_page):
    page = new_page("/explore?run=bible-decoder")
    opener = page.locator(".st-key-frame-model .open")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Models")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Models")).to_be_hidden()
    expect(opener).to_be_focused()


def test_a_model_that_this_page_cannot_show_says_where_it_opens(new_page, two):
    page = new_page("/explore?run=bible-decoder")
    page.locator(".st-key-frame-model .open").click()
    panel = page.get_by_role("dialog", name="Models")
    panel.get_by_role("searchbox").fill(two[0].name)
    card = panel.get_by_role("button", name=two[0].name).first
    expect(card).to_contain_text("opens in Lab")
    card.click()
    page.wait_for_url(f"**/train**run={two[0].id}**")
