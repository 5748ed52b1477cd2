"""What Prospeo knows of the people in the directory, and how it shows it.

Belongs here: each person's profile, and finding it by what a record gives. Does not belong here:
who is known, and what is wrong about them (`sandbox/known_people.py`), and what a look-up costs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from enrichment_pipeline.sandbox.directory import Person, identify
from enrichment_pipeline.sandbox.known_people import Draws, KnownPeople, KnownPerson, text_in
from enrichment_pipeline.sandbox.prospeo.config import ProspeoConfig


@dataclass(frozen=True, slots=True)
class Profile:
    """A person as Prospeo has them; `uid` is the directory's, `person_id` Prospeo's own."""

    uid: str
    person_id: str
    row: Mapping[str, str]
    email: str | None
    is_verified: bool
    mobile: str | None


class Knowledge:
    """The people that Prospeo knows, by what a record can name them by."""

    def __init__(self, people: Iterable[Person], config: ProspeoConfig) -> None:
        self._verified = config.verified
        self._draws = Draws(str(config.seed))
        self._known = KnownPeople(people, config, self._draws)
        self._by_person_id = {_person_id(person.uid): person for person in self._known}

    def find(self, record: Mapping[str, Any]) -> Profile | None:
        """Who the record names, or who is taken for them."""
        found = self._named_by(record)
        return None if found is None else self._profile_of(self._known.taken_for(found))

    def _named_by(self, record: Mapping[str, Any]) -> KnownPerson | None:
        if text := text_in(record, "person_id"):
            return self._by_person_id.get(text)
        for name in ("linkedin_url", "email"):
            if (text := text_in(record, name)) and identify(text):
                return self._known.with_identifier(text)
        name, company = name_of(record), company_of(record)
        return None if name is None or company is None else self._known.at_company(name, company)

    def _profile_of(self, person: KnownPerson) -> Profile:
        return Profile(
            person.uid,
            _person_id(person.uid),
            person.row,
            person.email,
            self._draws.hits(person.uid, "verified", self._verified),
            person.row.get("mobile_phone"),
        )


def _person_id(uid: str) -> str:
    return hashlib.sha256(f"prospeo {uid}".encode()).hexdigest()[:24]


def name_of(record: Mapping[str, Any]) -> str | None:
    parts = [text_in(record, "first_name"), text_in(record, "last_name")]
    joined = " ".join(part for part in parts if part) if all(parts) else None
    return text_in(record, "full_name") or joined


def company_of(record: Mapping[str, Any]) -> str | None:
    return text_in(record, "company_website") or text_in(record, "company_name")


def is_sufficient(record: Mapping[str, Any]) -> bool:
    """Whether the record has what it takes to be looked for."""
    if text_in(record, "person_id"):
        return True
    for name in ("linkedin_url", "email"):
        if text := text_in(record, name):
            return identify(text) is not None
    return name_of(record) is not None and company_of(record) is not None


def as_person(profile: Profile, *, shows_mobile: bool, is_masked: bool) -> dict[str, Any]:
    """The documented person."""
    row = profile.row
    shown = profile.email if not is_masked else _masked(profile.email)
    mobile = profile.mobile if shows_mobile else _masked(profile.mobile)
    city, _, country = row.get("location", "").rpartition(", ")
    first_name, _, last_name = row["full_name"].rpartition(" ")
    return {
        "person_id": profile.person_id,
        "first_name": first_name or None,
        "last_name": last_name,
        "full_name": row["full_name"],
        "linkedin_url": row.get("linkedin_url"),
        "headline": row.get("headline"),
        "current_job_title": row.get("title"),
        "current_job_key": None,
        "skills": [],
        "last_job_change_detected_at": None,
        "job_history": _jobs(row),
        "mobile": {
            "status": "VERIFIED" if mobile else "UNAVAILABLE",
            "revealed": bool(shows_mobile and mobile),
            "mobile": mobile,
            "mobile_national": None,
            "mobile_international": mobile,
            "mobile_country": country or None,
            "mobile_country_code": None,
        },
        "email": {
            "status": _email_status(profile),
            "revealed": not is_masked and shown is not None,
            "email": shown,
            "verification_method": "SMTP" if profile.is_verified else None,
            "email_mx_provider": "Google",
        },
        "location": {
            "country": country or None,
            "country_code": None,
            "state": None,
            "city": city or None,
            "time_zone": None,
            "time_zone_offset": None,
        },
    }


def as_company(profile: Profile) -> dict[str, Any] | None:
    """The documented company: the one where the person works, as far as Prospeo knows."""
    row = profile.row
    if "company" not in row:
        return None
    domain = row.get("company_domain")
    return {
        "company_id": _company_id(row["company"]),
        "name": row["company"],
        "website": f"https://{domain}" if domain else None,
        "domain": domain,
        "industry": row.get("company_industry"),
        "employee_count": None,
        "employee_range": row.get("company_size"),
    }


def _email_status(profile: Profile) -> str:
    if profile.email is None:
        return "UNAVAILABLE"
    return "VERIFIED" if profile.is_verified else "UNVERIFIED"


def _jobs(row: Mapping[str, str]) -> list[dict[str, Any]]:
    year, _, month = row.get("started", "").partition("-")
    began = (int(year) if year else None, int(month) if month else None)
    held = [("title", "company", True, began, (None, None))]
    held += [("previous_title", "previous_company", False, (None, None), began)]
    return [
        {
            "title": row.get(title),
            "company_name": row[company],
            "current": is_current,
            "start_year": start[0],
            "start_month": start[1],
            "end_year": end[0],
            "end_month": end[1],
            "duration_in_months": None,
            "departments": [],
            "seniority": None,
            "company_id": _company_id(row[company]),
            "job_key": None,
        }
        for title, company, is_current, start, end in held
        if company in row
    ]


def _company_id(company: str) -> str:
    return hashlib.sha256(company.encode()).hexdigest()[:24]


def _masked(value: str | None) -> str | None:
    """As what is not revealed is shown: the beginning, asterisks, and an e-mail's domain."""
    if value is None:
        return None
    local, at, domain = value.partition("@")
    return f"{local[:1]}*****{at}{domain}" if at else f"{value[:5]}***"
