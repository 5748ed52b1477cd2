"""What every fault means, in one table: of the connection, the request, the body and the record.

Here: for each fault its outcome (was it charged, may it be tried again?) and what it says of
Prospeo as a whole. Not here: recognising a fault (`client.py`, `answers.py`), and what an outcome
becomes in the ledger (`dispatch/settling.py`). `docs/faults.md` says the same in words; a test
compares the two row by row.

Sources: prospeo.io/api-docs for the codes. Every error of its own has the status 400, and only the
`error_code` tells a miss from an empty account. What is not documented means what cannot cost
money twice: that it may have been charged.
"""

from enrichment_pipeline.providers.base import (
    NO_REPLY,
    NOT_SENT,
    Failing,
    Fault,
    Halt,
    Matched,
    NoMatch,
    Outcome,
    OutOfCredits,
    Refused,
    Rejected,
    Retriable,
    SlowDown,
    Unconfirmed,
)
from enrichment_pipeline.providers.prospeo.facts import UNITS_OF_A_MATCH


def _halt(outcome: Outcome, reason: str, message: str) -> Fault:
    return Fault(outcome, Halt(reason, f"Prospeo {message}"))


def _rejected(reason: str, message: str) -> Fault:
    return Fault(Retriable(reason), Rejected(reason, f"Prospeo {message}"))


_WRONG_KEY = _halt(
    Retriable("wrong_key"), "wrong_key", "does not accept the key; check PROSPEO_API_KEY"
)
_SLOW_DOWN = Fault(Retriable("rate_limited"), SlowDown())

FAULTS: dict[str, Fault] = {
    # --- the connection: which of the two it was is the client's to tell
    # (its signal names the transport's error)
    "not_sent": Fault(NOT_SENT, Failing("not_sent")),
    "no_reply": Fault(NO_REPLY, Failing("no_reply")),
    # --- the request as a whole: refused before anything was charged
    "redirected": _halt(
        Retriable("redirected"),
        "redirected",
        "sends requests to another address (a redirect); check PROSPEO_BASE_URL",
    ),
    "http_401": _WRONG_KEY,
    "http_429": _SLOW_DOWN,
    # --- the request as a whole, by its error code, which comes with 400
    "no_match": Fault(NoMatch()),
    "insufficient_credits": _halt(
        OutOfCredits(), "out_of_credits", "says that no credits are left; top up the account"
    ),
    "invalid_datapoints": _rejected(
        "invalid_datapoints", "took what a person is named by for too little; report this"
    ),
    "invalid_request": _rejected(
        "invalid_request", "took the request for a wrong one; report this"
    ),
    "invalid_api_key": _WRONG_KEY,
    "account_restricted": _halt(
        Retriable("account_restricted"),
        "account_restricted",
        "has restricted the account; ask its support",
    ),
    "rate_limited": _SLOW_DOWN,
    # --- the request as a whole: whether it was charged is unknown
    "internal_error": Fault(Unconfirmed("internal_error"), Failing("internal_error")),
    "unknown_error": Fault(Unconfirmed("unknown_error"), Failing("unknown_error")),
    "http_other": Fault(Unconfirmed("http_other"), Failing("http_other")),
    "malformed_body": Fault(Unconfirmed("malformed_body"), Failing("malformed_body")),
    "nothing_answered": Fault(Unconfirmed("missing_from_answer"), Failing("nothing_answered")),
    # --- one record
    "matched": Fault(Matched(), units=UNITS_OF_A_MATCH),
    "not_matched": Fault(NoMatch()),
    "invalid_record": Fault(Refused("invalid_datapoints")),
    "missing_from_answer": Fault(Unconfirmed("missing_from_answer")),
    "matched_without_person": Fault(Unconfirmed("matched_without_person")),
}

_ERROR_CODES = frozenset(
    {
        "no_match",
        "insufficient_credits",
        "invalid_datapoints",
        "invalid_request",
        "invalid_api_key",
        "account_restricted",
        "rate_limited",
        "internal_error",
    }
)
_OTHER_SPELLINGS = {
    "rate_limit_exceeded": "rate_limited",
    "missing_api_key": "invalid_api_key",
}
"""The same code as clients report it."""


def fault_of_error(error_code: object) -> Fault:
    """What an `error_code` means; one that is not documented may stand for anything."""
    code = "_".join(str(error_code).lower().split())
    code = _OTHER_SPELLINGS.get(code, code)
    return FAULTS[code if code in _ERROR_CODES else "unknown_error"]
