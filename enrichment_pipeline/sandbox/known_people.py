"""What a provider knows of the people in the directory, which is not all, nor all right.

Belongs here: which people are known, and with which errors: an employer of before, an address that
does not exist, another person; finding them by an identifier, or by name and company. Does not
belong here: the directory (`directory.py`), and how a provider shows a person, which is each
stand-in's own.

Each decision about a person is drawn from the seed and the person alone, so that it is the same in
every run, whatever else is asked for.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from enrichment_pipeline.sandbox.directory import Directory, Person, identify
from enrichment_pipeline.sandbox.words import words_in

_COMPANY_FORMS = words_in("inc llc ltd corp gmbh ag co kg sa sas sarl bv nv srl spa ab plc")


class Shares(Protocol):
    """How much is known, and how much of it is wrong: settings of a stand-in, each from 0 to 1."""

    @property
    def known(self) -> float: ...

    @property
    def dead_email(self) -> float: ...

    @property
    def stale_employer(self) -> float: ...

    @property
    def wrong_person(self) -> float: ...


SHARES = ("known", "dead_email", "stale_employer", "wrong_person")


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """A person as a provider has them: `row` may be of before a change of job, `email` be wrong."""

    uid: str
    identifiers: tuple[str, ...]
    row: Mapping[str, str]
    email: str | None


class Draws:
    """What is drawn for a person: the same at each look, and another for another provider."""

    def __init__(self, seed: str) -> None:
        self._seed = seed

    def of(self, uid: str, purpose: str) -> random.Random:
        return random.Random(f"{self._seed} {uid} {purpose}")

    def hits(self, uid: str, purpose: str, share: float) -> bool:
        return self.of(uid, purpose).random() < share


class KnownPeople:
    """The people that a provider knows, by what they can be named by."""

    def __init__(self, people: Iterable[Person], shares: Shares, draws: Draws) -> None:
        self._shares = shares
        self._draws = draws
        listed = list(people)
        latest = max((person.row.get("started", "") for person in listed), default="")
        year_ago = f"{int(latest[:4]) - 1}{latest[4:]}" if latest else ""
        known = [
            self._known(person, year_ago)
            for person in listed
            if draws.hits(person.uid, "known", shares.known)
        ]
        self._by_identifier = Directory(known)
        self._by_name: dict[frozenset[str], list[KnownPerson]] = defaultdict(list)
        for person in known:
            self._by_name[words_in(person.row.get("full_name"))].append(person)
        self._mistaken_for = self._mistakes(known)

    def __iter__(self) -> Iterator[KnownPerson]:
        return iter(self._by_identifier)

    def with_identifier(self, text: str) -> KnownPerson | None:
        """The person with that identifier, in whatever form it is written."""
        identifier = identify(text)
        return None if identifier is None else self._by_identifier.find(identifier)

    def at_company(self, name: str, company: str) -> KnownPerson | None:
        """The person of that name at that company, or there before; told by its domain or name."""
        namesakes = self._by_name.get(words_in(name), [])
        return next((one for one in namesakes if _works_at(one.row, company)), None)

    def taken_for(self, person: KnownPerson) -> KnownPerson:
        """The person that is given for this one: in most cases the same."""
        return self._mistaken_for.get(person.uid, person)

    def _known(self, person: Person, year_ago: str) -> KnownPerson:
        row = person.row
        is_new_there = "previous_company" in row and row.get("started", "") > year_ago
        if is_new_there and self._draws.hits(person.uid, "stale", self._shares.stale_employer):
            row = _before_the_change(row)
        email = row.get("work_email")
        if email is not None and self._draws.hits(person.uid, "dead", self._shares.dead_email):
            email = email.replace("@", f".{person.uid[:2]}@")
        return KnownPerson(person.uid, person.identifiers, row, email)

    def _mistakes(self, known: list[KnownPerson]) -> dict[str, KnownPerson]:
        """By the uid of the right one: the person that is given instead, a namesake if possible."""
        mistaken = {}
        for place, person in enumerate(known):
            if self._draws.hits(person.uid, "wrong", self._shares.wrong_person):
                namesakes = self._by_name[words_in(person.row.get("full_name"))]
                others = [one for one in namesakes if one is not person]
                mistaken[person.uid] = others[0] if others else known[place - 1]
        return mistaken


def text_in(record: Mapping[str, Any], name: str) -> str | None:
    """What a request says under that name; None for a blank, and for what is no text."""
    value = record.get(name)
    return value.strip() or None if isinstance(value, str) else None


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


def host_in(website: str) -> str:
    """The host of a website, or of a domain, without www."""
    return re.sub(r"^(https?://)?(www\.)?", "", website.strip().lower()).split("/")[0]


def company_words(name: str | None) -> frozenset[str]:
    """What a company is known by: the words of its name without its legal form."""
    return words_in(name) - _COMPANY_FORMS


def _works_at(row: Mapping[str, str], company: str) -> bool:
    host, words = host_in(company), company_words(company)
    for prefix in ("", "previous_"):
        if host and host == row.get(f"{prefix}company_domain"):
            return True
        if words and words == company_words(row.get(f"{prefix}company")):
            return True
    return False
