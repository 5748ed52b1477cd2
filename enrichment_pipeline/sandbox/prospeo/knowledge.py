"""What Prospeo knows of the people in the directory, which is not all, nor all right.

Belongs here: which people are known, and with which errors; finding them by what a record gives.
Does not belong here: the directory (`sandbox/directory.py`), and what a look-up costs.

Each decision about a person is drawn from the seed and the person alone, so that it is the same in
every run, whatever else is asked for.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from enrichment_pipeline.sandbox.directory import Directory, Person, identify
from enrichment_pipeline.sandbox.prospeo.config import ProspeoConfig
from enrichment_pipeline.sandbox.words import words_in

_COMPANY_FORMS = words_in("inc llc ltd corp gmbh ag co kg sa sas sarl bv nv srl spa ab plc")


@dataclass(frozen=True, slots=True)
class Profile:
    """A person as Prospeo has them; `uid` is the directory's, `person_id` Prospeo's own."""

    uid: str
    person_id: str
    identifiers: tuple[str, ...]
    row: Mapping[str, str]
    email: str | None
    is_verified: bool
    mobile: str | None


class Knowledge:
    """The people that Prospeo knows, by what a record can name them by."""

    def __init__(self, people: Iterable[Person], config: ProspeoConfig) -> None:
        self._config = config
        listed = list(people)
        latest = max((person.row.get("started", "") for person in listed), default="")
        year_ago = f"{int(latest[:4]) - 1}{latest[4:]}" if latest else ""
        known = [
            self._profile_of(person, year_ago)
            for person in listed
            if self._hits(person.uid, "known", config.known)
        ]
        self._by_identifier = Directory(known)
        self._by_person_id = {profile.person_id: profile for profile in known}
        self._by_name: dict[frozenset[str], list[Profile]] = defaultdict(list)
        for profile in known:
            self._by_name[words_in(profile.row.get("full_name"))].append(profile)
        self._mistaken_for = self._mistakes(known)

    def find(self, record: Mapping[str, Any]) -> Profile | None:
        """Who the record names, or who is taken for them."""
        found = self._named_by(record)
        return None if found is None else self._mistaken_for.get(found.uid, found)

    def _named_by(self, record: Mapping[str, Any]) -> Profile | None:
        if text := _text(record, "person_id"):
            return self._by_person_id.get(text)
        for name in ("linkedin_url", "email"):
            if (text := _text(record, name)) and (identifier := identify(text)):
                return self._by_identifier.find(identifier)
        name, company = name_of(record), company_of(record)
        if name is None or company is None:
            return None
        namesakes = self._by_name.get(words_in(name), [])
        return next((one for one in namesakes if _works_at(one.row, company)), None)

    def _profile_of(self, person: Person, year_ago: str) -> Profile:
        row = person.row
        is_new_there = "previous_company" in row and row.get("started", "") > year_ago
        if is_new_there and self._hits(person.uid, "stale", self._config.stale_employer):
            row = _before_the_change(row)
        email = row.get("work_email")
        if email is not None and self._hits(person.uid, "dead", self._config.dead_email):
            email = email.replace("@", f".{person.uid[:2]}@")
        return Profile(
            person.uid,
            hashlib.sha256(f"prospeo {person.uid}".encode()).hexdigest()[:24],
            person.identifiers,
            row,
            email,
            self._hits(person.uid, "verified", self._config.verified),
            row.get("mobile_phone"),
        )

    def _mistakes(self, known: list[Profile]) -> dict[str, Profile]:
        """By the uid of the right one: the person that is given instead, a namesake if possible."""
        mistaken = {}
        for place, profile in enumerate(known):
            if self._hits(profile.uid, "wrong", self._config.wrong_person):
                namesakes = self._by_name[words_in(profile.row.get("full_name"))]
                others = [one for one in namesakes if one is not profile]
                mistaken[profile.uid] = others[0] if others else known[place - 1]
        return mistaken

    def _hits(self, uid: str, purpose: str, share: float) -> bool:
        return random.Random(f"{self._config.seed} {uid} {purpose}").random() < share


def name_of(record: Mapping[str, Any]) -> str | None:
    parts = [_text(record, "first_name"), _text(record, "last_name")]
    joined = " ".join(part for part in parts if part) if all(parts) else None
    return _text(record, "full_name") or joined


def company_of(record: Mapping[str, Any]) -> str | None:
    return _text(record, "company_website") or _text(record, "company_name")


def is_sufficient(record: Mapping[str, Any]) -> bool:
    """Whether the record has what it takes to be looked for."""
    if _text(record, "person_id"):
        return True
    for name in ("linkedin_url", "email"):
        if text := _text(record, name):
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


def _before_the_change(row: Mapping[str, str]) -> dict[str, str]:
    """The person's row as it was at the former employer."""
    before = {
        name: value
        for name, value in row.items()
        if not name.startswith(("previous_", "company", "work_email")) and name != "started"
    }
    renamed = ("title", "company", "company_domain")
    before |= {name: row[f"previous_{name}"] for name in renamed if f"previous_{name}" in row}
    domain = f"@{before.get('company_domain', '')}"
    emails = [email for email in row.get("known_emails", "").split(";") if email.endswith(domain)]
    return before | ({"work_email": emails[0]} if emails else {})


def _works_at(row: Mapping[str, str], company: str) -> bool:
    host = re.sub(r"^(https?://)?(www\.)?", "", company.strip().lower()).split("/")[0]
    words = words_in(company) - _COMPANY_FORMS
    for prefix in ("", "previous_"):
        if host and host == row.get(f"{prefix}company_domain"):
            return True
        if words and words == words_in(row.get(f"{prefix}company")) - _COMPANY_FORMS:
            return True
    return False


def _masked(value: str | None) -> str | None:
    """As what is not revealed is shown: the beginning, asterisks, and an e-mail's domain."""
    if value is None:
        return None
    local, at, domain = value.partition("@")
    return f"{local[:1]}*****{at}{domain}" if at else f"{value[:5]}***"


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    return value.strip() or None if isinstance(value, str) else None
