"""Reading People Data Labs' replies to `POST /person/bulk`: which item each element answers.

Here: the body that asks, since its keys are what the reply is joined by; decoding a reply, and
recognising what it says of each item. Not here: what that means (`faults.py`), HTTP itself
(`client.py`), and the contents of a profile (they are read in SQL).

A reply is a list of elements, one for each request: `{"status": 200, "likelihood": 9, "data": {…},
"metadata": {"row": …}}`, or a status of its own with an `error`. Each element is an answer, in its
place. `error.type` is a text or a list of them, and is not read: the status says it all.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from enrichment_pipeline.providers.base import (
    Fault,
    ItemReading,
    Matched,
    Reading,
    Signal,
    Unconfirmed,
    fault_of_status,
)
from enrichment_pipeline.providers.items import (
    is_email,
    is_phone,
    is_profile_url,
    name_at_company,
    row_key,
)
from enrichment_pipeline.providers.peopledatalabs.facts import UNITS_OF_A_MATCH
from enrichment_pipeline.providers.peopledatalabs.faults import (
    FAULTS,
    fault_of_element,
)

REQUIRED = "work_email OR personal_emails OR mobile_phone OR phone_numbers"
"""A profile without any of them would cost a credit and settle nothing: so it is a free miss."""
OF_THE_PERSON_NOW = frozenset({"current_professional", "personal"})
"""The types of e-mail that are not of a former job."""


def question(items: Sequence[str], min_likelihood: int) -> dict[str, object]:
    """The body that asks for these items, each of them once.

    The least likelihood comes back with each answer, so that it is known what was asked for.
    """
    asked = [
        {
            "params": {
                **_told_of(item),
                "min_likelihood": min_likelihood,
                "titlecase": True,
            },
            "metadata": {"row": row_key(item), "min_likelihood": min_likelihood},
        }
        for item in dict.fromkeys(items)
    ]
    return {"required": REQUIRED, "requests": asked}


def _told_of(item: str) -> dict[str, str]:
    if is_profile_url(item):
        return {"profile": item}
    if named := name_at_company(item):
        return {"name": named.full_name, "company": named.company}
    if is_email(item):
        return {"email": item}
    return {"phone": item} if is_phone(item) else {"name": item}


def read_reply(
    http_status: int, body: bytes, items: Sequence[str], units_told: int | None
) -> Reading:
    """The outcome of each item; see `Provider.read`."""
    if http_status != 200:
        return _failed_by(fault_of_status(FAULTS, http_status), items)
    elements = _decode(body)
    if elements is None:
        return _failed_by(FAULTS["malformed_body"], items)
    wanted = {row_key(item) for item in items}
    found: dict[str, tuple[int, Fault, Any]] = {}
    unsolicited_answers = 0
    for place, element in enumerate(elements):
        key = _key_in(element)
        if key in wanted:
            # a match counts more than whatever else is said of the same row
            if key not in found or not isinstance(found[key][1].outcome, Matched):
                found[key] = (place, _fault_of(element), element)
        else:
            unsolicited_answers += 1
    units = _units(found, units_told)
    readings = tuple(_read(found.get(key), units.get(key, 0)) for key in map(row_key, items))
    return Reading(readings, _signal(found, readings), unsolicited_answers)


def _failed_by(fault: Fault, items: Sequence[str]) -> Reading:
    """A fault of the whole request is every item's."""
    return Reading((ItemReading(fault.outcome),) * len(items), fault.signal)


def _decode(body: bytes) -> list[Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, list) else None


def _key_in(element: object) -> str:
    metadata = element.get("metadata") if isinstance(element, dict) else None
    return str(metadata.get("row")).strip().lower() if isinstance(metadata, dict) else ""


def _fault_of(element: Mapping[str, Any]) -> Fault:
    has_person = isinstance(element.get("data"), dict)
    return fault_of_element(element.get("status"), has_person=has_person)


def _units(found: Mapping[str, tuple[int, Fault, Any]], told: int | None) -> dict[str, int]:
    """What each match cost, so that all together cost no more than the header says, if it does."""
    matched = [key for key, (_, fault, _) in found.items() if isinstance(fault.outcome, Matched)]
    return dict.fromkeys(matched[:told], UNITS_OF_A_MATCH)


def _signal(
    found: Mapping[str, tuple[int, Fault, Any]], readings: Sequence[ItemReading]
) -> Signal | None:
    """What the elements say of the provider as a whole: the first that says anything."""
    for _, fault, _ in found.values():
        if fault.signal is not None:
            return fault.signal
    is_answered = any(not isinstance(reading.outcome, Unconfirmed) for reading in readings)
    return None if is_answered or not readings else FAULTS["nothing_answered"].signal


def _read(found: tuple[int, Fault, Any] | None, units: int) -> ItemReading:
    if found is None:
        return ItemReading(FAULTS["missing_from_answer"].outcome)
    place, fault, element = found
    if isinstance(fault.outcome, Matched):
        return ItemReading(fault.outcome, place, units, tuple(_identifiers(element["data"])))
    return ItemReading(fault.outcome, place)


def _identifiers(person: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """By what the person found goes: what is shown, and is of this person alone.

    The other phone numbers may be a switchboard's. On plans without contact data, `true` stands
    where a value is not shown.
    """
    emails = person.get("emails")
    personal = person.get("personal_emails")
    typed = (
        each.get("address")
        for each in (emails if isinstance(emails, list) else ())
        if isinstance(each, dict) and each.get("type") in OF_THE_PERSON_NOW
    )
    given = (
        ("uid", person.get("id")),
        ("linkedin", person.get("linkedin_url")),
        ("email", person.get("work_email")),
        *(("email", each) for each in (personal if isinstance(personal, list) else ())),
        *(("email", each) for each in typed),
        ("phone", person.get("mobile_phone")),
    )
    shown = ((kind, text) for kind, text in given if isinstance(text, str) and text)
    yield from dict.fromkeys(shown)
