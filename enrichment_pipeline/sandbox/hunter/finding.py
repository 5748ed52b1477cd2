"""Who Hunter finds by a name and a company, and which address it gives for them.

Belongs here: the finder's answer, with what is wrong about it. Does not belong here: which people
are known (`sandbox/known_people.py`), which addresses exist (`mailboxes.py`), and what is charged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from anyascii import anyascii

from enrichment_pipeline.sandbox.directory import Person
from enrichment_pipeline.sandbox.hunter.config import HunterConfig
from enrichment_pipeline.sandbox.hunter.mailboxes import Check, Mailboxes, host_of
from enrichment_pipeline.sandbox.known_people import (
    Draws,
    KnownPeople,
    KnownPerson,
    company_words,
)

_CHECKED_NOW, _CHECKED_LONG_AGO = "2026-11-02", "2025-01-15"


@dataclass(frozen=True)
class Wanted:
    """What a request asks by: a full name, and the company's domain or, without one, its name."""

    full_name: str
    domain: str | None
    company: str | None

    @property
    def place(self) -> str:
        return self.domain or self.company or ""


@dataclass(frozen=True)
class Found:
    """The documented `data` of an address, and for which person or guess it stands."""

    uid: str
    data: Mapping[str, Any]


class Finder:
    """The people that Hunter knows, and the companies at which it can guess."""

    def __init__(
        self, people: Iterable[Person], config: HunterConfig, draws: Draws, mailboxes: Mailboxes
    ) -> None:
        self._config = config
        self._draws = draws
        self._mailboxes = mailboxes
        listed = list(people)
        self._known = KnownPeople(listed, config, draws)
        rightly = dict.fromkeys(("dead_email", "stale_employer", "wrong_person"), 0.0)
        self._everybody = KnownPeople(listed, replace(config, known=1.0, **rightly), draws)
        self._companies = {
            row["company_domain"]: row.get("company")
            for row in (person.row for person in listed)
            if "company_domain" in row
        }
        self._domains = {
            company_words(company): domain for domain, company in self._companies.items() if company
        }

    def owner(self, wanted: Wanted) -> str:
        """Who is meant, by the directory's `uid`, known or not; else the words of the request."""
        person = self._everybody.at_company(wanted.full_name, wanted.place)
        return f"{wanted.full_name} {wanted.place}".lower() if person is None else person.uid

    def find(self, wanted: Wanted) -> Found | None:
        """The address, if there is one that Hunter gives."""
        domain = wanted.domain or self._domains.get(company_words(wanted.company))
        person = self._known.at_company(wanted.full_name, wanted.place)
        if domain is None:
            return None
        if person is None:
            return self._guess(wanted.full_name, domain)
        shown = self._known.taken_for(person)
        email = _email_at(shown, domain) if shown is person else shown.email
        check = None if email is None else self._check(shown.uid, email)
        if email is None or check is None:
            return None
        sources = self._sources(shown, domain)
        return Found(shown.uid, _told(shown.row, email, domain, check, sources))

    def _check(self, uid: str, email: str) -> tuple[Check, str] | None:
        """The word for the address, and of when; None for one that is not given."""
        check = self._mailboxes.check(email)
        if check.status != "invalid":
            return check, _CHECKED_NOW
        is_outdated = self._draws.hits(uid, "outdated", self._config.outdated)
        return (Check("valid", 95), _CHECKED_LONG_AGO) if is_outdated else None

    def _guess(self, full_name: str, domain: str) -> Found | None:
        """Both names with a dot between them, at a host that has it, or takes every address."""
        names = [re.sub("[^a-z]", "", anyascii(name).lower()) for name in full_name.split()]
        if domain not in self._companies or len(names) < 2 or not (names[0] and names[-1]):
            return None
        email = f"{names[0]}.{names[-1]}@{domain}"
        check = self._mailboxes.check(email)
        is_tried = self._draws.hits(email, "guessed", self._config.guessed)
        if not is_tried or check.status not in ("valid", "accept_all"):
            return None
        row = {"full_name": full_name, "company": self._companies[domain] or ""}
        return Found(f"guess {email}", _told(row, email, domain, (check, _CHECKED_NOW), []))

    def _sources(self, person: KnownPerson, domain: str) -> list[dict[str, Any]]:
        if not self._draws.hits(person.uid, "sourced", self._config.sourced):
            return []
        return [
            {
                "domain": domain,
                "uri": f"https://{domain}/team",
                "extracted_on": "2025-06-01",
                "last_seen_on": "2026-10-01",
                "still_on_page": True,
            }
        ]


def _email_at(person: KnownPerson, domain: str) -> str | None:
    """The address at the company that was asked for, which may be a former employer."""
    given = [person.email, *person.row.get("known_emails", "").split(";")]
    return next((email for email in given if email and host_of(email) == domain), None)


def _told(
    row: Mapping[str, str],
    email: str,
    domain: str,
    checked: tuple[Check, str],
    sources: list[dict[str, Any]],
) -> dict[str, Any]:
    check, at = checked
    first_name, _, last_name = row["full_name"].rpartition(" ")
    is_told = check.status != "unknown"
    return {
        "first_name": first_name or None,
        "last_name": last_name,
        "email": email,
        "score": check.score,
        "domain": domain,
        "accept_all": check.status == "accept_all",
        "position": row.get("title"),
        "twitter": None,
        "linkedin_url": row.get("linkedin_url"),
        "phone_number": None,
        "company": row.get("company") or None,
        "sources": sources,
        "verification": {
            "date": at if is_told else None,
            "status": check.status if is_told else None,
        },
    }


def nothing(wanted: Wanted) -> dict[str, Any]:
    """The documented `data` where no address is found: what was asked by, and nulls."""
    first_name, _, last_name = wanted.full_name.rpartition(" ")
    return {
        "first_name": first_name or None,
        "last_name": last_name,
        "email": None,
        "score": None,
        "domain": wanted.domain,
        "accept_all": None,
        "position": None,
        "twitter": None,
        "linkedin_url": None,
        "phone_number": None,
        "company": wanted.company,
        "sources": [],
        "verification": {"date": None, "status": None},
    }
