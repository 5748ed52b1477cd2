"""What every answer of the Search API means, in one table, and every way of getting none.

Here: for each its outcome, whether the call counts, and what it says of the API as a
whole. Not here: recognising it (`client.py`, `profiles.py`), and paid look-ups
(`faults.py`). `docs/faults.md` says the same in words; a test compares the two.

A search costs no credits, so what failed may be asked again. What is not documented
means that the call has drawn on the daily quota.
"""

from dataclasses import dataclass

from enrichment_pipeline.providers.base import (
    Failing,
    Found,
    Halt,
    NoMatch,
    Refused,
    Retriable,
    Signal,
    SlowDown,
    UsedUp,
)


@dataclass(frozen=True)
class SearchFault:
    """What becomes of a search, whether its call counts, and what it says of the API."""

    outcome: Found | NoMatch | Refused | Retriable
    signal: Signal | None = None
    is_counted: bool = True


_OFF = "searching is switched off for this run: SignalHire"


def _halt(reason: str, message: str) -> SearchFault:
    halt = Halt(reason, f"{_OFF} {message}")
    return SearchFault(Retriable(reason), halt, is_counted=False)


SEARCH_FAULTS: dict[str, SearchFault] = {
    # --- the connection
    "not_sent": SearchFault(Retriable("not_sent"), Failing("not_sent"), is_counted=False),
    "no_reply": SearchFault(Retriable("no_reply"), Failing("no_reply")),
    # --- the request as a whole
    "http_401": _halt("wrong_key", "does not accept the key (401); check SIGNALHIRE_API_KEY"),
    "http_402": SearchFault(
        Retriable("quota_used_up"),
        UsedUp("quota_used_up", f"{_OFF} says that the day's searches are used up (402)"),
        is_counted=False,
    ),
    "http_403": _halt(
        "not_allowed",
        'gives this account no Search API (403); ask for access, or set search = "off"',
    ),
    "http_404": _halt("no_such_endpoint", "has no such endpoint (404); check SIGNALHIRE_BASE_URL"),
    "scroll_gone": SearchFault(Retriable("scroll_gone"), is_counted=False),
    "http_406": _halt("not_acceptable", "took the request for a wrong one (406); report this"),
    "http_422": SearchFault(
        Refused("wrong_parameters"), Failing("wrong_parameters"), is_counted=False
    ),
    "http_429": SearchFault(Retriable("rate_limited"), SlowDown(), is_counted=False),
    "http_451": SearchFault(
        Refused("legal_stop"),
        Halt("legal_stop", "searching is switched off: SignalHire answers 451, for legal reasons"),
    ),
    "http_other": SearchFault(Retriable("http_other"), Failing("http_other")),
    "malformed_body": SearchFault(Retriable("malformed_body"), Failing("malformed_body")),
    # --- a page
    "found": SearchFault(Found()),
    "nothing": SearchFault(NoMatch()),
}


def search_fault_of_status(http_status: int, *, is_further: bool) -> SearchFault:
    """What an HTTP status other than 200 means; a further page that is not there is its own."""
    if http_status == 404 and is_further:
        return SEARCH_FAULTS["scroll_gone"]
    code = f"http_{http_status}"
    return SEARCH_FAULTS.get(code) or SearchFault(Retriable(code), Failing(code))
