"""What every fault means, in one table: of the connection, the request, the body and the item.

Here: for each fault its outcome (was it charged, may it be tried again?) and what
it says of SignalHire as a whole. Not here: recognising a fault (`client.py`,
`answers.py`), and what an outcome becomes in the ledger (`dispatch/settling.py`).
`docs/faults.md` says the same in words; a test compares the two row by row.

Sources: docs.signalhire.com for the codes. What is not documented means what
cannot cost money twice: that it may have been charged.
"""

from enrichment_pipeline.providers.base import (
    NO_REPLY,
    NOT_SENT,
    Failing,
    Fault,
    Halt,
    LegalStop,
    Matched,
    NoMatch,
    Outcome,
    OutOfCredits,
    Rejected,
    Retriable,
    SlowDown,
    Unconfirmed,
)


def _halt(outcome: Outcome, reason: str, message: str) -> Fault:
    return Fault(outcome, Halt(reason, f"SignalHire {message}"))


def _rejected(reason: str, message: str) -> Fault:
    return Fault(Retriable(reason), Rejected(reason, f"SignalHire {message}"))


FAULTS: dict[str, Fault] = {
    # --- the connection: which of the two it was is the client's to tell
    # (its signal names the transport's error)
    "not_sent": Fault(NOT_SENT, Failing("not_sent")),
    "no_reply": Fault(NO_REPLY, Failing("no_reply")),
    # --- the request as a whole: refused before anything was charged
    "redirected": _halt(
        Retriable("redirected"),
        "redirected",
        "sends requests to another address (a redirect); check SIGNALHIRE_BASE_URL",
    ),
    "http_401": _halt(
        Retriable("wrong_key"),
        "wrong_key",
        "does not accept the key (401); check SIGNALHIRE_API_KEY",
    ),
    "http_402": _halt(
        OutOfCredits(), "out_of_credits", "says that no credits are left (402); top up the account"
    ),
    "http_403": _halt(
        Retriable("not_allowed"), "not_allowed", "disabled the account, or it may not do this (403)"
    ),
    "http_404": _halt(
        Retriable("no_such_endpoint"),
        "no_such_endpoint",
        "has no such endpoint (404); check SIGNALHIRE_BASE_URL",
    ),
    "http_406": _rejected("not_acceptable", "took the request for a wrong one (406); report this"),
    "http_422": _rejected("wrong_parameters", "took its parameters for wrong (422); report this"),
    "http_429": Fault(Retriable("rate_limited"), SlowDown()),
    "http_451": _halt(LegalStop(), "legal_stop", "answers 451: stopped for legal reasons"),
    # --- the request as a whole: whether it was charged is unknown
    "http_other": Fault(Unconfirmed("http_other"), Failing("http_other")),
    "malformed_body": Fault(Unconfirmed("malformed_body"), Failing("malformed_body")),
    "nothing_answered": Fault(Unconfirmed("missing_from_answer"), Failing("nothing_answered")),
    # --- one item
    "success": Fault(Matched(), units=1),
    "failed": Fault(NoMatch()),
    "credits_are_over": _halt(
        OutOfCredits(), "out_of_credits", "says that the credits ran out; top up the account"
    ),
    "duplicate_query": Fault(Retriable("duplicate_query")),
    "timeout_exceeded": Fault(Retriable("timeout_exceeded")),
    "missing_from_answer": Fault(Unconfirmed("missing_from_answer")),
    "success_without_candidate": Fault(Unconfirmed("success_without_candidate")),
    "no_status": Fault(Unconfirmed("no_status")),
    "unknown_status": Fault(Unconfirmed("unknown_status")),
}
