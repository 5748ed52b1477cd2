"""What every answer of the changelog means, in one table.

Here: the faults of a question about changes, and what is said of each profile, with their
outcomes. Not here: recognising them (`changes.py`), and look-ups (`faults.py`). `docs/faults.md`
says the same in words; a test compares the two row by row.

It costs nothing, so whatever failed may be asked again. That a profile was deleted is a legal stop
like an opt-out: People Data Labs does not say why it has deleted one, and a person's wish is a
reason.
"""

from enrichment_pipeline.providers.base import (
    NO_SUCH_RELEASE,
    NOT_SENT,
    Changed,
    Failing,
    Fault,
    Halt,
    LegalStop,
    Retriable,
    SlowDown,
    Unchanged,
)


def _halt(reason: str, message: str) -> Fault:
    return Fault(Retriable(reason), Halt(reason, f"People Data Labs {message}"))


_NO_ENDPOINT = _halt(
    "no_endpoint",
    "has no changelog at this address (404, 405); check PEOPLEDATALABS_BASE_URL, or switch "
    "[providers.peopledatalabs] changelog off",
)

CHANGE_FAULTS: dict[str, Fault] = {
    # --- the connection
    "not_sent": Fault(NOT_SENT, Failing("not_sent")),
    "no_reply": Fault(Retriable("no_reply"), Failing("no_reply")),
    # --- the request as a whole
    "redirected": _halt(
        "redirected",
        "sends requests to another address (a redirect); check PEOPLEDATALABS_BASE_URL",
    ),
    "http_400": _halt(
        NO_SUCH_RELEASE,
        "tells nothing of the changes by this release (400): it is still to come, or too long ago",
    ),
    "http_401": _halt("wrong_key", "does not accept the key (401); check PEOPLEDATALABS_API_KEY"),
    "http_403": _halt(
        "no_access",
        "does not let this account ask what has changed (403); ask for access, or switch "
        "[providers.peopledatalabs] changelog off",
    ),
    "http_404": _NO_ENDPOINT,
    "http_405": _NO_ENDPOINT,
    "http_429": Fault(Retriable("rate_limited"), SlowDown()),
    "http_other": Fault(Retriable("http_other"), Failing("http_other")),
    "malformed_body": Fault(Retriable("malformed_body"), Failing("malformed_body")),
    # --- one profile
    "cut_off": Fault(Retriable("cut_off")),
    "unchanged": Fault(Unchanged()),
    "added": Fault(Changed()),
    "updated": Fault(Changed()),
    "merged": Fault(Changed()),
    "deleted": Fault(LegalStop("deleted")),
    "opted_out": Fault(LegalStop("opted_out")),
}
