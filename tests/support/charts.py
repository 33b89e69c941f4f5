"""What a live chart says of itself: each panel is a slider whose text names the step and the values."""

import re

FIND = """([label, what]) => {
    const search = (root) => {
        for (const node of root.querySelectorAll("*")) {
            if (node.getAttribute("role") === "slider" && (node.getAttribute("aria-label") || "").startsWith(label)) return node;
            const inside = node.shadowRoot && search(node.shadowRoot);
            if (inside) return inside;
        }
        return null;
    };
    const found = search(document);
    return found && (what === "there" ? true : found.getAttribute(what));
}"""


def said(page, label: str = "Loss") -> str:
    """Such as "step 40: Training 3.21, Validation 3.4"."""
    return page.evaluate(FIND, [label, "aria-valuetext"]) or ""


def step(page, label: str = "Loss") -> int:
    found = re.search(r"step (\d+)", said(page, label))
    return int(found[1]) if found else 0


def loss(page) -> float:
    return float(re.search(r"Training ([\d.]+)", said(page))[1])


def wait_for_step(page, least: int, seconds: float = 60) -> None:
    """Waits until the loss chart has reached a step."""
    page.wait_for_function(
        f"(least) => {{ const text = ({FIND})(['Loss', 'aria-valuetext']) || ''; "
        "const found = text.match(/step (\\d+)/); return found && Number(found[1]) >= least; }",
        arg=least,
        polling=50,
        timeout=seconds * 1000,
    )


WATCHED = """async ([find, milliseconds]) => {
    const look = eval(find), steps = new Set(), opacities = new Set(), began = performance.now();
    const panel = [...document.querySelectorAll("*")].map((e) => e.shadowRoot?.querySelector(".panel.main")).find(Boolean);
    // a busy machine moves later, but it moves
    while (performance.now() - began < milliseconds || (steps.size < 2 && performance.now() - began < 60000)) {
        steps.add(look(["Loss", "aria-valuenow"]));
        let opacity = 1;
        for (let at = panel; at; at = at.parentNode || at.host)
            if (at instanceof Element) opacity *= Number(getComputedStyle(at).opacity);
        opacities.add(panel.isConnected ? opacity : "gone");
        await new Promise((then) => setTimeout(then, 25));
    }
    return [[...steps], [...opacities]];
}"""
