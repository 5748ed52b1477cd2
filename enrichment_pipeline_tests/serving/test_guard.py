"""The guard before Dagster's pages, asked as browsers ask: each with the headers that they send."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from enrichment_pipeline.serving.guard import SameOriginGuard

PROXY = "enrichment.example.com"
HERE = "http://127.0.0.1:3000"
MUTATION = "mutation { startSensor { __typename } }"
IN_URL = "/graphql?query=mutation%20%7B%20startSensor%20%7D"

OURS = {"host": "127.0.0.1:3000", "origin": HERE, "sec-fetch-site": "same-origin"}
"""What a page of ours sends with a POST."""
TYPED = {
    "host": "127.0.0.1:3000",
    "sec-fetch-site": "none",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}
PROGRAM = {"host": "127.0.0.1:3000"}
"""curl, or Dagster's client in Python."""


Headers = Mapping[str, str]
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
BODIES = {
    "application/x-www-form-urlencoded": urlencode({"query": MUTATION}),
    "application/graphql": MUTATION,
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the guard stands before an app that answers everything, over real HTTP."""

    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.url.path)

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    methods = ["GET", "HEAD", "POST", "OPTIONS"]
    routes = [WebSocketRoute("/graphql", talk), Route("/{path:path}", answer, methods=methods)]
    app = SameOriginGuard(Starlette(routes=routes), [PROXY, "other.example.com:8443"])
    server = uvicorn.Server(uvicorn.Config(app, host="0.0.0.0", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def ask(port: int, headers: Headers, method: str, path: str, address: str = "127.0.0.1") -> str:
    """The status and the text of what is answered; these headers are sent, and no others."""
    connection = HTTPConnection(address, port, timeout=30)
    body = b""
    if method == "POST":
        kind = headers.get("content-type", "")
        body = BODIES.get(kind, json.dumps({"query": MUTATION})).encode()
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {**headers, "content-length": str(len(body))}.items():
        for each in value.split("|"):
            connection.putheader(name, each)
    connection.endheaders(body or None)
    response = connection.getresponse()
    text = "" if response.status == 101 else response.read().decode()
    connection.close()
    return f"{response.status} {text}"


ALLOWED: dict[str, tuple[Headers, str, str]] = {
    "an address that is typed": (TYPED, "GET", "/runs"),
    "a page's own query": ({**OURS, **JSON}, "POST", "/graphql"),
    "a query with a character set": (
        {**OURS, "content-type": "application/json; charset=utf-8"},
        "POST",
        "/graphql",
    ),
    "a page's own picture": (
        {"host": "localhost:3000", "sec-fetch-site": "same-origin", "sec-fetch-dest": "image"},
        "GET",
        "/logo.svg",
    ),
    "the page to write queries on": (TYPED, "GET", "/graphql"),
    "a link on another site": ({**TYPED, "sec-fetch-site": "cross-site"}, "GET", "/runs/1"),
    "a program": ({**PROGRAM, **JSON}, "POST", "/graphql"),
    "a tunnel on another port": (
        {"host": "localhost:9000", "origin": "http://localhost:9000", **JSON},
        "POST",
        "/graphql",
    ),
    "IPv6": (
        {"host": "[::1]:3000", "origin": "http://[::1]:3000", **JSON},
        "POST",
        "/graphql",
    ),
    "the socket's own address": ({"host": "127.0.0.2:3000"}, "GET", "/"),
    "a proxy that hands its name on": (
        {"host": PROXY, "origin": f"https://{PROXY}", "sec-fetch-site": "same-origin", **JSON},
        "POST",
        "/graphql",
    ),
    "a proxy that does not": (
        {
            "host": "127.0.0.1:3000",
            "origin": f"https://{PROXY}",
            "sec-fetch-site": "same-origin",
            **JSON,
        },
        "POST",
        "/graphql",
    ),
    "a proxy with a port of its own": (
        {"host": "other.example.com:8443", "origin": "https://other.example.com:8443", **JSON},
        "POST",
        "/graphql",
    ),
}
FOREIGN = {
    "host": "127.0.0.1:3000",
    "origin": "https://evil.example",
    "sec-fetch-site": "cross-site",
}
REFUSED: dict[str, tuple[Headers, str, str]] = {
    "a mutation by an address that is typed": (TYPED, "GET", IN_URL),
    "a mutation by HEAD": (PROGRAM, "HEAD", IN_URL),
    "a mutation by a program's GET": (PROGRAM, "GET", IN_URL),
    "a mutation by GET with a slash at its end": (
        PROGRAM,
        "GET",
        IN_URL.replace("graphql", "graphql/"),
    ),
    "an img": (
        {"host": "127.0.0.1:3000", "sec-fetch-site": "cross-site", "sec-fetch-dest": "image"},
        "GET",
        "/runs",
    ),
    "an img of an old browser": ({"host": "127.0.0.1:3000"}, "GET", IN_URL),
    "a page on another port of this machine": (
        {**OURS, "origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-site", **JSON},
        "POST",
        "/graphql",
    ),
    "a link to a mutation": ({**TYPED, "sec-fetch-site": "cross-site"}, "GET", IN_URL),
    "a frame": (
        {**TYPED, "sec-fetch-site": "cross-site", "sec-fetch-dest": "iframe"},
        "GET",
        "/runs",
    ),
    "a form": ({**FOREIGN, **FORM}, "POST", "/graphql"),
    "a form on a sandboxed page": ({**FOREIGN, "origin": "null"}, "POST", "/graphql"),
    "a form to a link's address": (
        {**FOREIGN, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
        "POST",
        "/report_asset_materialization/contacts",
    ),
    "a fetch with JSON": ({**FOREIGN, **JSON}, "POST", "/graphql"),
    "its question before": (
        {**FOREIGN, "access-control-request-method": "POST"},
        "OPTIONS",
        "/graphql",
    ),
    "a form of our own page": ({**OURS, **FORM}, "POST", "/graphql"),
    "JSON that calls itself text": (
        {**OURS, "content-type": "text/plain; application/json"},
        "POST",
        "/graphql",
    ),
    "a query in application/graphql": (
        {**OURS, "content-type": "application/graphql"},
        "POST",
        "/graphql",
    ),
    "a name that leads here": (
        {"host": "evil.example:3000", "origin": "http://evil.example:3000", **JSON},
        "POST",
        "/graphql",
    ),
    "a name that leads here, for a page": ({**TYPED, "host": "evil.example"}, "GET", "/"),
    "a name that ends like ours": ({"host": f"evil-{PROXY}"}, "GET", "/"),
    "no name": ({"host": ""}, "GET", "/"),
    "another scheme": ({**OURS, "origin": "moz-extension://127.0.0.1:3000"}, "GET", "/"),
    "another port of the proxy's": (
        {"host": PROXY, "origin": f"https://{PROXY}:8443", **JSON},
        "POST",
        "/graphql",
    ),
    "two origins": ({**OURS, **JSON, "origin": f"{HERE}|https://evil.example"}, "POST", "/graphql"),
    "a name that is one with the port only": ({"host": "other.example.com"}, "GET", "/"),
}


@pytest.mark.parametrize("what", ALLOWED)
def test_what_the_user_asks_is_answered(port: int, what: str) -> None:
    headers, method, path = ALLOWED[what]
    address = "127.0.0.2" if "127.0.0.2" in headers["host"] else "127.0.0.1"
    assert ask(port, headers, method, path, address) == f"200 {path}"


@pytest.mark.parametrize("what", REFUSED)
def test_what_another_sites_page_asks_is_refused(port: int, what: str) -> None:
    headers, method, path = REFUSED[what]
    assert ask(port, headers, method, path).startswith("403 ")


def test_a_refusal_says_what_to_do(port: int) -> None:
    assert "[ui] hosts" in ask(port, {"host": "ui.example.com"}, "GET", "/")


WEBSOCKET = {
    "connection": "upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol": "graphql-ws",
}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OURS, "101"),
        (PROGRAM, "101"),
        (FOREIGN, "403"),
        ({**OURS, "origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-site"}, "403"),
        ({"host": "127.0.0.1:3000", "origin": "https://evil.example"}, "403"),
        ({"host": "evil.example:3000", "origin": "http://evil.example:3000"}, "403"),
    ],
    ids=[
        "a page of ours",
        "a program",
        "another site's",
        "another port's",
        "an old browser",
        "a name that leads here",
    ],
)
def test_only_a_websocket_of_the_users_is_opened(port: int, headers: Headers, status: str) -> None:
    assert ask(port, {**headers, **WEBSOCKET}, "GET", "/graphql").startswith(f"{status} ")
