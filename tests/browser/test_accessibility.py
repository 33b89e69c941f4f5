"""What a screen reader, or eyes that see little contrast, would stumble over: nothing serious on any page."""

from importlib import resources

import pytest

from tests.support.waiting import wait_idle

AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
PAGES = ["/", "/build", "/data", "/train", "/runs", "/generate", "/export?run=dates"]
PAGES += [f"/explore?run=induction&view={view}" for view in ("attention", "steps", "predictions", "intervene")]
PAGES += [
    "/finetune?method=lora",
    *(f"/finetune?run={{tuned}}&view={view}" for view in ("results", "gained", "try", "file")),
]
PAGES += ["/explore?run=bible-lstm&view=recurrent", "/explore?run=bible-decoder&view=positions"]


@pytest.mark.parametrize("path", PAGES)
def test_no_serious_violation(new_page, trained, tuned, path):
    """By day, and after nightfall on the same page."""
    page = new_page(path.format(tuned=tuned))
    settle(page)
    page.evaluate(AXE)
    found = lasting_violations(page)
    background = "() => getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    by_day = page.evaluate(background)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.wait_for_function(f"day => ({background})() !== day", arg=by_day)
    settle(page)
    found += lasting_violations(page)
    assert not found, "\n".join(found)


def test_a_planted_violation_is_found(page):
    settle(page)
    page.evaluate(AXE)
    planted = "<img src='data:,'>"
    page.evaluate("planted => document.querySelector('h1').insertAdjacentHTML('afterend', planted)", planted)
    assert {found.partition(":")[0] for found in lasting_violations(page)} == {"image-alt"}


MOVING = """() => {
    const roots = [document, ...[...document.querySelectorAll("*")].map((each) => each.shadowRoot).filter(Boolean)];
    return roots.some((root) => root.getAnimations().some(
        (each) => each.playState === "running" && each.effect.getComputedTiming().endTime !== Infinity
    ));
}"""
"""Whether a colour or a size is still on its way, as after a change of the theme."""


WORKING = """() => [...document.querySelectorAll("button p")].some((each) => each.textContent === "Stop")"""
"""Whether a text is still being prepared: what says so gives way when it is done."""


def settle(page) -> None:
    wait_idle(page)
    page.wait_for_function("() => !document.querySelector('[data-stale=true]')")  # faded while they are drawn anew
    page.wait_for_function(f"() => !({WORKING})()")
    page.wait_for_function(f"() => !({MOVING})()", polling=100)


def lasting_violations(page) -> list[str]:
    """What axe finds serious twice: it takes a second, and on a busy machine the page may still be drawn in it."""
    found = violations(page)
    if found:
        settle(page)
        found = [violation for violation in violations(page) if violation in found]
    return found


def violations(page) -> list[str]:
    """What axe finds serious."""
    return [
        f"{violation['id']}: {node['html'][:160]} ({' '.join(str(part) for part in node['target'])[:120]})"
        for violation in page.evaluate("axe.run()")["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
