"""People Data Labs over HTTP: one request, one reply, and nothing decided.

Here: URLs, headers, and what of a reply's headers counts. Not here: what a reply means
(`answers.py`), and whether a call may be made.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx

from enrichment_pipeline.providers.base import (
    Balance,
    Reading,
    Reply,
)
from enrichment_pipeline.providers.peopledatalabs.answers import question, read_reply
from enrichment_pipeline.providers.peopledatalabs.changes import (
    changes_question,
    read_changes_reply,
)
from enrichment_pipeline.providers.peopledatalabs.facts import (
    ANSWER_SECONDS,
    MAX_BATCH,
    MIN_LIKELIHOOD,
    PEOPLE_DATA_LABS,
)
from enrichment_pipeline.providers.transport import (
    ask_balance,
    ask_once,
    balance_in,
    checked_key,
    cost_in,
    http_date,
    limited_body,
    open_client,
    retry_after,
    whole_number,
)

_POOL = "enrich"
"""The credits that look-ups draw on; other endpoints have pools of their own."""


class PeopleDataLabsClient:
    """People Data Labs, and its stand-in: only URL and key differ.

    Create one per event loop, and close it. Raises WrongKeyError for a key that no request can
    carry.
    """

    name = PEOPLE_DATA_LABS.name
    max_batch = MAX_BATCH

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        min_likelihood: int = MIN_LIKELIHOOD,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"x-api-key": checked_key(api_key, "PEOPLEDATALABS_API_KEY")}
        self._http = open_client(base_url, headers, ANSWER_SECONDS, transport)
        self._min_likelihood = min_likelihood

    async def balance(self) -> Balance:
        """See `Provider.balance`. Of a HEAD without parameters only the headers count.

        Its status is an error.
        """
        return await ask_balance(
            *(self._http, "person/enrich", lambda response: credits_told(response.headers)),
            title=PEOPLE_DATA_LABS.title,
            variables="PEOPLEDATALABS",
            method="HEAD",
        )

    async def lookup(self, items: Sequence[str]) -> Reply:
        """See `Provider.lookup`. Tried again only where the request cannot have left."""
        body = json.dumps(question(items, self._min_likelihood)).encode()
        return await ask_once(lambda: self._post("person/bulk", body), ANSWER_SECONDS)

    async def _post(self, path: str, body: bytes) -> Reply:
        async with self._http.stream(
            "POST", path, content=body, headers={"content-type": "application/json"}
        ) as response:
            return Reply(
                http_status=response.status_code,
                body=await limited_body(response),
                credits_left=credits_told(response.headers),
                retry_after=pause_told(response.headers, datetime.now(UTC)),
                units_told=cost_told(response.headers),
            )

    async def changes(self, uids: Sequence[str], release: str) -> Reply:
        """See `ChangeFeed.changes`. It draws on no credits, whatever a header says of others'."""
        body = json.dumps(changes_question(uids, release)).encode()
        reply = await ask_once(lambda: self._post("person/changelog", body), ANSWER_SECONDS)
        return replace(reply, credits_left=None, units_told=None)

    def read_changes(self, http_status: int, body: bytes, uids: Sequence[str]) -> Reading:
        return read_changes_reply(http_status, body, uids)

    def read(
        self, http_status: int, body: bytes, items: Sequence[str], units_told: int | None = None
    ) -> Reading:
        return read_reply(http_status, body, items, units_told)

    async def close(self) -> None:
        await self._http.aclose()


def credits_told(headers: Mapping[str, str]) -> int | None:
    """What is left, where the headers are about the pool of look-ups."""
    return balance_in(headers.get("x-totallimit-remaining")) if _is_our_pool(headers) else None


def cost_told(headers: Mapping[str, str]) -> int | None:
    """What the request cost, likewise."""
    return cost_in(headers.get("x-call-credits-spent")) if _is_our_pool(headers) else None


def _is_our_pool(headers: Mapping[str, str]) -> bool:
    return headers.get("x-call-credits-type", _POOL).strip().lower() == _POOL


def pause_told(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Until when nothing more is let in: the instant at which the window ends."""
    reset = headers.get("x-ratelimit-reset")
    instant = None if reset is None else _instant(reset.strip())
    if instant is None:
        return retry_after(headers.get("retry-after"), now)
    return min(max(instant - now, timedelta(0)), timedelta(days=1))


def _instant(text: str) -> datetime | None:
    """As its documentation writes it, 2022-02-23T20:19:55Z, or did before: seconds since 1970."""
    seconds = whole_number(text)
    try:
        if seconds is not None:
            return datetime.fromtimestamp(seconds, UTC)
        instant = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return http_date(text)
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
