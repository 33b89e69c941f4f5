"""Every view of the app by its address, and what a browser measures of one: for the tests, and for `make bench`."""

from typing import Any

from playground import gallery
from playground.pages.explore import positions, predictions, recurrent

SIZES = {
    "1440x900": ({"width": 1440, "height": 900}, False),
    "1280x720": ({"width": 1280, "height": 720}, False),
    "presenting": ({"width": 1280, "height": 720}, True),
}
"""The windows that a view has to fit, and whether it is presented there."""
LEAST_SHARE = 0.6
"""Of the window, for the main drawing."""
LEAST_TEXT = 20
"""Pixels, for the letters of a presentation."""
LEARNED = max(
    (run for run in gallery.runs() if positions.has_table(run)), key=lambda run: run.config().model.context_length
).id
"""The shipped run with the longest learned table of positions."""
VIEWS = {
    "learn": "/",
    "train": "/train",
    "trained": "/train?run={clm}",
    "build": "/build",
    **{f"data-{view}": f"/data?view={view}" for view in ("sample", "numbers", "vocabulary", "compare")},
    **{f"attention-{run}": f"/explore?run={run}&view=attention" for run in ("bible-decoder", "bible-encoder", "dates")},
    "steps": "/explore?run=bible-decoder&view=steps",
    "steps-example": "/explore?run=bible-decoder&view=steps&example=1",
    **{f"positions-{look}": f"/explore?run={LEARNED}&view=positions&look={look}" for look in positions.ASPECTS},
    **{f"gates-{look}": f"/explore?run=bible-lstm&view=recurrent&look={look}" for look in recurrent.ASPECTS},
    **{
        f"predictions-{look}": f"/explore?run=bible-decoder&view=predictions&look={look}"
        for look in predictions.ASPECTS
    },
    "intervene": "/explore?run=induction&view=intervene",
    "intervene-lstm": "/explore?run=bible-lstm&view=intervene",
    **{f"generate-{run}": f"/generate?run={run}" for run in ("bible-decoder", "bible-encoder", "dates", "bible-lstm")},
    "finetune": "/finetune",
    "finetuned": "/finetune?run={tuned}",
    "export": "/export?run=dates",
    "runs": "/runs",
}
"""By name: the address, with the ids of runs that the tests have trained as fields."""


def presented(path: str) -> str:
    """The address of a view in presentation."""
    return f"{path}{'&' if '?' in path else '?'}present=1"


WALK = """
const seen = (element) => {
  const box = element.getBoundingClientRect(), style = getComputedStyle(element);
  return box.width > 1 && box.height > 1 && style.visibility !== "hidden" && style.opacity !== "0" && style.clipPath === "none";
};
function* walk(root) {
  for (const child of root.children) {
    if (getComputedStyle(child).display === "none") continue;
    yield child;
    if (child.shadowRoot) yield* walk(child.shadowRoot);
    yield* walk(child);
  }
}
const inWindow = (box) => box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
"""

RECORD = """() => {
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
    const scale = Math.hypot(this.getTransform().b, this.getTransform().d) / (devicePixelRatio || 1);
    const size = parseFloat(this.font.match(/([\\d.]+)px/)?.[1] || 0) * scale;
    if (String(text).trim()) (this.canvas.written ||= new Map()).set(`${text}`, size);
    return write.call(this, text, ...more);
  };
  const clear = CanvasRenderingContext2D.prototype.clearRect;
  CanvasRenderingContext2D.prototype.clearRect = function (...box) {
    this.canvas.written = new Map();
    return clear.apply(this, box);
  };
}"""
"""Before the page: every canvas keeps the letters on it and how tall they are drawn."""

FILLED = (
    """() => {"""
    + WALK
    + """
  const picture = document.querySelector(".st-key-stage-picture").getBoundingClientRect();
  const kinds = "canvas, svg, img, button, p, li, td, th, span, b, text, rect, path, textarea, [data-testid=stDataFrame]";
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity], cut = [];
  for (const element of walk(document.querySelector(".st-key-stage-picture"))) {
    if (!element.matches(kinds) || !seen(element)) continue;
    let box = element.getBoundingClientRect(), scrolled = false;
    for (let up = element; up && !up.matches?.(".st-key-stage-picture"); up = up.parentElement || up.getRootNode().host) {
      const style = getComputedStyle(up);
      if (up !== element && /auto|scroll/.test(style.overflowX + style.overflowY)) scrolled = true;
      if (up.matches(".js-plotly-plot, [data-testid=stDataFrame]")) scrolled = true; // they clip what they draw
    }
    if (!scrolled && (box.right > picture.right + 2 || box.bottom > picture.bottom + 2 || box.left < picture.left - 2))
      cut.push(`${element.tagName} ${element.className?.baseVal ?? element.className} ${(element.textContent || "").slice(0, 30)}`);
    left = Math.min(left, box.left); top = Math.min(top, box.top);
    right = Math.max(right, box.right); bottom = Math.max(bottom, box.bottom);
  }
  const share = ((Math.min(right, picture.right) - Math.max(left, picture.left)) *
    (Math.min(bottom, picture.bottom) - Math.max(top, picture.top))) / (picture.width * picture.height);
  return { share: Number.isFinite(share) ? share : 0, cut: [...new Set(cut)].slice(0, 8) };
}"""
)
"""How much of its box the main drawing fills, and what of it is cut off."""

SMALL = (
    """(least) => {"""
    + WALK
    + """
  const small = [];
  for (const element of walk(document.body)) {
    if (!seen(element) || !inWindow(element.getBoundingClientRect())) continue;
    if (element.tagName === "CANVAS")
      for (const [text, size] of element.written || []) if (size < least - 0.5) small.push(`canvas “${text}” ${size.toFixed(1)}`);
    const own = [...element.childNodes].filter((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own.length || element.closest("script, style, sub, sup, .katex, [data-testid=stIconMaterial]")) continue;
    const range = document.createRange();
    range.selectNodeContents(element);
    if (![...range.getClientRects()].some((box) => box.width > 1 && box.height > 1 && inWindow(box))) continue;
    const matrix = element instanceof SVGGraphicsElement ? element.getScreenCTM() : null;
    const scale = matrix ? Math.hypot(matrix.b, matrix.d) : 1;
    const size = parseFloat(getComputedStyle(element).fontSize) * scale;
    if (size < least - 0.5) small.push(`“${own[0].textContent.trim().slice(0, 30)}” ${size.toFixed(1)}`);
  }
  return [...new Set(small)].slice(0, 12);
}"""
)
"""Letters smaller than so many pixels, on the first screen, those on canvases and in drawings too."""

FORMS = (
    """() => {"""
    + WALK
    + """
  const kinds = "input, textarea, select, [contenteditable=true], [data-testid=stSlider], [role=combobox], [role=switch], [role=spinbutton]";
  return [...walk(document.body)].filter((each) => each.matches(kinds) && seen(each) && inWindow(each.getBoundingClientRect()))
    .map((each) => each.outerHTML.slice(0, 120));
}"""
)
"""What can be filled in, on the first screen."""

TABS = (
    """() => {"""
    + WALK
    + """
  const kinds = "[role=tablist], [role=radiogroup], [data-testid=stButtonGroup]";
  const rows = [...walk(document.querySelector(".st-key-page"))]
    .filter((each) => each.matches(kinds) && seen(each) && inWindow(each.getBoundingClientRect()))
    .filter((each) => !each.closest(".st-key-stage-drawer"))
    .map((each) => Math.round(each.getBoundingClientRect().top / 8));
  return new Set(rows).size;
}"""
)
"""Rows of tabs on the first screen."""

WIDER = """() => {
  const main = document.querySelector("[data-testid=stMain]");
  return Math.max(document.documentElement.scrollWidth - innerWidth, main.scrollWidth - main.clientWidth);
}"""
"""Pixels by which the page is wider than its screen."""


def share_of_window(page: Any) -> tuple[float, bool]:
    """How much of the window the main drawing's box takes, and whether it lies whole in it."""
    box, window = page.locator(".st-key-stage-picture").bounding_box(), page.viewport_size
    whole = (
        box["x"] >= 0
        and box["y"] >= 0
        and box["x"] + box["width"] <= window["width"] + 0.5
        and box["y"] + box["height"] <= window["height"] + 0.5
    )
    return box["width"] * box["height"] / (window["width"] * window["height"]), whole


LEFT = (
    """([known, foreign]) => {"""
    + WALK
    + """
  const words = new Set(known), left = [];
  const own = "script, style, textarea, code, pre, canvas, .mono, [data-own], [data-testid=stDataFrame], [data-testid=stIconMaterial], .katex, option";
  for (const element of walk(document.body)) {
    if (!seen(element) || element.closest(own) || element.getRootNode().host?.closest?.("[data-own]")) continue;
    for (const node of element.childNodes) {
      const text = node.nodeType === 3 ? node.textContent.trim() : "";
      if (!text || text === "中") continue;
      if (words.has(text) || new RegExp(foreign, "u").test(text)) left.push(text.slice(0, 80));
    }
    for (const name of ["title", "aria-label", "placeholder"]) {
      const text = element.getAttribute(name) || "";
      if (words.has(text)) left.push(`${name}: ${text.slice(0, 80)}`);
    }
  }
  return [...new Set(left)].slice(0, 12);
}"""
)
"""Words of another language: what is in a list of known sentences, or looks like it."""
