"""Hunter over HTTP: one request, one reply, and nothing decided.

Here: URLs, the header of the key, and the balance. Not here: what a reply means (`answers.py`), and
whether a call may be made. The person asked about stands in the query of a GET, which no log and
no exception may show (`transport.private_get`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from enrichment_pipeline.providers.base import (
    Balance,
    Reading,
    Reply,
    VerificationReading,
)
from enrichment_pipeline.providers.hunter.answers import (
    question,
    read_reply,
    read_verification,
)
from enrichment_pipeline.providers.hunter.facts import ANSWER_SECONDS, HUNTER, MAX_BATCH
from enrichment_pipeline.providers.transport import (
    ask_balance,
    ask_once,
    balance_in,
    checked_key,
    limited_body,
    open_client,
    private_get,
)

_POOLS = ("credits", "searches")
"""What the balance is told of: of all calls, or, on older plans, of those of the finder."""


class HunterClient:
    """Hunter, and its stand-in: only URL and key differ.

    Create one per event loop, and close it. Raises WrongKeyError for a key that no request can
    carry.
    """

    name = HUNTER.name
    max_batch = MAX_BATCH

    def __init__(
        self, base_url: str, api_key: str, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        headers = {"x-api-key": checked_key(api_key, "HUNTER_API_KEY")}
        self._http = open_client(base_url, headers, ANSWER_SECONDS, transport)

    async def balance(self) -> Balance:
        """See `Provider.balance`. A 403 would ask to slow down, and says nothing of the key."""
        return await ask_balance(
            *(self._http, "account", _credits_in),
            title=HUNTER.title,
            variables="HUNTER",
            of_wrong_key=frozenset({401}),
        )

    async def lookup(self, items: Sequence[str]) -> Reply:
        """See `Provider.lookup`. Tried again only where the request cannot have left."""
        [item] = items
        return await self._ask("email-finder", question(item))

    async def verify(self, email: str) -> Reply:
        """See `EmailVerifier.verify`. Tried again only where the request cannot have left."""
        return await self._ask("email-verifier", {"email": email})

    async def _ask(self, path: str, query: Mapping[str, str]) -> Reply:
        return await ask_once(lambda: self._get(path, query), ANSWER_SECONDS)

    async def _get(self, path: str, query: Mapping[str, str]) -> Reply:
        async with private_get(self._http, path, query) as response:
            return Reply(response.status_code, await limited_body(response))

    def read(
        self, http_status: int, body: bytes, items: Sequence[str], units_told: int | None = None
    ) -> Reading:
        return read_reply(http_status, body)

    def read_verification(self, http_status: int, body: bytes) -> VerificationReading:
        return read_verification(http_status, body)

    async def close(self) -> None:
        await self._http.aclose()


def _credits_in(response: httpx.Response) -> int | None:
    try:
        document = response.json() if response.is_success else None
    except (ValueError, RecursionError):
        return None
    return credits_told(document)


def credits_told(account: object) -> int | None:
    """What is left, in whole credits: a verification takes half a one."""
    told = _part(_part(account, "data"), "requests")
    left = (_left_of(_part(told, pool)) for pool in _POOLS)
    return next((credits for credits in left if credits is not None), None)


def _left_of(pool: Mapping[str, Any]) -> int | None:
    """`available` is what the plan allows in its period; some replies tell what remains, too."""
    remaining = _number(pool.get("remaining"))
    if remaining is None:
        used, available = (_number(pool.get(name)) for name in ("used", "available"))
        if used is None or available is None:
            return None
        remaining = available - used
    return balance_in(math.floor(remaining)) if math.isfinite(remaining) else None


def _part(document: object, name: str) -> Mapping[str, Any]:
    part = document.get(name) if isinstance(document, dict) else None
    return part if isinstance(part, dict) else {}


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
