"""SignalHire's view of the directory: each person as a candidate, from either file format.

Belongs here: the documented shape of a candidate, and the JSON Lines of them. Does not belong here:
the CSV file and what identifies a person (`sandbox/directory.py`), answering a request, credits.

The CSV file is for people who write a directory by hand or by script; its columns become a
candidate of the documented shape. A line of the JSON Lines file *is* a candidate and is answered as
it stands, oddities included, so that a recorded answer of the provider can be played back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enrichment_pipeline.sandbox.directory import (
    UID,
    Directory,
    LineError,
    PeopleFileError,
    identify,
    read_people,
    read_text,
)

# column, contacts[].type, contacts[].subType
_CONTACT_COLUMNS = (
    ("work_email", "email", "work"),
    ("personal_email", "email", "personal"),
    ("work_phone", "phone", "work_phone"),
    ("mobile_phone", "phone", "mobile"),
)


@dataclass(frozen=True, slots=True)
class Person:
    """A profile: what is answered, and the normalised identifiers by which it is found."""

    uid: str
    candidate: dict[str, Any]
    identifiers: tuple[str, ...]


class People(Directory[Person]):
    """The directory, as SignalHire knows it."""


def load_people(path: Path) -> People:
    """Load the directory from a `.csv` or a `.jsonl` (`.ndjson`) file, in UTF-8.

    Raises `PeopleFileError` if the file cannot be read or a line of it is wrong.
    """
    if path.suffix.lower() == ".csv":
        people = read_people(path)
        return People(
            Person(person.uid, _candidate_of(person.uid, person.row), person.identifiers)
            for person in people
        )
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return People(_people_from_json_lines(read_text(path), path))
    raise PeopleFileError(f"{path}: name a file of people that ends in .csv or .jsonl")


# CSV


def _candidate_of(uid: str, row: Mapping[str, str]) -> dict[str, Any]:
    linkedin_url = row.get("linkedin_url")
    return {
        "uid": uid,
        "fullName": row["full_name"],
        "gender": row.get("gender"),
        "photo": None,
        "headLine": row.get("headline"),
        "summary": None,
        "locations": [{"name": row["location"]}] if "location" in row else [],
        "skills": [],
        "contacts": [
            {
                "type": type_,
                "value": row[column],
                "rating": int(row.get(f"{column}_rating", "100")),
                "subType": sub_type,
            }
            for column, type_, sub_type in _CONTACT_COLUMNS
            if column in row
        ],
        "social": [{"type": "li", "link": linkedin_url, "rating": 100}] if linkedin_url else [],
        "experience": _experience_of(row),
        "education": [],
        "language": [],
        "organization": [],
    }


def _experience_of(row: Mapping[str, str]) -> list[dict[str, Any]]:
    """The current position and the one before it, as far as the row has them."""
    month = row.get("started")
    started = f"{month}-01T00:00:00+00:00" if month else None
    positions = []
    if any(row.get(name) for name in ("title", "company", "company_domain")):
        current = _position(row, "", is_current=True)
        current |= {
            "started": started,
            "companySize": row.get("company_size") or None,
            "industry": row.get("company_industry") or None,
        }
        positions.append(current)
    if any(row.get(f"previous_{name}") for name in ("title", "company", "company_domain")):
        previous = _position(row, "previous_", is_current=False)
        positions.append(previous | {"ended": started})
    return positions


def _position(row: Mapping[str, str], prefix: str, *, is_current: bool) -> dict[str, Any]:
    domain = row.get(f"{prefix}company_domain")
    return {
        "position": row.get(f"{prefix}title") or None,
        "location": None,
        "current": is_current,
        "started": None,
        "ended": None,
        "company": row.get(f"{prefix}company") or None,
        "summary": None,
        "companyUrl": None,
        "companyId": None,
        "companySize": None,
        "staffCount": None,
        "industry": None,
        "website": f"https://www.{domain}" if domain else None,
    }


# JSON Lines


def _people_from_json_lines(text: str, path: Path) -> Iterator[Person]:
    # Not splitlines: JSON allows U+2028 and others inside a string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield _person_from_json(line)
        except LineError as error:
            raise PeopleFileError(f"{path}, line {number}: {error}") from None


def _person_from_json(line: str) -> Person:
    try:
        candidate = json.loads(line)
    except (ValueError, RecursionError):
        raise LineError("not JSON; write one candidate object on each line") from None
    if not isinstance(candidate, dict):
        raise LineError("not an object; write one candidate object on each line")
    uid, full_name = candidate.get("uid"), candidate.get("fullName")
    if not isinstance(uid, str) or not UID.fullmatch(uid):
        raise LineError("uid must be a string of 32 letters and digits; correct it")
    if not isinstance(full_name, str) or not full_name.strip():
        raise LineError("fullName must be a string that is not blank; correct it")
    known_emails = candidate.pop("knownEmails", None) or []
    if not isinstance(known_emails, list):
        raise LineError("knownEmails must be a list of strings; correct it or remove it")
    named_by = [
        *known_emails,
        *(contact.get("value") for contact in _objects_in(candidate, "contacts")),
        *(link.get("link") for link in _objects_in(candidate, "social")),
    ]
    # Contacts and links of other kinds (skype, gh, …) identify no person and are left out here.
    identifiers = (identify(value) for value in named_by if isinstance(value, str))
    return Person(uid.lower(), candidate, tuple(key for key in identifiers if key))


def _objects_in(candidate: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = candidate.get(name) or []
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise LineError(f"{name} must be a list of objects or null; correct it")
    return found
