"""The body of a search: what may be asked, and how the provider says that it may not.

Belongs here: parsing, the parameters' checks in the provider's order, the two modes. Does not
belong here: whether the account may ask that now (`stand_in.py`), and what an item is
(`people.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import httpx

Pool = Literal["standard", "without_contacts"]
"""Credits of different kinds, which do not mix."""
ITEMS_PER_REQUEST = 100


class Refusal(Exception):
    """A search that is not processed: status code, sentence in the error body, `Retry-After`."""

    def __init__(self, status: int, sentence: str, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.retry_after = retry_after


@dataclass(frozen=True)
class Search:
    """A search whose parameters are as documented."""

    items: list[str]
    pool: Pool
    callback_url: str | None
    """Where the result is to be posted; None: it is the answer (synchronous mode)."""


def parse(content: bytes) -> dict[str, Any]:
    """The body, which may still say anything. Raises `Refusal`."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise Refusal(404, "The body is not valid JSON") from None
    if not isinstance(body, dict):
        raise Refusal(422, "The body must be a JSON object")
    return body


def pool_of(body: Mapping[str, Any]) -> Pool:
    """The pool that pays, also for a search that will be refused."""
    return "without_contacts" if body.get("withoutContacts") is True else "standard"


def items_asked(body: Mapping[str, Any]) -> int:
    """How many items are asked for, also by a search that will be refused."""
    items = body.get("items")
    return len(items) if isinstance(items, list) else 0


def read_search(body: Mapping[str, Any]) -> Search:
    """The search. Raises `Refusal` where the parameters are not as documented."""
    for name in ("withoutWaterfall", "withoutContacts"):
        if not isinstance(body.get(name), bool | None):
            raise Refusal(422, f"{name} must be true or false")
    callback_url = body.get("callbackUrl")
    is_synchronous = bool(body.get("withoutWaterfall"))
    if callback_url is not None and is_synchronous:
        raise Refusal(406, "Give either callbackUrl or withoutWaterfall, not both")
    if callback_url is not None and not _can_be_posted_to(callback_url):
        raise Refusal(422, "callbackUrl must be an http or https URL with a host")
    if callback_url is None and not is_synchronous:
        raise Refusal(422, "Either callbackUrl or withoutWaterfall: true is required")
    items = body.get("items")
    if not isinstance(items, list) or not items or not all(isinstance(i, str) for i in items):
        raise Refusal(422, f"items must be a list of 1 to {ITEMS_PER_REQUEST} strings")
    if len(items) > ITEMS_PER_REQUEST:
        raise Refusal(406, f"Maximum {ITEMS_PER_REQUEST} items are allowed in one request")
    return Search(items, pool_of(body), callback_url)


def _can_be_posted_to(callback_url: object) -> bool:
    if not isinstance(callback_url, str):
        return False
    try:
        # by the client that will post, or it could fail there with what is no HTTP error
        url = httpx.URL(callback_url)
        url.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        return False
    return url.scheme in ("http", "https") and bool(url.host) and (url.port or 0) < 2**16
