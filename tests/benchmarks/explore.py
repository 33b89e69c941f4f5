"""What a person waits for on the Explore page: from the last key to all heatmaps of the longer text."""

import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from models.spec import ModelSpec
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.store import RunStore
from playground.text.spec import DataSpec, TokenizerSpec
from tests.browser.conftest import FLAGS, chromium
from tests.support.serving import serve
from tests.support.waiting import WIDE, wait_idle

LENGTHS = {64: 0.15, 256: 1.0, 512: 3.0}  # tokens: goal in seconds, median
KEYS = 9


def measure() -> list[tuple]:
    path = chromium()
    if path is None:
        return [("heatmaps while typing", "not measured: no Chromium here", "", None)]
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        serve(Path(home)) as server,
        sync_playwright() as playwright,
    ):
        run = _six_by_six(Path(home))
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            page = browser.new_context(base_url=server.address, viewport=WIDE, reduced_motion="reduce").new_page()
            return [_row(n, _typed(page, run, n), goal) for n, goal in LENGTHS.items()]
        finally:
            browser.close()


def _six_by_six(home: Path) -> str:
    """A run of 6 layers × 6 heads whose tokens are characters, so that a key is a token."""
    from playground.training import worker

    spec = ModelSpec(
        "decoder", d_model=192, n_layers=6, n_heads=6, context_length=512, position="rotary", norm="rmsnorm"
    )
    training = TrainingSpec("clm", steps=2, batch_size=2, warmup_steps=1, eval_every=2, eval_batches=1, threads=1)
    data = DataSpec("python-docs", tokenizer=TokenizerSpec("char"), max_bytes=60_000)
    run = RunStore(home / "runs").create(RunConfig("six by six", spec, data, training))
    assert worker.run(run) == "finished"
    return run.id


DRAWN = """(wanted) => {
  const search = (root, selector) => {
    for (const node of root.querySelectorAll("*")) {
      const found = node.matches(selector) ? node : node.shadowRoot && search(node.shadowRoot, selector);
      if (found) return found;
    }
  };
  const large = search(document, "canvas[data-shape]"), heads = search(document, ".grid[data-of]");
  window.drawn = new Promise((then) => {
    const began = (event) => {
      const look = () => {
        if (large.dataset.shape === wanted && heads.dataset.of === wanted) then(performance.now() - event.timeStamp);
        else requestAnimationFrame(look);
      };
      look();
    };
    addEventListener("keydown", began, { capture: true, once: true });
  });
}"""
"""From the next key to the frame in which the large picture and all heads have that shape, in milliseconds: the page looks
at every frame, as Playwright itself looks again after 20, 70 and 170 ms only.
"""


def _typed(page: Page, run: str, n: int) -> list[float]:
    """Seconds from a key to the pictures of all heads, and the large one, that have one row and column more."""
    page.goto(f"/explore?run={run}&view=attention&draw=cells")
    wait_idle(page, 60)
    box = page.locator("textarea").first
    box.fill(("the quick brown fox " * 26)[: n - 1])
    page.locator(f"canvas[data-shape='{n - 1} × {n - 1}']").wait_for(timeout=60_000)
    wait_idle(page)
    box.press("End")
    seconds = []
    for key in range(KEYS):
        there = n if key % 2 == 0 else n - 1
        page.evaluate(DRAWN, f"{there} × {there}")
        page.keyboard.press("x" if key % 2 == 0 else "Backspace")
        seconds.append(page.evaluate("window.drawn") / 1000)
        wait_idle(page)
    return seconds[1:]


def _row(n: int, seconds: list[float], goal: float) -> tuple:
    median = statistics.median(seconds)
    what = f"key → all heatmaps redrawn, 6 layers × 6 heads × {n} tokens"
    measured = f"{median:.2f} s (worst of {len(seconds)}: {max(seconds):.2f} s)"
    return (what, measured, f"median < {goal:g} s", median < goal)
