"""The directory of people that the sandbox knows, and the file that it is loaded from.

Belongs here: what an item of a search can be (`identify`), the two file formats (CSV, JSON Lines),
and finding a person by an identifier. Does not belong here: answering a request, credits.

The CSV file is for people who write a directory by hand or by script; its columns become a
candidate of the documented shape. A line of the JSON Lines file *is* a candidate and is answered as
it stands, oddities included, so that a recorded answer of the provider can be played back.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

# The documentation's own example of a UID is not hexadecimal.
_UID = re.compile(r"[0-9a-z]{32}", re.IGNORECASE | re.ASCII)
_PHONE = re.compile(r"\+[0-9\s().\-/]+")
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_LINKEDIN = re.compile(
    r"(?:(?:https?:)?//)?(?:[a-z0-9-]+\.)*linkedin\.com/(?:m/|mwlite/)?in/([^/?#\s]+)(?:[/?#].*)?"
)
_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")

# column, contacts[].type, contacts[].subType
_CONTACT_COLUMNS = (
    ("work_email", "email", "work"),
    ("personal_email", "email", "personal"),
    ("work_phone", "phone", "work_phone"),
    ("mobile_phone", "phone", "mobile"),
)

CSV_COLUMNS = (
    "uid",
    "full_name",
    "gender",
    "headline",
    "location",
    "linkedin_url",
    "title",
    "company",
    "company_domain",
    "company_industry",
    "company_size",
    "started",
    "previous_title",
    "previous_company",
    "previous_company_domain",
    *(name for column, _, _ in _CONTACT_COLUMNS for name in (column, f"{column}_rating")),
    "known_emails",
)


class PeopleFileError(ValueError):
    """The file of people cannot be used. One line: file, line, what is wrong, what to do.

    Never quotes what stands in the file, since that is personal data.
    """


class _Invalid(ValueError):
    """What is wrong with one line; `load_people` adds the file and the line number."""


def identify(item: str) -> str | None:
    """The normalised form of an item, or None if it is of no kind that can be looked up.

    A UID in lower case, `https://www.linkedin.com/in/<slug>`, an e-mail in lower case, or `+` and
    the digits of a phone number. No two kinds can have the same form.
    """
    text = item.strip()
    if _UID.fullmatch(text):
        return text.lower()
    if _PHONE.fullmatch(text):
        # "(0)" is a trunk prefix, which is not dialled after a country code
        digits = re.sub(r"\D", "", text.replace("(0)", ""))
        return f"+{digits}" if 7 <= len(digits) <= 15 else None
    url = unicodedata.normalize("NFC", unquote(text)).lower()
    if profile := _LINKEDIN.fullmatch(url):
        return f"https://www.linkedin.com/in/{profile[1]}"
    if _EMAIL.fullmatch(text):
        return text.lower()
    return None


@dataclass(frozen=True, slots=True)
class Person:
    """A profile: what is answered, and the normalised identifiers by which it is found."""

    uid: str
    candidate: dict[str, Any]
    identifiers: tuple[str, ...]


class People:
    """The directory. Where two profiles share an identifier, the first one has it.

    Two with the same UID are the same profile: the first one is what is answered, and it is found
    by the identifiers of both.
    """

    def __init__(self, people: Iterable[Person]) -> None:
        self._by_uid: dict[str, Person] = {}
        self._by_identifier: dict[str, Person] = {}
        for person in people:
            profile = self._by_uid.setdefault(person.uid, person)
            for identifier in (person.uid, *person.identifiers):
                self._by_identifier.setdefault(identifier, profile)

    def find(self, identifier: str) -> Person | None:
        """The person with that identifier, which must be in the form that `identify` gives."""
        return self._by_identifier.get(identifier)

    def __iter__(self) -> Iterator[Person]:
        return iter(self._by_uid.values())

    def __len__(self) -> int:
        return len(self._by_uid)


def load_people(path: Path) -> People:
    """Load the directory from a `.csv` or a `.jsonl` (`.ndjson`) file, in UTF-8.

    Raises `PeopleFileError` if the file cannot be read or a line of it is wrong.
    """
    if path.suffix.lower() == ".csv":
        return People(_people_from_csv(_read_text(path), path))
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return People(_people_from_json_lines(_read_text(path), path))
    raise PeopleFileError(f"{path}: name a file of people that ends in .csv or .jsonl")


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PeopleFileError(
            f"{path}: cannot be read ({error.strerror}); name a readable .csv or .jsonl file"
        ) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PeopleFileError(f"{path}, line {line}: not UTF-8; save the file as UTF-8") from None


# CSV


def _people_from_csv(text: str, path: Path) -> Iterator[Person]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header)
        for values in reader:
            if len(values) > len(header):
                raise _Invalid("more fields than the header has columns; quote fields with commas")
            row = {name: value.strip() for name, value in zip(header, values, strict=False)}
            if any(row.values()):
                yield _person_from_row(row)
    except csv.Error:
        where = f"{path}, line {reader.line_num}"
        raise PeopleFileError(f"{where}: not valid CSV; check the quotes") from None
    except _Invalid as error:
        # of an empty file no line has been read yet
        where = f"{path}, line {max(1, reader.line_num)}"
        raise PeopleFileError(f"{where}: {error}") from None


def _check_header(header: list[str]) -> None:
    if "full_name" not in header:
        # without it this may be no header but a person, so it is not quoted
        raise _Invalid("no column full_name; the first line must name the columns, with commas")
    if unknown := [name for name in header if name not in CSV_COLUMNS]:
        raise _Invalid(f"unknown column {unknown[0]!r}; remove it, or use one of: {_COLUMN_LIST}")
    if len(set(header)) < len(header):
        raise _Invalid("a column is named twice; remove one of them")


_COLUMN_LIST = ", ".join(CSV_COLUMNS)


def _person_from_row(row: dict[str, str]) -> Person:
    def get(name: str) -> str | None:
        return row.get(name) or None

    full_name = get("full_name")
    if full_name is None:
        raise _Invalid("full_name is blank; give a name or remove the line")
    named_by = [
        *(
            (name, row.get(name, ""))
            for name in ("linkedin_url", *(c for c, _, _ in _CONTACT_COLUMNS))
        ),
        *(("known_emails", email) for email in row.get("known_emails", "").split(";")),
    ]
    identifiers = [
        identifier for name, value in named_by if (identifier := _identifier_in(name, value))
    ]
    uid = _uid_of(row, full_name, identifiers)
    linkedin_url = get("linkedin_url")
    candidate = {
        "uid": uid,
        "fullName": full_name,
        "gender": get("gender"),
        "photo": None,
        "headLine": get("headline"),
        "summary": None,
        "locations": [{"name": get("location")}] if get("location") else [],
        "skills": [],
        "contacts": [
            {
                "type": type_,
                "value": row[column],
                "rating": _rating_in(f"{column}_rating", row),
                "subType": sub_type,
            }
            for column, type_, sub_type in _CONTACT_COLUMNS
            if get(column)
        ],
        "social": [{"type": "li", "link": linkedin_url, "rating": 100}] if linkedin_url else [],
        "experience": _experience_of(row),
        "education": [],
        "language": [],
        "organization": [],
    }
    return Person(uid, candidate, tuple(identifiers))


_KIND_OF_COLUMN = {
    "linkedin_url": ("https://", "a LinkedIn profile URL (https://www.linkedin.com/in/…)"),
    "work_email": ("", "an e-mail address"),
    "personal_email": ("", "an e-mail address"),
    "known_emails": ("", "a list of e-mail addresses with semicolons between them"),
    "work_phone": ("+", "a phone number with + and the country code"),
    "mobile_phone": ("+", "a phone number with + and the country code"),
}


def _identifier_in(column: str, value: str) -> str | None:
    value = value.strip()
    if not value:
        return None
    identifier = identify(value)
    start, kind = _KIND_OF_COLUMN[column]
    is_of_kind = identifier is not None and (
        identifier.startswith(start) if start else "@" in identifier
    )
    if not is_of_kind:
        raise _Invalid(f"{column} is not {kind}; correct it or leave it blank")
    return identifier


def _rating_in(column: str, row: dict[str, str]) -> int:
    rating = row.get(column) or "100"
    if rating not in ("70", "100"):
        raise _Invalid(f"{column} must be 70 or 100; correct it or leave it blank for 100")
    return int(rating)


def _uid_of(row: dict[str, str], full_name: str, identifiers: list[str]) -> str:
    """The UID given, else one that stays the same from load to load.

    Where there is a LinkedIn profile, the UID is made from it alone, so that a new job in the file
    does not make a new person.
    """
    if given := row.get("uid"):
        if not _UID.fullmatch(given):
            raise _Invalid("uid must have 32 letters and digits; correct it or leave it blank")
        return given.lower()
    if row.get("linkedin_url"):
        named_by = identifiers[:1]
    else:
        named_by = [full_name, row.get("company_domain") or row.get("company", ""), *identifiers]
    return hashlib.sha256("\n".join(named_by).encode()).hexdigest()[:32]


def _experience_of(row: dict[str, str]) -> list[dict[str, Any]]:
    """The current position and the one before it, as far as the row has them."""
    started = None
    if month := row.get("started"):
        if not _MONTH.fullmatch(month):
            raise _Invalid("started must read YYYY-MM; correct it or leave it blank")
        started = f"{month}-01T00:00:00+00:00"
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


def _position(row: dict[str, str], prefix: str, *, is_current: bool) -> dict[str, Any]:
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
        except _Invalid as error:
            raise PeopleFileError(f"{path}, line {number}: {error}") from None


def _person_from_json(line: str) -> Person:
    try:
        candidate = json.loads(line)
    except (ValueError, RecursionError):
        raise _Invalid("not JSON; write one candidate object on each line") from None
    if not isinstance(candidate, dict):
        raise _Invalid("not an object; write one candidate object on each line")
    uid, full_name = candidate.get("uid"), candidate.get("fullName")
    if not isinstance(uid, str) or not _UID.fullmatch(uid):
        raise _Invalid("uid must be a string of 32 letters and digits; correct it")
    if not isinstance(full_name, str) or not full_name.strip():
        raise _Invalid("fullName must be a string that is not blank; correct it")
    known_emails = candidate.pop("knownEmails", None) or []
    if not isinstance(known_emails, list):
        raise _Invalid("knownEmails must be a list of strings; correct it or remove it")
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
        raise _Invalid(f"{name} must be a list of objects or null; correct it")
    return found
