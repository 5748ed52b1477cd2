"""Prospeo over HTTP: one request, one reply, and nothing decided.

Here: URLs, headers, and what of a reply's headers counts. Not here: what a reply means
(`answers.py`), and whether a call may be made.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import httpx

from enrichment_pipeline.providers.base import (
    Balance,
    Reading,
    Reply,
)
from enrichment_pipeline.providers.prospeo.answers import question, read_reply
from enrichment_pipeline.providers.prospeo.facts import ANSWER_SECONDS, MAX_BATCH, PROSPEO
from enrichment_pipeline.providers.transport import (
    ask_balance,
    ask_once,
    balance_in,
    checked_key,
    limited_body,
    open_client,
    retry_after,
    whole_number,
)

_WINDOWS = ("daily", "minute")
"""The limits of which a reply says what is left, and when they begin anew; the longest first."""


class ProspeoClient:
    """Prospeo, and its stand-in: only URL and key differ.

    Create one per event loop, and close it. Raises WrongKeyError for a key that no request can
    carry.
    """

    name = PROSPEO.name
    max_batch = MAX_BATCH

    def __init__(
        self, base_url: str, api_key: str, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        headers = {"x-key": checked_key(api_key, "PROSPEO_API_KEY")}
        self._http = open_client(base_url, headers, ANSWER_SECONDS, transport)

    async def balance(self) -> Balance:
        """See `Provider.balance`."""
        return await ask_balance(
            *(self._http, "account-information", _credits_in),
            title=PROSPEO.title,
            variables="PROSPEO",
        )

    async def lookup(self, items: Sequence[str]) -> Reply:
        """See `Provider.lookup`. Tried again only where the request cannot have left."""
        body = json.dumps(question(items)).encode()
        return await ask_once(lambda: self._post("bulk-enrich-person", body), ANSWER_SECONDS)

    async def _post(self, path: str, body: bytes) -> Reply:
        async with self._http.stream(
            "POST", path, content=body, headers={"content-type": "application/json"}
        ) as response:
            return Reply(
                http_status=response.status_code,
                body=await limited_body(response),
                retry_after=pause_told(response.headers, datetime.now(UTC)),
            )

    def read(
        self, http_status: int, body: bytes, items: Sequence[str], units_told: int | None = None
    ) -> Reading:
        return read_reply(http_status, body, items)

    async def close(self) -> None:
        await self._http.aclose()


def pause_told(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Until when nothing more is let in: the longest window of which nothing is left says it."""
    for window in _WINDOWS:
        left = whole_number(headers.get(f"x-{window}-request-left"))
        seconds = whole_number(headers.get(f"x-{window}-reset-seconds"))
        if left is not None and left <= 0 and seconds is not None:
            return timedelta(seconds=min(max(seconds, 0), 86_400))
    return retry_after(headers.get("retry-after"), now)


def _credits_in(response: httpx.Response) -> int | None:
    """The balance; clients report it under another name, too."""
    try:
        document = response.json() if response.is_success else None
    except (ValueError, RecursionError):
        return None
    told = document.get("response") if isinstance(document, dict) else None
    if not isinstance(told, dict):
        return None
    return balance_in(told.get("remaining_credits", told.get("credits_remaining")))
