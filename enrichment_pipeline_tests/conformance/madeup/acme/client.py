"""Acme Directory over HTTP: one request, one reply, and nothing decided.

Here: URL, headers, time limits, and which transport error means what. Not here: what a reply
means (`answers.py`).
"""

import asyncio
from collections.abc import Sequence

import httpx

from enrichment_pipeline.providers.base import (
    Balance,
    NoReplyError,
    NotSentError,
    ProviderUnavailableError,
    Reading,
    Reply,
    WrongKeyError,
)
from enrichment_pipeline.providers.transport import (
    NEVER_SENT,
    balance_in,
    cost_in,
    limited_body,
    private_get,
)
from enrichment_pipeline.vocabulary import LOOKUP
from enrichment_pipeline_tests.conformance.madeup.acme.answers import read_reply
from enrichment_pipeline_tests.conformance.madeup.acme.facts import (
    ACME,
    ANSWER_SECONDS,
    CONNECT_SECONDS,
)


class AcmeClient:
    """Acme Directory, and its stand-in: only URL and key differ."""

    name = ACME.name
    max_batch = ACME.calls[LOOKUP].max_batch

    def __init__(self, base_url: str, api_key: str) -> None:
        if not (api_key and api_key.isascii() and api_key.isprintable()):
            raise WrongKeyError("ACME_API_KEY: empty, or with a character that no key has")
        self._http = httpx.AsyncClient(
            base_url=base_url + "/",
            headers={"authorization": f"Bearer {api_key}"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        )

    async def balance(self) -> Balance:
        """See `Provider.balance`."""
        try:
            response = await self._http.get("account")
        except httpx.RequestError as error:
            raise ProviderUnavailableError(
                f"Acme Directory: cannot be reached ({type(error).__name__})"
            ) from None
        if response.status_code == 401:
            raise WrongKeyError("Acme Directory does not accept the key; check ACME_API_KEY")
        left = balance_in(response.headers.get("x-left"))
        if left is None:
            raise ProviderUnavailableError("Acme Directory gives no balance")
        return Balance(left)

    async def lookup(self, items: Sequence[str]) -> Reply:
        """See `Provider.lookup`."""
        [email] = items
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                private_get(self._http, "people", {"email": email}) as response,
            ):
                return Reply(
                    response.status_code,
                    await limited_body(response),
                    units_told=cost_in(response.headers.get("x-cost")),
                )
        except NEVER_SENT as error:
            raise NotSentError(type(error).__name__) from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise NoReplyError(type(error).__name__) from None

    def read(
        self, http_status: int, body: bytes, items: Sequence[str], units_told: int | None = None
    ) -> Reading:
        return read_reply(http_status, body, units_told)

    async def close(self) -> None:
        await self._http.aclose()
