"""The app in a real Chromium: one server for all tests, a fresh page for each, and no error unnoticed."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.runs.store import RunStore
from playground.runs.submit import halt
from tests.support.serving import serve
from tests.support.views import RECORD
from tests.support.waiting import PATIENCE, WIDE, once_still, wait_idle

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
HARMLESS = (
    "ResizeObserver loop",
    "/_stcore/",
)  # on a deep link, Streamlit looks for its server from the page's path up


def chromium() -> str | None:
    """Where Chromium is: $CHROMIUM, or what is on the path."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """The server's PLAYGROUND_HOME: what its runs are made in, also by tests that put one there."""
    with tempfile.TemporaryDirectory(prefix="playground-browser-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def leaves_no_runs(home: Path) -> Iterator[None]:
    """What a file's tests train goes with them: others look at all runs there are."""
    store = RunStore(home / "runs")
    before = {run.id for run in store.list()}
    yield
    for run in store.list():
        if run.id not in before:
            halt(run, "stop")
            end = time.monotonic() + 30
            while run.status().state in ("queued", "preparing", "running") and time.monotonic() < end:
                time.sleep(0.1)
            shutil.rmtree(store.trash_root / store.delete(run.id).key)


@pytest.fixture(scope="session")
def server(home: Path) -> Iterator[str]:
    """The address of a server of the app that these tests have to themselves."""
    with serve(home) as started:
        yield started.address


@pytest.fixture(scope="session")
def trained(home: Path) -> dict[str, str]:
    """Small runs in the server's home, by kind ("clm", "mlm", "seq2seq"): their ids."""
    from models.presets import PRESETS
    from playground.runs.config import RunConfig, TrainingSpec
    from playground.runs.store import RunStore
    from playground.text.spec import DataSpec, TokenizerSpec
    from playground.training import worker

    store, ids = RunStore(home / "runs"), {}
    shape = {"d_model": 32, "n_layers": 1, "n_heads": 2, "context_length": 32}
    for kind, preset, corpus in (
        ("seq2seq", "seq2seq-tiny", "task-dates"),
        ("mlm", "bert-tiny", "python-docs"),
        ("clm", "gpt2-tiny", "python-docs"),
    ):
        training = TrainingSpec(
            kind,
            steps=60,
            batch_size=8,
            lr=5e-3,
            warmup_steps=5,
            eval_every=30,
            eval_batches=2,
            sample_every=30,
            sample_max_new_tokens=8,
            threads=1,
        )
        data = DataSpec(corpus, tokenizer=TokenizerSpec("bpe", 400), max_bytes=60_000)
        run = store.create(RunConfig(f"small {kind}", PRESETS[preset].spec.replace(**shape), data, training))
        assert worker.run(run) == "finished"
        ids[kind] = run.id
    return ids


@pytest.fixture(scope="session")
def tuned(home: Path) -> str:
    """A gallery encoder in the server's home that learnt to tell kings from sheep: its id."""
    from playground.finetune.plan import plan
    from playground.runs import gallery
    from playground.runs.finetuning import FineTuneSpec, LabelledSpec
    from playground.runs.store import RunStore
    from playground.training import worker
    from tests.browser.test_finetune import table

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAYGROUND_HOME", str(home))
        spec = FineTuneSpec("classify", LabelledSpec("file", path=table(home)))
        run = RunStore().create(plan(gallery.get("bible-encoder"), spec, steps=30, threads=1))
        assert worker.run(run) == "finished"
    return run.id


@pytest.fixture(scope="session")
def browser() -> Iterator:
    path = chromium()
    if path is None:
        assert not os.environ.get("CI"), "Chromium is missing; .ci/run installs it."
        pytest.skip("no Chromium here: install it or set CHROMIUM to test the app in a browser")
    from playwright.sync_api import BrowserContext, Locator, Page, expect, sync_playwright

    expect.set_options(timeout=PATIENCE * 1000)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        for act in ("click", "tap"):
            patch.setattr(Locator, act, once_still(getattr(Locator, act)))
        for change in (*CHANGES, *LOOKS):
            patch.setattr(Page, change, marked(getattr(Page, change), change))
        patch.setattr(BrowserContext, "new_cdp_session", marked_context(BrowserContext.new_cdp_session))
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


CHANGES = ("on", "once", "route", "add_init_script")
"""What stays with a tab when it opens another page: a tab that a test has changed so is closed after the test."""
LOOKS = ("emulate_media", "set_viewport_size")
"""What stays too, and is put back after the test."""


def marked(method, name: str):
    def change(page, *args, **more):
        if name in LOOKS:
            page.looks_other = True
        else:
            page.changed = True
        return method(page, *args, **more)

    return change


def marked_context(method):
    def change(context, page, *args, **more):
        page.changed = True
        return method(context, page, *args, **more)

    return change


class Tabs:
    """Tabs by what they look like, each used by one test after another: the app's code is loaded and compiled once.

    A tab that is opened anew costs Chromium 2.4 s of a processor until the app is drawn, a page in a tab that has shown
    the app before 0.9 s.
    """

    def __init__(self, browser, server: str) -> None:
        self._browser, self._server = browser, server
        self._contexts, self._idle, self._kinds = {}, {}, {}

    def take(self, size: dict, scheme: str, locale: str):
        """A tab with nothing kept of the test before, and with ``errors``: what its pages write to the console from now on."""
        kind = (*size.values(), scheme, locale)
        if idle := self._idle.get(kind):
            page = idle.pop()
            page.bring_to_front()
        else:
            if kind not in self._contexts:
                self._contexts[kind] = self._browser.new_context(
                    base_url=self._server, viewport=size, color_scheme=scheme, locale=locale, reduced_motion="reduce"
                )
            page = self._contexts[kind].new_page()
            page.set_default_timeout(PATIENCE * 1000)
            page.add_init_script(f"({RECORD})()")
            page.on("console", lambda message: page.errors.append(said(message)) if message.type == "error" else None)
            page.on("pageerror", lambda error: page.errors.append(str(error)))
            self._kinds[page] = kind
        page.errors, page.changed, page.looks_other = [], False, False
        return page

    def give_back(self, page, failed: bool = False) -> None:
        if page.is_closed():
            return
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        if failed or page.changed:
            page.close()
            return
        if page.looks_other:
            width, height, scheme, _ = self._kinds[page]
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.mouse.move(0, 0)
        page.goto("about:blank")  # the server ends the session now
        self._idle.setdefault(self._kinds[page], []).append(page)

    def close(self) -> None:
        for context in self._contexts.values():
            context.close()


@pytest.fixture(scope="session")
def tabs(browser, server: str) -> Iterator[Tabs]:
    tabs = Tabs(browser, server)
    yield tabs
    tabs.close()


@pytest.fixture
def new_page(tabs: Tabs, request) -> Iterator:
    """``new_page("/train?run=x", size=PHONE, scheme="dark", locale="zh-CN")``: a person's tab, with nothing kept of the test
    before.

    At the end of the test, anything that a page wrote to its console as an error fails the test.
    """
    pages, failures = [], request.session.testsfailed

    def open_page(path: str = "/", size: dict | None = None, scheme: str = "light", locale: str = "en-US"):
        page = tabs.take(size or WIDE, scheme, locale)
        pages.append(page)
        page.goto(path)
        wait_idle(page)
        return page

    yield open_page
    errors = [error for page in pages for error in page.errors if not any(known in error for known in HARMLESS)]
    for page in pages:
        tabs.give_back(page, failed=bool(errors) or request.session.testsfailed > failures)
    assert not errors, errors


def said(message) -> str:
    return f"{message.text} ({message.location.get('url', '')})"


@pytest.fixture
def page(new_page):
    """A browser on the first page."""
    return new_page()
