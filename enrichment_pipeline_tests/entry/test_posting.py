"""Over which connection a notification goes out, and which answers end an attempt."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
import trustme

from enrichment_pipeline.entry.addresses import RefusedError
from enrichment_pipeline.entry.posting import Poster
from enrichment_pipeline.policy import EntryPolicy
from enrichment_pipeline_tests.entry.hooks import Answer, Hooks, Received, always, hooks, run

HOST = "hooks.example.com"
HEADERS = {"content-type": "application/json", "webhook-id": "msg_1"}
TRUSTING_NONE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Answers:
    """A resolver that gives one answer after another, and then the last one again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def poster_to(
    *served: Hooks,
    resolve: Answers | None = None,
    networks: Sequence[str] = ("127.0.0.1/32",),
    host: str = HOST,
    **given: Any,
) -> Poster:
    """One that may post to these servers, by a name that resolves to where they listen."""
    policy = EntryPolicy(
        notify_hosts=tuple(f"{host}:{one.port}" for one in served),
        notify_networks=tuple(networks),
    )
    given.setdefault("tls", TRUSTING_NONE)
    return Poster(policy, resolve=resolve or Answers(["127.0.0.1"]), **given)


async def post(poster: Poster, url: str) -> int:
    return await poster.post(url, b'{"a": 1}', HEADERS)


# --- what the server gets ---------------------------------------------------------------------


def test_the_body_goes_to_the_checked_address_under_the_name() -> None:
    async def scenario() -> None:
        async with hooks() as served:
            resolve = Answers(["127.0.0.1"])
            assert (
                await post(poster_to(served, resolve=resolve), served.url(path="/in?t=%20")) == 204
            )
            assert resolve.asked == [HOST]
            (received,) = served.received
            assert (received.target, received.body) == ("/in?t=%20", b'{"a": 1}')
            assert received.headers["host"] == f"{HOST}:{served.port}"
            assert received.headers["content-length"] == "8"
            assert HEADERS.items() <= received.headers.items()

    run(scenario())


def test_no_cookie_and_no_connection_is_kept_for_the_next_one() -> None:
    async def scenario() -> None:
        async with hooks(always(200, "set-cookie: a=b; path=/")) as served:
            poster = poster_to(served)
            assert [await post(poster, served.url()) for _ in range(2)] == [200, 200]
            assert served.connections == 2
            assert not any("cookie" in received.headers for received in served.received)

    run(scenario())


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with hooks() as served, hooks() as proxy:
            for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]:
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            assert await post(poster_to(served), served.url()) == 204
            assert proxy.connections == 0

    run(scenario())


def test_the_next_address_is_tried_where_the_first_takes_no_connection() -> None:
    async def scenario() -> None:
        async with hooks() as served:
            resolve = Answers(["127.0.0.2", "127.0.0.1"])
            poster = poster_to(served, resolve=resolve, networks=["127.0.0.0/8"])
            assert await post(poster, served.url()) == 204
            assert len(resolve.asked) == 1

    run(scenario())


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_a_server_on_ipv6_is_reached_by_its_address() -> None:
    async def scenario() -> None:
        try:
            async with hooks(host="::1") as served:
                poster = poster_to(
                    served, resolve=Answers(["::1"]), networks=["::1/128"], host="[::1]"
                )
                assert await post(poster, served.url("[::1]")) == 204
                assert served.received[0].headers["host"] == f"[::1]:{served.port}"
        except OSError:
            pytest.skip("no loopback address of IPv6 here")

    run(scenario())


# --- what is never connected to -----------------------------------------------------------------


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["::ffff:127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["127.0.0.1", "8.8.8.8"],
    ],
)
def test_a_name_that_resolves_to_a_private_address_is_not_connected_to(found: list[str]) -> None:
    async def scenario() -> None:
        async with hooks() as served:
            poster = poster_to(served, resolve=Answers(found), networks=["10.0.0.0/8"])
            with pytest.raises(RefusedError, match="neither public nor in notify_networks"):
                await post(poster, served.url())
            assert served.connections == 0

    run(scenario())


def test_a_name_that_resolves_otherwise_a_moment_later_is_looked_up_once() -> None:
    async def scenario() -> None:
        async with hooks() as served:
            resolve = Answers(["127.0.0.1"], ["169.254.169.254"])
            poster = poster_to(served, resolve=resolve)
            assert await post(poster, served.url()) == 204
            assert (len(resolve.asked), served.connections) == (1, 1)
            with pytest.raises(RefusedError, match="neither public"):
                await post(poster, served.url())
            assert (len(resolve.asked), served.connections) == (2, 1)

    run(scenario())


def test_nothing_but_the_given_resolver_looks_a_name_up(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[Any] = []
    getaddrinfo = socket.getaddrinfo

    def noted(host: Any, *rest: Any, **named: Any) -> Any:
        looked_up.append(host)
        return getaddrinfo(host, *rest, **named)

    async def scenario() -> None:
        async with hooks() as served:
            monkeypatch.setattr(socket, "getaddrinfo", noted)
            assert await post(poster_to(served), served.url()) == 204
            assert HOST not in map(str, looked_up)

    run(scenario())


def test_a_host_that_is_not_listed_is_not_even_looked_up() -> None:
    async def scenario() -> None:
        async with hooks() as served:
            resolve = Answers(["127.0.0.1"])
            poster = poster_to(served, resolve=resolve)
            with pytest.raises(RefusedError, match="notify_hosts"):
                await post(poster, served.url("evil.example"))
            assert resolve.asked == []

    run(scenario())


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    async def scenario() -> None:
        async with hooks() as private:
            location = f"location: http://127.0.0.1:{private.port}/"
            for status in (301, 302, 303, 307, 308):
                async with hooks(always(status, location)) as served:
                    assert await post(poster_to(served, private), served.url()) == status
            assert private.connections == 0

    run(scenario())


# --- answers without an end ----------------------------------------------------------------------


async def endless_body(_received: Received) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n"
    while True:
        yield b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n"


async def byte_by_byte(_received: Received) -> AsyncIterator[bytes]:
    while True:
        yield b"H"
        await asyncio.sleep(0.02)


async def never(_received: Received) -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def half_a_head(_received: Received) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 x\r\na: b\r\n"


async def a_long_head(_received: Received) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 x\r\n" + b"a: b\r\n" * 1_000_000 + b"\r\n"


async def no_http(_received: Received) -> AsyncIterator[bytes]:
    yield b"220 smtp.example ESMTP\r\n"


async def only_interim(_received: Received) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 102 x\r\n\r\n" * 1_000


def test_a_body_without_an_end_is_not_read() -> None:
    async def scenario() -> None:
        async with hooks(endless_body) as served:
            assert await post(poster_to(served), served.url()) == 200
            await served.is_hung_up_on.wait()
            assert served.written < 16_000_000  # what the buffers of both sockets take

    run(scenario())


@pytest.mark.parametrize("give", [half_a_head, a_long_head, no_http, only_interim])
def test_what_is_no_whole_answer_is_an_error_of_the_transport(give: Answer) -> None:
    async def scenario() -> None:
        async with hooks(give) as served:
            with pytest.raises(httpx.TransportError):
                await post(poster_to(served), served.url())

    run(scenario())


@pytest.mark.parametrize("give", [never, byte_by_byte])
def test_an_answer_is_waited_for_no_longer_than_an_attempt_lasts(give: Answer) -> None:
    async def scenario() -> None:
        async with hooks(give) as served:
            with pytest.raises((TimeoutError, httpx.TimeoutException)):
                await post(poster_to(served, seconds=0.2), served.url())

    run(scenario())


def test_a_name_server_that_does_not_answer_is_not_waited_for_longer() -> None:
    async def hangs(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    async def scenario() -> None:
        policy = EntryPolicy(notify_hosts=(HOST,))
        poster = Poster(policy, resolve=hangs, tls=TRUSTING_NONE, seconds=0.1)
        with pytest.raises(TimeoutError):
            await post(poster, f"https://{HOST}/")

    run(scenario())


# --- TLS -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


def serving(authority: trustme.CA, host: str) -> ssl.SSLContext:
    """With a certificate for this host; notes which name a client asks for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)

    def note(connection: Any, name: str | None, _context: ssl.SSLContext) -> None:
        connection.asked_for = name

    context.sni_callback = note
    return context


def test_tls_asks_for_the_name_and_finds_it_in_the_certificate(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    async def scenario() -> None:
        async with hooks(tls=serving(authority, HOST)) as served:
            poster = poster_to(served, tls=trusting)
            assert await post(poster, served.url(f"{HOST}.", "https")) == 204
            (received,) = served.received
            assert received.server_name == HOST
            assert received.headers["host"] == f"{HOST}:{served.port}"

    run(scenario())


@pytest.mark.parametrize("certified", ["other.example.com", "127.0.0.1"])
def test_a_certificate_of_another_name_gets_nothing(
    authority: trustme.CA, trusting: ssl.SSLContext, certified: str
) -> None:
    async def scenario() -> None:
        async with hooks(tls=serving(authority, certified)) as served:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await post(poster_to(served, tls=trusting), served.url(scheme="https"))
            assert served.received == []

    run(scenario())


def test_a_certificate_of_an_unknown_authority_gets_nothing_by_default(
    authority: trustme.CA,
) -> None:
    async def scenario() -> None:
        async with hooks(tls=serving(authority, HOST)) as served:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await post(poster_to(served, tls=None), served.url(scheme="https"))
            assert served.received == []

    run(scenario())
