"""What every fault means, in one table for each of the two calls: finding, and verifying.

Here: for each fault its outcome (was it charged, may it be tried again?) and what it says of
Hunter as a whole. Not here: recognising a fault (`client.py`, `answers.py`), and what an outcome
becomes in the ledger (`dispatch/settling.py`). `docs/faults.md` says the same in words; a test
compares the two row by row.

Sources: hunter.io/api-documentation/v2 for the codes. Its 403 asks to slow down, and its 429 says
that the plan's credits are used up, which no waiting helps. What is not documented means what
cannot cost money twice: that it may have been charged.
"""

from enrichment_pipeline.providers.base import (
    NO_REPLY,
    NOT_SENT,
    REDIRECTS,
    Checked,
    Failing,
    Fault,
    Halt,
    LegalStop,
    Matched,
    NoMatch,
    OutOfCredits,
    Refused,
    Rejected,
    Retriable,
    SlowDown,
    Unconfirmed,
    VerificationReading,
)
from enrichment_pipeline.providers.hunter.facts import (
    UNITS_OF_A_VERIFICATION,
    UNITS_OF_AN_ADDRESS,
)

_REDIRECTED = Halt(
    "redirected",
    "Hunter sends requests to another address (a redirect); check HUNTER_BASE_URL",
)
_WRONG_KEY = Halt("wrong_key", "Hunter does not accept the key (401); check HUNTER_API_KEY")
_NO_ENDPOINT = Halt("no_endpoint", "Hunter does not know this address (404); check HUNTER_BASE_URL")
_OUT_OF_CREDITS = Halt(
    "out_of_credits", "Hunter says that the plan's credits are used up (429); top up the account"
)


def _rejected(http_status: int) -> Fault:
    """What the request holds is refused: our mistake or the item's, which is to be found out."""
    message = f"Hunter took the request for a wrong one ({http_status}); report this"
    return Fault(Retriable("wrong_parameters"), Rejected("wrong_parameters", message))


FAULTS: dict[str, Fault] = {
    # --- the connection: which of the two it was is the client's to tell
    # (its signal names the transport's error)
    "not_sent": Fault(NOT_SENT, Failing("not_sent")),
    "no_reply": Fault(NO_REPLY, Failing("no_reply")),
    # --- refused before anything was charged
    "redirected": Fault(Retriable("redirected"), _REDIRECTED),
    "http_400": _rejected(400),
    "http_401": Fault(Retriable("wrong_key"), _WRONG_KEY),
    "http_403": Fault(Retriable("rate_limited"), SlowDown()),
    "http_404": Fault(Retriable("no_endpoint"), _NO_ENDPOINT),
    "http_422": _rejected(422),
    "http_429": Fault(OutOfCredits(), _OUT_OF_CREDITS),
    "http_451": Fault(LegalStop()),
    # --- whether it was charged is unknown
    "http_other": Fault(Unconfirmed("http_other"), Failing("http_other")),
    "malformed_body": Fault(Unconfirmed("malformed_body"), Failing("malformed_body")),
    # --- an answer
    "found": Fault(Matched(), units=UNITS_OF_AN_ADDRESS),
    "not_found": Fault(NoMatch()),
}
"""Of the finder."""

_WRONG_ADDRESS = VerificationReading(
    Refused("wrong_parameters"), signal=Failing("wrong_parameters")
)

VERIFICATION_FAULTS: dict[str, VerificationReading] = {
    # --- the connection
    "not_sent": VerificationReading(NOT_SENT, signal=Failing("not_sent")),
    "no_reply": VerificationReading(NO_REPLY, signal=Failing("no_reply")),
    # --- refused before anything was charged
    "redirected": VerificationReading(Retriable("redirected"), signal=_REDIRECTED),
    "http_400": _WRONG_ADDRESS,
    "http_401": VerificationReading(Retriable("wrong_key"), signal=_WRONG_KEY),
    "http_403": VerificationReading(Retriable("rate_limited"), signal=SlowDown()),
    "http_404": VerificationReading(Retriable("no_endpoint"), signal=_NO_ENDPOINT),
    "http_422": _WRONG_ADDRESS,
    "http_429": VerificationReading(OutOfCredits(), signal=_OUT_OF_CREDITS),
    "http_451": VerificationReading(LegalStop()),
    # --- whether it was charged is unknown
    "http_other": VerificationReading(Unconfirmed("http_other"), signal=Failing("http_other")),
    "malformed_body": VerificationReading(
        Unconfirmed("malformed_body"), signal=Failing("malformed_body")
    ),
    "unknown_status": VerificationReading(Unconfirmed("unknown_status")),
    # --- taken, and not told yet: it is charged when it is first taken
    "http_202": VerificationReading(
        Retriable("in_progress"), UNITS_OF_A_VERIFICATION, is_in_progress=True
    ),
    # --- the address's own server did not tell: free, and another day it may
    "http_222": VerificationReading(Retriable("mail_server_failed")),
    "unknown": VerificationReading(Retriable("unknown")),
    # --- an answer
    "checked": VerificationReading(Checked(), UNITS_OF_A_VERIFICATION),
}
"""Of the verifier."""

_STATUSES_THAT_TELL = frozenset({"valid", "invalid", "accept_all", "webmail", "disposable"})


def verification_of_http_status(http_status: int) -> VerificationReading:
    """What an HTTP status other than 200 means to a verification.

    One that is not in the table may have been charged, and is called by its own name.
    """
    if http_status in REDIRECTS:
        return VERIFICATION_FAULTS["redirected"]
    code = f"http_{http_status}"
    return VERIFICATION_FAULTS.get(code) or VerificationReading(
        Unconfirmed(code), signal=Failing(code)
    )


def verification_of_status(status: str) -> VerificationReading:
    """What the `status` of a verification means; an undocumented one may stand for anything."""
    if status in _STATUSES_THAT_TELL:
        return VERIFICATION_FAULTS["checked"]
    return VERIFICATION_FAULTS["unknown" if status == "unknown" else "unknown_status"]
