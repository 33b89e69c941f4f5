"""What people come for, from the opened home page: how many clicks it takes, and how many seconds. For tests and benchmarks.

Each story opens nothing itself: it begins on a home page that is drawn, counts its clicks, and tells when what it is about
was seen on the first screen, without scrolling.
"""

import csv
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.charts import wait_for_step
from tests.support.waiting import wait_idle

IN_SIGHT = """(text) => {
  const walk = function* (root) {
    for (const child of root.querySelectorAll("*")) {
      yield child;
      if (child.shadowRoot) yield* walk(child.shadowRoot);
    }
  };
  for (const element of walk(document.querySelector(".st-key-stage-picture") || document.body)) {
    if (!element.matches(text)) continue;
    const box = element.getBoundingClientRect();
    if (box.width > 1 && box.height > 1 && box.top >= 0 && box.top < innerHeight && (element.textContent || "").trim().length)
      return true;
  }
  return false;
}"""
"""Whether something of that selector, with words in it, stands on the first screen of the picture."""


@dataclass
class Story:
    """One story as it goes.

    Attributes:
        page: on the opened home page.
        clicks: so far.
        seconds: since the first of them, by what was seen.
    """

    page: Any
    clicks: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    def click(self, locator: Any) -> None:
        self.clicks += 1
        locator.click()

    def saw(self, what: str) -> None:
        self.seconds[what] = time.perf_counter() - self.began

    def place(self, name: str) -> None:
        """To one of the four places."""
        self.click(self.page.locator(f"[class*='st-key-frame-place-{name}'] a"))


def learns(page: Any) -> Story:
    """A model visibly learns: the first point of its curve, and the first text that it writes."""
    story = Story(page)
    story.place("lab")
    story.click(page.locator(".st-key-train-start button"))
    wait_for_step(page, 1)
    story.saw("curve")
    page.wait_for_function(IN_SIGHT, arg="[data-written]", polling=30)
    story.saw("text")
    return story


def attention(page: Any, sentence: str) -> Story:
    """An own sentence, and who looks at whom in it."""
    page.locator("textarea").first.fill(sentence)
    page.locator(".root.stale .bars").wait_for()
    page.locator(".root:not(.stale) .bars").wait_for()
    story = Story(page)
    story.place("inside")
    word = sentence.split()[-1]
    page.locator(".st-key-explore-text textarea, .st-key-stage-command textarea").first.wait_for()
    page.wait_for_function(
        """(word) => [...document.querySelectorAll(".st-key-stage-command *")].some((each) =>
            each.shadowRoot?.querySelector("textarea")?.value.includes(word))""",
        arg=word,
        polling=20,
    )
    page.wait_for_function(
        f"() => ({IN_SIGHT})('svg') || [...document.querySelectorAll('.st-key-stage-picture *')].some((each) =>"
        " each.shadowRoot?.querySelector('canvas, svg'))",
        polling=20,
    )
    story.saw("attention")
    return story


def gates(page: Any) -> Story:
    """The gates of an LSTM."""
    return _view(page, "Gates and states", "recurrent", "gates")


def positions(page: Any) -> Story:
    """Why positions: the words shuffled."""
    return _view(page, "Positions", "positions", "positions")


def _view(page: Any, tab: str, view: str, what: str) -> Story:
    """To a view of Look inside, by its tab; ``view`` is its name in the address."""
    story = Story(page)
    story.place("inside")
    story.click(page.locator(".st-key-stage-views").get_by_text(tab, exact=True))
    page.wait_for_url(f"**view={view}**")
    wait_idle(page)
    story.saw(what)
    return story


def csv_to_onnx(
    page: Any, table: Path, into: Path, home: Path, look: Callable[[str], None] = lambda station: None
) -> Story:
    """A table of one's own, a classifier of it that was tried, and the ONNX zip on the disk.

    Args:
        table: of a text and its label per row, with a header.
        into: the folder that the zip is saved in.
        home: of the server, where the run says how long it trained.
        look: is called where a person would look: on the "data", while it is "learning", at the "verdict" and the "answer".
    """
    story = Story(page)
    story.click(page.get_by_role("link", name="I bring data"))
    drop = page.locator(".st-key-stage-picture input[type=file]").first
    drop.wait_for(state="attached")
    story.clicks += 1  # the dialog of the browser
    drop.set_input_files(str(table))
    page.locator(".st-key-finetune-start button:enabled").wait_for()
    story.saw("data")
    look("data")
    story.click(page.locator(".st-key-finetune-start button:enabled"))
    page.wait_for_url("**run=**")
    wait_for_step(page, 1)
    look("learning")
    get = page.get_by_role("button", name="Get it (.zip)")
    get.wait_for(timeout=300_000)  # the page turns over by itself
    page.locator("li.best").wait_for()
    story.saw("verdict")
    look("verdict")
    said = page.locator("li.best").inner_text()
    with table.open(encoding="utf-8", newline="") as file:
        text, label = next(row for row in islice(csv.reader(file), 1, None) if row[1] not in said)
    page.get_by_label("Type a text").fill(text)
    page.locator("li.best").filter(has_text=label).wait_for()
    look("answer")
    with page.expect_download(timeout=120_000) as download:
        story.click(get)
    path = into / download.value.suggested_filename
    download.value.save_as(path)
    story.saw("zip")
    run = parse_qs(urlsplit(page.url).query)["run"][0]
    report = json.loads((home / "runs" / run / "results" / "report.json").read_text(encoding="utf-8"))
    story.seconds["beyond training"] = story.seconds["zip"] - report["training_seconds"]
    return story
