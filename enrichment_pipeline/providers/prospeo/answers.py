"""Reading Prospeo's replies to `POST /bulk-enrich-person`: whose each record is, and what it is.

Here: the body that asks, since its identifiers are what the reply is joined by; decoding a reply,
and recognising what it says of each item. Not here: what that means (`faults.py`), HTTP itself
(`client.py`), and the contents of a profile (they are read in SQL).

A reply is `{"error": false, "total_cost": …, "matched": [{"identifier", "person", "company"}],
"not_matched": [identifier], "invalid_datapoints": [identifier]}`, in which each list's entries are
answers, counted through in this order; or `{"error": true, "error_code": …}`, which is one answer.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from enrichment_pipeline.providers.base import (
    Fault,
    ItemReading,
    Matched,
    NoMatch,
    Reading,
    Unconfirmed,
    fault_of_status,
)
from enrichment_pipeline.providers.items import (
    is_email,
    is_profile_url,
    name_at_company,
    row_key,
)
from enrichment_pipeline.providers.prospeo.faults import FAULTS, fault_of_error

_LISTS = (
    ("matched", "matched"),
    ("not_matched", "not_matched"),
    ("invalid_datapoints", "invalid_record"),
)
"""The lists of a reply, in the order in which their entries are counted, and what each entry is."""


def question(items: Sequence[str]) -> dict[str, object]:
    """The body that asks for these items, each of them once.

    A profile without a verified e-mail would cost a credit and settle nothing; a mobile phone
    costs ten.
    """
    records = [{"identifier": row_key(item), **_told_of(item)} for item in dict.fromkeys(items)]
    return {"only_verified_email": True, "enrich_mobile": False, "data": records}


def _told_of(item: str) -> dict[str, str]:
    if is_profile_url(item):
        return {"linkedin_url": item}
    if named := name_at_company(item):
        company = "company_website" if named.has_domain else "company_name"
        return {"full_name": named.full_name, company: named.company}
    return {"email": item} if is_email(item) else {"full_name": item}


def read_reply(http_status: int, body: bytes, items: Sequence[str]) -> Reading:
    """The outcome of each item; see `Provider.read`."""
    if http_status not in {200, 400}:
        return _failed_by(fault_of_status(FAULTS, http_status), items)
    document = _decode(body)
    if document is None:
        return _failed_by(FAULTS["malformed_body"], items)
    if document.get("error") in (True, "true"):
        return _failed_by(fault_of_error(document.get("error_code")), items)
    if http_status != 200 or not isinstance(document.get("matched"), list):
        return _failed_by(FAULTS["malformed_body"], items)
    return _read_records(document, items)


def join_answers(answers: Mapping[int, str]) -> bytes:
    """A reply with these answers in their places; see `ProviderFacts.join_answers`."""
    places = range(max(answers, default=-1) + 1)
    matched = ",".join(answers.get(place, "null") for place in places)
    return f'{{"error": false, "matched": [{matched}]}}'.encode()


def _failed_by(fault: Fault, items: Sequence[str]) -> Reading:
    """A fault of the whole request is every item's, and a miss is an answer to each."""
    index = 0 if isinstance(fault.outcome, NoMatch) else None
    return Reading((ItemReading(fault.outcome, index),) * len(items), fault.signal)


def _decode(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _read_records(document: dict[str, Any], items: Sequence[str]) -> Reading:
    wanted = {row_key(item): item for item in items}
    places: dict[str, tuple[int, str, object]] = {}
    unsolicited_answers = 0
    place = 0
    for name, fault in _LISTS:
        entries = document.get(name)
        for entry in entries if isinstance(entries, list) else ():
            identifier = _identifier_in(entry)
            if identifier in wanted:
                # a match, which comes first, counts more than a miss
                places.setdefault(identifier, (place, _fault_of(fault, entry), entry))
            else:
                unsolicited_answers += 1
            place += 1
    units = _units(document.get("total_cost"), places)
    readings = tuple(_read(places.get(key), units.get(key, 0)) for key in map(row_key, items))
    is_answered = any(not isinstance(reading.outcome, Unconfirmed) for reading in readings)
    signal = None if is_answered or not items else FAULTS["nothing_answered"].signal
    return Reading(readings, signal, unsolicited_answers)


def _identifier_in(entry: object) -> str:
    told = entry.get("identifier") if isinstance(entry, dict) else entry
    return str(told).strip().lower()


def _fault_of(fault: str, entry: object) -> str:
    has_person = isinstance(entry, dict) and isinstance(entry.get("person"), dict)
    return "matched_without_person" if fault == "matched" and not has_person else fault


def _units(total_cost: object, places: Mapping[str, tuple[int, str, object]]) -> dict[str, int]:
    """What each match cost, so that all together cost what the reply says, if it does.

    Who is not marked as free is taken to have been charged first.
    """
    matched = [key for key, (_, fault, _) in places.items() if fault == "matched"]
    free = [key for key in matched if _is_free(places[key][2])]
    charged = [key for key in matched if key not in free]
    is_told = isinstance(total_cost, int) and not isinstance(total_cost, bool) and total_cost >= 0
    count = total_cost if isinstance(total_cost, int) and is_told else len(charged)
    return dict.fromkeys([*charged, *free][:count], FAULTS["matched"].units)


def _is_free(entry: object) -> bool:
    return isinstance(entry, dict) and entry.get("free_enrichment") is True


def _read(found: tuple[int, str, object] | None, units: int) -> ItemReading:
    if found is None:
        return ItemReading(FAULTS["missing_from_answer"].outcome)
    place, fault, entry = found
    outcome = FAULTS[fault].outcome
    if isinstance(outcome, Matched) and isinstance(entry, dict):
        return ItemReading(outcome, place, units, _identifiers(entry["person"]))
    return ItemReading(outcome, place)


def _identifiers(person: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """By what the person found goes: its id, profile, and what of the contact data is shown."""
    given = (
        ("uid", person.get("person_id")),
        ("linkedin", person.get("linkedin_url")),
        ("email", _shown(person.get("email"), "email")),
        ("phone", _shown(person.get("mobile"), "mobile")),
    )
    return tuple((kind, text) for kind, text in given if isinstance(text, str) and text)


def _shown(of: object, name: str) -> str | None:
    """The value, where it is revealed; what has an asterisk is masked, whatever is said of it."""
    value = of.get(name) if isinstance(of, dict) and of.get("revealed") is True else None
    return value if isinstance(value, str) and "*" not in value else None
