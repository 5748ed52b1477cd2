"""HTTP as every provider's client needs it: one request, what never left, which numbers count.

Here: what does not depend on the provider. Not here: how long a request may take
(`time_limits.py`), URLs and headers, and what a reply means.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache

import httpx
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from enrichment_pipeline.providers.base import (
    Balance,
    NoReplyError,
    NotSentError,
    ProviderUnavailableError,
    Reply,
    WrongKeyError,
)
from enrichment_pipeline.providers.time_limits import (
    CONNECT_ATTEMPTS,
    CONNECT_PAUSE_SECONDS,
    CONNECT_SECONDS,
)

IDLE_CONNECTION_SECONDS = 2.0
"""Shorter than any server's, so that no request goes out on a connection that is being closed."""

NEVER_SENT: tuple[type[Exception], ...] = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""Errors of the transport after which the request certainly did not leave: `not_sent`.

Names that do not resolve and TLS that fails are ConnectErrors. After any other
error of the transport it may have left: `no_reply`.
"""
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_COUNT = 2**31 - 1
"""What the ledger's columns hold; a larger number is no balance and no cost."""


def checked_key(api_key: str, variable: str) -> str:
    """The key, for a header. Raises WrongKeyError for one that no request can carry."""
    if not (api_key and api_key.isascii() and api_key.isprintable()):
        raise WrongKeyError(
            f"{variable}: empty, or with a character that no key has (a line break?)"
        )
    return api_key


def open_client(
    base_url: str,
    headers: Mapping[str, str],
    answer_seconds: float,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """A client for one event loop; it is to be closed."""
    return httpx.AsyncClient(
        base_url=base_url + "/",
        headers={"accept": "application/json", **headers},
        timeout=httpx.Timeout(answer_seconds, connect=CONNECT_SECONDS),
        limits=httpx.Limits(keepalive_expiry=IDLE_CONNECTION_SECONDS),
        transport=transport,
        verify=_tls(),
    )


@cache
def _tls() -> ssl.SSLContext:
    """As httpx makes it, but once: reading the certificates takes a twentieth of a second."""
    return httpx.create_ssl_context()


class _PrivateUrl(httpx.URL):
    """A URL whose query is sent and never shown.

    httpx logs the URL of each request, and its exceptions carry the request.
    """

    def __str__(self) -> str:
        return super().__str__().partition("?")[0]

    def __repr__(self) -> str:
        return f"URL({str(self)!r})"


@asynccontextmanager
async def private_get(
    http: httpx.AsyncClient, path: str, query: Mapping[str, str]
) -> AsyncIterator[httpx.Response]:
    """The response to a GET whose query names a person; its body is still to be read."""
    request = http.build_request("GET", path, params=query)
    request.url = _PrivateUrl(request.url)
    response = await http.send(request, stream=True)
    try:
        yield response
    finally:
        await response.aclose()


async def ask_once(ask: Callable[[], Awaitable[Reply]], seconds: float) -> Reply:
    """A request that may cost something: tried again only where it cannot have left.

    Raises NotSentError or NoReplyError.
    """
    try:
        async for attempt in _retrying(*NEVER_SENT):
            with attempt:
                async with asyncio.timeout(seconds):
                    return await ask()
    except NEVER_SENT as error:
        raise NotSentError(_code(error)) from None
    except (httpx.HTTPError, TimeoutError) as error:
        raise NoReplyError(_code(error)) from None
    raise AssertionError("unreachable: the retrying loop returns or raises")


async def ask_balance(
    http: httpx.AsyncClient,
    path: str,
    credits_in: Callable[[httpx.Response], int | None],
    *,
    title: str,
    variables: str,
    method: str = "GET",
    of_wrong_key: frozenset[int] = frozenset({401, 403}),
) -> Balance:
    """See `Provider.balance`: the request costs nothing, and so is tried again.

    `variables` is what the names of the provider's variables begin with, `of_wrong_key` the
    statuses that say that the key is not accepted.
    """
    response = await _ask_freely(http, method, path, title, f"{variables}_BASE_URL")
    if response.status_code in of_wrong_key:
        raise WrongKeyError(
            f"{title} at {http.base_url} does not accept the key "
            f"({response.status_code}); check {variables}_API_KEY"
        )
    credits_left = credits_in(response)
    if credits_left is None:
        raise ProviderUnavailableError(
            f"{title} at {http.base_url} gives no balance "
            f"({method} /{path}: {response.status_code}); check {variables}_BASE_URL"
        )
    return Balance(credits_left, http_date(response.headers.get("date")))


async def _ask_freely(
    http: httpx.AsyncClient, method: str, path: str, title: str, variable: str
) -> httpx.Response:
    try:
        async for attempt in _retrying(httpx.RequestError):
            with attempt:
                return await http.request(method, path)
    except httpx.RequestError as error:
        raise ProviderUnavailableError(
            f"{title} at {http.base_url}: cannot be reached ({type(error).__name__}); "
            f"check {variable} and the network"
        ) from None
    raise AssertionError("unreachable: the retrying loop returns or raises")


def _retrying(*errors: type[Exception]) -> AsyncRetrying:
    """A fresh one per call: it keeps state, and is not safe across tasks."""
    return AsyncRetrying(
        retry=retry_if_exception_type(errors),
        stop=stop_after_attempt(CONNECT_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.2, max=CONNECT_PAUSE_SECONDS),
        reraise=True,
    )


def _code(error: Exception) -> str:
    """The error's class as a code: its text could hold a URL or a datum."""
    return type(error).__name__


async def limited_body(response: httpx.Response) -> bytes:
    """The body; one that is too long is cut off: it does not parse, and so ends as unconfirmed."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            break
        chunks.append(chunk)
    return b"".join(chunks)


def whole_number(value: object) -> int | None:
    """An integer as JSON or a header gives it; None for what is none."""
    try:
        return int(str(value))
    except ValueError:
        return None


def balance_in(value: object) -> int | None:
    """A balance, which may be overdrawn; None for what the ledger could not hold."""
    number = whole_number(value)
    return number if number is not None and abs(number) <= MAX_COUNT else None


def cost_in(value: object) -> int | None:
    """What a request cost; None for what is no such number."""
    number = balance_in(value)
    return number if number is not None and number >= 0 else None


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """A `Retry-After` in seconds or as a date (RFC 9110, 10.2.3); None where it says nothing."""
    if header is None:
        return None
    seconds = whole_number(header)
    if seconds is not None:
        return timedelta(seconds=min(max(seconds, 0), 86_400))
    instant = http_date(header)
    return None if instant is None else max(timedelta(0), instant - now)


def http_date(header: str | None) -> datetime | None:
    """The instant in a header such as `Date` (RFC 9110, 5.6.7); None where it is no date."""
    if header is None:
        return None
    try:
        instant = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
