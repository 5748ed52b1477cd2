"""What a page on another site can make a real browser do to `enrichment ui`: nothing.

The browser is Chromium (`apt-get install chromium`); without it these tests are skipped.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from benchmarks.daemon import SELECTOR, free_port
from enrichment_pipeline.serving.guard import SameOriginGuard
from enrichment_pipeline_tests.end_to_end import world
from enrichment_pipeline_tests.end_to_end.world import KEY
from enrichment_pipeline_tests.support import served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]

LATER = 8_000
"""Milliseconds of a page's time in which everything that it tries has been answered or refused."""
DRAWN = 20_000
"""Milliseconds of a page's own time, which passes only while it does nothing, until it is drawn."""
SENSOR = {**SELECTOR, "sensorName": "new_contacts"}
MUTATION = (
    "mutation { startSensor(sensorSelector: { repositoryName: "
    f'"{SENSOR["repositoryName"]}", repositoryLocationName: "{SENSOR["repositoryLocationName"]}", '
    f'sensorName: "{SENSOR["sensorName"]}" }}) {{ __typename }} }}'
)
ATTACK = """<!doctype html>
<title>another site</title>
<iframe name="sink"></iframe><iframe name="other-sink"></iframe>
<form id="form" method="post" target="sink" action="{target}/graphql?query={quoted}&by=form">
  <input name="query">
</form>
<form id="text" method="post" target="other-sink" enctype="text/plain"
  action="{target}/graphql?query={quoted}&by=text"><input name="query"></form>
<pre id="said"></pre>
<script>
  const target = {target!r}, query = {query};
  const say = (what) => {{ document.getElementById("said").textContent += what + "\\n" }};
  const url = target + "/graphql?query=" + encodeURIComponent(query) + "&by=";
  new Image().src = url + "img";
  document.getElementById("form").submit();
  document.getElementById("text").submit();
  fetch(url + "fetch", {{ mode: "no-cors" }}).catch(() => 0);
  fetch(url + "post", {{ method: "POST", mode: "no-cors", body: "{{}}" }}).catch(() => 0);
  fetch(url + "json", {{
    method: "POST", headers: {{ "content-type": "application/json" }},
    body: JSON.stringify({{ query }}),
  }}).then(() => say("fetch answered"), () => say("fetch refused"));
  const socket = new WebSocket(target.replace("http", "ws") + "/graphql", "graphql-ws");
  socket.onopen = () => {{
    say("socket opened");
    socket.send(JSON.stringify({{ type: "connection_init" }}));
    socket.send(JSON.stringify({{ type: "start", id: "1", payload: {{ query }} }}));
  }};
  socket.onerror = () => say("socket refused");
</script>
"""
WAYS = {"img", "form", "text", "fetch", "post", "socket"}
"""What reaches a server that lets everybody in; `json` is asked about first, by OPTIONS."""


def browse(url: str, profile: Path, wait: str = f"--timeout={LATER}") -> str:
    """What the page has become after a while, as HTML."""
    command = [
        *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *(f"--user-data-dir={profile}", wait, "--dump-dom", url),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=180).stdout


@contextmanager
def another_site(target: str) -> Iterator[int]:
    page = ATTACK.format(target=target, query=json.dumps(MUTATION), quoted=quote(MUTATION))

    async def answer(_request: Request) -> HTMLResponse:
        return HTMLResponse(page)

    app = Starlette(routes=[Route("/", answer)])
    with served(uvicorn.Config(app, log_level="error")) as port:
        yield port


@contextmanager
def recorder(*, is_guarded: bool) -> Iterator[tuple[str, set[str]]]:
    """A server that notes by which way it was asked; its URL, and those ways."""
    reached: set[str] = set()

    async def answer(request: Request) -> Response:
        reached.add(request.query_params.get("by", "page"))
        return Response()

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept(subprotocol="graphql-ws")
        reached.add("socket")
        await websocket.close()

    routes = [
        WebSocketRoute("/graphql", talk),
        Route("/graphql", answer, methods=["GET", "POST"]),
    ]
    app: ASGIApp = Starlette(routes=routes)
    if is_guarded:
        app = SameOriginGuard(app)
    with served(uvicorn.Config(app, log_level="error")) as port:
        yield f"http://127.0.0.1:{port}", reached


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"], ids=["another site", "another port"])
def test_nothing_that_another_page_tries_reaches_what_the_guard_stands_before(
    tmp_path: Path, name: str
) -> None:
    with recorder(is_guarded=False) as (target, reached), another_site(target) as port:
        shown = browse(f"http://{name}:{port}/", tmp_path / "profile")
        assert reached >= WAYS
        assert "socket opened" in shown
    with recorder(is_guarded=True) as (target, reached), another_site(target) as port:
        shown = browse(f"http://{name}:{port}/", tmp_path / "profile")
        assert "socket refused" in shown
        assert "fetch refused" in shown
        assert reached == set()


def test_the_ui_works_in_a_browser_and_no_other_page_switches_the_sensor_on(
    tmp_path: Path,
) -> None:
    world.write_source(tmp_path / "source")
    (tmp_path / "sandbox").mkdir()
    with world.small_sandbox(tmp_path / "sandbox") as sandbox:
        variables: dict[str, object] = {
            "ENRICHMENT_CONFIG": world.write_policy(tmp_path),
            "SIGNALHIRE_BASE_URL": sandbox.base_url,
            "SIGNALHIRE_API_KEY": KEY,
        }
        port = free_port()
        ui = world.start_enrichment(tmp_path, "ui", "--port", str(port), **variables)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: sensor_status(url) == "STOPPED")
            assert listening_of(ui.pid) == {port}
            with another_site(url) as elsewhere:
                for name in ("localhost", "127.0.0.1"):
                    shown = browse(f"http://{name}:{elsewhere}/", tmp_path / "profile")
                    assert "socket refused" in shown
                    assert "fetch refused" in shown
            assert sensor_status(url) == "STOPPED"
            # its own pages ask by POST and WebSocket, and show what they are answered
            page = (f"{url}/automation", tmp_path / "profile", f"--virtual-time-budget={DRAWN}")
            wait_for(lambda: "new_contacts" in browse(*page))
            assert ask(url, MUTATION)["startSensor"]["__typename"] == "Sensor"
            assert sensor_status(url) == "RUNNING"
        finally:
            ui.send_signal(signal.SIGTERM)
            ui.communicate(timeout=60)


def ask(url: str, query: str) -> dict[str, Any]:
    return httpx.post(f"{url}/graphql", json={"query": query}, timeout=60).json()["data"]


def sensor_status(url: str) -> str | None:
    query = (
        "{ sensorsOrError(repositorySelector: { repositoryName: "
        f'"{SENSOR["repositoryName"]}", repositoryLocationName: '
        f'"{SENSOR["repositoryLocationName"]}" }}) {{ ... on Sensors {{ results {{ name '
        "sensorState { status } } } } }"
    )
    try:
        found = ask(url, query)["sensorsOrError"].get("results", [])
    except httpx.TransportError:
        return None
    states = {each["name"]: each["sensorState"]["status"] for each in found}
    return states.get("new_contacts")


def wait_for(condition: Any, seconds: float = 300) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at
        threading.Event().wait(0.5)


def listening_of(pid: int) -> set[int]:
    """The TCP ports on which this process and those that it started listen."""
    inodes = set()
    for process in [pid, *descendants(pid)]:
        for handle in Path(f"/proc/{process}/fd").iterdir():
            try:
                target = str(handle.readlink())
            except OSError:  # closed meanwhile
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            cells = line.split()
            if cells[3] == "0A" and cells[9] in inodes:
                ports.add(int(cells[1].rpartition(":")[2], 16))
    return ports


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found |= {child, *descendants(child)}
    return found
