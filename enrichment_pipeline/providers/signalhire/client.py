"""SignalHire over HTTP: one request, one reply, and nothing decided.

Here: URLs, headers, time limits, and which transport error means what. Not
here: what a reply means (`answers.py`, `profiles.py`), and whether a call may be made.
"""

import asyncio
import json
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from urllib.parse import quote

import httpx
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from enrichment_pipeline.providers.base import (
    Accepted,
    Balance,
    CallbackReading,
    NoReplyError,
    NotSentError,
    PageReading,
    ProfileQuery,
    ProviderUnavailableError,
    Reading,
    Reply,
    WrongKeyError,
)
from enrichment_pipeline.providers.signalhire.answers import (
    read_callback,
    read_reply,
    read_submission,
)
from enrichment_pipeline.providers.signalhire.facts import (
    ANSWER_SECONDS,
    CONNECT_ATTEMPTS,
    CONNECT_PAUSE_SECONDS,
    CONNECT_SECONDS,
    MAX_BATCH,
    SEARCH_SECONDS,
)
from enrichment_pipeline.providers.signalhire.profiles import read_page
from enrichment_pipeline.providers.transport import (
    NEVER_SENT,
    balance_in,
    limited_body,
    whole_number,
)

LOOKUP = "candidate/search"
IDLE_CONNECTION_SECONDS = 2.0
"""Shorter than any server's, so that no request goes out on a connection that is being closed."""


class SignalHireClient:
    """SignalHire, and its sandbox, in both modes: only URL and key differ.

    Create one per event loop, and close it. Raises WrongKeyError for a key that
    no request can carry.
    """

    name = "signalhire"
    max_batch = MAX_BATCH

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if not (api_key and api_key.isascii() and api_key.isprintable()):
            raise WrongKeyError(
                "SIGNALHIRE_API_KEY: empty, or with a character that no key has (a line break?)"
            )
        self._answer_seconds = answer_seconds
        self._http = httpx.AsyncClient(
            base_url=base_url + "/",
            headers={"apikey": api_key, "accept": "application/json"},
            timeout=httpx.Timeout(answer_seconds, connect=CONNECT_SECONDS),
            limits=httpx.Limits(keepalive_expiry=IDLE_CONNECTION_SECONDS),
            transport=transport,
            verify=_tls(),
        )

    async def balance(self) -> Balance:
        """See `Provider.balance`. Costs nothing, and so is tried again."""
        try:
            async for attempt in _retrying(httpx.RequestError):
                with attempt:
                    response = await self._http.get("credits")
        except httpx.RequestError as error:
            raise ProviderUnavailableError(
                f"SignalHire at {self._http.base_url}: cannot be reached ({type(error).__name__}); "
                "check SIGNALHIRE_BASE_URL and the network"
            ) from None
        if response.status_code in {401, 403}:
            raise WrongKeyError(
                f"SignalHire at {self._http.base_url} does not accept the key "
                f"({response.status_code}); check SIGNALHIRE_API_KEY"
            )
        credits_left = _credits_in(response)
        if credits_left is None:
            raise ProviderUnavailableError(
                f"SignalHire at {self._http.base_url} gives no balance "
                f"(GET /credits: {response.status_code}); check SIGNALHIRE_BASE_URL"
            )
        return Balance(credits_left, _http_date(response.headers.get("date")))

    async def lookup(self, items: Sequence[str]) -> Reply:
        """See `Provider.lookup`. Tried again only where the request cannot have left."""
        return await self._ask(LOOKUP, {"items": list(items), "withoutWaterfall": True})

    async def submit(self, items: Sequence[str], callback_url: str) -> Reply:
        """See `AnswersByCallback.submit`. Tried again only where the request cannot have left."""
        return await self._ask(LOOKUP, {"items": list(items), "callbackUrl": callback_url})

    async def search(self, query: ProfileQuery) -> Reply:
        """See `ProfileSearch.search`."""
        company = "currentCompany" if query.is_current else "currentPastCompany"
        parameters = {"fullName": query.full_name, company: query.company, "size": query.page_size}
        return await self._ask("candidate/searchByQuery", parameters, SEARCH_SECONDS)

    async def scroll(self, request_ref: str, scroll_id: str) -> Reply:
        """See `ProfileSearch.scroll`."""
        path = f"candidate/scrollSearch/{quote(request_ref, safe='')}"
        return await self._ask(path, {"scrollId": scroll_id}, SEARCH_SECONDS)

    async def _ask(
        self, path: str, parameters: dict[str, object], seconds: float | None = None
    ) -> Reply:
        try:
            async for attempt in _retrying(*NEVER_SENT):
                with attempt:
                    async with asyncio.timeout(seconds or self._answer_seconds):
                        return await self._post(path, json.dumps(parameters).encode())
        except NEVER_SENT as error:
            raise NotSentError(_code(error)) from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise NoReplyError(_code(error)) from None
        raise AssertionError("unreachable: the retrying loop returns or raises")

    async def _post(self, path: str, body: bytes) -> Reply:
        async with self._http.stream(
            "POST", path, content=body, headers={"content-type": "application/json"}
        ) as response:
            return Reply(
                http_status=response.status_code,
                body=await limited_body(response),
                credits_left=balance_in(response.headers.get("x-credits-left")),
                retry_after=retry_after(response.headers.get("retry-after"), datetime.now(UTC)),
            )

    def read(
        self, http_status: int, body: bytes, items: Sequence[str], units_told: int | None = None
    ) -> Reading:
        return read_reply(http_status, body, items)

    def read_submission(self, http_status: int, body: bytes) -> Accepted | None:
        return read_submission(http_status, body)

    def read_callback(self, body: bytes, items: Sequence[str]) -> CallbackReading:
        return read_callback(body, items)

    def read_page(self, http_status: int, body: bytes, *, is_further: bool) -> PageReading:
        return read_page(http_status, body, is_further=is_further)

    async def close(self) -> None:
        await self._http.aclose()


@cache
def _tls() -> ssl.SSLContext:
    """As httpx makes it, but once: reading the certificates takes a twentieth of a second."""
    return httpx.create_ssl_context()


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """A `Retry-After` in seconds or as a date (RFC 9110, 10.2.3); None where it says nothing."""
    if header is None:
        return None
    seconds = whole_number(header)
    if seconds is not None:
        return timedelta(seconds=min(max(seconds, 0), 86_400))
    instant = _http_date(header)
    return None if instant is None else max(timedelta(0), instant - now)


def _retrying(*errors: type[Exception]) -> AsyncRetrying:
    """A fresh one per call: it keeps state, and is not safe across tasks."""
    return AsyncRetrying(
        retry=retry_if_exception_type(errors),
        stop=stop_after_attempt(CONNECT_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.2, max=CONNECT_PAUSE_SECONDS),
        reraise=True,
    )


def _http_date(header: str | None) -> datetime | None:
    """The instant in a header such as `Date` (RFC 9110, 5.6.7); None where it is no date."""
    if header is None:
        return None
    try:
        instant = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


def _credits_in(response: httpx.Response) -> int | None:
    try:
        document = response.json() if response.is_success else None
    except (ValueError, RecursionError):
        return None
    return balance_in(document.get("credits")) if isinstance(document, dict) else None


def _code(error: Exception) -> str:
    """The error's class as a code: its text could hold a URL or a datum."""
    return type(error).__name__
