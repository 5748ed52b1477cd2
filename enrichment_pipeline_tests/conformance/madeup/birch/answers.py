"""What Birch Data's replies mean: each code, as one table, and which answer is whose.

Here: outcome, signal and cost of each answer. Not here: HTTP (`client.py`).

A reply is `{"responses": [...]}`; each response repeats the address, and has a status of its own.
What is not documented may have been charged.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from enrichment_pipeline.providers.base import (
    Failing,
    Halt,
    ItemReading,
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

FAULTS: dict[int, tuple[Outcome, Signal]] = {
    401: (
        Retriable("wrong_key"),
        Halt("wrong_key", "Birch Data does not accept the key (401); check BIRCH_API_KEY"),
    ),
    402: (
        OutOfCredits(),
        Halt("out_of_credits", "Birch Data says that its credits are used up (402)"),
    ),
    429: (Retriable("rate_limited"), SlowDown()),
}
STATUSES: dict[int, Outcome] = {
    200: Matched(),
    400: Refused("wrong_parameters"),
    404: NoMatch(),
}
"""Of one response within a reply."""
MISSING = Unconfirmed("missing_from_answer")
MALFORMED = "malformed_body"


def read_reply(http_status: int, body: bytes, items: Sequence[str]) -> Reading:
    """The outcome of each item; see `Provider.read`."""
    if http_status != 200:
        code = f"http_{http_status}"
        outcome, signal = FAULTS.get(http_status, (Unconfirmed(code), Failing(code)))
        return Reading((ItemReading(outcome),) * len(items), signal)
    responses = _responses(body)
    if responses is None:
        return Reading((ItemReading(Unconfirmed(MALFORMED)),) * len(items), Failing(MALFORMED))
    places: dict[str, int] = {}
    unsolicited_answers = 0
    for place, response in enumerate(responses):
        email = response.get("email") if isinstance(response, dict) else None
        if isinstance(email, str) and email in items:
            places.setdefault(email, place)
        else:
            unsolicited_answers += 1
    readings = (_read(responses, places.get(item)) for item in items)
    return Reading(tuple(readings), unsolicited_answers=unsolicited_answers)


def join_answers(answers: Mapping[int, str]) -> bytes:
    """A reply with these responses in their places; see `ProviderFacts.join_answers`."""
    places = range(max(answers, default=-1) + 1)
    responses = ",".join(answers.get(place, "null") for place in places)
    return f'{{"responses": [{responses}]}}'.encode()


def _responses(body: bytes) -> list[Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    responses = document.get("responses") if isinstance(document, dict) else None
    return responses if isinstance(responses, list) else None


def _read(responses: Sequence[Any], place: int | None) -> ItemReading:
    if place is None:
        return ItemReading(MISSING)
    response = responses[place]
    status, person = response.get("status"), response.get("data")
    outcome = STATUSES.get(status) if isinstance(status, int) else None
    if outcome is None or (isinstance(outcome, Matched) and not isinstance(person, dict)):
        return ItemReading(Unconfirmed("unknown_status"), place)
    if isinstance(outcome, Matched):
        return ItemReading(outcome, place, 1, _identifiers(person))
    return ItemReading(outcome, place)


def _identifiers(person: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """By what the person found goes; none that several people may share."""
    given = (
        ("uid", person.get("id")),
        ("linkedin", person.get("profile")),
        ("email", person.get("work_email")),
    )
    return tuple((kind, text) for kind, text in given if isinstance(text, str) and text)
