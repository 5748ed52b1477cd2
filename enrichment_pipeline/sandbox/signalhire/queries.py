"""What may be asked of the Search API: the bodies of `searchByQuery` and of `scrollSearch`.

Belongs here: the parameters that are known and their checks. Does not belong here: finding people
(`profiles.py`), quota and order of the endpoints (`search_api.py`), and look-ups (`search.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from enrichment_pipeline.sandbox.signalhire.search import Refusal

MOST_PER_PAGE = 100
TEXTS = (
    "fullName",
    "currentCompany",
    "currentPastCompany",
    "currentTitle",
    "currentPastTitle",
    "location",
)


@dataclass(frozen=True)
class Query:
    """A search for profiles: texts by parameter, and how many profiles make a page."""

    texts: Mapping[str, str]
    size: int


def read_query(body: Mapping[str, Any], usual_size: int) -> Query:
    """The query. Raises `Refusal` where the parameters are not as documented.

    Parameters that the provider knows and this sandbox does not (`keywords`, `industry`, …) are
    refused too: an answer that ignores them would be a wrong one.
    """
    if unknown := sorted(set(body) - {*TEXTS, "size"}):
        raise Refusal(422, f"Unknown parameter {unknown[0]}")
    texts: dict[str, str] = {}
    for name in TEXTS:
        text = body.get(name)
        if not isinstance(text, str | None):
            raise Refusal(422, f"{name} must be a string")
        if text and text.strip():
            texts[name] = text
    if not texts:
        raise Refusal(422, f"Give at least one of {', '.join(TEXTS)}")
    size = body.get("size", usual_size)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise Refusal(422, "size must be a number from 1")
    if size > MOST_PER_PAGE:
        raise Refusal(406, f"Maximum {MOST_PER_PAGE} items are allowed in one request")
    return Query(texts, size)


def read_scroll_id(body: Mapping[str, Any]) -> str:
    """The place from which to go on. Raises `Refusal`."""
    scroll_id = body.get("scrollId")
    if not isinstance(scroll_id, str) or not scroll_id:
        raise Refusal(422, "scrollId must be a string")
    return scroll_id
