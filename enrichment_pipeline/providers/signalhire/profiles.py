"""Reading SignalHire's pages of found profiles: `searchByQuery` and `scrollSearch`.

Here: decoding a page, and recognising what it is. Not here: what it means
(`search_faults.py`), HTTP itself (`client.py`), and which profile is the person (SQL).
"""

import json
from typing import Any

from enrichment_pipeline.providers.base import PageReading
from enrichment_pipeline.providers.signalhire.search_faults import (
    SEARCH_FAULTS,
    SearchFault,
    search_fault_of_status,
)

LONGEST_SCROLL_ID = 4096


def read_page(http_status: int, body: bytes, *, is_further: bool) -> PageReading:
    """What a page says; see `ProfileSearch.read_page`."""
    if http_status != 200:
        return _failed_by(search_fault_of_status(http_status, is_further=is_further))
    document = _decode(body)
    profiles = document.get("profiles") if document is not None else None
    if document is None or not isinstance(profiles, list):
        return _failed_by(SEARCH_FAULTS["malformed_body"])
    fault = SEARCH_FAULTS["found" if profiles else "nothing"]
    total, scroll_id = document.get("total"), document.get("scrollId")
    return PageReading(
        outcome=fault.outcome,
        request_ref=_text(document.get("requestId")),
        scroll_id=_text(scroll_id) if profiles else None,
        total=total if isinstance(total, int) and not isinstance(total, bool) else None,
        profiles=len(profiles),
    )


def _failed_by(fault: SearchFault) -> PageReading:
    is_gone = fault is SEARCH_FAULTS["scroll_gone"]
    return PageReading(fault.outcome, fault.is_counted, fault.signal, is_gone=is_gone)


def _decode(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _text(value: object) -> str | None:
    """A number or an id as it is sent back; None for what is neither."""
    is_given = isinstance(value, int | str) and not isinstance(value, bool) and value != ""
    text = str(value) if is_given else None
    return text if text is None or len(text) <= LONGEST_SCROLL_ID else None
