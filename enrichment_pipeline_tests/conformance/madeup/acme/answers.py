"""What Acme Directory's answers mean: each code, as one table, and a profile.

Here: outcome, signal and cost of each answer. Not here: HTTP (`client.py`).

403 asks to slow down; 429 says that the plan's credits are used up, which no waiting helps. What
is not documented may have been charged.
"""

import json
from typing import Any

from enrichment_pipeline.providers.base import (
    Failing,
    Halt,
    ItemReading,
    LegalStop,
    Matched,
    NoMatch,
    Outcome,
    OutOfCredits,
    Reading,
    Refused,
    Retriable,
    Signal,
    SlowDown,
    Unconfirmed,
)
from enrichment_pipeline_tests.conformance.madeup.acme.facts import WORST_UNITS

FAULTS: dict[int, tuple[Outcome, Signal | None]] = {
    400: (Refused("wrong_parameters"), None),
    401: (
        Retriable("wrong_key"),
        Halt("wrong_key", "Acme Directory does not accept the key (401); check ACME_API_KEY"),
    ),
    403: (Retriable("rate_limited"), SlowDown()),
    404: (NoMatch(), None),
    429: (
        OutOfCredits(),
        Halt("out_of_credits", "Acme Directory says that the plan's credits are used up (429)"),
    ),
    451: (LegalStop(), None),
}
MALFORMED: tuple[Outcome, Signal] = (Unconfirmed("malformed_body"), Failing("malformed_body"))


def read_reply(http_status: int, body: bytes, units_told: int | None) -> Reading:
    """The outcome of the one person who was asked for; see `Provider.read`."""
    if http_status == 200:
        person = _person(body)
        if person is not None:
            # where nothing tells, the most that it can have been
            units = WORST_UNITS if units_told is None else units_told
            return Reading((ItemReading(Matched(), 0, units, _identifiers(person)),))
        outcome, signal = MALFORMED
    elif http_status in FAULTS:
        outcome, signal = FAULTS[http_status]
    else:
        code = f"http_{http_status}"
        outcome, signal = Unconfirmed(code), Failing(code)
    is_answer = isinstance(outcome, NoMatch | LegalStop)
    return Reading((ItemReading(outcome, 0 if is_answer else None),), signal)


def _person(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    person = document.get("person") if isinstance(document, dict) else None
    return person if isinstance(person, dict) else None


def _identifiers(person: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """By what the person found goes; none that several people may share."""
    given = (
        ("uid", person.get("id")),
        ("linkedin", person.get("linkedin")),
        ("email", person.get("email")),
        ("phone", person.get("mobile")),
    )
    return tuple((kind, text) for kind, text in given if isinstance(text, str) and text)
