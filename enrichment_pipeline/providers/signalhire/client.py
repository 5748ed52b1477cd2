"""SignalHire over HTTP: one request, one reply, and nothing decided.

Here: URLs, headers, time limits, and which transport error means what. Not
here: what a reply means (`answers.py`, `profiles.py`), and whether a call may be made.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

import httpx

from enrichment_pipeline.providers.base import (
    Accepted,
    Balance,
    CallbackReading,
    PageReading,
    ProfileQuery,
    Reading,
    Reply,
)
from enrichment_pipeline.providers.signalhire.answers import (
    read_callback,
    read_reply,
    read_submission,
)
from enrichment_pipeline.providers.signalhire.facts import (
    ANSWER_SECONDS,
    MAX_BATCH,
    SEARCH_SECONDS,
)
from enrichment_pipeline.providers.signalhire.profiles import read_page
from enrichment_pipeline.providers.transport import (
    ask_balance,
    ask_once,
    balance_in,
    checked_key,
    limited_body,
    open_client,
    retry_after,
)

LOOKUP = "candidate/search"


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
        self._answer_seconds = answer_seconds
        key = checked_key(api_key, "SIGNALHIRE_API_KEY")
        self._http = open_client(base_url, {"apikey": key}, answer_seconds, transport)

    async def balance(self) -> Balance:
        """See `Provider.balance`."""
        return await ask_balance(
            self._http, "credits", _credits_in, title="SignalHire", variables="SIGNALHIRE"
        )

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
        body = json.dumps(parameters).encode()
        return await ask_once(lambda: self._post(path, body), seconds or self._answer_seconds)

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


def _credits_in(response: httpx.Response) -> int | None:
    try:
        document = response.json() if response.is_success else None
    except (ValueError, RecursionError):
        return None
    return balance_in(document.get("credits")) if isinstance(document, dict) else None
