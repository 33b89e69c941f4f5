"""When the app has answered, and the sizes of the screens that it is tried on."""

import time

WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


PATIENCE = 60  # seconds that a busy machine may take for what takes one


def wait_idle(page, seconds: float = PATIENCE) -> None:
    """Waits until the app has drawn and nothing runs: no script for 150 ms, and no part whose code is still on its way."""
    page.wait_for_selector("[data-testid=stApp]", timeout=seconds * 1000)
    page.wait_for_function(
        """() => {
            const app = document.querySelector("[data-testid=stApp]");
            const still = app && app.dataset.testScriptState !== "running" && app.dataset.testScriptState !== "initial"
              && document.querySelector("h1") && !document.querySelector("[data-testid=stSkeleton]");
            window.stillSince = still ? (window.stillSince || performance.now()) : 0;
            return still && performance.now() - window.stillSince > 150;
        }""",
        polling=30,
        timeout=seconds * 1000,
    )


def eventually(page, condition, seconds: float = PATIENCE) -> None:
    """Waits until ``condition()`` holds, which is looked up here and not in the page."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        page.wait_for_timeout(50)


STILL = """element => new Promise(done => {
    let before = "", frames = 0;
    const look = () => {
        const box = element.getBoundingClientRect(), now = [box.x, box.y, box.width, box.height].join();
        frames = now === before ? frames + 1 : 0;
        before = now;
        frames >= 6 ? done() : requestAnimationFrame(look);
    };
    look();
})"""


def once_still(act):
    """``act`` (`Locator.click`, `Locator.tap`), once what it acts on has stood still for as long as a hand takes.

    Playwright waits for two frames without a move. What unfolds at that moment moves on, and on a busy machine it is gone
    from under the pointer between the press and the release. Who clicks in a tab has it before the eyes: in one behind
    another, Chromium draws a frame a second.
    """

    def wait_and_act(locator, **more):
        locator.page.bring_to_front()
        locator.evaluate(STILL, timeout=more.get("timeout"))
        act(locator, **more)

    return wait_and_act
