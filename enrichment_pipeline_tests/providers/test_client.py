"""SignalHire's client over real sockets: what was sent, what came, and what of it may be billed."""

from __future__ import annotations

import asyncio
import json
import selectors
import socket
import struct
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment_pipeline.providers import transport
from enrichment_pipeline.providers.base import (
    Balance,
    Failing,
    NoReplyError,
    NotSentError,
    ProfileQuery,
    ProviderUnavailableError,
    Reply,
    WrongKeyError,
)
from enrichment_pipeline.providers.signalhire.answers import read_reply
from enrichment_pipeline.providers.signalhire.client import SignalHireClient
from enrichment_pipeline.providers.signalhire.facts import (
    ANSWER_SECONDS,
    SEARCH_SECONDS,
    SIGNALHIRE,
)
from enrichment_pipeline.providers.time_limits import longest_seconds
from enrichment_pipeline.providers.transport import retry_after
from enrichment_pipeline.vocabulary import LOOKUP, SEARCH
from enrichment_pipeline_tests.properties import draws
from enrichment_pipeline_tests.providers import (
    Behaviour,
    answers,
    free_port,
    hangs_up_after_reading,
    hangs_up_at_once,
    never_answers,
    read_request,
    response,
    sends,
    server_that,
)
from enrichment_pipeline_tests.support import people_of, running_sandbox

T = TypeVar("T")

KEY = "k3y-never-to-be-shown"
ITEMS = ["ada@crowd.example", "bob@crowd.example"]
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def ask(
    base_url: str,
    question: Callable[[SignalHireClient], Awaitable[T]],
    *,
    key: str = KEY,
    answer_seconds: float = 10.0,
) -> T:
    """Put one question to a client of its own."""

    async def put() -> T:
        client = SignalHireClient(base_url, key, answer_seconds=answer_seconds)
        try:
            return await question(client)
        finally:
            await client.close()

    return asyncio.run(put())


def lookup(base_url: str, answer_seconds: float = 10.0) -> Reply:
    return ask(base_url, lambda client: client.lookup(ITEMS), answer_seconds=answer_seconds)


def balance(base_url: str) -> Balance:
    return ask(base_url, lambda client: client.balance())


def assert_key_is_nowhere(error: BaseException) -> None:
    """Neither in its text, nor in what a log would print of it and of what led to it."""
    printed = "".join(traceback.format_exception(error))
    seen: BaseException | None = error
    while seen is not None:
        printed += f"{seen} {seen!r} {vars(seen)}"
        seen = seen.__cause__ or seen.__context__
    assert KEY not in printed
    for item in ITEMS:
        assert item not in printed


# --- what goes out and what comes back ---------------------------------------------------


def test_a_look_up_is_one_post_with_key_items_and_the_synchronous_mode():
    received: list[bytes] = []

    def remember(connection: socket.socket) -> None:
        received.append(read_request(connection))
        connection.sendall(response(200, b"[]"))

    with server_that(remember) as server:
        lookup(server.base_url)
    (request,) = received
    headers, _, body = request.partition(b"\r\n\r\n")
    assert headers.startswith(b"POST /api/v1/candidate/search HTTP/1.1\r\n")
    assert f"apikey: {KEY}".encode() in headers
    assert b"content-type: application/json" in headers.lower()
    assert json.loads(body) == {"items": ITEMS, "withoutWaterfall": True}


def test_a_reply_comes_back_as_it_came():
    body = b'[{"item": "\xff"} not json \x00'
    with server_that(answers(200, body, "x-credits-left: 41", "retry-after: 7")) as server:
        reply = lookup(server.base_url)
    assert reply == Reply(200, body, credits_left=41, retry_after=timedelta(seconds=7))


@pytest.mark.parametrize(
    "status", [200, 201, 204, 301, 401, 402, 403, 404, 406, 422, 429, 500, 504]
)
def test_every_status_is_a_reply_and_is_asked_for_once(status: int):
    body = b"" if status == 204 else b"[]"
    with server_that(answers(status, body, "location: http://127.0.0.1:1/")) as server:
        assert lookup(server.base_url).http_status == status
    assert server.connections == 1


@pytest.mark.parametrize(
    ("header", "credits_left"),
    [("0", 0), (" 12 ", 12), ("many", None), ("", None), ("9" * 30, None), ("1.5", None)],
)
def test_an_odd_balance_in_a_header_costs_no_answer(header: str, credits_left: int | None):
    """A number that no ledger column takes would have lost the paid answer beside it."""
    with server_that(answers(200, b"[]", f"x-credits-left: {header}")) as server:
        assert lookup(server.base_url) == Reply(200, b"[]", credits_left, None)


def test_an_oversized_body_is_cut_off_and_ends_as_unconfirmed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "MAX_BODY_BYTES", 100_000)
    body = b"[" + b'{"item": "ada@crowd.example", "status": "failed"},' * 9_000 + b"null]"
    with server_that(answers(200, body)) as server:
        reply = lookup(server.base_url)
    assert reply.http_status == 200
    assert len(reply.body) <= 100_000
    assert body.startswith(reply.body)
    assert read_reply(200, reply.body, ITEMS).signal == Failing("malformed_body")


def test_a_body_up_to_the_limit_is_whole(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "MAX_BODY_BYTES", 100_000)
    body = b"[" + b" " * 99_998 + b"]"
    with server_that(answers(200, body)) as server:
        assert lookup(server.base_url).body == body


# --- transport faults --------------------------------------------------------------------

OK_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"

TORN: dict[str, Behaviour] = {
    "closed before reading": hangs_up_at_once,
    "closed after reading": hangs_up_after_reading,
    "garbage instead of HTTP": sends(b"\x00\x01\x02 this is not HTTP\r\n\r\n"),
    "half a status line": sends(b"HTTP/1.1 20"),
    "headers without an end": sends(OK_HEAD),
    "fewer bytes than promised": sends(OK_HEAD + b"content-length: 500\r\n\r\n[{"),
    "truncated chunks": sends(OK_HEAD + b'transfer-encoding: chunked\r\n\r\n5\r\n[{"it'),
    "chunks that are none": sends(OK_HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n[]\r\n"),
    "gzip that is none": sends(OK_HEAD + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\n[]"),
}


@pytest.mark.parametrize("behaviour", TORN.values(), ids=TORN)
def test_what_may_have_been_read_and_was_not_answered_is_not_asked_again(behaviour: Behaviour):
    with server_that(behaviour) as server, pytest.raises(NoReplyError) as caught:
        lookup(server.base_url)
    assert server.connections == 1
    assert_key_is_nowhere(caught.value)


def _breaks_off_in_the_middle_of_a_body(connection: socket.socket) -> None:
    connection.recv(65_536)
    # closed with a reset, whatever is still on its way
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_a_connection_that_breaks_while_the_body_is_written_is_not_made_again():
    """The provider may go by what it had read until then."""
    many = [f"{number}-{'x' * 1_000}@crowd.example" for number in range(20_000)]
    with (
        server_that(_breaks_off_in_the_middle_of_a_body) as server,
        pytest.raises(NoReplyError) as caught,
    ):
        ask(server.base_url, lambda client: client.lookup(many))
    assert server.connections == 1
    assert_key_is_nowhere(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        httpx.CloseError,
        httpx.LocalProtocolError,
        httpx.ReadError,
        httpx.ReadTimeout,
        httpx.RemoteProtocolError,
        httpx.WriteError,
        httpx.WriteTimeout,
        httpx.DecodingError,
    ],
)
def test_only_an_error_that_comes_before_the_request_is_tried_again(error: type[Exception]):
    requests: list[httpx.Request] = []

    def fail(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        raise error("what a transport says")

    async def put() -> None:
        transport = httpx.MockTransport(fail)
        client = SignalHireClient("http://unused.invalid", KEY, transport=transport)
        with pytest.raises(NoReplyError):
            await client.lookup(ITEMS)
        await client.close()

    asyncio.run(put())
    assert len(requests) == 1


def _answers_in_drops(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(OK_HEAD + b"content-length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b" ")
        connection.settimeout(0.05)
        try:
            if not connection.recv(1):
                return
        except TimeoutError:
            pass


@pytest.mark.parametrize("behaviour", [never_answers, _answers_in_drops])
def test_an_answer_that_is_not_whole_in_time_is_none(behaviour: Behaviour):
    with server_that(behaviour) as server, pytest.raises(NoReplyError) as caught:
        lookup(server.base_url, answer_seconds=0.3)
    assert server.connections == 1
    assert_key_is_nowhere(caught.value)


def test_no_connection_means_not_sent():
    with pytest.raises(NotSentError) as caught:
        lookup(f"http://127.0.0.1:{free_port()}/api/v1")
    assert str(caught.value) == "ConnectError"
    assert_key_is_nowhere(caught.value)


def test_an_unknown_host_means_not_sent():
    with pytest.raises(NotSentError) as caught:
        lookup("http://no-such-host.invalid/api/v1")
    assert_key_is_nowhere(caught.value)


def _answers_a_greeting_in_clear(connection: socket.socket) -> None:
    connection.recv(1)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_tls_that_fails_means_not_sent():
    with server_that(_answers_a_greeting_in_clear) as server:
        with pytest.raises(NotSentError) as caught:
            lookup(server.base_url.replace("http://", "https://"))
        assert server.connections == transport.CONNECT_ATTEMPTS
    assert_key_is_nowhere(caught.value)


def test_a_connection_that_takes_too_long_means_not_sent(monkeypatch: pytest.MonkeyPatch):
    """A full queue of connections that are not accepted: the kernel lets the next one wait."""
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.2)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(address)
        try:
            with pytest.raises(NotSentError) as caught:
                lookup(f"http://127.0.0.1:{address[1]}/api/v1")
        finally:
            for connection in waiting:
                connection.close()
    assert str(caught.value) == "ConnectTimeout"
    assert_key_is_nowhere(caught.value)


class _SkippingSelector(selectors.SelectSelector):
    """Waits for sockets, and not for time."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.skipped += timeout or 0.0
        return super().select(None if timeout is None else 0)


class _SkippingLoop(asyncio.SelectorEventLoop):
    """Waiting takes no time, but passes on the loop's clock."""

    def __init__(self) -> None:
        self._skipping = _SkippingSelector()
        super().__init__(self._skipping)

    def time(self) -> float:
        return super().time() + self._skipping.skipped


class _ReluctantTransport(httpx.AsyncBaseTransport):
    """TCP comes about at the last moment and TLS does not; the last attempt is answered late."""

    def __init__(self, answer_seconds: float) -> None:
        self.attempts = 0
        self.at_the_last_moment = answer_seconds - 0.1

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.attempts += 1
        if self.attempts == transport.CONNECT_ATTEMPTS:
            await asyncio.sleep(self.at_the_last_moment)
            return httpx.Response(200, content=b"[]")
        connecting = 2 * request.extensions["timeout"]["connect"]
        await asyncio.sleep(min(connecting, self.at_the_last_moment))
        raise httpx.ConnectTimeout("TLS")


QUERY = ProfileQuery("Ada Lovelace", "Acme", is_current=True, page_size=10)


@pytest.mark.parametrize(
    ("question", "answer_seconds", "kind"),
    [
        (lambda client: client.lookup(ITEMS), ANSWER_SECONDS, LOOKUP),
        (lambda client: client.search(QUERY), SEARCH_SECONDS, SEARCH),
    ],
    ids=["look-up", "search"],
)
def test_no_response_comes_after_the_deadline_at_which_its_place_is_given_to_others(
    question: Callable[[SignalHireClient], Awaitable[Reply]],
    answer_seconds: float,
    kind: str,
):
    async def put() -> float:
        client = SignalHireClient("https://signalhire.example", KEY, transport=reluctant)
        began_at = asyncio.get_running_loop().time()
        assert (await question(client)).body == b"[]"
        await client.close()
        return asyncio.get_running_loop().time() - began_at

    reluctant = _ReluctantTransport(answer_seconds)
    with asyncio.Runner(loop_factory=_SkippingLoop) as runner:
        seconds = runner.run(put())
    assert reluctant.attempts == transport.CONNECT_ATTEMPTS
    assert seconds <= longest_seconds(answer_seconds)
    assert seconds < SIGNALHIRE.calls[kind].longest_seconds


def test_a_look_up_that_could_not_connect_at_first_is_sent_once_it_can(
    monkeypatch: pytest.MonkeyPatch,
):
    """Two refusals, then a server: within one call, since nothing had left."""
    attempts = []
    port = free_port()
    whole = SignalHireClient._post

    async def count(self: SignalHireClient, path: str, body: bytes) -> Reply:
        attempts.append(len(attempts))
        self._http.base_url = server.base_url if len(attempts) == 3 else f"http://127.0.0.1:{port}"
        return await whole(self, path, body)

    monkeypatch.setattr(SignalHireClient, "_post", count)
    with server_that(answers(200, b"[]")) as server:
        assert lookup(server.base_url).body == b"[]"
    assert attempts == [0, 1, 2]
    assert server.connections == 1


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY}\r\nx: y", f"clé-{KEY}", f"{KEY}\x00", ""])
def test_a_key_that_fits_into_no_header_is_a_wrong_key(key: str):
    with pytest.raises(WrongKeyError) as caught:
        ask("http://127.0.0.1:1", lambda client: client.balance(), key=key)
    assert "SIGNALHIRE_API_KEY" in str(caught.value)
    assert_key_is_nowhere(caught.value)


def test_a_client_never_shows_its_key():
    client = SignalHireClient("http://127.0.0.1:1", KEY)
    assert KEY not in repr(client) + str(client)
    asyncio.run(client.close())


# --- the balance -------------------------------------------------------------------------


def test_the_balance_is_asked_of_the_provider(tmp_path: Path):
    people = people_of(tmp_path / "people.csv", [{"uid": "a" * 32, "full_name": "Ada"}])
    with running_sandbox(people, tmp_path / "journal", credits=27, api_key=KEY) as sandbox:
        found = balance(sandbox.base_url)
    assert found.credits_left == 27
    assert found.dated_at is not None
    assert abs(datetime.now(UTC) - found.dated_at) < timedelta(seconds=10)


@pytest.mark.parametrize(
    ("header", "dated_at"),
    [
        ("date: Mon, 02 Mar 2026 09:00:30 GMT", datetime(2026, 3, 2, 9, 0, 30, tzinfo=UTC)),
        ("date: yesterday", None),
        ("x-other: 1", None),
    ],
)
def test_a_balance_is_dated_by_the_providers_clock(header: str, dated_at: datetime | None):
    with server_that(answers(200, b'{"credits": 5}', header)) as server:
        assert balance(server.base_url) == Balance(5, dated_at)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_named_as_such(status: int):
    with server_that(answers(status, b"{}")) as server, pytest.raises(WrongKeyError) as caught:
        balance(server.base_url)
    assert_key_is_nowhere(caught.value)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"[]"),
        (200, b"null"),
        (200, b'{"credits": null}'),
        (200, b'{"credits": "many"}'),
        (200, b'{"credits": {}}'),
        (200, b'{"credits": NaN}'),
        (200, b'{"credits": 1e999}'),
        (200, b'{"credits": 99999999999999999999}'),
        (200, b'{"left": 5}'),
        (200, b"<html>"),
        (200, b"\xff\xfe"),
        (200, b"[" * 200_000),
        (301, b""),
        (404, b'{"credits": 5}'),
        (500, b""),
    ],
)
def test_a_balance_that_is_none_is_an_error_in_one_line(status: int, body: bytes):
    with (
        server_that(answers(status, body)) as server,
        pytest.raises(ProviderUnavailableError) as caught,
    ):
        balance(server.base_url)
    assert not isinstance(caught.value, WrongKeyError)
    assert "\n" not in str(caught.value)
    assert_key_is_nowhere(caught.value)


def test_a_balance_is_asked_again_after_a_torn_connection_since_it_costs_nothing():
    whole = answers(200, b'{"credits": 5}')
    with server_that(hangs_up_after_reading, hangs_up_at_once, whole) as server:
        assert balance(server.base_url) == Balance(5)
    assert server.connections == 3


@pytest.mark.parametrize("behaviour", [hangs_up_after_reading, TORN["gzip that is none"]])
def test_a_provider_that_gives_no_balance_at_all_is_unavailable(behaviour: Behaviour):
    with server_that(behaviour) as server, pytest.raises(ProviderUnavailableError) as caught:
        balance(server.base_url)
    assert_key_is_nowhere(caught.value)


def test_a_provider_that_cannot_be_reached_is_unavailable():
    with pytest.raises(ProviderUnavailableError) as caught:
        balance(f"http://127.0.0.1:{free_port()}/api/v1")
    assert "SIGNALHIRE_BASE_URL" in str(caught.value)
    assert_key_is_nowhere(caught.value)


# --- Retry-After -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("0", timedelta(0)),
        ("30", timedelta(seconds=30)),
        (" 30 ", timedelta(seconds=30)),
        ("-5", timedelta(0)),
        ("86400", timedelta(days=1)),
        ("99999999", timedelta(days=1)),
        ("9" * 30, timedelta(days=1)),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), timedelta(seconds=90)),
        (format_datetime(NOW - timedelta(days=3), usegmt=True), timedelta(0)),
        ("Mon, 02 Mar 2026 11:00:00 +0200", timedelta(0)),
        ("Mon, 02 Mar 2026 09:00:30 -0000", timedelta(seconds=30)),
        ("", None),
        ("soon", None),
        ("1.5", None),
        ("30 seconds", None),
        ("Mon, 99 Mar 2026 09:00:00 GMT", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2026 00:00:00 +99999999999", None),
    ],
)
def test_retry_after_is_read_in_every_form(header: str | None, expected: timedelta | None):
    assert retry_after(header, NOW) == expected


def test_a_date_far_away_is_read_as_it_stands():
    """The gate caps it."""
    pause = retry_after("Fri, 31 Dec 9999 23:59:59 GMT", NOW)
    assert pause is not None
    assert pause > timedelta(days=365_000)


@given(
    header=st.one_of(
        st.text(st.characters(max_codepoint=255), max_size=60),
        st.builds(
            "{}, {} {} {} {}:{}:{} {}".format,
            st.sampled_from(["Mon", "Xyz"]),
            st.integers(-1, 10**25),
            st.sampled_from(["Jan", "Foo", "12"]),
            st.integers(-1, 10**25),
            st.integers(-1, 10**12),
            st.integers(-1, 99),
            st.integers(-1, 99),
            st.sampled_from(["GMT", "+9999", "-99999999999", "Z", ""]),
        ),
    )
)
@draws(few=100, many=1000)
def test_no_retry_after_costs_the_answer_beside_it(header: str):
    pause = retry_after(header, NOW)
    assert pause is None or pause >= timedelta(0)
