"""Damaged runs in a real browser, on a server of their own: read what is wrong with one, delete it, bring it back."""

import re

import pytest

from playground.runs.store import RunStore
from tests.support.damaged_runs import BROKEN, GOOD, PARTLY, SPOILT, make_damaged
from tests.support.serving import serve
from tests.support.stage import close_drawer, open_drawer
from tests.support.waiting import PHONE, WIDE, eventually, wait_idle


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """The address of a server, and its store."""
    home = tmp_path_factory.mktemp("damaged")
    make_damaged(home, good=True)
    with serve(home) as started:
        yield started.address, RunStore(home / "runs")


def table_of_damaged(page):
    """The table below those of the sound runs."""
    heading = page.locator("canvas tr", has_text="What is wrong")
    return page.locator("[data-testid=stDataFrame]").filter(has=heading)


def told_rows(page) -> dict[str, str]:
    """The rows of the table of damaged runs by name, as a screen reader is told them (those that are drawn)."""
    rows = table_of_damaged(page).locator("canvas tr")
    rows.nth(2).wait_for(state="attached")
    cells = [[cell.strip() for cell in row.locator("td").all_text_contents()] for row in rows.all()[1:]]
    return {cell[-2]: cell[-1] for cell in cells if len(cell) >= 2}


def test_one_is_read_of_deleted_and_brought_back(damaged, new_page):
    address, store = damaged
    page = new_page(f"{address}/runs")
    rows = told_rows(page)
    assert len(rows) >= 5 and all(len(sentence) > 15 for sentence in rows.values()), rows
    table = table_of_damaged(page)
    table.scroll_into_view_if_needed()
    wait_idle(page)
    table.hover(position={"x": 60, "y": 100})  # the table knows where it is once a mouse comes, and shows its tools
    page.locator("[data-testid=stElementToolbar]:visible").first.wait_for()
    table.click(position={"x": 15, "y": 38 + 40})
    page.wait_for_url(re.compile("runs="))
    first = next(iter(rows))
    page.get_by_text("Delete the run: it goes into the trash.").wait_for()
    assert rows[first] in page.locator("[data-testid=stAlert]").inner_text()
    open_drawer(page).get_by_role("button", name="Delete", exact=True).click()
    page.get_by_text("went into the trash").wait_for()
    eventually(page, lambda: not (store.root / first).exists())
    close_drawer(page)
    page.get_by_role("button", name="Undo").click()
    eventually(page, lambda: (store.root / first).exists())


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_all_are_deleted_at_once_by_a_link(damaged, new_page, size):
    """A person gets rid of everything that is damaged, and the good run stays."""
    address, store = damaged
    ids = [*BROKEN, *SPOILT, *PARTLY]
    page = new_page(f"{address}/runs?runs={','.join(ids)}", size)
    open_drawer(page).get_by_role("button", name=re.compile(rf"Delete {len(ids)} runs")).click()
    page.get_by_text("went into the trash").wait_for()
    assert [run.id for run in store.list()] == [GOOD] and not store.damaged()
    close_drawer(page)
    page.get_by_role("button", name="Undo").click()
    eventually(page, lambda: len(list(store.root.iterdir())) == len(ids) + 1)


@pytest.mark.parametrize("path", ["/", "/train", "/finetune", "/generate", "/explore", "/export", "/runs?lang=zh"])
def test_pages_open_beside_them(damaged, new_page, path):
    page = new_page(damaged[0] + path)
    assert page.get_by_text("Something went wrong").count() == 0
    assert page.locator("[data-testid=stException]").count() == 0
