"""What a person is asked for by, as one text: the item of a call.

Here: telling the kinds of item apart, and a key by which a reply can name one. A profile URL, an
e-mail, a phone and a provider's id are written as they are; a name with a company is
`Ada Lovelace @ acme.example`, or with the company's name where no domain is known. Not here: which
of them a person is asked for by, and how a provider spells its request.
"""

import hashlib
from typing import NamedTuple

BETWEEN_NAME_AND_COMPANY = " @ "
"""No e-mail and no URL has it: neither holds a blank."""


class NameAtCompany(NamedTuple):
    """A full name, and the company's web domain or, where none is known, its name."""

    full_name: str
    company: str

    @property
    def has_domain(self) -> bool:
        return "." in self.company and " " not in self.company


def name_at_company(item: str) -> NameAtCompany | None:
    """The name and the company in an item; None for an item of another kind."""
    full_name, _, company = item.rpartition(BETWEEN_NAME_AND_COMPANY)
    full_name, company = full_name.strip(), company.strip()
    return NameAtCompany(full_name, company) if full_name and company else None


def is_profile_url(item: str) -> bool:
    return "linkedin.com/" in item.lower()


def is_email(item: str) -> bool:
    return "@" in item and not any(character.isspace() for character in item.strip())


def is_phone(item: str) -> bool:
    """With its country code, as we write phones."""
    return item.startswith("+") and any(character.isdigit() for character in item)


def row_key(item: str) -> str:
    """By which a reply names an item: made from it, so that it is known after a restart, too.

    Letters and digits, with a letter first, so that nothing takes it for a number.
    """
    return "r" + hashlib.sha256(item.encode("utf-8", "surrogatepass")).hexdigest()[:20]
