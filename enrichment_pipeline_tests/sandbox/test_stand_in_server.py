"""The real server, in a process of its own, over real HTTP."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from enrichment_pipeline.sandbox.signalhire.config import SandboxConfig
from enrichment_pipeline.sandbox.signalhire.stand_in import BASE_PATH, create_app
from enrichment_pipeline.sandbox.stand_in_server import serve
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.sandbox.signalhire import (
    UID_OF_ADA,
    some_people,
)
from enrichment_pipeline_tests.sandbox.signalhire.receiver import receiver

PROGRAM = """
import json, sys
from pathlib import Path

arguments = json.loads(sys.argv[1])
for name in arguments["without"]:
    sys.modules[name] = None  # as if it were not installed

from enrichment_pipeline.sandbox.stand_in_server import serve
from enrichment_pipeline.sandbox.signalhire.stand_in import BASE_PATH, create_app
from enrichment_pipeline.sandbox.signalhire.config import SandboxConfig
from enrichment_pipeline.sandbox.signalhire.people import load_people

config = SandboxConfig(
    journal=Path(arguments["journal"]),
    deliveries=Path(arguments["deliveries"]),
    **arguments["settings"],
)
serve(
    create_app(config, load_people(Path(arguments["people"]))),
    port=0,
    base_path=BASE_PATH,
    announce=lambda url: print(url, flush=True),
    exit_on_stdin_eof=arguments["exit_on_stdin_eof"],
)
print("stopped", flush=True)
"""

pytestmark = pytest.mark.timeout(60)


@contextlib.contextmanager
def sandbox(
    tmp_path: Path, *, exit_on_stdin_eof: bool = False, without: Sequence[str] = (), **settings: Any
) -> Generator[tuple[subprocess.Popen[str], str]]:
    """The process, and the base URL that it announced; `without` these modules."""
    some_people(tmp_path)
    arguments = {
        "people": str(tmp_path / "people.csv"),
        "journal": str(tmp_path / "journal.jsonl"),
        "deliveries": str(tmp_path / "deliveries.jsonl"),
        "exit_on_stdin_eof": exit_on_stdin_eof,
        "without": without,
        "settings": settings,
    }
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, process.communicate()[1]
        yield process, url
    finally:
        process.kill()
        process.communicate()


def search(client: httpx.Client, url: str, *items: str, api_key: str = "sandbox") -> httpx.Response:
    return client.post(
        f"{url}/candidate/search",
        json={"items": items, "withoutWaterfall": True},
        headers={"apikey": api_key},
    )


def test_it_answers_over_http_once_it_is_announced(tmp_path: Path) -> None:
    with sandbox(tmp_path) as (_, url), httpx.Client() as client:
        assert url.startswith("http://127.0.0.1:")
        assert url.endswith("/api/v1")
        # more than one request on one connection, the first one refused before its body is read
        refused = search(client, url, *["x" * 10_000] * 100, api_key="wrong")
        assert (refused.status_code, refused.headers["X-Credits-Left"]) == (401, "100000")
        found = search(client, url, "ada@acme.example")
        assert found.json()[0]["candidate"]["uid"] == UID_OF_ADA
        assert found.headers["X-Credits-Left"] == "99999"
        # the journal has it as soon as the client has the answer
        assert [line["uid"] for line in journal_lines(tmp_path / "journal.jsonl")] == [UID_OF_ADA]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_peace(tmp_path: Path, number: signal.Signals) -> None:
    with sandbox(tmp_path) as (process, url), httpx.Client() as client:
        search(client, url, "ada@acme.example")  # the connection stays open
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "stopped\n", "")


def test_the_end_of_stdin_ends_it(tmp_path: Path) -> None:
    with sandbox(tmp_path, exit_on_stdin_eof=True) as (process, url), httpx.Client() as client:
        assert process.stdin is not None
        process.stdin.write("this is not the end\n")
        process.stdin.flush()
        assert search(client, url, "ada@acme.example").status_code == 200
        out, err = process.communicate(timeout=30)  # closes stdin, as the kernel does for the dead
        assert (process.returncode, out, err) == (0, "stopped\n", "")


def test_the_end_of_stdin_does_not_matter_unless_asked_for(tmp_path: Path) -> None:
    with sandbox(tmp_path) as (process, url), httpx.Client() as client:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
        assert search(client, url, "ada@acme.example").status_code == 200
        process.terminate()
        process.communicate(timeout=30)


def test_a_client_that_goes_away_within_its_request_leaves_no_trace(tmp_path: Path) -> None:
    with sandbox(tmp_path) as (process, url), httpx.Client() as client:
        port = httpx.URL(url).port
        assert port is not None
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(
                b"POST /api/v1/candidate/search HTTP/1.1\r\nHost: x\r\napikey: sandbox\r\n"
                b"Content-Length: 1000\r\n\r\n{"
            )
        assert search(client, url, "ada@acme.example").status_code == 200
        process.terminate()
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "stopped\n", "")


def test_a_port_in_use_is_an_oserror_before_anything_is_announced(tmp_path: Path) -> None:
    announced: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        serve(
            create_app(SandboxConfig(), some_people(tmp_path)),
            port=other.getsockname()[1],
            base_path=BASE_PATH,
            announce=announced.append,
        )
    assert announced == []


def test_the_parent_may_be_killed_and_takes_its_sandbox_with_it(tmp_path: Path) -> None:
    some_people(tmp_path)
    arguments = {
        "people": str(tmp_path / "people.csv"),
        "journal": str(tmp_path / "journal.jsonl"),
        "deliveries": str(tmp_path / "deliveries.jsonl"),
        "exit_on_stdin_eof": True,
        "without": [],
        "settings": {},
    }
    parent_program = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', *sys.argv[1:]], stdin=subprocess.PIPE).wait()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_program, PROGRAM, json.dumps(arguments)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline().startswith("http://")
    parent.kill()
    # The pipe ends only when the sandbox, which inherited it, has stopped too.
    assert parent.communicate(timeout=30)[0] == "stopped\n"


# Asynchronous mode, and the faults that need a real server


def search_later(client: httpx.Client, url: str, callback_url: str, *items: str) -> httpx.Response:
    return client.post(
        f"{url}/candidate/search",
        headers={"apikey": "sandbox"},
        json={"items": items, "callbackUrl": callback_url},
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drops_what_is_not_delivered_without_a_word(
    tmp_path: Path, number: signal.Signals
) -> None:
    with (
        receiver(500, None, None) as target,
        sandbox(tmp_path, callback_retry_seconds=3600, callback_concurrency=2) as (process, url),
        httpx.Client() as client,
    ):
        # one that waits for its retry, two that are being posted, one that waits for a slot
        search_later(client, url, target.url, "waits")
        target.wait_for(1)
        for item in ("on the wire", "likewise", "queued"):
            assert search_later(client, url, target.url, item).status_code == 201
        target.wait_for(3)
        # deliveries that hang do not hold up a search
        assert search(client, url, "ada@acme.example").status_code == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "stopped\n", "")
    assert len(target.received) == 3
    lines = journal_lines(tmp_path / "deliveries.jsonl")
    assert [(line["status"], line["acknowledged"]) for line in lines] == [
        (500, False),
        (None, False),
        (None, False),
    ]


def test_a_callback_may_come_before_its_201(tmp_path: Path) -> None:
    with (
        receiver() as target,
        sandbox(tmp_path, latency_ms=60_000) as (_, url),
        httpx.Client(timeout=0.5) as client,
    ):
        with pytest.raises(httpx.ReadTimeout):
            search_later(client, url, target.url, "ada@acme.example")
        (received,) = target.wait_for(1)
    assert received.answers[0]["candidate"]["uid"] == UID_OF_ADA


# uvicorn's HTTP and event loop, with the accelerators that may be installed and without
@pytest.mark.parametrize("without", [[], ["httptools", "uvloop"]])
def test_a_connection_is_torn_on_either_of_uvicorns_protocols(
    tmp_path: Path, without: list[str]
) -> None:
    with (
        receiver() as target,
        sandbox(tmp_path, without=without, faults={"torn": 1.0}) as (process, url),
        httpx.Client() as client,
    ):
        for n in range(8):
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                search_later(client, url, target.url, "ada@acme.example", str(n))
        charged = [line["request"] for line in journal_lines(tmp_path / "journal.jsonl")]
        came = target.wait_for(len(charged))
        assert sorted(received.request_id or "" for received in came) == sorted(map(str, charged))
        assert 0 < len(charged) < 8
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "stopped\n", "")
