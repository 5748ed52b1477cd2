"""The directory of people that every stand-in knows, and the CSV file that it is loaded from.

Belongs here: what a person can be asked for by (`identify`), the file, and finding a person by an
identifier. Does not belong here: how a provider shows a person, and what it knows or gets wrong,
which are each stand-in's own.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar
from urllib.parse import unquote

from enrichment_pipeline.sandbox.sample_folder import SAMPLE

UID = re.compile(r"[0-9a-z]{32}", re.IGNORECASE | re.ASCII)
_PHONE = re.compile(r"\+[0-9\s().\-/]+")
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_LINKEDIN = re.compile(
    r"(?:(?:https?:)?//)?(?:[a-z0-9-]+\.)*linkedin\.com/(?:m/|mwlite/)?in/([^/?#\s]+)(?:[/?#].*)?"
)
_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")

CONTACT_COLUMNS = ("work_email", "personal_email", "work_phone", "mobile_phone")
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
    *(name for column in CONTACT_COLUMNS for name in (column, f"{column}_rating")),
    "known_emails",
)


class PeopleFileError(ValueError):
    """The file of people cannot be used. One line: file, line, what is wrong, what to do.

    Never quotes what stands in the file, since that is personal data.
    """


class LineError(ValueError):
    """What is wrong with one line; the reader of the file adds its name and the line number."""


def identify(item: str) -> str | None:
    """The normalised form of an item, or None if it is of no kind that can be looked up.

    A UID in lower case, `https://www.linkedin.com/in/<slug>`, an e-mail in lower case, or `+` and
    the digits of a phone number. No two kinds can have the same form.
    """
    text = item.strip()
    if UID.fullmatch(text):
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


class Listed(Protocol):
    """Who can stand in a directory: by `uid`, and by identifiers as `identify` gives them."""

    @property
    def uid(self) -> str: ...

    @property
    def identifiers(self) -> tuple[str, ...]: ...


Entry = TypeVar("Entry", bound=Listed)


class Directory(Generic[Entry]):
    """The directory. Where two profiles share an identifier, the first one has it.

    Two with the same UID are the same profile: the first one is what is answered, and it is found
    by the identifiers of both.
    """

    def __init__(self, people: Iterable[Entry]) -> None:
        self._by_uid: dict[str, Entry] = {}
        self._by_identifier: dict[str, Entry] = {}
        for person in people:
            profile = self._by_uid.setdefault(person.uid, person)
            for identifier in (person.uid, *person.identifiers):
                self._by_identifier.setdefault(identifier, profile)

    def find(self, identifier: str) -> Entry | None:
        """The person with that identifier, which must be in the form that `identify` gives."""
        return self._by_identifier.get(identifier)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._by_uid.values())

    def __len__(self) -> int:
        return len(self._by_uid)


@dataclass(frozen=True, slots=True)
class Person:
    """A line of the file: its columns, blank ones left out, and the person's identifiers."""

    uid: str
    row: Mapping[str, str]
    identifiers: tuple[str, ...]


def read_people(path: Path) -> Iterator[Person]:
    """The people of a `.csv` file, in UTF-8, in their order.

    Raises `PeopleFileError` if the file cannot be read or a line of it is wrong.
    """
    if path.suffix.lower() != ".csv":
        raise PeopleFileError(f"{path}: name a file of people that ends in .csv")
    return _people_from_csv(read_text(path), path)


def known_elsewhere(people: Iterable[Person], more: Iterable[Person]) -> list[Person]:
    """The people of one file with what another one adds: further people, and further columns.

    Where both fill a column of the same person, the other one's counts.
    """
    by_uid = {person.uid: person for person in people}
    for other in more:
        known = by_uid.get(other.uid)
        by_uid[other.uid] = (
            other
            if known is None
            else Person(
                known.uid, {**known.row, **other.row}, (*known.identifiers, *other.identifiers)
            )
        )
    return list(by_uid.values())


def people_elsewhere(path: Path | None) -> list[Person]:
    """The people of a file, or the sample's, with what providers other than the first know of them.

    Raises as `read_people` does.
    """
    if path is not None:
        return list(read_people(path))
    return known_elsewhere(
        read_people(SAMPLE / "people.csv"), read_people(SAMPLE / "people_elsewhere.csv")
    )


def read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PeopleFileError(
            f"{path}: cannot be read ({error.strerror}); name a readable file"
        ) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PeopleFileError(f"{path}, line {line}: not UTF-8; save the file as UTF-8") from None


def _people_from_csv(text: str, path: Path) -> Iterator[Person]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header)
        for values in reader:
            if len(values) > len(header):
                raise LineError("more fields than the header has columns; quote fields with commas")
            row = {name: value.strip() for name, value in zip(header, values, strict=False)}
            if any(row.values()):
                yield _person_from_row(row)
    except csv.Error:
        where = f"{path}, line {reader.line_num}"
        raise PeopleFileError(f"{where}: not valid CSV; check the quotes") from None
    except LineError as error:
        # of an empty file no line has been read yet
        where = f"{path}, line {max(1, reader.line_num)}"
        raise PeopleFileError(f"{where}: {error}") from None


def _check_header(header: list[str]) -> None:
    if "full_name" not in header:
        # without it this may be no header but a person, so it is not quoted
        raise LineError("no column full_name; the first line must name the columns, with commas")
    if unknown := [name for name in header if name not in CSV_COLUMNS]:
        raise LineError(f"unknown column {unknown[0]!r}; remove it, or use one of: {_COLUMN_LIST}")
    if len(set(header)) < len(header):
        raise LineError("a column is named twice; remove one of them")


_COLUMN_LIST = ", ".join(CSV_COLUMNS)


def _person_from_row(row: dict[str, str]) -> Person:
    full_name = row.get("full_name")
    if not full_name:
        raise LineError("full_name is blank; give a name or remove the line")
    named_by = [
        *((name, row.get(name, "")) for name in ("linkedin_url", *CONTACT_COLUMNS)),
        *(("known_emails", email) for email in row.get("known_emails", "").split(";")),
    ]
    identifiers = [
        identifier for name, value in named_by if (identifier := _identifier_in(name, value))
    ]
    uid = _uid_of(row, full_name, identifiers)
    _check_ratings(row)
    if row.get("started") and not _MONTH.fullmatch(row["started"]):
        raise LineError("started must read YYYY-MM; correct it or leave it blank")
    given = {name: value for name, value in row.items() if value}
    return Person(uid, given, tuple(identifiers))


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
        raise LineError(f"{column} is not {kind}; correct it or leave it blank")
    return identifier


def _check_ratings(row: Mapping[str, str]) -> None:
    for column in CONTACT_COLUMNS:
        if row.get(column) and row.get(f"{column}_rating", "") not in ("", "70", "100"):
            raise LineError(
                f"{column}_rating must be 70 or 100; correct it or leave it blank for 100"
            )


def _uid_of(row: dict[str, str], full_name: str, identifiers: list[str]) -> str:
    """The UID given, else one that stays the same from load to load.

    Where there is a LinkedIn profile, the UID is made from it alone, so that a new job in the file
    does not make a new person.
    """
    if given := row.get("uid"):
        if not UID.fullmatch(given):
            raise LineError("uid must have 32 letters and digits; correct it or leave it blank")
        return given.lower()
    if row.get("linkedin_url"):
        named_by = identifiers[:1]
    else:
        named_by = [full_name, row.get("company_domain") or row.get("company", ""), *identifiers]
    return hashlib.sha256("\n".join(named_by).encode()).hexdigest()[:32]
