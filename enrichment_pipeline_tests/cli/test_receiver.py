"""`enrichment receiver` as a process: what it says, what it leaves alone, and how it ends."""

from __future__ import annotations

import os
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

from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.warehouse.connection import open_warehouse
from enrichment_pipeline_tests.cli.conftest import OURS, Command
from enrichment_pipeline_tests.ledger import Ledger
from enrichment_pipeline_tests.receiver import (
    KEYS,
    PATIENCE_SECONDS,
    SECRET,
    answers_for,
    head,
    kept,
    opened,
    path_of,
    port_of,
    read_to_end,
    status_in,
    submitted,
)

BODY = answers_for()

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def ledger(home: Path) -> Iterator[tuple[LedgerStore, Ledger]]:
    with opened(f"sqlite:///{home / 'ledger.sqlite'}") as store_and_ledger:
        yield store_and_ledger


def start(home: Path, metrics_port: int) -> tuple[subprocess.Popen[str], str]:
    """The command as a user runs it, and the first line that it says."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    options = ["--port", "0", "--metrics-port", str(metrics_port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "enrichment_pipeline.cli", "receiver", *options],
        env=environment | {"ENRICHMENT_HOME": str(home), "ENRICHMENT_CALLBACK_SECRET": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline()


@contextmanager
def receiver(home: Path, metrics_port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its URL."""
    process, said = start(home, metrics_port)
    try:
        assert said.startswith("receiver at http://127.0.0.1:"), process.communicate()[1]
        yield process, said.split()[2].rstrip(",")
    finally:
        process.kill()
        process.communicate()


def test_its_log_has_neither_token_nor_item_and_it_leaves_duckdb_alone(
    home: Path, ledger: tuple[LedgerStore, Ledger]
) -> None:
    store, _ = ledger
    batch = submitted(ledger[1])
    # one writer has the warehouse; whoever opened it would wait
    with open_warehouse(str(home / "warehouse.duckdb")), receiver(home) as (process, url):
        right, wrong = path_of(batch), path_of(batch, "0" * 64)
        assert httpx.post(url + right, content=BODY).status_code == 200
        assert httpx.post(url + right, content=BODY[:-1]).status_code == 200
        assert httpx.post(url + wrong, content=BODY).status_code == 403
        assert httpx.get(url + right).status_code == 405
        assert httpx.get(url + "/metrics").status_code == 404
        with socket.create_connection(("127.0.0.1", port_of(url))) as connection:
            connection.sendall(f"{KEYS.token('signalhire', batch)}\r\n\r\n".encode())
            read_to_end(connection)
        open_files = [str(path.readlink()) for path in Path(f"/proc/{process.pid}/fd").iterdir()]
        assert any("ledger.sqlite" in path for path in open_files)
        assert not any("duckdb" in path for path in open_files)
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, kept(store)) == (0, [BODY, BODY[:-1]])
    assert f"batch {batch}: 200, 3 answers" in err
    for secret in (KEYS.token("signalhire", batch), "0" * 64, SECRET, "crowd.example", "Traceback"):
        assert secret not in out + err


def test_what_was_acknowledged_survives_a_kill(
    home: Path, ledger: tuple[LedgerStore, Ledger]
) -> None:
    batch = submitted(ledger[1])
    with receiver(home) as (process, url):
        assert httpx.post(url + path_of(batch), content=BODY).status_code == 200
        process.kill()
        process.wait()
    assert kept(ledger[0]) == [BODY]


def wait_until_closed(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            return
        assert time.monotonic() < deadline, "it still takes connections"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "is_body_sent_before"), [(signal.SIGTERM, True), (signal.SIGINT, False)]
)
def test_a_signal_lets_a_callback_that_is_being_kept_be_finished(
    home: Path,
    ledger: tuple[LedgerStore, Ledger],
    number: signal.Signals,
    is_body_sent_before: bool,
) -> None:
    store, waiting = ledger
    batch = submitted(waiting)
    lines = [f"content-length: {len(BODY)}", "expect: 100-continue"]
    with receiver(home) as (process, url):
        address = ("127.0.0.1", port_of(url))
        idle = socket.create_connection(address, timeout=PATIENCE_SECONDS)
        connection = socket.create_connection(address, timeout=PATIENCE_SECONDS)
        with idle, connection:
            with store.write():  # nobody else can commit
                connection.sendall(head(path_of(batch), *lines))
                assert status_in(connection.recv(65_536)) == 100  # it has begun to read
                if is_body_sent_before:
                    connection.sendall(BODY)
                process.send_signal(number)
                wait_until_closed(port_of(url))
                # who has asked for nothing yet is sent away at once
                assert idle.recv(1) == b""
                if not is_body_sent_before:
                    connection.sendall(BODY)
                assert process.poll() is None
            assert status_in(read_to_end(connection)) == 200
        err = process.communicate(timeout=PATIENCE_SECONDS)[1]
    assert process.returncode == 0
    assert kept(store) == [BODY]
    assert "Traceback" not in err


@contextmanager
def receiver_with_metrics(home: Path) -> Iterator[tuple[str, int]]:
    """On a port that was free a moment ago; on another one, where somebody took it."""
    for _ in range(10):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        try:
            with receiver(home, port) as (_, url):
                yield url, port
            return
        except AssertionError as error:
            if "metrics, on" not in str(error):
                raise


def test_metrics_are_on_loopback_only(home: Path, ledger: tuple[LedgerStore, Ledger]) -> None:
    batch = submitted(ledger[1])
    with receiver_with_metrics(home) as (url, port):
        assert httpx.post(url + path_of(batch), content=BODY).status_code == 200
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        listening = {line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]}
        listening |= {
            line.split()[1] for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]
        }
    assert 'enrichment_callbacks_total{status="200"} 1.0' in text
    of_this_port = {address for address in listening if address.endswith(f":{port:04X}")}
    assert of_this_port == {f"0100007F:{port:04X}"}


# --- what ends in one line and exit status 2 --------------------------------------------------


def assert_refused(said, *words: str) -> None:
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    for word in words:
        assert word in said.err
    assert SECRET not in said.err


@pytest.mark.parametrize("secret", [None, "", " , "])
def test_no_secret_no_receiver(enrichment: Command, home: Path, secret: str | None) -> None:
    variables = {} if secret is None else {"ENRICHMENT_CALLBACK_SECRET": secret}
    assert_refused(enrichment("receiver", **variables), "ENRICHMENT_CALLBACK_SECRET")
    assert not (home / "ledger.sqlite").exists()


@pytest.mark.parametrize("option", ["--port", "--metrics-port"])
def test_a_port_that_is_taken_is_named(enrichment: Command, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = str(listener.getsockname()[1])
        options = {"--port": "0", "--metrics-port": "0", option: taken}
        said = enrichment(
            "receiver",
            *(word for pair in options.items() for word in pair),
            ENRICHMENT_CALLBACK_SECRET=SECRET,
        )
    assert_refused(said, "Address already in use", taken, option)


def test_a_host_that_is_not_ours_is_named(enrichment: Command) -> None:
    options = ("--host", "203.0.113.9", "--metrics-port", "0")
    said = enrichment("receiver", *options, ENRICHMENT_CALLBACK_SECRET=SECRET)
    assert_refused(said, "203.0.113.9", "Cannot assign requested address")


def test_a_ledger_that_cannot_be_opened_is_named(enrichment: Command, tmp_path: Path) -> None:
    (tmp_path / "no.sqlite").write_text("this is no database" * 100)
    said = enrichment(
        "receiver",
        ENRICHMENT_CALLBACK_SECRET=SECRET,
        ENRICHMENT_LEDGER_URL=f"sqlite:///{tmp_path / 'no.sqlite'}",
    )
    assert_refused(said, "no.sqlite")


_IMPORTED = """
import sys
from enrichment_pipeline.receiver import server
def serve(inbox, keys, count_answers, *arguments, **options):
    assert count_answers(b"[]") == 0
    print(*sys.modules)
server.serve = serve
from enrichment_pipeline.cli.main import main
main()
"""


def test_its_process_imports_neither_duckdb_nor_the_warehouse_nor_dagster(home: Path):
    """It runs for months beside the runs: it opens no warehouse, and takes no memory for one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    said = subprocess.run(
        [sys.executable, "-c", _IMPORTED, "receiver"],
        env=environment | {"ENRICHMENT_HOME": str(home), "ENRICHMENT_CALLBACK_SECRET": SECRET},
        capture_output=True,
        text=True,
    )
    imported = set(said.stdout.split())
    assert "enrichment_pipeline.receiver.inbox" in imported, said.stderr
    unwanted = ("duckdb", "_duckdb", "dagster", "pyarrow", "enrichment_pipeline.warehouse")
    assert imported.isdisjoint({*unwanted, "enrichment_pipeline.steps"})
