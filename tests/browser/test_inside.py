"""The living picture on the stage of a run: it moves while the model learns, says what one step changed, and plays afterwards."""

import re
import shutil

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from safetensors.numpy import load_file

from playground.runs import look
from playground.runs.folder import RunFolder
from playground.runs.frames import from_bytes
from playground.runs.store import RunStore
from tests.support.waiting import eventually, wait_idle

PICTURE = ".living"


pytestmark = pytest.mark.usefixtures("leaves_no_runs")


def started(new_page, query: str = "") -> tuple[Page, str]:
    """A page that has just been told to train, and the run's id; what stands on its stage was chosen before."""
    page = new_page(f"/train?preset=gpt2-tiny&steps=100000{query}")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**run=**")
    return page, re.search(r"run=([\w-]+)", page.url)[1]


def said(page: Page, picture: str = PICTURE) -> str:
    """What the picture says of itself: "step 12 · loss 4.321 · 2.1 frames per second"."""
    return page.locator(f"{picture} .status").first.inner_text()


def step(page: Page) -> int:
    found = re.search(r"step ([\d,]+)", said(page))
    return int(found[1].replace(",", "")) if found else -1


def inside(page: Page) -> None:
    page.get_by_role("radio", name="Inside").or_(page.get_by_role("button", name="Inside")).first.click()
    page.locator(".st-key-train-inside canvas").first.wait_for()


def ended(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    page.get_by_role("button", name="Resume").wait_for()


@pytest.fixture
def found(home):
    return lambda id: RunStore(home / "runs").get(id)


def test_the_picture_moves_while_it_learns_and_its_pins_stand_in_the_address(new_page, found):
    page, id = started(new_page)
    page.locator(f"{PICTURE} canvas").first.wait_for()
    before = step(page)
    eventually(page, lambda: step(page) > before + 1)
    inside(page)
    assert "picture=inside" in page.url
    before = step(page)
    eventually(page, lambda: step(page) > before + 1)
    tile = page.locator(".st-key-train-inside .tile").nth(2)
    tile.click(modifiers=["Shift"])
    page.wait_for_url("**pin=**")
    page.reload()
    expect(page.locator(".st-key-train-inside .pin")).to_have_count(1)
    ended(page, "Stop")


def test_what_it_writes_now_goes_on_from_words_that_are_typed_while_it_learns(new_page, found):
    page, id = started(new_page, "&picture=inside")
    page.locator(".st-key-train-inside canvas").first.wait_for()
    box = page.locator(".st-key-train-writes textarea")
    box.fill("And God said")
    written = page.locator(".train-written")
    expect(written).to_contain_text("And God said")
    first = written.inner_text()
    eventually(page, lambda: written.inner_text() != first)
    assert look.written(found(id))["prompt"] == "And God said"
    ended(page, "Stop")


def test_one_step_shows_exactly_the_change_that_it_made(new_page, found, tmp_path):
    page, id = started(new_page, "&picture=inside&look=weights_change")
    page.locator(".st-key-train-inside canvas").first.wait_for()
    ended(page, "Pause")
    run = found(id)
    at = run.status().step
    before = shutil.copy(weights(run, at), tmp_path / "before.safetensors")
    page.get_by_role("button", name="One step").click()
    eventually(page, lambda: run.status().step == at + 1 and run.status().state == "paused")
    eventually(page, lambda: step(page) == at + 1)
    frame = from_bytes(look.newest(run))
    assert (frame.about["kind"], frame.about["step"]) == ("weights_change", at + 1)
    old, new = load_file(before), load_file(weights(run, at + 1))
    whole = [name for name in frame.tensors if name in new and frame.tensors[name].shape == new[name].shape]
    assert whole, "some weights are shown number by number"
    for name in whole:
        np.testing.assert_array_equal(frame.tensors[name], (new[name] - old[name]).astype(np.float16), err_msg=name)
    assert any(np.any(frame.tensors[name]) for name in whole), "the step changed something"


def weights(run: RunFolder, at: int):
    return run.path / "checkpoint" / f"step-{at:08d}" / "model.safetensors"


def test_a_text_is_read_as_it_is_typed_and_another_one_after_it(new_page, found):
    page, id = started(new_page)
    inside(page)
    box = page.locator(".st-key-train-picture textarea")
    box.press_sequentially("The cat sat", delay=60)
    pieces = lambda: "".join(from_bytes(look.newest(found(id))).about["pieces"]).strip()
    eventually(page, lambda: pieces() == "The cat sat")
    expect(box).to_have_value("The cat sat")
    box.fill("A dog ran")
    eventually(page, lambda: pieces() == "A dog ran")
    expect(box).to_have_value("A dog ran")
    assert "read=A+dog+ran" in page.url or "read=A%20dog%20ran" in page.url
    ended(page, "Stop")


def test_two_people_see_each_what_they_asked_for(new_page, found):
    page, id = started(new_page)
    inside(page)
    other = new_page(f"/train?run={id}&picture=inside&look=gradients")
    other.locator(".st-key-train-inside canvas").first.wait_for()
    eventually(other, lambda: "Gradients" in said(other))
    before = step(page), step(other)
    eventually(page, lambda: step(page) > before[0] + 1)
    eventually(other, lambda: step(other) > before[1] + 1)
    assert "Gradients" in said(other) and "Gradients" not in said(page)
    ended(page, "Stop")


def test_a_tensor_that_is_not_there_and_a_hostile_request_are_told_and_the_run_goes_on(new_page, found):
    page, id = started(new_page, "&picture=inside")
    page.locator(".st-key-train-inside canvas").first.wait_for()
    run = found(id)
    page.goto(page.url.partition("/train")[0] + "/runs")  # the page vanishes: nobody renews the request
    look.ask(run, look.LookRequest(names=("layers.99.attention.weights",)))
    eventually(page, lambda: "layers.99.attention.weights" in (look.error(run) or ""))
    (run.path / look.REQUEST).write_bytes(b'{"kind": ["weights"], "text": 7}')
    now = run.status().step
    eventually(page, lambda: run.status().step > now + 2)
    run.request("stop")
    eventually(page, lambda: run.status().state == "stopped")


def test_a_run_that_has_ended_is_played_again(new_page, found):
    page, id = started(new_page, "&picture=inside&snapshots=4")
    page.locator(".st-key-train-inside canvas").first.wait_for()
    eventually(page, lambda: step(page) > 3)
    ended(page, "Stop")
    run = found(id)
    assert len(list((run.path / "snapshots").glob("*.safetensors"))) >= 1
    wait_idle(page)
    (run.path / "snapshots" / "step-00000000.safetensors").write_bytes(b"damaged")
    play = page.get_by_role("button", name="Play", exact=True)
    play.wait_for()
    play.click()
    last = run.status().step
    eventually(page, lambda: step(page) == last)
