"""By which names the app answers, and what its pages may load: in front of all that the server sends.

A page of a stranger can give its own name this machine's address (DNS rebinding) and would then read and click here as if
it was the app: so the server answers only to names that are this machine's. A page of the app loads nothing from
elsewhere, whatever a text in it says, and stands in no other page's frame. Nor does another server's page ask this one
anything: Streamlit would first ask the internet for this machine's address, and stand still for everybody meanwhile.
"""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import psutil
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import cli_util, config
from streamlit.web.server.server_util import (
    allow_all_cross_origin_requests,
    allowlisted_origins,
    get_display_address,
    get_url,
)
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

OPTION = "server.allowedHosts"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("", "0.0.0.0", "::")
PATIENCE = 2.0
"""Seconds that the start waits for the network to say this machine's whole name."""

# 'unsafe-inline' and 'unsafe-eval' are Streamlit's own needs: its components are modules made from texts.
POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline' blob:",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' data: blob:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    ]
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
REFUSED = (
    "This server is not known by that name. If it should be, start it with: make app NAMES=that.name\n"
    "此服务器不使用这个名称。如果应当使用，请这样启动：make app NAMES=该名称\n"
)
ELSEWHERE = "A page of another server asks for this. 这是另一个服务器的页面发出的请求。\n"


def middleware() -> list[Middleware]:
    return [Middleware(Guard)]


class Guard:
    """Refuses requests to foreign names and from foreign pages, also of the websocket; puts the headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif not answers_to(_host(scope)):
            await _refuse(PlainTextResponse(REFUSED, 421, HEADERS), scope, receive, send)
        elif not _asked_from_here(scope):
            await _refuse(PlainTextResponse(ELSEWHERE, 403, HEADERS), scope, receive, send)
        else:
            await self.app(scope, receive, _with_headers(send) if scope["type"] == "http" else send)


async def _refuse(answer: PlainTextResponse, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await answer(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008})


def _host(scope: Scope) -> str | None:
    """The Host of a request; None where there is none, or more than one."""
    found = _header_values(scope, b"host")
    return found[0] if len(found) == 1 else None


def _asked_from_here(scope: Scope) -> bool:
    """Whether the page that asks is of this server, or of one that `server.corsAllowedOrigins` lets in.

    Browsers say in Origin whose page asks, wherever it may matter; programs say nothing.
    """
    origins = _header_values(scope, b"origin")
    if not origins or allow_all_cross_origin_requests():
        return True
    kind, _, host = origins[0].partition("://")
    return len(origins) == 1 and (origins[0] in allowlisted_origins() or kind in ("http", "https") and answers_to(host))


def _header_values(scope: Scope, header: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == header]


def _with_headers(send: Send) -> Send:
    async def telling(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return telling


def answers_to(host: str | None) -> bool:
    """Whether a Host header names this server: its names, and the addresses that the machine has now."""
    if is_host_allowed(host):
        return True
    name = _name_of(host or "")
    if name and is_open() and name in addresses():  # of a network that was joined since the start
        allow([name])
        return is_host_allowed(host)
    return False


def _name_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_open() -> bool:
    """Whether the server listens to others than this machine alone."""
    address = config.get_option("server.address") or ""
    return address in EVERYWHERE or not is_loopback(address)


def is_loopback(name: str) -> bool:
    """Whether a host's name means this very machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def allow(names: Iterable[str]) -> None:
    """The server answers to these names too, from now on."""
    known = config.get_option(OPTION)
    config.set_option(OPTION, [*known, *(name for name in dict.fromkeys(names) if name not in known)])


def known_names() -> list[str]:
    """All names that the server answers to now."""
    return list(config.get_option(OPTION))


def names() -> list[str]:
    """What this machine is called: here; and in its network, where the server listens there."""
    if not is_open():
        return list(LOOPBACK)
    address, own = config.get_option("server.address") or "", socket.gethostname()
    given = [] if address in EVERYWHERE else [address]
    return [*LOOPBACK, *given, own, f"{own}.local", *_whole_name(), *addresses()]


def _whole_name() -> list[str]:
    """This machine's name with its domain; empty where the network does not say it soon."""
    found: list[str] = []
    asking = threading.Thread(target=lambda: found.append(socket.getfqdn()), daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return list(found)


def addresses() -> list[str]:
    """All addresses of this machine, without those names of interfaces that IPv6 puts behind "%"."""
    kinds = (socket.AF_INET, socket.AF_INET6)
    return [
        each.address.partition("%")[0]
        for card in psutil.net_if_addrs().values()
        for each in card
        if each.family in kinds
    ]


def own_address() -> str:
    """This machine's address in its network; "" without one. Nothing is sent: the system only looks up its route."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            way.connect(("192.0.2.1", 9))
            return way.getsockname()[0]
    except OSError:
        return ""


@asynccontextmanager
async def started(app: object) -> AsyncIterator[None]:
    """What happens when the server starts: its names are known, and the browser opens where there is a screen."""
    allow(names())
    if not config.get_option("server.headless"):
        asyncio.get_running_loop().call_later(0.5, _open_browser)
    yield


def _open_browser() -> None:
    """As Streamlit does for a script; for an app with a gate in front it leaves that out."""
    address = config.get_option("browser.serverAddress") if config.is_manually_set("browser.serverAddress") else None
    cli_util.open_browser(get_url(address or get_display_address(config.get_option("server.address") or "localhost")))
