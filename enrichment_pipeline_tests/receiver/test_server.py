"""Over sockets: time limits, early answers, locked ledgers, metrics."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from enrichment_pipeline.ledger.store import LedgerStore, Transaction, open_store
from enrichment_pipeline.receiver.callback_limits import ReceiverLimits
from enrichment_pipeline.receiver.metrics import ReceiverMetrics
from enrichment_pipeline_tests.ledger import Ledger
from enrichment_pipeline_tests.receiver import (
    JSON,
    Served,
    answers_for,
    head,
    kept,
    opened,
    path_of,
    read_to_end,
    request,
    running_receiver,
    status_in,
    submitted,
)

BODY = answers_for()
LARGE = 200_000_000

pytestmark = pytest.mark.timeout(60)


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Another writer, which keeps the ledger to itself."""
    other = open_store(url)
    with other.write():
        yield
    other.close()


def ask(receiver: Served, sent: bytes) -> bytes:
    with receiver.connect() as connection:
        connection.sendall(sent)
        return read_to_end(connection)


# --- answered before the body came ------------------------------------------------------------


HEADS = (
    ("0" * 64, ["content-length: 200000000"], 403),
    ("0" * 64, ["transfer-encoding: chunked"], 403),
    ("0" * 64, ["content-length: 200000000", "expect: 100-continue"], 403),
    (None, ["content-length: 200000000"], 413),
    (None, ["content-length: 200000000", "expect: 100-continue"], 413),
)


def test_what_the_head_decides_is_answered_without_a_byte_of_the_body(
    ledger: Ledger, batch: str
) -> None:
    with running_receiver(ledger) as receiver:
        for token, lines, status in HEADS:
            with receiver.connect() as connection:
                connection.sendall(head(path_of(batch, token), *lines))
                # one read: no `100 Continue` first, and no waiting for the connection to be closed
                assert status_in(connection.recv(65_536)) == status, (token, lines)


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize(("token", "status"), [("0" * 64, 403), (None, 413)])
def test_a_client_that_sends_200_mb_whatever_comes_back_still_reads_the_answer(
    ledger: Ledger, batch: str, token: str | None, status: int, is_chunked: bool
) -> None:
    async def body():
        for _ in range(LARGE // 1_000_000):
            yield b"[" * 1_000_000

    async def post(url: str) -> int:
        headers = JSON if is_chunked else JSON | {"content-length": str(LARGE)}
        async with httpx.AsyncClient(timeout=30) as client:
            return (await client.post(url, content=body(), headers=headers)).status_code

    # as long as a busy machine needs to take in 200 MB
    with running_receiver(ledger, limits=ReceiverLimits(linger_seconds=20)) as receiver:
        assert asyncio.run(post(receiver.url + path_of(batch, token))) == status


def test_a_refused_body_that_does_not_end_is_not_listened_to_for_ever(
    ledger: Ledger, batch: str
) -> None:
    with (
        running_receiver(ledger, limits=ReceiverLimits(linger_seconds=0.1)) as receiver,
        receiver.connect() as connection,
    ):
        connection.sendall(head(path_of(batch, "0" * 64), "content-length: 100"))
        assert status_in(read_to_end(connection)) == 403


def test_what_is_left_of_a_refused_body_is_not_taken_for_a_request(
    ledger: Ledger, store: LedgerStore, batch: str
) -> None:
    smuggled = request(path_of(batch), BODY)
    with running_receiver(ledger) as receiver:
        response = ask(receiver, request(path_of(batch, "0" * 64), smuggled))
    assert response.count(b"HTTP/1.1 ") == 1
    assert response.lower().count(b"connection: close") == 1
    assert kept(store) == []


NO_HTTP = {
    "no request": b"POST\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "two lengths": b"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1, 2\r\n\r\n",
    "a length of 5,000 digits": b"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: "
    + b"9" * 5_000
    + b"\r\n\r\n",
    "no chunk": b"POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    b"zz\r\n[]\r\n",
    "1 MB of head": b"POST {path} HTTP/1.1\r\nhost: x\r\nx: " + b"x" * 1_000_000,
}


def test_what_is_no_http_is_refused_and_nothing_is_kept(
    ledger: Ledger, store: LedgerStore, batch: str
) -> None:
    with running_receiver(ledger) as receiver:
        for name, sent in NO_HTTP.items():
            with receiver.connect() as connection:
                with suppress(ConnectionError):  # closed while we are sending
                    connection.sendall(sent.replace(b"{path}", path_of(batch).encode()))
                assert status_in(read_to_end(connection)) in (400, None), name
            assert kept(store) == [], name
        assert httpx.post(receiver.url + path_of(batch), content=BODY).status_code == 200
    assert kept(store) == [BODY]


# --- who takes too long -----------------------------------------------------------------------


def trickle(connection: socket.socket, data: bytes, is_over: threading.Event) -> None:
    """One byte at a time, until it is over or the other end has enough."""
    for n in range(len(data)):
        try:
            connection.sendall(data[n : n + 1])
        except OSError:
            return
        if is_over.wait(0.01):
            return


def test_who_trickles_is_closed_by_a_time_limit(ledger: Ledger, batch: str) -> None:
    begun = head(path_of(batch), "content-length: 100000")
    cases: dict[str, tuple[bytes, bytes, int | None]] = {
        "head trickles": (b"", b"POST / HTTP/1.1\r\nx: " + b"x" * 100_000, None),
        "silence": (b"", b"", None),
        "silence within the head": (b"POST / HTTP/1.1\r\n", b"", None),
        "body trickles": (begun, b" " * 100_000, 408),
        "no body": (begun, b"", 408),
    }
    limits = ReceiverLimits(head_seconds=0.5, body_seconds=0.5, linger_seconds=0.1)

    def closed_after(first: bytes, then: bytes) -> tuple[int | None, float]:
        """The status that came, and the seconds until the connection was closed."""
        is_over = threading.Event()
        began_at = time.monotonic()
        with receiver.connect() as connection:
            connection.sendall(first)
            thread = threading.Thread(target=trickle, args=(connection, then, is_over))
            thread.start()
            status = status_in(read_to_end(connection))
            took = time.monotonic() - began_at
            is_over.set()
            thread.join()
        return status, took

    with running_receiver(ledger, limits=limits) as receiver, ThreadPoolExecutor(5) as clients:
        at_once = {
            name: clients.submit(closed_after, first, then)
            for name, (first, then, _) in cases.items()
        }
        closed = {name: client.result() for name, client in at_once.items()}
    assert {name: status for name, (status, _) in closed.items()} == {
        name: status for name, (_, _, status) in cases.items()
    }
    # the clock of the event loop counts in milliseconds
    assert min(took for _, took in closed.values()) >= 0.49


def test_who_is_slow_within_the_limit_is_kept(
    ledger: Ledger, store: LedgerStore, batch: str
) -> None:
    with running_receiver(ledger) as receiver, receiver.connect() as connection:
        for part in (request(path_of(batch), BODY), b""):
            for start in range(0, len(part), 40):
                connection.sendall(part[start : start + 40])
        assert status_in(read_to_end(connection)) == 200
    assert kept(store) == [BODY]


def test_a_body_that_ends_early_is_not_kept(ledger: Ledger, store: LedgerStore, batch: str) -> None:
    with running_receiver(ledger) as receiver:
        with receiver.connect() as connection:
            connection.sendall(request(path_of(batch), BODY)[:-1])
        # the same server answers the next one, and by then has seen the first one go
        assert httpx.post(receiver.url + path_of(batch), content=BODY).status_code == 200
    assert kept(store) == [BODY]


def test_a_client_that_does_not_wait_for_its_answer_is_kept_all_the_same(
    ledger: Ledger,
    store: LedgerStore,
    batch: str,
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_being_kept = threading.Event()
    write = store.write

    def noted() -> AbstractContextManager[Transaction]:
        is_being_kept.set()
        return write()

    monkeypatch.setattr(ledger.store, "write", noted)
    with running_receiver(ledger) as receiver:
        with locked(sqlite_url), receiver.connect() as connection:
            connection.sendall(request(path_of(batch), BODY))
            assert is_being_kept.wait(20)
        # commits after what is being kept
        assert httpx.get(receiver.url + "/readyz").status_code == 200
    assert kept(store) == [BODY]


# --- while nothing can be kept ----------------------------------------------------------------


def test_a_ledger_that_is_locked_too_long_is_a_503_and_the_retry_is_kept(ledger_url: str) -> None:
    limits = ReceiverLimits(keep_seconds=1.0)
    with opened(ledger_url) as (store, ledger):
        batch = submitted(ledger)
        with running_receiver(ledger, limits=limits) as receiver:
            url = receiver.url + path_of(batch)
            with locked(ledger_url):
                assert httpx.post(url, content=BODY).status_code == 503
                assert httpx.get(receiver.url + "/readyz").status_code == 503
                assert httpx.get(receiver.url + "/healthz").status_code == 200
                assert kept(store) == []
            assert httpx.get(receiver.url + "/readyz", timeout=20).status_code in (200, 503)
            # what was not kept in time may be kept late: again it is kept once
            wait_until_ready(receiver)
            assert httpx.post(url, content=BODY).status_code == 200
            assert kept(store) == [BODY]


def wait_until_ready(receiver: Served) -> None:
    deadline = time.monotonic() + 20
    while httpx.get(receiver.url + "/readyz").status_code != 200:
        assert time.monotonic() < deadline


def test_a_ledger_that_is_locked_for_a_moment_costs_the_callback_only_time(
    ledger: Ledger, store: LedgerStore, batch: str, sqlite_url: str
) -> None:
    statuses: list[int] = []
    with running_receiver(ledger) as receiver:
        url = receiver.url + path_of(batch)
        thread = threading.Thread(
            target=lambda: statuses.append(httpx.post(url, content=BODY, timeout=20).status_code)
        )
        with locked(sqlite_url):
            thread.start()
            thread.join(0.2)
            assert statuses == []
        thread.join()
    assert (statuses, kept(store)) == ([200], [BODY])


def test_a_ledger_whose_table_is_gone_is_a_503(ledger: Ledger, batch: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.execute("alter table replies rename to elsewhere")
    connection.close()
    with running_receiver(ledger) as receiver:
        assert httpx.post(receiver.url + path_of(batch), content=BODY).status_code == 503


# --- metrics ----------------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_metrics_have_a_port_of_their_own_and_name_no_person(ledger: Ledger, batch: str) -> None:
    with running_receiver(ledger) as receiver:
        assert httpx.post(receiver.url + path_of(batch), content=BODY).status_code == 200
        assert httpx.get(receiver.url + "/metrics").status_code == 404
        port = free_port()
        stop = receiver.metrics.serve(port)
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        stop()
    assert 'enrichment_callbacks_total{status="200"} 1.0' in text
    assert "process_resident_memory_bytes" in text
    assert batch not in text
    assert "crowd.example" not in text
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")


def test_a_metrics_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match=f"metrics, on 127.0.0.1:{port}"):
            ReceiverMetrics().serve(port)
