"""What People Data Labs knows of the people in the directory, and how it shows it.

Belongs here: each person's record and its likelihood, and finding it by what a request gives. Does
not belong here: which people are known, and with which errors (`sandbox/known_people.py`), and what
a match costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from enrichment_pipeline.sandbox.directory import Person, identify
from enrichment_pipeline.sandbox.known_people import Draws, KnownPeople, KnownPerson, text_in
from enrichment_pipeline.sandbox.peopledatalabs.changelog import Changelog
from enrichment_pipeline.sandbox.peopledatalabs.config import PeopleDataLabsConfig

_PLACES = ("company", "school", "location", "locality", "region", "country", "postal_code")
_CONTACT_DATA = (
    "work_email",
    "personal_emails",
    "recommended_personal_email",
    "emails",
    "mobile_phone",
    "phone_numbers",
)
_IN_LOWER_CASE = frozenset({*_CONTACT_DATA, "id", "linkedin_url", "linkedin_username"})
"""What title case leaves alone."""

Record = dict[str, Any]


class Match(NamedTuple):
    """The person that was found, the record in lower case, and its likelihood, from 1 to 10."""

    uid: str
    record: Record
    likelihood: int


class Profiles:
    """The people that People Data Labs knows, by what a request can name them by."""

    def __init__(self, people: Iterable[Person], config: PeopleDataLabsConfig) -> None:
        self._config = config
        # as it knows others than another provider does, of the same seed
        self._draws = Draws(f"peopledatalabs {config.seed}")
        self._known = KnownPeople(people, config, self._draws)
        self.changelog = Changelog(config, self._draws, (person.uid for person in self._known))
        self._by_id = {self.changelog.id_of(person.uid): person for person in self._known}

    def find(self, params: Mapping[str, Any]) -> Match | None:
        """The person that the parameters name, or the one that is given instead."""
        match = self._match(params)
        return None if match is None or self.changelog.is_gone(match.uid) else match

    def _match(self, params: Mapping[str, Any]) -> Match | None:
        if text := text_in(params, "pdl_id"):
            person = self._by_id.get(text)
            return None if person is None else Match(person.uid, self._record(person), 10)
        named = self._named_by(params)
        if named is None:
            return None
        person, named_by = named
        shown = self._known.taken_for(person)
        return Match(shown.uid, self._record(shown), self._likelihood(person.uid, named_by))

    def _named_by(self, params: Mapping[str, Any]) -> tuple[KnownPerson, str] | None:
        for name in ("profile", "email", "phone"):
            if (text := text_in(params, name)) and (found := self._known.with_identifier(text)):
                return found, name
        name, company = name_in(params), text_in(params, "company")
        if name is None or company is None:
            return None
        found = self._known.at_company(name, company)
        return None if found is None else (found, "name")

    def _likelihood(self, uid: str, named_by: str) -> int:
        draw = self._draws.of(uid, f"likelihood by {named_by}")
        if named_by in ("profile", "email"):
            return draw.randint(9, 10)
        if draw.random() >= self._config.doubtful:
            return draw.randint(8, 9)
        return draw.randint(6, 7) if named_by == "phone" else draw.randint(2, 7)

    def _record(self, person: KnownPerson) -> Record:
        row = person.row
        has_email = self._draws.hits(person.uid, "work email", self._config.has_work_email)
        record = _record_of(person, person.email if has_email else None, row)
        record["id"] = self.changelog.id_of(person.uid)
        if updates := self.changelog.updates_of(person.uid):
            record["headline"] = f"{record['headline'] or 'at work'}, {updates} times new"
        if self._config.tells_release:
            record["dataset_version"] = self._config.release
        return {name: _lower_case(value) for name, value in record.items()}


def name_in(params: Mapping[str, Any]) -> str | None:
    parts = [text_in(params, "first_name"), text_in(params, "last_name")]
    joined = " ".join(part for part in parts if part) if all(parts) else None
    return text_in(params, "name") or joined


def is_sufficient(params: Mapping[str, Any]) -> bool:
    """Whether the parameters are enough to look for a person by."""
    if any(text_in(params, name) for name in ("pdl_id", "profile", "email", "phone")):
        return True
    return name_in(params) is not None and any(text_in(params, name) for name in _PLACES)


def has_required(record: Record, required: str | None) -> bool:
    """Whether the record has what is required: fields with AND and OR between them."""
    if not required:
        return True
    ways = required.replace("(", " ").replace(")", " ").split(" OR ")
    return any(all(record.get(name.strip()) for name in way.split(" AND ")) for way in ways)


def in_title_case(record: Record) -> Record:
    """The record with names as people write them, but for addresses and numbers."""
    return {name: _title_case(value, name) for name, value in record.items()}


def _title_case(value: object, name: str) -> object:
    if isinstance(value, dict):
        return {key: _title_case(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_title_case(each, name) for each in value]
    is_left_alone = name in _IN_LOWER_CASE or name in ("website", "address", "type")
    is_left_alone |= name.endswith(("_website", "_date"))
    return value.title() if isinstance(value, str) and not is_left_alone else value


def without_contact_data(record: Record) -> Record:
    """The record as plans without contact data show it: whether there is a value."""
    return {name: bool(value) if name in _CONTACT_DATA else value for name, value in record.items()}


def _lower_case(value: object) -> object:
    if isinstance(value, dict):
        return {key: _lower_case(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_lower_case(each) for each in value]
    return value.lower() if isinstance(value, str) else value


def _record_of(person: KnownPerson, work_email: str | None, row: Mapping[str, str]) -> Record:
    slug = row.get("linkedin_url", "").rstrip("/").rpartition("/")[2] or None
    personal = [email for email in (row.get("personal_email"),) if email]
    former = [
        email
        for email in row.get("known_emails", "").split(";")
        if email and email not in (work_email, *personal)
    ]
    mobile, at_work = (_number(row.get(name)) for name in ("mobile_phone", "work_phone"))
    first_name, _, last_name = row["full_name"].rpartition(" ")
    jobs = _jobs(row)
    job = jobs[0] if jobs else None
    return {
        "full_name": row["full_name"],
        "first_name": first_name or None,
        "last_name": last_name,
        "linkedin_url": f"linkedin.com/in/{slug}" if slug else None,
        "linkedin_username": slug,
        "headline": row.get("headline"),
        "location_name": row.get("location"),
        "work_email": work_email,
        "personal_emails": personal,
        "recommended_personal_email": personal[0] if personal else None,
        "emails": [
            *([{"address": work_email, "type": "current_professional"}] if work_email else []),
            *({"address": email, "type": "personal"} for email in personal),
            *({"address": email, "type": "professional"} for email in former),
        ],
        "mobile_phone": mobile,
        "phone_numbers": [number for number in (mobile, at_work) if number],
        "job_title": job and job["title"] and job["title"]["name"],
        "job_company_name": job and job["company"]["name"],
        "job_company_website": job and job["company"]["website"],
        "job_company_industry": job and job["company"]["industry"],
        "job_company_size": job and job["company"]["size"],
        "job_start_date": job and job["start_date"],
        "job_last_updated": "2026-09-01",
        "skills": [],
        "education": [],
        "experience": jobs,
    }


def _jobs(row: Mapping[str, str]) -> list[dict[str, Any]]:
    """The job held first, then the one before."""
    started = row.get("started")
    held = ("", True, started, None), ("previous_", False, None, started)
    return [
        {
            "company": {
                "name": row[f"{of}company"],
                "website": row.get(f"{of}company_domain"),
                "industry": row.get(f"{of}company_industry"),
                "size": row.get(f"{of}company_size"),
                "linkedin_url": None,
            },
            "title": {"name": row[f"{of}title"]} if f"{of}title" in row else None,
            "start_date": start,
            "end_date": end,
            "is_primary": is_primary,
        }
        for of, is_primary, start, end in held
        if f"{of}company" in row
    ]


def _number(given: str | None) -> str | None:
    """With its country code and nothing but digits."""
    return None if given is None else identify(given)
