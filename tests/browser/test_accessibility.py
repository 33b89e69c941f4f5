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
    found = violations(page)
    background = "() => getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    by_day = page.evaluate(background)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.wait_for_function(f"day => ({background})() !== day", arg=by_day)
    settle(page)
    found += violations(page)
    assert not found, "\n".join(found)


def settle(page) -> None:
    page.wait_for_timeout(700)
    wait_idle(page)
    page.wait_for_function("() => !document.querySelector('[data-stale=true]')")  # faded while they are drawn anew
    page.wait_for_timeout(300)


def violations(page) -> list[str]:
    """What axe finds serious."""
    return [
        f"{violation['id']}: {node['html'][:160]} ({' '.join(str(part) for part in node['target'])[:120]})"
        for violation in page.evaluate("axe.run()")["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
