"""What every fault means, in one table: of the connection, the request, the body and the element.

Here: for each fault its outcome (was it charged, may it be tried again?) and what it says of
People Data Labs as a whole. Not here: recognising a fault (`client.py`, `answers.py`), and what an
outcome becomes in the ledger (`dispatch/settling.py`). `docs/faults.md` says the same in words; a
test compares the two row by row.

Sources: docs.peopledatalabs.com for the codes. Only an element with the status 200 is charged. What
is not documented means what cannot cost money twice: that it may have been charged.
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
from enrichment_pipeline.providers.peopledatalabs.facts import UNITS_OF_A_MATCH


def _halt(outcome: Outcome, reason: str, message: str) -> Fault:
    return Fault(outcome, Halt(reason, f"People Data Labs {message}"))


_OUT_OF_CREDITS = _halt(
    OutOfCredits(), "out_of_credits", "says that no credits are left (402); top up the account"
)
_SLOW_DOWN = Fault(Retriable("rate_limited"), SlowDown())
_NO_ENDPOINT = _halt(
    Retriable("no_endpoint"),
    "no_endpoint",
    "does not know this address (404, 405); check PEOPLEDATALABS_BASE_URL",
)

FAULTS: dict[str, Fault] = {
    # --- the connection: which of the two it was is the client's to tell
    # (its signal names the transport's error)
    "not_sent": Fault(NOT_SENT, Failing("not_sent")),
    "no_reply": Fault(NO_REPLY, Failing("no_reply")),
    # --- the request as a whole: refused before anything was charged
    "redirected": _halt(
        Retriable("redirected"),
        "redirected",
        "sends requests to another address (a redirect); check PEOPLEDATALABS_BASE_URL",
    ),
    "http_400": Fault(
        Retriable("wrong_parameters"),
        Rejected(
            "wrong_parameters",
            "People Data Labs took the request for a wrong one (400); report this",
        ),
    ),
    "http_401": _halt(
        Retriable("wrong_key"),
        "wrong_key",
        "does not accept the key (401); check PEOPLEDATALABS_API_KEY",
    ),
    "http_402": _OUT_OF_CREDITS,
    "http_404": _NO_ENDPOINT,
    "http_405": _NO_ENDPOINT,
    "http_429": _SLOW_DOWN,
    # --- the request as a whole: whether it was charged is unknown
    "http_other": Fault(Unconfirmed("http_other"), Failing("http_other")),
    "malformed_body": Fault(Unconfirmed("malformed_body"), Failing("malformed_body")),
    "nothing_answered": Fault(Unconfirmed("missing_from_answer"), Failing("nothing_answered")),
    # --- one element of the answer, by its own status
    "matched": Fault(Matched(), units=UNITS_OF_A_MATCH),
    "element_400": Fault(Refused("wrong_parameters")),
    "element_402": _OUT_OF_CREDITS,
    "element_404": Fault(NoMatch()),
    "element_429": _SLOW_DOWN,
    "element_other": Fault(Unconfirmed("element_other")),
    "matched_without_person": Fault(Unconfirmed("matched_without_person")),
    "missing_from_answer": Fault(Unconfirmed("missing_from_answer")),
}


def fault_of_element(status: object, *, has_person: bool) -> Fault:
    """What the status of one element means, which may be written as a text."""
    code = str(status).strip()
    if code == "200":
        return FAULTS["matched" if has_person else "matched_without_person"]
    return FAULTS.get(f"element_{code}", FAULTS["element_other"])
