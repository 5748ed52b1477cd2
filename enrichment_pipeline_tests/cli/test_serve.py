"""`enrichment serve` as a process: what it needs, what it says, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from enrichment_pipeline_tests.cli.conftest import OURS, Command
from enrichment_pipeline_tests.entry.over_http import (
    ADA,
    CONTACTS,
    LET_IN,
    PATIENCE_SECONDS,
    TOKEN,
    head,
)
from enrichment_pipeline_tests.receiver import SECRET, path_of, port_of, read_to_end, status_in

BODY = json.dumps(ADA).encode()
NOWHERE = "http://127.0.0.1:9/api/v1"
"""A provider's URL, so that no sandbox is started; nothing is asked there."""

pytestmark = pytest.mark.timeout(90)


@contextmanager
def serving(home: Path, **variables: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, as a user starts it but for its desk, and what it says until it serves."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    module = "enrichment_pipeline_tests.entry.serving_fake"
    process = subprocess.Popen(
        [sys.executable, "-m", module, "serve", "--port", "0", "--metrics-port", "0"],
        env=environment
        | {"ENRICHMENT_HOME": str(home), "ENRICHMENT_API_TOKENS": TOKEN}
        | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = ""
        while "taking contacts" not in said:
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            said += line
        yield process, said
    finally:
        process.kill()
        process.communicate()


def wait_until_closed(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            return
        assert time.monotonic() < deadline, "it still takes connections"
        time.sleep(0.01)


def test_it_takes_contacts_and_callbacks_until_a_signal_which_lets_what_was_begun_be_answered(
    tmp_path: Path,
) -> None:
    callbacks = {
        "ENRICHMENT_CALLBACK_URL": "https://enrichment.example.com",
        "ENRICHMENT_CALLBACK_SECRET": SECRET,
    }
    with serving(tmp_path / "state", **callbacks) as (process, said):
        assert "sandbox provider at http://127.0.0.1:" in said
        url = said.split("taking contacts and callbacks at ")[1].split(",")[0]
        assert f"documented at {url}/docs" in said
        with httpx.Client(base_url=url, headers=LET_IN) as client:
            assert client.post(CONTACTS, json=ADA).status_code == 202
            assert client.post(CONTACTS, json=ADA, headers={"authorization": ""}).status_code == 401
            assert client.get("/readyz").status_code == 200
            # kept by the checks of the receiver: who has no token, and which batch there is none
            assert client.post(path_of("b", "0" * 64), content=b"[]").status_code == 403
            assert client.post(path_of("b"), content=b"[]").status_code == 404
        address = ("127.0.0.1", port_of(url))
        idle = socket.create_connection(address, timeout=PATIENCE_SECONDS)
        begun = socket.create_connection(address, timeout=PATIENCE_SECONDS)
        with idle, begun:
            begun.sendall(head(f"content-length: {len(BODY)}", "expect: 100-continue"))
            assert status_in(begun.recv(65_536)) == 100  # it has begun to read
            process.send_signal(signal.SIGTERM)
            wait_until_closed(port_of(url))
            assert idle.recv(1) == b""
            begun.sendall(BODY)
            assert status_in(read_to_end(begun)) == 202
        err = process.communicate(timeout=PATIENCE_SECONDS)[1]
    assert process.returncode == 0
    assert "POST /v1/contacts: 202" in err
    assert "Running upgrade" not in err  # the log is ours alone, and not that of other packages
    passed_over = re.search(r"the collector passes over (\d+) objects", err)
    assert passed_over is not None
    assert int(passed_over[1]) > 50_000  # all that was imported: looking at it takes long
    assert err.rstrip().endswith("the desk is closed")
    for secret in (TOKEN, SECRET, "0" * 64, "Lovelace", "ada@", "Traceback"):
        assert secret not in said + err


# --- what ends in one line and exit status 2 --------------------------------------------------


def assert_refused(said, *words: str) -> None:
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    for word in words:
        assert word in said.err
    assert TOKEN not in said.err


@pytest.mark.parametrize("tokens", [None, "", " , "])
def test_no_tokens_no_point_of_entry(
    enrichment: Command, tmp_path: Path, tokens: str | None
) -> None:
    variables = {} if tokens is None else {"ENRICHMENT_API_TOKENS": tokens}
    assert_refused(enrichment("serve", **variables), "ENRICHMENT_API_TOKENS: not set")
    assert not (tmp_path / "state").exists()


def test_a_token_that_can_be_guessed_is_refused(enrichment: Command) -> None:
    said = enrichment("serve", ENRICHMENT_API_TOKENS=f"{TOKEN},short-token")
    assert_refused(said, "ENRICHMENT_API_TOKENS: a token of 11 characters can be guessed")
    assert "short-token" not in said.err


def test_hosts_to_notify_need_a_secret_to_sign_with(enrichment: Command, tmp_path: Path) -> None:
    policy = tmp_path / "enrichment.toml"
    policy.write_text('[entry]\nnotify_hosts = ["hooks.example.com"]\n')
    said = enrichment("serve", ENRICHMENT_API_TOKENS=TOKEN, ENRICHMENT_CONFIG=policy)
    assert_refused(said, "ENRICHMENT_WEBHOOK_SECRET: not set", "[entry] notify_hosts")


@pytest.mark.parametrize("option", ["--port", "--metrics-port"])
def test_a_port_that_is_taken_is_named(enrichment: Command, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = str(listener.getsockname()[1])
        options = {"--port": "0", "--metrics-port": "0", option: taken}
        said = enrichment(
            "serve",
            *(word for pair in options.items() for word in pair),
            ENRICHMENT_API_TOKENS=TOKEN,
            SIGNALHIRE_BASE_URL=NOWHERE,
        )
    assert_refused(said, "Address already in use", taken, option)


def test_a_host_that_is_not_ours_is_named(enrichment: Command) -> None:
    said = enrichment(
        *("serve", "--host", "203.0.113.9", "--metrics-port", "0"),
        ENRICHMENT_API_TOKENS=TOKEN,
        SIGNALHIRE_BASE_URL=NOWHERE,
    )
    assert_refused(said, "203.0.113.9", "Cannot assign requested address")
