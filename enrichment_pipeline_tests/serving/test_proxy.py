"""What docs/production.md puts before a Dagster of one's own: nginx, asked as browsers ask."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from enrichment_pipeline.settings import PROJECT_ROOT
from enrichment_pipeline_tests.serving.test_guard import FORM, IN_URL, JSON, WEBSOCKET, Headers, ask
from enrichment_pipeline_tests.support import served

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx-light")

NAME = {"host": "enrichment.example.com"}
OURS = {**NAME, "origin": "https://enrichment.example.com", "sec-fetch-site": "same-origin"}
FOREIGN = {**NAME, "origin": "https://evil.example", "sec-fetch-site": "cross-site"}
LINK = {
    **NAME,
    "sec-fetch-site": "cross-site",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where nginx listens, without TLS and passwords, before an app that answers everything."""

    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.url.path)

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    routes = [
        WebSocketRoute("/graphql", talk),
        Route("/{path:path}", answer, methods=["GET", "HEAD", "POST", "OPTIONS"]),
    ]
    folder = tmp_path_factory.mktemp("nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with served(uvicorn.Config(Starlette(routes=routes), log_level="error")) as behind:
        (folder / "nginx.conf").write_text(configuration(folder, port, behind))
        command = [str(NGINX), "-p", str(folder), "-c", "nginx.conf", "-e", str(folder / "error")]
        with subprocess.Popen(command) as process:
            wait_for(port, process)
            yield port
            process.terminate()


def configuration(folder: Path, port: int, behind: int) -> str:
    page = (PROJECT_ROOT / "docs" / "production.md").read_text()
    [documented] = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    refusing_others = r"(?ms)^server \{\n    listen 443 ssl default_server;\n.*?^\}\n"
    documented = re.sub(refusing_others, "", documented)
    documented = re.sub(r"(?m)^ *(ssl_|auth_).*\n", "", documented)
    documented = documented.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    documented = documented.replace("http://127.0.0.1:3000", f"http://127.0.0.1:{behind}")
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off; pid {folder}/pid; worker_processes 1;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{documented}\n}}\n"
    )


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            ask(port, NAME, "GET", "/")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nginx does not answer; its status is {process.poll()}")


@pytest.mark.parametrize(
    ("headers", "method", "path", "status"),
    [
        (OURS, "GET", "/runs", "200"),
        ({**OURS, **JSON}, "POST", "/graphql", "200"),
        ({**OURS, "content-type": "application/json; charset=utf-8"}, "POST", "/graphql", "200"),
        (NAME, "GET", "/graphql", "200"),
        ({**NAME, **JSON}, "POST", "/graphql", "200"),
        (LINK, "GET", "/runs", "200"),
        ({**OURS, **WEBSOCKET}, "GET", "/graphql", "101"),
        ({"host": "evil.example"}, "GET", "/runs", "403"),
        (FOREIGN, "GET", "/runs", "403"),
        ({**FOREIGN, **JSON}, "POST", "/graphql", "403"),
        ({**FOREIGN, **WEBSOCKET}, "GET", "/graphql", "403"),
        ({**OURS, "origin": "null"}, "POST", "/runs", "403"),
        ({**NAME, "sec-fetch-site": "same-site"}, "GET", "/runs", "403"),
        ({**LINK, "sec-fetch-dest": "iframe"}, "GET", "/runs", "403"),
        (NAME, "GET", IN_URL, "403"),
        (NAME, "HEAD", IN_URL, "403"),
        (LINK, "GET", IN_URL, "403"),
        (NAME, "GET", IN_URL.replace("graphql", "graphql/"), "403"),
        (NAME, "GET", IN_URL.replace("graphql", "%67raphql"), "403"),
        ({**OURS, **FORM}, "POST", "/graphql", "403"),
        ({**OURS, "content-type": "text/plain; application/json"}, "POST", "/graphql", "403"),
        ({**OURS, "content-type": "application/graphql"}, "POST", "/graphql", "403"),
    ],
)
def test_the_documented_proxy_lets_through_what_the_user_asks_and_nothing_else(
    port: int, headers: Headers, method: str, path: str, status: str
) -> None:
    assert ask(port, headers, method, path).startswith(f"{status} ")
