"""Over sockets: connections that are used again, bodies of any length, and slow clients."""

from __future__ import annotations

import json
import socket
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from enrichment_pipeline.entry.request_limits import EntryLimits
from enrichment_pipeline_tests.entry.over_http import (
    ADA,
    CONTACTS,
    LET_IN,
    App,
    Served,
    head,
    request,
    running_entry,
)
from enrichment_pipeline_tests.receiver import read_to_end, status_in

BODY = json.dumps(ADA).encode()
LIMITS = EntryLimits(head_seconds=0.4, body_seconds=0.4, linger_seconds=0.2)

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def impatient() -> Iterator[Served]:
    """One that waits for nobody long."""
    with running_entry(App(limits=LIMITS), LIMITS) as entry:
        yield entry


@pytest.fixture(scope="module")
def patient() -> Iterator[Served]:
    """One as a user starts it."""
    with running_entry(App()) as entry:
        yield entry


@pytest.fixture(autouse=True)
def forget(patient: Served, impatient: Served) -> None:
    patient.app.desk.forget()
    impatient.app.desk.forget()


def read_one(connection: socket.socket) -> bytes:
    """One answer, whole, of a connection that stays open."""
    came = b""
    while b"\r\n\r\n" not in came or not came.endswith(b"}"):
        data = connection.recv(65_536)
        assert data, came
        came += data
    return came


def test_a_connection_serves_many_requests(patient: Served) -> None:
    with patient.connect() as connection:
        for _ in range(3):
            connection.sendall(request(BODY))
            assert status_in(read_one(connection)) == 202
    assert len(patient.app.desk.entered) == 3


def test_requests_that_come_at_once_are_answered_in_their_order(patient: Served) -> None:
    with patient.connect() as connection:
        connection.sendall(request(BODY) + request(b"[]") + request(BODY, "connection: close"))
        came = read_to_end(connection)
    assert [int(part[:3]) for part in came.split(b"HTTP/1.1 ")[1:]] == [202, 422, 202]


def test_a_refused_body_that_was_read_leaves_the_connection_open(patient: Served) -> None:
    with patient.connect() as connection:
        connection.sendall(request(b"no JSON"))
        assert status_in(read_one(connection)) == 422
        connection.sendall(request(BODY))
        assert status_in(read_one(connection)) == 202


HEADS = {
    "a wrong token": (head("content-length: 100000000", token="x" * 24), 401),
    "a wrong token, in chunks": (head("transfer-encoding: chunked", token="x" * 24), 401),
    "too large": (head("content-length: 100000000"), 413),
    "too large, and it asks": (head("content-length: 100000000", "expect: 100-continue"), 413),
    "a wrong token, and it asks": (
        head("content-length: 9", "expect: 100-continue", token="x" * 24),
        401,
    ),
}


@pytest.mark.parametrize(("sent", "status"), HEADS.values(), ids=HEADS)
def test_what_the_head_decides_is_answered_without_a_byte_of_the_body(
    patient: Served, sent: bytes, status: int
) -> None:
    with patient.connect() as connection:
        connection.sendall(sent)
        # one read: no `100 Continue` first, and no waiting for the connection to be closed
        assert status_in(connection.recv(65_536)) == status


def test_what_is_left_of_a_refused_body_is_not_taken_for_a_request(patient: Served) -> None:
    with patient.connect() as connection:
        connection.sendall(request(request(BODY), token="x" * 24))
        came = read_to_end(connection)
    assert came.count(b"HTTP/1.1 ") == 1
    assert came.lower().count(b"connection: close") == 1
    assert patient.app.desk.entered == []


def test_what_comes_behind_a_body_s_length_is_the_begin_of_another_request(
    impatient: Served,
) -> None:
    with impatient.connect() as connection:
        connection.sendall(head(f"content-length: {len(BODY) - 1}") + BODY)
        came = read_to_end(connection)
    assert [int(part[:3]) for part in came.split(b"HTTP/1.1 ")[1:]] == [422]
    assert impatient.app.desk.entered == []


def test_a_large_body_is_refused_while_it_comes_and_memory_stays_flat(patient: Served) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    tracemalloc.start()
    try:
        with patient.connect() as connection:
            connection.sendall(head("transfer-encoding: chunked"))
            for _ in range(160):  # 10 MB
                connection.sendall(chunk)
            connection.sendall(b"0\r\n\r\n")
            came = read_to_end(connection)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert status_in(came) == 413
    assert peak < 2_000_000
    assert patient.app.desk.entered == []


def closed_after(entry: Served, first: bytes, drip: bytes) -> tuple[int | None, float]:
    """The status that a slow sender gets, and after how long the connection was closed."""
    began_at = time.monotonic()
    came = b""
    with entry.connect() as connection:
        connection.sendall(first)
        if first.endswith(BODY):
            read_one(connection)
            began_at = time.monotonic()
        connection.settimeout(0.05)
        while time.monotonic() < began_at + 10:
            try:
                if drip:
                    connection.sendall(drip)
                if not (data := connection.recv(65_536)):
                    break
                came += data
            except TimeoutError:
                continue
            except OSError:
                break
    return status_in(came), time.monotonic() - began_at


def test_who_is_slow_is_closed_by_a_time_limit(impatient: Served) -> None:
    begun = head("content-length: 100")
    cases: dict[str, tuple[bytes, bytes, int | None]] = {
        "silence": (b"", b"", None),
        "the head trickles": (b"POST / HTTP/1.1\r\nx: ", b"x", None),
        "the second head trickles": (request(BODY), b"x", None),
        "no body": (begun, b"", 408),
        "the body trickles": (begun, b" ", 408),
        "the chunks trickle": (head("transfer-encoding: chunked"), b"1\r\n \r\n", 408),
    }
    with ThreadPoolExecutor(len(cases)) as clients:
        slow = {
            name: clients.submit(closed_after, impatient, first, drip)
            for name, (first, drip, _) in cases.items()
        }
        closed = {name: client.result() for name, client in slow.items()}
    assert {name: status for name, (status, _) in closed.items()} == {
        name: status for name, (_, _, status) in cases.items()
    }
    # the clock of the event loop counts in milliseconds
    assert min(seconds for _, seconds in closed.values()) >= 0.39
    assert max(seconds for _, seconds in closed.values()) < 5


def test_an_idle_connection_outlives_the_time_of_a_head(impatient: Served) -> None:
    with impatient.connect() as connection:
        connection.sendall(request(BODY))
        read_one(connection)
        time.sleep(LIMITS.head_seconds * 1.5)
        connection.sendall(request(BODY))
        assert status_in(read_one(connection)) == 202


def test_a_body_that_ends_early_is_not_entered(patient: Served) -> None:
    with patient.connect() as connection:
        connection.sendall(request(BODY)[:-1])
    assert httpx.post(patient.url + CONTACTS, content=BODY, headers=LET_IN).status_code == 415
    assert patient.app.desk.entered == []


@pytest.mark.parametrize(
    "sent",
    [
        b"POST\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST " + CONTACTS.encode() + b" HTTP/1.1\r\nhost: x\r\ncontent-length: 1, 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"x" * 200_000,
    ],
    ids=["no request", "TLS", "two lengths", "a long head"],
)
def test_what_is_no_http_is_refused(patient: Served, sent: bytes) -> None:
    with patient.connect() as connection:
        connection.sendall(sent)
        assert status_in(read_to_end(connection)) in (400, None)
