"""By which names a real server answers, on its pages and on its websocket, and what it tells browsers to keep to."""

import asyncio
import http.client
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from playground.ui.allowed_hosts import own_address
from tests.support.serving import ROOT, Server, serve

PAGES = ("/", "/train?run=x", "/_stcore/health", "/_stcore/host-config", "/_stcore/metrics", "/static/index.html")
SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "QUFBQUFBQUFBQUFBQUFBQQ==",
}
OTHERS = (
    "elsewhere.example",
    "elsewhere.example:{port}",
    "localhost.elsewhere.example",
    "localhost@elsewhere.example",
    "127.0.0.1.elsewhere.example",
    "elsewhere.localhost:{port}",
    "203.0.113.9",
    "",
    "localhost/..",
    "*",
)
FOREIGN = (
    "http://elsewhere.example",
    "https://localhost.elsewhere.example",
    "http://127.0.0.1.elsewhere.example:{port}",
    "http://203.0.113.9",
    "ftp://localhost",
    "file://",
    "null",
    "",
)
OWN = ("localhost", "localhost:{port}", "LOCALHOST.", "127.0.0.1:{port}", "[::1]:{port}")


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> Iterator[Server]:
    """A server that its network reaches, behind a proxy of one name."""
    with serve(tmp_path_factory.mktemp("home"), "0.0.0.0", ("lm.school.example", "*.lab.example")) as started:
        yield started


def asked(server: str, host: str, path: str = "/", **headers: str) -> http.client.HTTPResponse:
    """The head of the answer to a request under that name."""
    port = urlsplit(server).port
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    line.putrequest("GET", path, skip_host=True)
    for name, value in {"Host": host.format(port=port), **headers}.items():
        line.putheader(name, value)
    line.endheaders()
    answer = line.getresponse()
    line.close()
    return answer


@pytest.mark.parametrize("host", OTHERS)
def test_a_foreign_name_is_refused(server, opened, host):
    for address in (server, opened.address):
        assert [asked(address, host, path).status for path in PAGES] == [421] * len(PAGES)
        assert asked(address, host, "/_stcore/stream", **SOCKET).status == 403
        origin = f"http://{host}".format(port=urlsplit(address).port)
        assert asked(address, host, "/_stcore/stream", Origin=origin, **SOCKET).status == 403


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_from_elsewhere_is_refused_without_asking_the_internet_who_this_is(server, opened, origin):
    """Streamlit would look for this machine's address at another server's, and answer nobody until it has it."""
    for address in (server, opened.address):
        given = origin.format(port=urlsplit(address).port)
        assert asked(address, "localhost:{port}", "/_stcore/stream", Origin=given, **SOCKET).status == 403
        for path in ("/", "/_stcore/health", "/_stcore/host-config", "/media/x.png", "/_stcore/upload_file/x/y"):
            assert asked(address, "localhost:{port}", path, Origin=given).status == 403
    assert "external IP" not in (opened.log.read_text().partition("You can now view")[2])


@pytest.mark.parametrize("host", OWN)
def test_this_machine_is_answered(server, opened, host):
    for address in (server, opened.address):
        assert asked(address, host).status == 200
        assert asked(address, host, "/_stcore/stream", **SOCKET).status == 101
        origin = f"http://{host}".format(port=urlsplit(address).port)
        assert asked(address, host, "/_stcore/stream", Origin=origin, **SOCKET).status == 101
        assert asked(address, host, "/_stcore/health", Origin=origin).status == 200


def test_a_proxy_with_a_certificate_is_answered(opened):
    for host in ("lm.school.example", "a.lab.example"):
        assert asked(opened.address, host, "/_stcore/stream", Origin=f"https://{host}", **SOCKET).status == 101


def own_names() -> list[str]:
    cards = [each for card in psutil.net_if_addrs().values() for each in card]
    four = [each.address for each in cards if each.family == socket.AF_INET]
    six = [f"[{each.address.partition('%')[0]}]" for each in cards if each.family == socket.AF_INET6]
    return [*four, *six, socket.gethostname(), f"{socket.gethostname()}.local:{{port}}"]


def test_the_network_is_answered_by_this_machines_names_where_it_may_come_in(server, opened):
    for host in (*own_names(), "lm.school.example", "a.lab.example:{port}"):
        assert asked(opened.address, host).status == 200, host
        assert asked(opened.address, host, "/_stcore/stream", **SOCKET).status == 101, host
    assert asked(server, "lm.school.example").status == 421
    if own_address():  # what the link to share and its code for phones say
        assert asked(opened.address, own_address()).status == 200
        assert asked(server, own_address()).status == 421, "only this machine is let in"


def test_an_address_that_came_later_is_known(monkeypatch):
    """Of a network that a laptop has joined since the server was started."""
    from streamlit import config

    from playground.ui import allowed_hosts

    told = {"server.address": "0.0.0.0", allowed_hosts.OPTION: ["localhost"]}
    monkeypatch.setattr(config, "get_option", told.get)
    monkeypatch.setattr(config, "set_option", told.__setitem__)
    monkeypatch.setattr(allowed_hosts, "addresses", lambda: ["198.51.100.4"])
    assert allowed_hosts.answers_to("198.51.100.4:8501") and not allowed_hosts.answers_to("198.51.100.5:8501")
    assert not any(
        map(allowed_hosts.answers_to, (None, "", "elsewhere.example", "198.51.100.4:x", "[", "x@198.51.100.4"))
    )
    assert told[allowed_hosts.OPTION] == ["localhost", "198.51.100.4"]
    told |= {"server.address": "localhost", allowed_hosts.OPTION: ["localhost"]}
    assert not allowed_hosts.answers_to("198.51.100.4:8501")


@pytest.mark.parametrize("address", ["localhost", "0.0.0.0"])
def test_the_browser_opens_where_there_is_a_screen(monkeypatch, address):
    from playground.ui import allowed_hosts

    opened = []
    told = {"server.address": address, "server.headless": False, "server.port": 8501, allowed_hosts.OPTION: []}
    monkeypatch.setattr(allowed_hosts.config, "get_option", told.get)
    monkeypatch.setattr(allowed_hosts.config, "set_option", told.__setitem__)
    monkeypatch.setattr(allowed_hosts.config, "is_manually_set", lambda name: False)
    monkeypatch.setattr(allowed_hosts.cli_util, "open_browser", opened.append)
    monkeypatch.setattr(allowed_hosts, "get_url", lambda name: f"http://{name}:8501")

    async def until_opened() -> None:
        async with allowed_hosts.started(None):
            while not opened:
                await asyncio.sleep(0.01)

    with ThreadPoolExecutor(1) as other:  # Playwright's own loop may run in this thread
        other.submit(lambda: asyncio.run(asyncio.wait_for(until_opened(), 60))).result()
    assert opened == ["http://localhost:8501"]
    assert {"localhost", "127.0.0.1", "::1"} <= set(told[allowed_hosts.OPTION])


def test_two_names_at_once_are_refused(server):
    port = urlsplit(server).port
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: elsewhere.example\r\n\r\n")
        assert int(line.recv(64).split()[1]) in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "elsewhere.example"])
def test_what_browsers_are_told(server, host):
    for path in (*PAGES, "/no/such", "/_stcore/upload_file/x/y", "/media/x.png"):
        answer = asked(server, host, path)
        assert (
            answer.headers["X-Frame-Options"] == "SAMEORIGIN" and answer.headers["X-Content-Type-Options"] == "nosniff"
        )
        assert answer.headers["Referrer-Policy"] == "same-origin"
        rules = dict(rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; "))
        assert rules["frame-ancestors"] == "'self'" and rules["object-src"] == "'none'"
        for kind in ("default", "img", "font", "media", "connect", "frame", "worker", "script", "style"):
            assert not re.search(r"\*|https?:|//", rules[f"{kind}-src"]), "from this server alone"


def test_a_browser_shows_neither_another_name_nor_another_servers_picture(browser, server):
    page = browser.new_page()
    page.goto(server)
    refused = page.evaluate("""async () => {
        const said = new Promise((done) => document.addEventListener("securitypolicyviolation", (e) => done(e.blockedURI)));
        new Image().src = "http://127.0.0.2:9/x.png";
        return said;
    }""")
    assert refused.startswith("http://127.0.0.2:9")
    answer = page.goto(server.replace("127.0.0.1", "elsewhere.localhost"))
    assert answer.status == 421 and "NAMES=" in page.inner_text("body")
    page.close()


def test_make_gives_the_names_on():
    told = subprocess.run(
        ["make", "-n", "app", "HOST=0.0.0.0", "NAMES=lm.school.example *"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ,
        check=True,
    ).stdout
    assert "--server.address 0.0.0.0" in told
    assert "--server.allowedHosts 'lm.school.example' --server.allowedHosts '*'" in told


def test_no_other_file_starts_a_server():
    """What stands in front of the app is found by Streamlit in app.py, by this very assignment."""
    from streamlit.web.server.app_discovery import discover_asgi_app

    assert discover_asgi_app(Path(ROOT) / "app.py").import_string == "app:app"
